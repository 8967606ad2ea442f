import { createApiClient, readAnswer } from '../../../api-client.ts';
import { eventListSchema } from '../../../event-schemas.ts';
import { print, printJson, type CliContext, type JsonFlag } from '../../../context.ts';
import { renderTable } from '../../../terminal/table.ts';

interface Flags extends JsonFlag {
  readonly type?: string;
  readonly request?: string;
  readonly limit: number;
  readonly cursor?: string;
}

/** Lists events, and says how to see the next page. */
export async function run(this: CliContext, flags: Flags): Promise<void> {
  const query = new URLSearchParams({ limit: String(flags.limit) });
  if (flags.type !== undefined) query.set('type', flags.type);
  if (flags.request !== undefined) query.set('request_id', flags.request);
  if (flags.cursor !== undefined) query.set('cursor', flags.cursor);
  const answer = await createApiClient(this).get(`/v1/events?${query.toString()}`);
  if (flags.json) {
    printJson(this, answer);
    return;
  }
  const { items, next_cursor: next } = readAnswer(eventListSchema, answer);
  print(this, ...(items.length === 0 ? ['No events. They are kept from the first rule on.'] : renderTable(['id', 'type', 'about', 'at'], items.map((each) => [each.id, each.type, each.subject ?? '–', each.at.slice(0, 19)]))));
  if (next !== null) print(this, `More: quittance events list --cursor ${next}`);
}
