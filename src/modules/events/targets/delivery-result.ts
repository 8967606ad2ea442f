import { parseRetryAfter } from '../../../connector-kit/index.ts';
import { isFailure } from '../../../platform/failure.ts';
import type { DeliveryResult, Outgoing } from '../target.ts';

/** The code of an event that was not sent, or not yet, since one before it about the same person did not get through. It says nothing against the event or the target. */
export const heldBack = 'HELD_BACK';
/** The code of an event that was called off by who sends, before its target said anything. */
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
 * Says of a call over HTTP that threw what became of it. Whatever the other side did is a result; a bug of ours is thrown on. An answer that was too large to be read
 * would be so again; everything else may be mended by time or by an operator: a host that is down, a name that leads to an internal address, a token that is refused.
 */
export function resultOfThrown(error: unknown, signal: AbortSignal): DeliveryResult {
  if (signal.aborted) return again(interrupted);
  if (!isFailure(error)) throw error;
  return error.code === 'VENDOR_MALFORMED' ? refused('VENDOR_MALFORMED') : again(error.code, error.retryAfterMs);
}

/** Gives the results of a batch with those held back that come after one of the same person which did not get through. For targets that keep the order of a batch. */
export function holdBackBehindFailed(batch: readonly Outgoing[], results: readonly DeliveryResult[]): readonly DeliveryResult[] {
  const stopped = new Set<string>();
  return batch.map(({ event: { subject } }, index) => {
    const result = results[index] ?? again(interrupted);
    if (subject === undefined) return result;
    if (stopped.has(subject)) return result.kind === 'again' ? result : again(heldBack);
    if (result.kind !== 'delivered') stopped.add(subject);
    return result;
  });
}
