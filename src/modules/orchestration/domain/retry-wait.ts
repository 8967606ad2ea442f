import { backoffMs } from '../../../platform/backoff.ts';

/** So many tries in a row wait no longer than was asked for. */
const patientAttempts = 4;

/**
 * Gives the wait before the next try of a step, in milliseconds; `attempt` counts from 1. What the vendor asked for is kept, with a tenth of it as
 * jitter. Where the same is asked for again and again the wait grows all the same: a vendor may count the tries themselves, as Twilio does
 * (error 70005), and who came back each time as soon as he may would be refused for ever.
 */
export function retryWaitMs(attempt: number, fraction: number, retryAfterMs: number | undefined): number {
  if (retryAfterMs === undefined) return backoffMs(attempt, fraction);
  const asked = Math.ceil(retryAfterMs * (1 + fraction / 10));
  return attempt <= patientAttempts ? asked : backoffMs(attempt - patientAttempts, fraction, asked);
}
