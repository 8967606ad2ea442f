/** A time during which a clock stands still; without `to` it still does. Milliseconds since the epoch. */
export interface Pause {
  readonly from: number;
  readonly to?: number | undefined;
}

/** Brings overlapping and touching pauses together, in order; what lies before `start` counts for nothing, and an open one ends at `now`. */
export function mergePauses(pauses: readonly Pause[], start: number, now: number): readonly { readonly from: number; readonly to: number }[] {
  const clipped = pauses.map((each) => ({ from: Math.max(each.from, start), to: each.to ?? now })).filter((each) => each.to > each.from);
  const merged: { from: number; to: number }[] = [];
  for (const each of clipped.toSorted((a, b) => a.from - b.from)) {
    const last = merged.at(-1);
    if (last !== undefined && each.from <= last.to) last.to = Math.max(last.to, each.to);
    else merged.push({ ...each });
  }
  return merged;
}

/**
 * How long a clock stood still, in milliseconds, where `endAfter` gives the end of its period for that long: a pause that begins when the
 * period is over, with the pauses before it, stops nothing any more.
 */
export function pausedMs(pauses: readonly Pause[], start: number, now: number, endAfter: (pausedMs: number) => number): number {
  let total = 0;
  for (const { from, to } of mergePauses(pauses, start, now)) {
    if (from > endAfter(total)) break;
    total += to - from;
  }
  return total;
}
