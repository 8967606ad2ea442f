import { createApiClient, readAnswer } from '../../../api-client.ts';
import { connectionListSchema } from '../../../api-schemas.ts';
import { print, printJson, type CliContext, type JsonFlag } from '../../../context.ts';
import { renderTable } from '../../../terminal/table.ts';

/** Lists connections. */
export async function run(this: CliContext, flags: JsonFlag): Promise<void> {
  const answer = await createApiClient(this).get('/v1/connections');
  if (flags.json) {
    printJson(this, answer);
    return;
  }
  const { items } = readAnswer(connectionListSchema, answer);
  const rows = items.map((each) => [each.name, each.connector, each.state, String(each.consecutive_failures), String(each.concurrency), String(each.calls_per_second)]);
  print(this, ...(items.length === 0 ? ['No connections are configured.'] : renderTable(['name', 'connector', 'state', 'failures in a row', 'tasks at once', 'calls a second'], rows)));
}
