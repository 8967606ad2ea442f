import { sql } from 'kysely';
import type { Database } from './database.ts';

interface RateLimitTable {
  rate_limit: { name: string; arrives_at: Date };
}

/** A limit that holds across processes: so many a second on average, and so many at once. */
export interface RateLimit {
  readonly perSecond: number;
  readonly burst: number;
}

/** Whether a place was taken, when it begins and how many are left at once; and otherwise how long to wait before asking again. */
export type RateDecision =
  | { readonly allowed: true; readonly waitMs: number; readonly remaining: number }
  | { readonly allowed: false; readonly retryAfterMs: number };

/**
 * Takes one place in the named limit, by the database's clock, in one statement (the generic cell rate algorithm: ITU-T I.371, annex A).
 * With `patienceMs` a place that begins within that time is taken too, and `waitMs` says how long to wait for it; places are given in order.
 * A place is not worth waiting for the disk: each call to a vendor takes one, in one row, and what a crash of the database loses is a fraction of a
 * second's places. A refusal says when half of the burst is free again, so that who waits comes back for a run of calls and not for a single one.
 */
export async function takePlace(database: Database, name: string, limit: RateLimit, patienceMs = 0): Promise<RateDecision> {
  const intervalMs = 1000 / limit.perSecond;
  const toleranceMs = intervalMs * Math.max(0, limit.burst - 1);
  const db = database.read<RateLimitTable>();
  const interval = sql`${intervalMs} * interval '1 millisecond'`;
  const taken = await sql<{ ahead_ms: number }>`
    INSERT INTO rate_limit AS held (name, arrives_at) SELECT ${name}, clock_timestamp() + ${interval} FROM set_config('synchronous_commit', 'off', true)
    ON CONFLICT (name) DO UPDATE SET arrives_at = greatest(held.arrives_at, clock_timestamp()) + ${interval}
      WHERE held.arrives_at <= clock_timestamp() + ${toleranceMs + patienceMs} * interval '1 millisecond'
    RETURNING (extract(epoch FROM arrives_at - clock_timestamp()) * 1000)::float8 AS ahead_ms`.execute(db);
  const row = taken.rows[0];
  if (row !== undefined) {
    const spareMs = toleranceMs + intervalMs - row.ahead_ms;
    return { allowed: true, waitMs: Math.max(0, Math.ceil(-spareMs)), remaining: Math.max(0, Math.floor(spareMs / intervalMs)) };
  }
  const waiting = await sql<{ ahead_ms: number }>`
    SELECT (extract(epoch FROM arrives_at - clock_timestamp()) * 1000)::float8 AS ahead_ms FROM rate_limit WHERE name = ${name}`.execute(db);
  const aheadMs = waiting.rows[0]?.ahead_ms ?? 0;
  return { allowed: false, retryAfterMs: Math.max(Math.ceil(intervalMs), Math.ceil(aheadMs - toleranceMs / 2)) };
}
