import Holidays from 'date-holidays';
import type { HolidayName } from './domain/legal-days.ts';

const dayMs = 86_400_000;

/**
 * Makes the calendars of public holidays (date-holidays). Only what is public everywhere in the named country or state counts: a day too many would
 * let a period end too late. A calendar that the library does not have fails with an error that names it.
 */
export function createHolidayNames(): HolidayName {
  const calendars = new Map<string, Holidays>();
  const years = new Map<string, ReadonlyMap<string, string>>();
  const calendarOf = (name: string): Holidays => {
    const known = calendars.get(name);
    if (known !== undefined) return known;
    const [country = '', state] = name.split('-');
    const calendar = new Holidays();
    if (!Object.hasOwn(calendar.getCountries(), country) || (state !== undefined && !Object.hasOwn(calendar.getStates(country), state))) throw new Error(`There is no calendar of holidays for ${name}`);
    calendar.init(country, state);
    calendars.set(name, calendar);
    return calendar;
  };
  const yearOf = (name: string, year: number): ReadonlyMap<string, string> => {
    const key = `${name} ${year}`;
    const known = years.get(key);
    if (known !== undefined) return known;
    const dates = new Map<string, string>();
    for (const holiday of calendarOf(name).getHolidays(year, 'en')) {
      if (holiday.type !== 'public') continue;
      const first = Date.parse(`${holiday.date.slice(0, 10)}T00:00:00Z`);
      const count = Math.max(1, Math.round((holiday.end.getTime() - holiday.start.getTime()) / dayMs));
      for (let day = 0; day < count; day += 1) dates.set(new Date(first + day * dayMs).toISOString().slice(0, 10), holiday.name);
    }
    years.set(key, dates);
    return dates;
  };
  return (calendar, date) => {
    const year = Number(date.slice(0, 4));
    // What begins on the last days of a year may reach into the next.
    return yearOf(calendar, year).get(date) ?? yearOf(calendar, year - 1).get(date);
  };
}
