import type { RequestStatus } from '../../../../contract/outcomes.ts';
import { createApiClient, readAnswer } from '../../../api-client.ts';
import { requestListSchema } from '../../../api-schemas.ts';
import { print, printJson, type CliContext, type JsonFlag } from '../../../context.ts';
import { renderTable } from '../../../terminal/table.ts';

interface Flags extends JsonFlag {
  readonly status?: RequestStatus;
  readonly limit: number;
  readonly cursor?: string;
}

/** Lists requests, and says how to see the next page. */
export async function run(this: CliContext, flags: Flags): Promise<void> {
  const query = new URLSearchParams({ limit: String(flags.limit) });
  if (flags.status !== undefined) query.set('status', flags.status);
  if (flags.cursor !== undefined) query.set('cursor', flags.cursor);
  const answer = await createApiClient(this).get(`/v1/privacy-requests?${query.toString()}`);
  if (flags.json) {
    printJson(this, answer);
    return;
  }
  const { items, next_cursor: next } = readAnswer(requestListSchema, answer);
  if (items.length === 0) {
    print(this, 'No requests.');
    return;
  }
  const rows = items.map((each) => [each.id, each.reference, each.status, each.verdict ?? '–', each.source, each.received_at.slice(0, 16), each.due_at.slice(0, 10)]);
  print(this, ...renderTable(['id', 'reference', 'status', 'verdict', 'source', 'received', 'due'], rows));
  if (next !== null) print(this, `More: quittance request list --cursor ${next}`);
}
