/** The longest wait between two attempts: an hour, so that a mended vendor is noticed the same day. */
const capMs = 3_600_000;
/** The first wait's upper bound; a vendor's hiccup is usually over within a second. */
const baseMs = 500;

/**
 * Gives the wait before the next attempt, in milliseconds: exponential with full jitter, never under what the vendor asked for.
 * Source: AWS Architecture Blog, "Exponential Backoff And Jitter" (full jitter does the least work and finishes first).
 */
export function backoffMs(attempt: number, fraction: number, retryAfterMs = 0): number {
  const ceiling = Math.min(capMs, baseMs * 2 ** Math.min(attempt, 30));
  return Math.max(retryAfterMs, Math.floor(fraction * ceiling));
}
