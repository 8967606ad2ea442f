import { expect, test } from 'vitest';
import { statusOnly } from '../../../src/modules/events/targets/status-only.ts';

/** Gives parts of 10 KB, and says how many were taken and whether the reader left before the end. */
function bodyOf(parts: number): { readonly body: ReadableStream<Uint8Array>; readonly seen: { taken: number; isLeft: boolean } } {
  const seen = { taken: 0, isLeft: false };
  const body = new ReadableStream<Uint8Array>(
    {
      pull: (controller) => {
        if (seen.taken === parts) return controller.close();
        seen.taken += 1;
        controller.enqueue(new Uint8Array(10_000));
      },
      cancel: () => {
        seen.isLeft = true;
      },
    },
    { highWaterMark: 0 },
  );
  return { body, seen };
}

test('a short body is read to its end, so that its connection can be used again, and a long one is left', async () => {
  for (const { parts, expected } of [{ parts: 3, expected: { taken: 3, isLeft: false } }, { parts: 1000, expected: { taken: 7, isLeft: true } }]) {
    const { body, seen } = bodyOf(parts);
    const carry = statusOnly(async () => ({ status: 200, statusText: 'OK', headers: [['retry-after', '1']], body }));
    expect(await carry(new URL('https://example.com'), {})).toEqual({ status: 200, statusText: 'OK', headers: [['retry-after', '1']], body: null });
    expect(seen).toEqual(expected);
  }
});
