import { isFailure } from '../../../platform/failure.ts';
import type { DeliveryResult, Outgoing } from '../target.ts';
import { again, interrupted } from './delivery-result.ts';

/** How long one try of a batch may take, with all the calls, tokens and waiting that it is made of. */
const attemptMs = 30_000;

/** One try of a batch, while it lasts. */
export interface Attempt {
  /** Aborted when who sends stops, or when the time of the try has passed. */
  readonly signal: AbortSignal;
  /** Why it ended before its time, or undefined while it lasts: `INTERRUPTED` where who sends stopped, and otherwise `VENDOR_TIMEOUT`. */
  readonly ended: () => DeliveryResult | undefined;
  /** What became of what threw: another try in any case. A refusal is something that the other side said of an event, and never an error that was thrown. */
  readonly resultOf: (error: unknown) => DeliveryResult;
}

/**
 * Makes one try of a batch within 30 s, or until who sends stops. What the work throws is the result of the whole batch, under its code or `INTERNAL`, so that
 * this throws never. The work must end soon after its signal.
 */
export async function attemptBatch(batch: readonly Outgoing[], signal: AbortSignal, work: (attempt: Attempt) => Promise<readonly DeliveryResult[]>): Promise<readonly DeliveryResult[]> {
  const ends = AbortSignal.any([signal, AbortSignal.timeout(attemptMs)]);
  const ended = (): DeliveryResult | undefined => (ends.aborted ? again(signal.aborted ? interrupted : 'VENDOR_TIMEOUT') : undefined);
  const resultOf = (error: unknown): DeliveryResult => ended() ?? (isFailure(error) ? again(error.code, error.retryAfterMs) : again('INTERNAL'));
  try {
    return await work({ signal: ends, ended, resultOf });
  } catch (error) {
    const result = resultOf(error);
    return batch.map(() => result);
  }
}
