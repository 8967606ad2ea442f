import { createApiClient, readAnswer } from '../../../api-client.ts';
import { manualTaskListSchema } from '../../../api-schemas.ts';
import { print, printJson, type CliContext, type JsonFlag } from '../../../context.ts';
import { renderTable } from '../../../terminal/table.ts';

interface Flags extends JsonFlag {
  readonly request?: string;
  readonly all: boolean;
}

/** The most that one page of the API holds. */
const limit = 200;

/** Lists manual tasks. */
export async function run(this: CliContext, flags: Flags): Promise<void> {
  const query = new URLSearchParams({ open: String(!flags.all), limit: String(limit) });
  if (flags.request !== undefined) query.set('request_id', flags.request);
  const answer = await createApiClient(this).get(`/v1/manual-tasks?${query.toString()}`);
  if (flags.json) {
    printJson(this, answer);
    return;
  }
  const { items } = readAnswer(manualTaskListSchema, answer);
  if (items.length === 0) {
    print(this, 'Nothing waits for a person.');
    return;
  }
  const rows = items.map((each) => [each.id, each.request_id, each.reason_code, each.opened_at.slice(0, 16), each.settled_how ?? 'open']);
  print(this, ...renderTable(['id', 'request', 'reason', 'opened', 'state'], rows));
  if (items.length === limit) print(this, `Only the oldest ${limit} are shown.`);
}
