import { sql } from 'kysely';
import { beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { databaseKinds, useDatabase } from '../../../test/support/databases.ts';
import type { Database } from './database.ts';
import { takePlace } from './rate-limit.ts';

/** So slow that no place comes free while a test runs. */
const slow = { perSecond: 0.001, burst: 10 };

describe.each(databaseKinds)('a rate limit on the database of kind $kind', ({ kind }) => {
  const shared = useDatabase(kind, 'main');
  let one: Database;
  let two: Database;
  beforeAll(() => {
    one = shared.open();
    two = shared.open();
  });
  beforeEach(async () => {
    await one.execute('TRUNCATE rate_limit');
  });

  /** As if this many milliseconds had passed: the limit is by the database's clock, which nobody can move. */
  const pass = (ms: number): Promise<unknown> => sql`UPDATE rate_limit SET arrives_at = arrives_at - ${ms} * interval '1 millisecond'`.execute(one.read());

  it('lets exactly the burst through when two processes take many places at once', async () => {
    const decisions = await Promise.all(Array.from({ length: 60 }, async (_, index) => takePlace(index % 2 === 0 ? one : two, 'connection:a', slow)));
    const allowed = decisions.filter((each) => each.allowed);
    expect(allowed).toHaveLength(slow.burst);
    expect(allowed.map((each) => each.remaining).toSorted((a, b) => a - b)).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
    expect(allowed.every((each) => each.waitMs === 0)).toBe(true);
  });

  it('keeps one limit apart from another', async () => {
    for (let at = 0; at < slow.burst; at += 1) await takePlace(one, 'connection:a', slow);
    expect(await takePlace(two, 'connection:a', slow)).toMatchObject({ allowed: false });
    expect(await takePlace(two, 'connection:b', slow)).toMatchObject({ allowed: true });
  });

  it('gives one place back for each interval that passes, and never more than the burst', async () => {
    const take = async (): Promise<number> => (await Promise.all(Array.from({ length: 30 }, async () => takePlace(two, 'connection:a', slow)))).filter((each) => each.allowed).length;
    expect(await take()).toBe(10);
    await pass(3_000_000);
    expect(await take()).toBe(3);
    await pass(1_000_000_000);
    expect(await take()).toBe(10);
  });

  it('tells who is refused to come back when half the burst is free', async () => {
    for (let at = 0; at < slow.burst; at += 1) await takePlace(one, 'connection:a', slow);
    const refused = await takePlace(two, 'connection:a', slow);
    if (refused.allowed) throw new Error('a place too many was given');
    expect(refused.retryAfterMs).toBeGreaterThan(5_000_000);
    expect(refused.retryAfterMs).toBeLessThanOrEqual(6_000_000);
    await pass(refused.retryAfterMs);
    expect(await takePlace(two, 'connection:a', slow)).toMatchObject({ allowed: true });
  });

  it('gives who is patient a place in the future, each its own, and refuses beyond the patience', async () => {
    const limit = { perSecond: 0.1, burst: 1 };
    const decisions = await Promise.all(Array.from({ length: 8 }, async (_, index) => takePlace(index % 2 === 0 ? one : two, 'connection:a', limit, 30_000)));
    const waits = decisions.flatMap((each) => (each.allowed ? [Math.round(each.waitMs / 10_000)] : [])).toSorted((a, b) => a - b);
    expect(waits).toEqual([0, 1, 2, 3]);
  });
});
