import { createApiClient, readAnswer } from '../../../api-client.ts';
import { connectionListSchema } from '../../../api-schemas.ts';
import { print, printJson, type CliContext, type JsonFlag } from '../../../context.ts';
import { renderTable } from '../../../terminal/table.ts';

/** Lists the connectors of the configured connections. */
export async function run(this: CliContext, flags: JsonFlag): Promise<void> {
  const { items } = readAnswer(connectionListSchema, await createApiClient(this).get('/v1/connections'));
  const connectors = [...new Set(items.map((each) => each.connector))].toSorted().map((connector) => {
    const own = items.filter((each) => each.connector === connector);
    return { connector, title: own[0]?.title ?? '', connections: own.map((each) => each.name), egress: [...new Set(own.flatMap((each) => each.egress))] };
  });
  if (flags.json) {
    printJson(this, { items: connectors });
    return;
  }
  const rows = connectors.map((each) => [each.connector, each.title, each.connections.join(', '), each.egress.join(', ')]);
  print(this, ...(rows.length === 0 ? ['No connections are configured.'] : renderTable(['connector', 'title', 'connections', 'may call'], rows)));
}
