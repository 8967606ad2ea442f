import { createApiClient, readAnswer } from '../../../api-client.ts';
import { eventDestinationsSchema } from '../../../event-schemas.ts';
import { print, printJson, type CliContext, type JsonFlag } from '../../../context.ts';
import { renderTable } from '../../../terminal/table.ts';

/** Lists destinations. */
export async function run(this: CliContext, flags: JsonFlag): Promise<void> {
  const answer = await createApiClient(this).get('/v1/event-destinations');
  if (flags.json) {
    printJson(this, answer);
    return;
  }
  const { items } = readAnswer(eventDestinationsSchema, answer);
  const rows = items.map((each) => [each.name, each.disabled_code === null ? each.state : `${each.state} (${each.disabled_code})`, String(each.waiting), each.oldest_waiting_at?.slice(0, 19) ?? '–', String(each.dead), String(each.failures)]);
  print(this, ...(items.length === 0 ? ['No destinations are configured.'] : renderTable(['name', 'state', 'waiting', 'since', 'dead', 'failures in a row'], rows)));
}
