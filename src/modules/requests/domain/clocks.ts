import { Temporal } from 'temporal-polyfill';
import { isoTime } from '../../../platform/clock.ts';
import { isRelied, type LawClock, type LawPack, type Period } from './law-pack.ts';
import { createLegalDays, periodWords, type HolidayName, type LegalDays } from './legal-days.ts';
import { pausedMs, type Pause } from './pauses.ts';

/** One step of how a date came to be: what was done, on what ground, and from which instant to which (ISO 8601). */
export interface ClockStep {
  readonly what: string;
  readonly source: string;
  readonly from: string;
  readonly to: string;
}

/** A date and how it came to be. */
export interface ClockDate {
  /** By then at the latest, in milliseconds since the epoch; where the law is not sure, the earlier. */
  readonly at: number;
  readonly steps: readonly ClockStep[];
}

/** What a clock runs on. Times are milliseconds since the epoch. */
export interface ClockFacts {
  readonly receivedAt: number;
  readonly verifiedAt?: number | undefined;
  readonly pauses?: readonly Pause[];
  /** Extended, until a stated date (`2026-12-31`) where the law sets no length. */
  readonly extension?: { readonly until?: string | undefined } | undefined;
  readonly now: number;
}

/** What the configuration adds to the laws. */
export interface ClockPolicy {
  readonly holidayName: HolidayName;
  /** The internal target where a law says "without delay" and no number. */
  readonly withoutDelayDays: number;
}

/** Every date that a law sets for a request. */
export interface LegalDates {
  readonly due: ClockDate;
  /** Within it the person is told of an extension; undefined where the law knows none. */
  readonly extensionNotice: ClockDate | undefined;
  readonly acknowledgement: ClockDate | undefined;
}

interface Counting {
  readonly days: LegalDays;
  readonly facts: ClockFacts;
  readonly start: number;
}

const dayMs = 86_400_000;
const hourMs = 3_600_000;

/** Computes the dates that a law sets for one request, each with its steps. Pure: the same facts give the same dates. */
export function legalDates(pack: LawPack, clock: LawClock, facts: ClockFacts, policy: ClockPolicy): LegalDates {
  const days = createLegalDays(pack.calendar, policy.holidayName);
  const opening = startOf(clock, facts);
  const counting: Counting = { days, facts, start: opening.at };
  const { extension, acknowledgement, roll } = clock;
  const periods = [responsePeriod(clock, policy)];
  const given = facts.extension;
  if (extension !== undefined && given !== undefined && extension.by !== 'stated') periods.push({ period: extension.by, what: `extended by ${periodWords(extension.by)}`, source: extension.source });
  let due = count(counting, opening.steps, periods);
  if (extension?.by === 'stated' && given?.until !== undefined) due = untilStated(days, due, given.until, extension.source);
  if (roll !== undefined) due = rolled(days, due, roll);
  const notice = extension && count(counting, opening.steps, [{ period: extension.notice_by, what: `the person is told within ${periodWords(extension.notice_by)}`, source: extension.source }]);
  const receipt: Counting = { days, facts: { ...facts, pauses: [] }, start: facts.receivedAt };
  const acknowledged = acknowledgement && count(receipt, [], [{ period: acknowledgement.within, what: `receipt is confirmed within ${periodWords(acknowledgement.within)}`, source: acknowledgement.source }]);
  return { due, extensionNotice: notice, acknowledgement: acknowledged };
}

/** A date that comes a period after an instant, in a law's calendar: an appeal's, for one. */
export function dateAfter(pack: LawPack, at: number, period: Period, source: string, holidayName: HolidayName): ClockDate {
  const days = createLegalDays(pack.calendar, holidayName);
  return count({ days, facts: { receivedAt: at, now: at }, start: at }, [], [{ period, what: `${periodWords(period)} from then`, source }]);
}

/** Gives the strictest of several: the earliest date. Fails without any. */
export function strictestOf<Each extends { readonly due: ClockDate }>(all: readonly Each[]): Each {
  const [first, ...rest] = all;
  if (first === undefined) throw new Error('There is no clock to choose from');
  return rest.reduce((best, each) => (each.due.at < best.due.at ? each : best), first);
}

