import Holidays from 'date-holidays';
import { holidayYears } from '../src/modules/requests/index.ts';

const dayMs = 86_400_000;

/**
 * Makes the table of one calendar (`BE`, `US-CA`) from the library date-holidays: a line for each day, `2026-12-25 Christmas Day`. Only what is public everywhere in the
 * named country or state counts: a day too many would let a period end too late. Fails for a calendar that the library does not have.
 */
export function holidayCalendar(name: string): string {
  const [country = '', state] = name.split('-');
  const library = new Holidays();
  if (!Object.hasOwn(library.getCountries(), country) || (state !== undefined && !Object.hasOwn(library.getStates(country), state))) throw new Error(`There is no calendar of holidays for ${name}`);
  library.init(country, state);
  const days = new Map<string, string>();
  // What begins on the last days of a year may reach into the next.
  for (let year = holidayYears.first - 1; year <= holidayYears.last; year += 1) {
    for (const holiday of library.getHolidays(year, 'en')) {
      if (holiday.type !== 'public') continue;
      const first = Date.parse(`${holiday.date.slice(0, 10)}T00:00:00Z`);
      const count = Math.max(1, Math.round((holiday.end.getTime() - holiday.start.getTime()) / dayMs));
      for (let day = 0; day < count; day += 1) {
        const date = new Date(first + day * dayMs).toISOString().slice(0, 10);
        const at = Number(date.slice(0, 4));
        if (at >= holidayYears.first && at <= holidayYears.last) days.set(date, holiday.name);
      }
    }
  }
  return [...days].toSorted(([one], [other]) => (one < other ? -1 : 1)).map(([date, title]) => `${date} ${title}\n`).join('');
}
