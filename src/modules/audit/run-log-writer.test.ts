import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { createLog } from '../../platform/log.ts';
import { runLogWriter } from './run-log-writer.ts';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

test('a failure that nobody could be told of is told at the next turn, then once, and the writing goes on when it can', async () => {
  let isAway = true;
  const told: string[] = [];
  let flushed = 0;
  const running = runLogWriter({
    writer: {
      flush: async () => {
        if (isAway) throw new Error('the database is away');
        flushed += 1;
        return 0;
      },
      checkpoint: async () => undefined,
      unsigned: () => 0,
      release: async () => undefined,
    },
    clock: { now: Date.now },
    log: createLog('silent'),
    checkpointMs: 1000,
    checkOverdue: async () => false,
    onFailure: async () => {
      told.push('tried');
      if (told.length === 1) throw new Error('so is the one that would tell');
    },
  });
  await vi.advanceTimersByTimeAsync(9000);
  expect(told).toHaveLength(2);
  expect(flushed).toBe(0);
  isAway = false;
  await vi.advanceTimersByTimeAsync(5000);
  expect(flushed).toBeGreaterThan(1);
  await running.stop();
});
