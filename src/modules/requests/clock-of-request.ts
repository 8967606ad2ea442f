import { isoTime } from '../../platform/clock.ts';
import type { AppealRow, PauseRow } from './clock-store.ts';
import type { ClockFacts, ClockStep } from './domain/clocks.ts';
import { endedStatuses } from './domain/life.ts';
import type { WatchedDate } from './domain/reminders.ts';
import type { LawClocks, LawDates } from './law-clocks.ts';
import type { RequestCore } from './store.ts';

/** A request with everything that its clock depends on. */
export interface ClockedRequest {
  readonly request: RequestCore;
  readonly pauses: readonly PauseRow[];
  readonly appeal: AppealRow | undefined;
  /** When the person was first written to, in milliseconds since the epoch; undefined until then. */
  readonly acknowledgedAt: number | undefined;
}

/** One date as the API shows it. */
export interface ShownDate {
  readonly name: 'acknowledgement' | 'target' | 'extension_notice' | 'due' | 'appeal';
  readonly at: string;
  /** When what it asks for was done; null while it is not. */
  readonly done_at: string | null;
  readonly steps: readonly ClockStep[];
}

/** What a request's clock runs on. */
export function factsOf({ request, pauses }: Pick<ClockedRequest, 'request' | 'pauses'>, now: number): ClockFacts {
  return {
    receivedAt: request.received_at.getTime(),
    verifiedAt: request.verified_at?.getTime(),
    pauses: pauses.map((each) => ({ from: each.paused_at.getTime(), to: each.resumed_at?.getTime() })),
    extension: request.extended_at === null ? undefined : { until: request.extended_until ?? undefined },
    now,
  };
}

/** The dates of a request by the law that was chosen for it. */
export function datesOf(clocks: LawClocks, clocked: Pick<ClockedRequest, 'request' | 'pauses'>, now: number): LawDates {
  return clocks.dates(clocked.request.law, clocked.request.request_right, factsOf(clocked, now));
}

/** The dates that the officer is still to be reminded of: what is done, or can no longer be done, is not among them. */
export function watchedDates(clocks: LawClocks, clocked: ClockedRequest, now: number): readonly WatchedDate[] {
  const { request, appeal } = clocked;
  const since = request.received_at.getTime();
  const open = appeal !== undefined && appeal.decision === null ? [{ kind: 'appeal' as const, since: appeal.opened_at.getTime(), at: appeal.due_at.getTime() }] : [];
  if (endedStatuses.includes(request.status)) return open;
  // Opened again on an appeal: what was to be done before its first end is done, or can be done no more.
  if (appeal?.decision === 'granted') return [{ kind: 'deadline', since: appeal.decided_at?.getTime() ?? since, at: request.due_at.getTime() }];
  const { due, extensionNotice, acknowledgement } = datesOf(clocks, clocked, now);
  const target = clocks.target(request.request_right, request.verified_at?.getTime());
  return [
    ...open,
    { kind: 'deadline', since, at: isPaused(clocked) ? due.at : request.due_at.getTime() },
    ...(acknowledgement === undefined || clocked.acknowledgedAt !== undefined ? [] : [{ kind: 'acknowledgement' as const, since, at: acknowledgement.at }]),
    ...(extensionNotice === undefined || request.extended_at !== null ? [] : [{ kind: 'extension_notice' as const, since, at: extensionNotice.at }]),
    ...(target === undefined ? [] : [{ kind: 'target' as const, since: request.verified_at?.getTime() ?? since, at: target }]),
  ];
}

const isPaused = ({ pauses }: Pick<ClockedRequest, 'pauses'>): boolean => pauses.some((each) => each.resumed_at === null);

/** Explains every date of a request: how it came to be, step by step with the source of each. Nothing of the person. */
export function explainClock(clocks: LawClocks, clocked: ClockedRequest, now: number) {
  const { request, pauses, appeal } = clocked;
  const { pack, clock, due, extensionNotice, acknowledgement } = datesOf(clocks, clocked, now);
  const receivedAt = request.received_at.getTime();
  const chosen = clocks.choose({ right: request.request_right, jurisdiction: request.jurisdiction ?? undefined, facts: { receivedAt, now: receivedAt } });
  const time = (value: Date | null): string | null => value?.toISOString() ?? null;
  const target = clocks.target(request.request_right, request.verified_at?.getTime());
  const stored = request.due_at.getTime();
  const isAnew = appeal?.decision === 'granted' && appeal.due_at.getTime() === stored;
  const anew = appeal === undefined || !isAnew ? [] : [{ what: 'an appeal was granted: the request is carried out anew by the date of the appeal', source: clocks.pack(request.law).appeal?.source ?? '', from: appeal.opened_at.toISOString(), to: isoTime(stored) }];
  const kept = isPaused(clocked) || isAnew || stored === due.at ? [] : [{ what: 'the date that was set and told holds, though the data of the law has changed since', source: `law pack ${request.law_version ?? 'before versions'}`, from: isoTime(due.at), to: isoTime(stored) }];
  const dates: ShownDate[] = [
    ...(acknowledgement === undefined ? [] : [{ name: 'acknowledgement' as const, at: isoTime(acknowledgement.at), done_at: clocked.acknowledgedAt === undefined ? null : isoTime(clocked.acknowledgedAt), steps: acknowledgement.steps }]),
    ...(target === undefined || request.verified_at === null
      ? []
      : [{ name: 'target' as const, at: isoTime(target), done_at: time(request.closed_at), steps: [{ what: 'the internal target, from verification on', source: 'configuration /clocks/target_hours', from: request.verified_at.toISOString(), to: isoTime(target) }] }]),
    ...(extensionNotice === undefined ? [] : [{ name: 'extension_notice' as const, at: isoTime(extensionNotice.at), done_at: time(request.extended_at), steps: extensionNotice.steps }]),
    { name: 'due', at: isoTime(isPaused(clocked) ? due.at : stored), done_at: time(request.closed_at), steps: [...due.steps, ...kept, ...anew] },
    ...(appeal === undefined
      ? []
      : [{ name: 'appeal' as const, at: appeal.due_at.toISOString(), done_at: time(appeal.decided_at), steps: clocks.appealDue(request.law, appeal.opened_at.getTime())?.steps ?? [] }]),
  ];
  return {
    law: pack.law,
    title: pack.title,
    law_version: request.law_version ?? pack.version,
    right: request.request_right,
    jurisdiction: request.jurisdiction,
    chosen_because: chosen.pack.law === pack.law ? chosen.why : 'it was chosen when the request came in',
    source: clock.source,
    grade: clock.grade,
    time_zone: pack.calendar.time_zone,
    received_at: request.received_at.toISOString(),
    verified_at: time(request.verified_at),
    dates,
    paused: isPaused(clocked),
    pauses: pauses.map((each) => ({ condition: each.condition, from: each.paused_at.toISOString(), to: time(each.resumed_at) })),
    may_be_paused_for: pack.pauses.map((each) => ({ condition: each.condition, source: each.source, from: each.from ?? null })),
    extended: request.extended_at === null || request.extension_reason === null ? null : { at: request.extended_at.toISOString(), reason_code: request.extension_reason },
    silence: clock.silence ?? null,
    not_relied_on: chosen.drafts.map((each) => ({ law: each.law, title: each.title, due_at: isoTime(each.due) })),
    note: clock.note ?? pack.note ?? null,
  };
}
