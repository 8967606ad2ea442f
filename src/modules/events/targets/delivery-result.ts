import { parseRetryAfter } from '../../../connector-kit/index.ts';
import type { DeliveryResult, Outgoing } from '../target.ts';

/** The code of an event that was not sent, or not yet, since one before it about the same person did not get through, or the time of its batch ended first. It says nothing against the event or the target. */
export const heldBack = 'HELD_BACK';
/** The code of an event that was called off by who sends, before its target said anything; never that of one whose time passed. */
export const interrupted = 'INTERRUPTED';
/** The code of an event that had to wait for a place in the destination's own limit; no call was made. */
export const ownRateLimit = 'OWN_RATE_LIMIT';

/** Not delivered, and worth another try. */
export function again(code: string, retryAfterMs?: number): DeliveryResult {
  return { kind: 'again', code, ...(retryAfterMs === undefined ? {} : { retryAfterMs }) };
}

/** Not delivered, and another try would fare no better. */
export function refused(code: string): DeliveryResult {
  return { kind: 'refused', code };
}

/** Says of an HTTP answer that is no success whether to come again, in the time that its `Retry-After` gives. A negative one asks not to come again, as EventBridge takes it. */
export function retryByAnswer(answer: Response, now: number): DeliveryResult {
  const value = answer.headers.get('retry-after');
  if (value !== null && /^\s*-\d+\s*$/u.test(value)) return refused(`HTTP_${answer.status}`);
  return again(`HTTP_${answer.status}`, parseRetryAfter(value, now));
}

/**
 * Gives the results of a batch with those held back that failed behind one of the same person which did not get through. What was delivered stays delivered,
 * since the receiver has it. For targets that keep the order of a batch.
 */
export function holdBackBehindFailed(batch: readonly Outgoing[], results: readonly DeliveryResult[]): readonly DeliveryResult[] {
  const stopped = new Set<string>();
  return batch.map(({ event: { subject } }, index) => {
    const result = results[index] ?? again('INTERNAL');
    if (subject === undefined || result.kind === 'delivered') return result;
    if (stopped.has(subject)) return result.kind === 'again' ? result : again(heldBack);
    stopped.add(subject);
    return result;
  });
}
