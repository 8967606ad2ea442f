import { PurgeProblem } from './gate.ts';
import type { PurgeState } from './state.ts';

/** One page of a list, and the cursor of the next. */
export function pageOf<Item>(state: PurgeState, items: readonly Item[], cursor: string | undefined): { items: readonly Item[]; next: string | undefined } {
  const start = cursor === undefined ? 0 : Number(Buffer.from(cursor, 'base64url').toString('utf8'));
  if (!Number.isInteger(start) || start < 0) throw new PurgeProblem(400, 'bad_cursor');
  const end = start + state.account.page_size;
  return { items: items.slice(start, end), next: end < items.length ? Buffer.from(String(end)).toString('base64url') : undefined };
}
