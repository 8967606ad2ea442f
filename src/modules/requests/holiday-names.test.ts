import { expect, test } from 'vitest';
import { createHolidayNames, holidayYears } from './holiday-names.ts';
import { shippedLawPacks } from './law-packs.ts';

const holidayName = createHolidayNames();

test('every law’s calendar has public holidays in every year of the tables', () => {
  const calendars = new Set([...shippedLawPacks().values()].map((pack) => pack.calendar.holidays));
  expect(calendars.size).toBeGreaterThan(40);
  for (const calendar of calendars) {
    for (let year = holidayYears.first; year <= holidayYears.last; year += 1) {
      const days = Array.from({ length: 366 }, (_, day) => new Date(Date.UTC(year, 0, 1 + day)).toISOString().slice(0, 10)).filter((date) => date.startsWith(String(year)));
      expect(days.filter((date) => holidayName(calendar, date) !== undefined).length, `${calendar} ${year}`).toBeGreaterThan(4);
    }
  }
});

test('what is public in a whole country or state is a holiday there, and nowhere else', () => {
  expect(holidayName('BE', '2026-07-21')).toBe('National Holiday');
  expect(holidayName('GB', '2026-07-21')).toBeUndefined();
  expect(holidayName('BE', '2026-07-22')).toBeUndefined();
  // Moved by the moon, and over several days.
  expect(holidayName('BE', '2027-03-29')).toBe('Easter Monday');
  expect(holidayName('TR', '2026-03-21')).toBeDefined();
});

test('a year or a calendar without a table fails, and is not taken for one without holidays', () => {
  expect(() => holidayName('BE', `${holidayYears.last + 1}-01-01`)).toThrow(/BE.*2041/u);
  expect(() => holidayName('BE', `${holidayYears.first - 1}-12-25`)).toThrow(/BE/u);
  expect(() => holidayName('QQ', '2026-06-15')).toThrow(/QQ/u);
  expect(holidayName('BE', `${holidayYears.last}-12-25`)).toBeDefined();
});
