import { Temporal } from 'temporal-polyfill';
import type { LawPack, Period } from './law-pack.ts';

/** Says which public holiday a date (`2026-12-25`) is in a calendar (`BE`, `US-CA`); undefined when it is none. */
export type HolidayName = (calendar: string, date: string) => string | undefined;

/** The days of a law: its time zone, weekends and holidays. */
export interface LegalDays {
  readonly timeZone: string;
  readonly dateOf: (at: number) => Temporal.PlainDate;
  /** The last second of a day, in milliseconds since the epoch. */
  readonly endOf: (date: Temporal.PlainDate) => number;
  /** The same day, or the next one (`1`) or the one before (`-1`) that is a working day; and what was passed over. */
  readonly workingDay: (date: Temporal.PlainDate, direction: 1 | -1) => { readonly date: Temporal.PlainDate; readonly passed: readonly string[] };
  /** The last day of a period that begins on the day after `from`; and the holidays that did not count. */
  readonly add: (from: Temporal.PlainDate, period: Exclude<Period, { hours: number }>) => { readonly date: Temporal.PlainDate; readonly passed: readonly string[] };
}

/** Makes the days of a law's calendar. */
export function createLegalDays(calendar: LawPack['calendar'], holidayName: HolidayName): LegalDays {
  const closed = (date: Temporal.PlainDate): string | undefined => {
    const holiday = holidayName(calendar.holidays, date.toString());
    if (holiday !== undefined) return `${date.toString()} (${holiday})`;
    return calendar.weekend.includes(date.dayOfWeek) ? `${date.toString()} (weekend)` : undefined;
  };
  const workingDay: LegalDays['workingDay'] = (from, direction) => {
    const passed: string[] = [];
    let date = from;
    for (let why = closed(date); why !== undefined; why = closed(date)) {
      passed.push(why);
      date = date.add({ days: direction });
    }
    return { date, passed };
  };
  return {
    timeZone: calendar.time_zone,
    dateOf: (at) => Temporal.Instant.fromEpochMilliseconds(at).toZonedDateTimeISO(calendar.time_zone).toPlainDate(),
    endOf: (date) => date.toZonedDateTime({ timeZone: calendar.time_zone, plainTime: '23:59:59' }).epochMilliseconds,
    workingDay,
    add: (from, period) => {
      if ('months' in period) return { date: from.add({ months: period.months }, { overflow: 'constrain' }), passed: [] };
      if ('days' in period) return { date: from.add({ days: period.days }), passed: [] };
      const passed: string[] = [];
      let date = from;
      for (let counted = 0; counted < period.business_days; counted += 1) {
        const next = workingDay(date.add({ days: 1 }), 1);
        passed.push(...next.passed.filter((each) => !each.endsWith('(weekend)')));
        date = next.date;
      }
      return { date, passed };
    },
  };
}

/** A period in words: `1 month`, `10 business days`. */
export function periodWords(period: Period): string {
  const [unit = '', count = 0] = Object.entries(period)[0] ?? [];
  const words = unit.replaceAll('_', ' ');
  return `${count} ${count === 1 ? words.replace(/s$/u, '') : words}`;
}
