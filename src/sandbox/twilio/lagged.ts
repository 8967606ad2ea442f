/** How long readers go on seeing what was before an accepted change: a count of reads or a time, whichever ends first. */
export interface Lag {
  readonly reads: number;
  readonly ms: number;
}

/** A value whose changes are made at once and seen later, as behind Memory's 202 answers. Undefined is absent. */
export interface Lagged<T> {
  live: T | undefined;
  before?: { readonly value: T | undefined; readsLeft: number; readonly until: number } | undefined;
}

/** Makes the change, and lets readers see the state before it for a while. */
export function changeLagged<T>(lagged: Lagged<T>, next: T | undefined, lag: Lag, now: number): void {
  const seen = visible(lagged, now);
  lagged.live = next;
  lagged.before = lag.reads > 0 && lag.ms > 0 ? { value: seen, readsLeft: lag.reads, until: now + lag.ms } : undefined;
}

/** Promises what a reader is shown now, without counting as a read. */
export function visible<T>(lagged: Lagged<T>, now: number): T | undefined {
  const before = lagged.before;
  return before !== undefined && before.readsLeft > 0 && now < before.until ? before.value : lagged.live;
}

/** Promises what a reader is shown now, and counts as one read. */
export function readLagged<T>(lagged: Lagged<T>, now: number): T | undefined {
  const value = visible(lagged, now);
  if (lagged.before !== undefined) lagged.before.readsLeft -= 1;
  return value;
}
