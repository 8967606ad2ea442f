/** Tells the time. Injected everywhere, so that a test can move it. Leases and locks use the database's clock instead. */
export interface Clock {
  /** Milliseconds since the epoch. */
  readonly now: () => number;
}

/** The machine's clock. */
export const systemClock: Clock = { now: () => Date.now() };

/** Gives an instant as ISO 8601 in UTC with milliseconds. */
export function isoTime(ms: number): string {
  return new Date(ms).toISOString();
}
