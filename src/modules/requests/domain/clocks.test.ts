import fc from 'fast-check';
import { Temporal } from 'temporal-polyfill';
import { describe, expect, test } from 'vitest';
import { legalDates, strictestOf, type ClockFacts, type ClockPolicy } from './clocks.ts';
import { lawPackSchema, type LawClock, type LawPack, type Period } from './law-pack.ts';
import { mergePauses, type Pause } from './pauses.ts';

const policy: ClockPolicy = { holidayName: (_calendar, date) => (date.endsWith('-12-25') ? 'Christmas' : date.endsWith('-01-01') ? 'New Year' : undefined), withoutDelayDays: 15 };

interface Shape {
  readonly response?: Period | { without_delay: true };
  readonly timeZone?: string;
  readonly start?: 'receipt' | 'verification';
  readonly rollGrade?: string;
  readonly extension?: Period | 'stated';
}
function packOf({ response = { months: 1 }, timeZone = 'Europe/Brussels', start = 'receipt', rollGrade, extension }: Shape): { pack: LawPack; clock: LawClock } {
  const pack = lawPackSchema.parse({
    pack: 1,
    law: 'example_law',
    title: 'Example',
    version: '2026-01-01',
    applies: 'by_jurisdiction',
    jurisdictions: ['QQ'],
    effective: { from: '2000-01-01', grade: 'V' },
    calendar: { time_zone: timeZone, holidays: 'BE' },
    clocks: [
      {
        rights: ['erasure'],
        response,
        start,
        source: 'Art. 1',
        grade: 'V',
        ...(rollGrade === undefined ? {} : { roll: { rule: 'next_working_day', source: 'Art. 2', grade: rollGrade } }),
        ...(extension === undefined ? {} : { extension: { by: extension, notice_by: { days: 30 }, source: 'Art. 3', grade: 'V' } }),
        acknowledgement: { within: { business_days: 10 }, source: 'Art. 4', grade: 'V' },
      },
    ],
  });
  const [clock] = pack.clocks;
  if (clock === undefined) throw new Error('no clock');
  return { pack, clock };
}
const datesFor = (shape: Shape, facts: Omit<ClockFacts, 'now'> & { now?: number }) => {
  const { pack, clock } = packOf(shape);
  return legalDates(pack, clock, { now: facts.receivedAt, ...facts }, policy);
};
const ms = (text: string): number => Date.parse(text);
const due = (shape: Shape, received: string, facts: Partial<ClockFacts> = {}): string => new Date(datesFor(shape, { receivedAt: ms(received), ...facts }).due.at).toISOString();

describe('a period', () => {
  test.each([
    ['a month ends with the same-numbered day', { months: 1 }, '2026-03-03T10:00:00Z', '2026-04-03T21:59:59.000Z'],
    ['a month from 31 January ends with the last day of February', { months: 1 }, '2026-01-31T10:00:00Z', '2026-02-28T22:59:59.000Z'],
    ['a month from 31 January of a leap year ends on the 29th', { months: 1 }, '2028-01-31T10:00:00Z', '2028-02-29T22:59:59.000Z'],
    ['a month from 29 February ends on 29 March', { months: 1 }, '2028-02-29T10:00:00Z', '2028-03-29T21:59:59.000Z'],
    ['twelve months from 29 February end on the 28th', { months: 12 }, '2028-02-29T10:00:00Z', '2029-02-28T22:59:59.000Z'],
    ['the day of receipt is that of the law’s time zone', { months: 1 }, '2026-03-03T23:30:00Z', '2026-04-04T21:59:59.000Z'],
    ['days run over the change of clocks', { days: 45 }, '2026-03-01T10:00:00Z', '2026-04-15T21:59:59.000Z'],
    ['hours run hour by hour, over the change of clocks too', { hours: 72 }, '2026-03-27T10:00:00Z', '2026-03-30T10:00:00.000Z'],
    ['business days leave out weekends', { business_days: 10 }, '2026-11-20T10:00:00Z', '2026-12-04T22:59:59.000Z'],
    ['business days leave out holidays', { business_days: 3 }, '2026-12-23T10:00:00Z', '2026-12-29T22:59:59.000Z'],
    ['business days of what came on a Saturday begin on Monday', { business_days: 1 }, '2026-11-21T10:00:00Z', '2026-11-23T22:59:59.000Z'],
  ] as const)('%s', (_what, response, received, end) => {
    expect(due({ response }, received)).toBe(end);
  });

  test('counts days in California by California’s midnight', () => {
    expect(due({ response: { days: 45 }, timeZone: 'America/Los_Angeles' }, '2026-01-01T20:00:00Z')).toBe('2026-02-16T07:59:59.000Z');
  });
});

