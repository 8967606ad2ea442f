/** A date of a request that the data protection officer is reminded of. */
export type ReminderKind = 'acknowledgement' | 'extension_notice' | 'target' | 'deadline' | 'appeal';

/** One date, and whether what it asks for is done. Milliseconds since the epoch. */
export interface WatchedDate {
  readonly kind: ReminderKind;
  /** When its time began. */
  readonly since: number;
  readonly at: number;
}

/** What is to be said now. */
export interface Reminder {
  readonly kind: ReminderKind;
  readonly when: 'soon' | 'passed';
  readonly at: number;
}

const hourMs = 3_600_000;

/**
 * How long before a date it is said. An extension needs a decision and a letter; the deadline leaves time to act over a weekend; the rest is
 * a matter of one working day.
 */
const aheadMs: Readonly<Record<ReminderKind, number>> = {
  acknowledgement: 24 * hourMs,
  extension_notice: 7 * 24 * hourMs,
  target: 12 * hourMs,
  deadline: 72 * hourMs,
  appeal: 72 * hourMs,
};

/** When a date is said to be near: never before half of its time is over. */
function soonAt({ kind, since, at }: WatchedDate): number {
  return Math.max(at - aheadMs[kind], since + (at - since) / 2);
}

/** What is due to be said at `now`, and when to look again; `nextAt` is undefined when nothing is left to say. A date that has passed is not said to be near. */
export function dueReminders(dates: readonly WatchedDate[], now: number): { readonly due: readonly Reminder[]; readonly nextAt: number | undefined } {
  const due = dates.flatMap((date): Reminder[] => {
    if (now >= date.at) return [{ kind: date.kind, when: 'passed', at: date.at }];
    return now >= soonAt(date) ? [{ kind: date.kind, when: 'soon', at: date.at }] : [];
  });
  const later = dates.flatMap((date) => [soonAt(date), date.at]).filter((at) => at > now);
  return { due, nextAt: later.length === 0 ? undefined : Math.min(...later) };
}
