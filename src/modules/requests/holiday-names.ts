import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { HolidayName } from './domain/legal-days.ts';

/** The years that the tables in `law-packs/holidays` have. */
export const holidayYears = { first: 2020, last: 2040 } as const;

const folder = fileURLToPath(new URL('../../../law-packs/holidays/', import.meta.url));

/**
 * Makes the calendars of public holidays, each read from its table in `law-packs/holidays` when it is first asked for. The tables are generated from the library
 * date-holidays, which itself would take some 30 MB of every process. A calendar or a year that there is no table of fails with an error that names it: a
 * year without holidays would let a period end too early.
 */
export function createHolidayNames(): HolidayName {
  const calendars = new Map<string, ReadonlyMap<string, string>>();
  return (calendar, date) => {
    const year = Number(date.slice(0, 4));
    if (!(year >= holidayYears.first && year <= holidayYears.last)) throw new Error(`The public holidays of ${calendar} are known for ${holidayYears.first} to ${holidayYears.last}, and not for ${year}: a newer version of Quittance has them`);
    let days = calendars.get(calendar);
    if (days === undefined) {
      days = readCalendar(calendar);
      calendars.set(calendar, days);
    }
    return days.get(date);
  };
}

function readCalendar(name: string): ReadonlyMap<string, string> {
  let text: string;
  try {
    text = readFileSync(`${folder}${name}.txt`, 'utf8');
  } catch (error) {
    throw new Error(`There is no calendar of holidays for ${name}`, { cause: error });
  }
  return new Map(text.split('\n').filter((line) => line !== '').map((line) => [line.slice(0, 10), line.slice(11)]));
}