describe('an end on a free day', () => {
  // 25 November 2026 and a month: 25 December, a Friday and a holiday; then a weekend.
  test('runs to the next working day where the rule is sure', () => {
    expect(due({ rollGrade: 'V' }, '2026-11-25T10:00:00Z')).toBe('2026-12-28T22:59:59.000Z');
  });
  test('stays, the earlier and safe one, where the rule is general knowledge only, and the steps say which it could be', () => {
    const { due: end } = datesFor({ rollGrade: 'K' }, { receivedAt: ms('2026-11-25T10:00:00Z') });
    expect(new Date(end.at).toISOString()).toBe('2026-12-25T22:59:59.000Z');
    expect(end.steps.at(-1)?.what).toMatch(/2026-12-28 is graded K and not relied on.*Christmas/u);
  });
  test('is not spoken of when it is a working day', () => {
    expect(datesFor({ rollGrade: 'K' }, { receivedAt: ms('2026-11-24T10:00:00Z') }).due.steps).toHaveLength(1);
  });
});

describe('an extension', () => {
  test('is laid behind the period', () => {
    expect(due({ extension: { months: 2 } }, '2026-03-03T10:00:00Z', { extension: {} })).toBe('2026-06-03T21:59:59.000Z');
    expect(due({ response: { days: 45 }, extension: { days: 45 } }, '2026-01-01T10:00:00Z', { extension: {} })).toBe('2026-04-01T21:59:59.000Z');
  });
  test('of a law that sets no length ends on the stated day, and never before the period', () => {
    expect(due({ extension: 'stated' }, '2026-03-03T10:00:00Z', { extension: { until: '2026-05-20' } })).toBe('2026-05-20T21:59:59.000Z');
    expect(due({ extension: 'stated' }, '2026-03-03T10:00:00Z', { extension: { until: '2026-03-10' } })).toBe('2026-04-03T21:59:59.000Z');
  });
  test('has its own deadline for telling the person', () => {
    const { extensionNotice } = datesFor({ extension: { months: 2 } }, { receivedAt: ms('2026-03-03T10:00:00Z'), extension: {} });
    expect(new Date(extensionNotice?.at ?? 0).toISOString()).toBe('2026-04-02T21:59:59.000Z');
    expect(datesFor({}, { receivedAt: 0 }).extensionNotice).toBeUndefined();
  });
});

describe('the start', () => {
  test('is receipt until verification comes, where the law counts from verification', () => {
    const shape = { start: 'verification', response: { days: 10 } } as const;
    expect(due(shape, '2026-11-02T10:00:00Z')).toBe('2026-11-12T22:59:59.000Z');
    expect(due(shape, '2026-11-02T10:00:00Z', { verifiedAt: ms('2026-11-05T10:00:00Z') })).toBe('2026-11-15T22:59:59.000Z');
  });
  test('is receipt, whenever verification comes, where the law counts from receipt; the acknowledgement always does', () => {
    const facts = { verifiedAt: ms('2026-11-05T10:00:00Z') };
    expect(due({ response: { days: 10 } }, '2026-11-02T10:00:00Z', facts)).toBe('2026-11-12T22:59:59.000Z');
    const { acknowledgement } = datesFor({ start: 'verification' }, { receivedAt: ms('2026-11-02T10:00:00Z'), ...facts });
    expect(new Date(acknowledgement?.at ?? 0).toISOString()).toBe('2026-11-16T22:59:59.000Z');
  });
});

describe('pauses', () => {
  const pause = (from: string, to?: string): Pause => ({ from: ms(from), to: to === undefined ? undefined : ms(to) });
  test('lengthen a period by whole days only, and those that overlap once', () => {
    const pauses = [pause('2026-03-05T10:00:00Z', '2026-03-10T10:00:00Z'), pause('2026-03-08T10:00:00Z', '2026-03-12T09:00:00Z')];
    expect(due({}, '2026-03-03T10:00:00Z', { pauses })).toBe('2026-04-09T21:59:59.000Z');
  });
  test('after the end stop nothing; before it they do', () => {
    expect(due({}, '2026-03-03T10:00:00Z', { pauses: [pause('2026-04-05T10:00:00Z', '2026-05-05T10:00:00Z')] })).toBe('2026-04-03T21:59:59.000Z');
    expect(due({}, '2026-03-03T10:00:00Z', { pauses: [pause('2026-04-02T10:00:00Z', '2026-04-12T10:00:00Z')] })).toBe('2026-04-13T21:59:59.000Z');
  });
  test('that are open count until now', () => {
    expect(due({}, '2026-03-03T10:00:00Z', { pauses: [pause('2026-03-04T10:00:00Z')], now: ms('2026-03-06T10:00:00Z') })).toBe('2026-04-05T21:59:59.000Z');
  });
  test('of a law in business days end on a working day, the earlier', () => {
    expect(due({ response: { business_days: 5 } }, '2026-11-06T10:00:00Z', { pauses: [pause('2026-11-09T10:00:00Z', '2026-11-10T11:00:00Z')] })).toBe('2026-11-13T22:59:59.000Z');
  });
});

