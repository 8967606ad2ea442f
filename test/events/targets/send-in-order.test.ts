import { describe, expect, test } from 'vitest';
import { again, holdBackBehindFailed } from '../../../src/modules/events/targets/delivery-result.ts';
import { cutIntoCalls } from '../../../src/modules/events/targets/cut-into-calls.ts';
import { sendInOrder, type Sent } from '../../../src/modules/events/targets/send-in-order.ts';
import { inShort, outgoing } from '../../support/outgoing.ts';

/** A receiver that takes all or nothing, finds fault with some numbers, and fails at others. */
function receiver(faults: readonly number[], failures: readonly number[] = []): { readonly taken: number[]; readonly calls: number[]; readonly send: (items: readonly number[]) => Promise<Sent> } {
  const taken: number[] = [];
  const calls: number[] = [];
  return {
    taken,
    calls,
    send: async (items) => {
      calls.push(items.length);
      if (items.some((each) => faults.includes(each))) return { kind: 'fault', code: 'TOO_LARGE' };
      if (items.some((each) => failures.includes(each))) return { kind: 'failed', result: again('DOWN') };
      taken.push(...items);
      return { kind: 'sent', results: items.map((each) => ({ kind: 'delivered', reference: String(each) })) };
    },
  };
}
const upTo = (count: number): readonly number[] => Array.from({ length: count }, (_, n) => n);

describe('things sent in order to a receiver that takes all or nothing', () => {
  test('are sent at once where it finds no fault', async () => {
    const { calls, taken, send } = receiver([]);
    expect(inShort(await sendInOrder(upTo(100), send))).toEqual(upTo(100).map(() => 'delivered'));
    expect([calls, taken]).toEqual([[100], upTo(100)]);
  });

  test('are all taken in their order but for those at fault, after few calls', async () => {
    const { calls, taken, send } = receiver([3, 77]);
    const results = inShort(await sendInOrder(upTo(100), send));
    expect(results.flatMap((each, index) => (each === 'delivered' ? [] : [[index, each]]))).toEqual([[3, 'refused TOO_LARGE'], [77, 'refused TOO_LARGE']]);
    expect(taken).toEqual(upTo(100).filter((each) => each !== 3 && each !== 77));
    expect(calls.length).toBeLessThan(32);
  });

  test('are not sent any further behind one that failed', async () => {
    const { taken, send } = receiver([7], [4]);
    expect(inShort(await sendInOrder(upTo(8), send))).toEqual(['again DOWN', 'again DOWN', 'again DOWN', 'again DOWN', 'again HELD_BACK', 'again HELD_BACK', 'again HELD_BACK', 'again HELD_BACK'].map((each, index) => (index < 4 ? 'delivered' : each.replace('HELD_BACK', index < 6 ? 'DOWN' : 'HELD_BACK'))));
    expect(taken).toEqual([0, 1, 2, 3]);
  });
});

test('of a batch, what failed behind one of the same person that did not get through is held back, and what was delivered stays delivered', () => {
  const batch = [outgoing(1, { subject: 'req_a' }), outgoing(2, { subject: 'req_b' }), outgoing(3, { subject: 'req_a' }), outgoing(4, { subject: 'req_b' }), outgoing(5, { subject: null }), outgoing(6, { subject: null }), outgoing(7, { subject: 'req_a' }), outgoing(8, { subject: 'req_a' })];
  const results = batch.map((_, index) => (index === 0 || index === 6 ? { kind: 'refused', code: 'X' } as const : index === 4 ? again('Y') : { kind: 'delivered' } as const));
  expect(inShort(holdBackBehindFailed(batch, results))).toEqual(['refused X', 'delivered', 'delivered', 'delivered', 'again Y', 'delivered', 'again HELD_BACK', 'delivered']);
});

test('items are cut into calls by number and by size, in their order, to the very limit', () => {
  expect(cutIntoCalls([4, 6, 1, 10, 1, 1, 1, 1], (each) => each, { items: 3, bytes: 10 })).toEqual([[4, 6], [1], [10], [1, 1, 1], [1]]);
  expect(cutIntoCalls([], () => 1, { items: 3, bytes: 10 })).toEqual([]);
});
