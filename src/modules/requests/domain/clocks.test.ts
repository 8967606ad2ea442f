import { describe, expect, test } from 'vitest';
import { dueAt } from './clocks.ts';
import { lawFor, laws } from './laws.ts';

const due = (law: string, received: string): string => new Date(dueAt(law, Date.parse(received))).toISOString();

describe('the legal clock', () => {
  test('a month of the GDPR ends with the same-numbered day, in Brussels', () => {
    expect(due('gdpr', '2026-03-03T10:00:00Z')).toBe('2026-04-03T21:59:59.000Z');
  });
  test('a month from the 31st ends with the last day of a shorter month', () => {
    expect(due('gdpr', '2026-01-31T10:00:00Z')).toBe('2026-02-28T22:59:59.000Z');
  });
  test('the day of receipt is that of the calendar of the law, not of UTC', () => {
    expect(due('gdpr', '2026-03-03T23:30:00Z')).toBe('2026-04-04T21:59:59.000Z');
  });
  test('California counts 45 calendar days', () => {
    expect(due('ccpa', '2026-01-01T20:00:00Z')).toBe('2026-02-16T07:59:59.000Z');
  });
  test('a law that has no clock is refused by name', () => {
    expect(() => dueAt('lex_nullius', 0)).toThrow(/lex_nullius/u);
  });
});

test.each([
  ['DE', 'gdpr'],
  ['NO', 'gdpr'],
  ['GB', 'uk_gdpr'],
  ['US-CA', 'ccpa'],
  ['BR', 'lgpd'],
  ['US-TX', 'gdpr'],
  [undefined, 'gdpr'],
])('the jurisdiction %s has the clock of %s', (jurisdiction, law) => {
  expect(lawFor(jurisdiction, 'gdpr')).toBe(law);
});

test('every law names its source', () => {
  for (const law of Object.values(laws)) expect(law.source).not.toBe('');
});
