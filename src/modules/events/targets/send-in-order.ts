import type { DeliveryResult } from '../target.ts';
import { again, heldBack, refused } from './delivery-result.ts';

/** What became of some things that were sent at once. `fault`: the receiver found one of them wrong, or so many too much, and took none. */
export type Sent = { readonly kind: 'sent'; readonly results: readonly DeliveryResult[] } | { readonly kind: 'failed'; readonly result: DeliveryResult } | { readonly kind: 'fault'; readonly code: string };

/**
 * Sends things whose order matters to a receiver that takes all of a call or none, and answers in their order. Where it finds fault, halves are sent one after the
 * other until what is at fault is alone, and that is refused. Where anything else fails, nothing behind it is sent.
 */
export async function sendInOrder<Item>(items: readonly Item[], send: (items: readonly Item[]) => Promise<Sent>): Promise<readonly DeliveryResult[]> {
  const sent = await send(items);
  if (sent.kind === 'sent') return sent.results;
  if (sent.kind === 'failed') return items.map(() => sent.result);
  if (items.length === 1) return [refused(sent.code)];
  const middle = Math.ceil(items.length / 2);
  const first = await sendInOrder(items.slice(0, middle), send);
  const rest = items.slice(middle);
  if (first.some(({ kind }) => kind === 'again')) return [...first, ...rest.map(() => again(heldBack))];
  return [...first, ...(await sendInOrder(rest, send))];
}