function startOf(clock: LawClock, facts: ClockFacts): { readonly at: number; readonly steps: readonly ClockStep[] } {
  const { receivedAt, verifiedAt } = facts;
  if (clock.start === 'receipt') return { at: receivedAt, steps: [] };
  const isVerified = verifiedAt !== undefined;
  const what = isVerified ? 'counted from verification' : 'counted from verification, which has not come: from receipt until then, the earlier';
  const at = verifiedAt ?? receivedAt;
  return { at, steps: [{ what, source: clock.source, from: isoTime(receivedAt), to: isoTime(at) }] };
}

interface Counted {
  readonly period: Period;
  readonly what: string;
  readonly source: string;
}

function responsePeriod(clock: LawClock, policy: ClockPolicy): Counted {
  const { response, source } = clock;
  if (!('without_delay' in response)) return { period: response, what: `answered within ${periodWords(response)}`, source };
  if (response.guidance !== undefined) return { period: response.guidance, what: `the law sets no number; the guidance is ${periodWords(response.guidance)}`, source };
  const period = { days: policy.withoutDelayDays };
  return { period, what: `the law says without delay and no number; the internal target of the configuration (/clocks/without_delay_days) is ${periodWords(period)}`, source };
}

/** Lays periods end to end, and then adds the time that the clock stood still: whole days only, so that the end is never late. */
function count(counting: Counting, before: readonly ClockStep[], periods: readonly Counted[]): ClockDate {
  const { days, facts, start } = counting;
  const steps: ClockStep[] = [...before];
  let at = start;
  for (const { period, what, source } of periods) {
    const from = at;
    if ('hours' in period) {
      at = from + period.hours * hourMs;
      steps.push({ what: `${what}, hour by hour`, source, from: isoTime(from), to: isoTime(at) });
      continue;
    }
    const { date, passed } = days.add(days.dateOf(from), period);
    at = days.endOf(date);
    const holidays = passed.length === 0 ? '' : `; not counted: ${passed.join(', ')}`;
    steps.push({ what: `${what}: the first day is not counted, and the last ends at midnight in ${days.timeZone}${holidays}`, source, from: isoTime(from), to: isoTime(at) });
  }
  const base = at;
  const isHours = periods.some(({ period }) => 'hours' in period);
  const isBusiness = periods.some(({ period }) => 'business_days' in period);
  const endAfter = (ms: number): number => {
    if (isHours) return base + ms;
    const whole = Math.floor(ms / dayMs);
    if (whole === 0) return base;
    const shifted = days.dateOf(base).add({ days: whole });
    return days.endOf(isBusiness ? days.workingDay(shifted, -1).date : shifted);
  };
  const stood = pausedMs(facts.pauses ?? [], start, facts.now, endAfter);
  const end = endAfter(stood);
  if (stood > 0) {
    const how = isHours ? `${(stood / hourMs).toFixed(1)} hours` : `${Math.floor(stood / dayMs)} whole days`;
    steps.push({ what: `the clock stood still for ${how}; pauses that overlap count once`, source: periods[0]?.source ?? '', from: isoTime(base), to: isoTime(end) });
  }
  return { at: end, steps };
}

function untilStated(days: LegalDays, due: ClockDate, until: string, source: string): ClockDate {
  const at = Math.max(due.at, days.endOf(Temporal.PlainDate.from(until)));
  return { at, steps: [...due.steps, { what: 'extended until the date that the person was told', source, from: isoTime(due.at), to: isoTime(at) }] };
}

/** A period that ends on a free day runs to the next working day, where the rule is sure; otherwise that is only said. */
function rolled(days: LegalDays, due: ClockDate, roll: NonNullable<LawClock['roll']>): ClockDate {
  const { date, passed } = days.workingDay(days.dateOf(due.at), 1);
  if (passed.length === 0) return due;
  const later = days.endOf(date);
  const relied = isRelied(roll.grade);
  const why = relied ? 'the last day is no working day, so the period runs to the next' : `the last day is no working day; the rule that it runs to ${date.toString()} is graded ${roll.grade} and not relied on: the earlier date stays`;
  const at = relied ? later : due.at;
  return { at, steps: [...due.steps, { what: `${why} (${passed.join(', ')})`, source: roll.source, from: isoTime(due.at), to: isoTime(at) }] };
}