const received = fc.integer({ min: ms('2020-01-01T00:00:00Z'), max: ms('2035-12-31T00:00:00Z') });
const zone = fc.constantFrom('Europe/Brussels', 'America/Los_Angeles', 'Asia/Kolkata', 'Pacific/Auckland', 'America/Sao_Paulo', 'UTC', 'Africa/Cairo');
const period: fc.Arbitrary<Period> = fc.oneof(
  fc.integer({ min: 1, max: 12 }).map((months) => ({ months })),
  fc.integer({ min: 1, max: 90 }).map((days) => ({ days })),
  fc.integer({ min: 1, max: 40 }).map((business_days) => ({ business_days })),
  fc.integer({ min: 1, max: 200 }).map((hours) => ({ hours })),
);
const hour = 3_600_000;
const pauseList = fc.array(fc.tuple(fc.integer({ min: -200, max: 4000 }), fc.integer({ min: 1, max: 800 })), { maxLength: 5 });
const pausesFrom = (start: number, list: readonly (readonly [number, number])[]): Pause[] => list.map(([at, length]) => ({ from: start + at * hour, to: start + (at + length) * hour }));

describe('for every law and every moment', () => {
  test('a period in months or days ends in the last second of a day of the law’s time zone, after it began', () => {
    fc.assert(
      fc.property(received, zone, period, (receivedAt, timeZone, response) => {
        const { at } = datesFor({ response, timeZone }, { receivedAt }).due;
        expect(at).toBeGreaterThan(receivedAt);
        if ('hours' in response) {
          expect(at - receivedAt).toBe(response.hours * hour);
          return;
        }
        const local = Temporal.Instant.fromEpochMilliseconds(at).toZonedDateTimeISO(timeZone);
        expect(`${local.hour}:${local.minute}:${local.second}`).toBe('23:59:59');
        if ('business_days' in response) expect(local.dayOfWeek).toBeLessThan(6);
        const day = Temporal.Instant.fromEpochMilliseconds(receivedAt).toZonedDateTimeISO(timeZone).toPlainDate();
        if ('months' in response) expect([day.day, local.daysInMonth]).toContain(local.day);
      }),
    );
  });

  test('what comes later is never due earlier', () => {
    fc.assert(
      fc.property(received, fc.integer({ min: 0, max: 2000 }), zone, period, (receivedAt, later, timeZone, response) => {
        const shape = { response, timeZone };
        expect(datesFor(shape, { receivedAt: receivedAt + later * hour }).due.at).toBeGreaterThanOrEqual(datesFor(shape, { receivedAt }).due.at);
      }),
    );
  });

  test('a pause more never makes it due earlier, and never lengthens it by more than its time and a day', () => {
    fc.assert(
      fc.property(received, zone, period, pauseList, fc.tuple(fc.integer({ min: 0, max: 2000 }), fc.integer({ min: 1, max: 500 })), (receivedAt, timeZone, response, list, more) => {
        const shape = { response, timeZone };
        const without = datesFor(shape, { receivedAt, pauses: pausesFrom(receivedAt, list), now: receivedAt }).due.at;
        const pauses = pausesFrom(receivedAt, [...list, more]);
        const withMore = datesFor(shape, { receivedAt, pauses, now: receivedAt }).due.at;
        expect(withMore).toBeGreaterThanOrEqual(without);
        const all = mergePauses(pauses, receivedAt, receivedAt).reduce((sum, each) => sum + each.to - each.from, 0);
        const bare = datesFor(shape, { receivedAt }).due.at;
        // A day has up to 25 hours where clocks change.
        expect(withMore - bare).toBeLessThanOrEqual(all + 2 * hour);
      }),
    );
  });

  test('merged pauses neither overlap nor touch, and cover what the pauses cover', () => {
    fc.assert(
      fc.property(received, pauseList, (start, list) => {
        const pauses = pausesFrom(start, list);
        const merged = mergePauses(pauses, start, start);
        merged.slice(1).forEach((each, index) => expect(each.from).toBeGreaterThan(merged[index]?.to ?? Infinity));
        for (let at = start; at < start + 5000 * hour; at += 37 * hour) {
          const covered = (all: readonly Pause[]): boolean => all.some((each) => each.from <= at && at < (each.to ?? 0));
          expect(covered(merged)).toBe(covered(pauses));
        }
      }),
      { numRuns: 30 },
    );
  });

  test('the steps lead from receipt to the date without a gap', () => {
    fc.assert(
      fc.property(received, zone, period, pauseList, fc.boolean(), (receivedAt, timeZone, response, list, isExtended) => {
        const facts = { receivedAt, pauses: pausesFrom(receivedAt, list), ...(isExtended ? { extension: {} } : {}) };
        const { at, steps } = datesFor({ response, timeZone, extension: { days: 30 }, rollGrade: 'V' }, facts).due;
        expect(steps[0]?.from).toBe(new Date(receivedAt).toISOString());
        steps.slice(1).forEach((step, index) => expect(step.from).toBe(steps[index]?.to));
        expect(steps.at(-1)?.to).toBe(new Date(at).toISOString());
        for (const step of steps) expect(step.source).not.toBe('');
      }),
    );
  });

  test('the strictest of several is none other than the earliest', () => {
    fc.assert(
      fc.property(received, fc.array(period, { minLength: 1, maxLength: 6 }), (receivedAt, periods) => {
        const all = periods.map((response) => datesFor({ response }, { receivedAt }));
        expect(strictestOf(all).due.at).toBe(Math.min(...all.map((each) => each.due.at)));
      }),
    );
  });
});
