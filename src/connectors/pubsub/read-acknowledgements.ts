import { z } from 'zod';
import { countsSchema } from '../../contract/outcomes.ts';
import type { Verdict } from './erase-cursor.ts';
import type { Pulled } from './gateway.ts';

const addressedSchema = z.looseObject({ idempotency_key: z.string() });
const acknowledgementSchema = z.looseObject({
  event: z.string(),
  idempotency_key: z.string(),
  status: z.enum(['done', 'nothing_held', 'failed', 'partial', 'pending']),
  counts: countsSchema.optional(),
  at: z.iso.datetime({ offset: true }).optional(),
});

/** What was pulled, sorted: whose it is, and what ours say. */
export interface SortedAcknowledgements {
  /** What may be acknowledged: it is about this task. */
  readonly ours: readonly string[];
  /** What is somebody else's, and is given back. */
  readonly foreign: readonly string[];
  /** Undefined where nothing was said yet, or only that it is at it. */
  readonly verdict: Verdict | undefined;
}

function parse(data: string): unknown {
  try {
    return JSON.parse(data) as unknown;
  } catch {
    return undefined;
  }
}

/**
 * Sorts messages by the idempotency key. Copies count once; what is about an earlier event of the task decides nothing; of several ends the one that the service dates last
 * counts, and where that cannot be told, none: two ends that differ are a matter for a person.
 */
export function sortAcknowledgements(messages: readonly Pulled[], keys: { readonly current: string; readonly earlier: readonly string[] }, event: string): SortedAcknowledgements {
  const ours: string[] = [];
  const foreign: string[] = [];
  let verdict: Verdict | undefined;
  for (const { ackId, data } of messages) {
    const body = parse(data);
    const key = addressedSchema.safeParse(body).data?.idempotency_key;
    if (key === undefined || (key !== keys.current && !keys.earlier.includes(key))) {
      foreign.push(ackId);
      continue;
    }
    ours.push(ackId);
    if (key === keys.current) verdict = later(verdict, readVerdict(body, event));
  }
  return { ours, foreign, verdict };
}

function readVerdict(body: unknown, event: string): Verdict | undefined {
  const parsed = acknowledgementSchema.safeParse(body);
  if (!parsed.success || parsed.data.event !== event) return { status: 'malformed' };
  const { status, counts, at } = parsed.data;
  if (status === 'pending') return undefined;
  // Who held nothing has nothing to count.
  if (status === 'nothing_held' && Object.values(counts ?? {}).some((count) => count > 0)) return { status: 'malformed' };
  return { status, ...(counts === undefined ? {} : { counts }), ...(at === undefined ? {} : { at: Date.parse(at) }) };
}

function later(one: Verdict | undefined, other: Verdict | undefined): Verdict | undefined {
  if (one === undefined || other === undefined) return one ?? other;
  if (one.status === other.status && JSON.stringify(one.counts) === JSON.stringify(other.counts)) return one;
  if (one.at === undefined || other.at === undefined || one.at === other.at) return { status: 'contradictory' };
  return one.at > other.at ? one : other;
}
