import { describe, expect, test } from 'vitest';
import { retryWaitMs } from './retry-wait.ts';

describe('the wait before the next try', () => {
  test('is what the vendor asked for and a little more, however the dice fall', () => {
    expect([0, 0.5, 0.999].map((fraction) => retryWaitMs(1, fraction, 3000))).toEqual([3000, 3150, 3300]);
    expect(retryWaitMs(30, 0, 3000)).toBe(3000);
  });

  test('grows where the same is asked for again and again, up to an hour', () => {
    const waits = [1, 4, 8, 12, 20].map((attempt) => retryWaitMs(attempt, 0.9, 1000));
    expect(waits).toEqual([1090, 1090, 7200, 115_200, 3_240_000]);
    expect(retryWaitMs(1_000_000, 0.999, 1000)).toBeLessThanOrEqual(3_600_000);
  });

  test('backs off with full jitter where nothing was asked for', () => {
    expect([1, 2, 3].map((attempt) => retryWaitMs(attempt, 0.5, undefined))).toEqual([500, 1000, 2000]);
  });
});
