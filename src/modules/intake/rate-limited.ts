import { createHash } from 'node:crypto';
import type { FastifyReply } from 'fastify';
import type { Database } from '../../platform/db/database.ts';
import { takePlace } from '../../platform/db/rate-limit.ts';
import { Failure } from '../../platform/failure.ts';

/** Takes one place in a limit of so many a minute. Fails with `RATE_LIMITED`, which says when to come back. */
export async function takeMinutePlace(database: Database, name: string, perMinute: number): Promise<RatePlace> {
  // A minute's worth at once: a sender that catches up after an outage is not turned away, one that never stops is.
  const decision = await takePlace(database, name, { perSecond: perMinute / 60, burst: perMinute });
  if (!decision.allowed) {
    throw new Failure('RATE_LIMITED', `Only ${perMinute} a minute are taken here; wait as long as Retry-After says`, { retryAfterMs: decision.retryAfterMs });
  }
  return { perMinute, remaining: decision.remaining };
}

/** The limit that a name falls under: one of so many, by the first hexadecimal digits of its hash, so that made-up names fill no table and are limited as real ones are. */
export function bucketOf(limit: string, name: string, digits: 2 | 3): string {
  return `${limit}:${createHash('sha256').update(name, 'utf8').digest('hex').slice(0, digits)}`;
}

/** A place taken, and how many are left at once. */
export interface RatePlace {
  readonly perMinute: number;
  readonly remaining: number;
}

/** Tells the limit to the caller, as draft-ietf-httpapi-ratelimit-headers-10 writes it. */
export function tellRate(reply: FastifyReply, place: RatePlace): void {
  void reply.header('ratelimit-policy', `"minute";q=${place.perMinute};w=60`);
  void reply.header('ratelimit', `"minute";r=${place.remaining};t=60`);
}
