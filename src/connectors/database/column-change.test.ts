import { describe, expect, it } from 'vitest';
import { changedValue, changesOf, endOfKeep, type ChangeFacts } from './column-change.ts';
import type { ColumnRule } from './config.ts';
import { addDuration, parseTime } from './duration.ts';
import type { LiveColumn, ValueKind } from './live-schema.ts';
import { canonical } from './values.ts';

const facts: ChangeFacts = { subjectId: 'a1b2c3d4-e5f6-4000-8000-000000000001', hashKey: 'a secret of sixteen and more', receivedAt: Date.UTC(2026, 0, 31), now: Date.UTC(2026, 10, 21) };
const column = (kind: ValueKind, type = 'text'): LiveColumn => ({ name: 'c', kind, type, isNullable: true, isGenerated: false, ignoresCase: false });
const apply = (rule: ColumnRule, value: string | null, kind: ValueKind = 'text'): string | null => changedValue(rule, column(kind), { c: value }, facts);

describe('the change of a column', () => {
  const changes: readonly (readonly [rule: ColumnRule, before: string | null, after: string | null, kind?: ValueKind])[] = [
    [null, 'x', null],
    [{ constant: 'Deleted User' }, 'Ada Example', 'Deleted User'],
    [{ constant: 'Deleted User' }, null, 'Deleted User'],
    [{ constant: {} }, '{"a":1}', '{}', 'json'],
    [{ constant: false }, 't', 'false', 'boolean'],
    [{ mask: 'deleted-{partial_id}@example.com' }, 'ada@example.com', 'deleted-a1b2c3d4@example.com'],
    [{ mask: '{id}' }, 'ada', 'a1b2c3d4-e5f6-4000-8000-000000000001'],
    [{ mask: '{}' }, 'ada', '{}'],
    [{ mask: 'x' }, null, null],
    [{ hash: true }, null, null],
    [{ generalise: 'year' }, '1990-05-06', '1990-01-01', 'date'],
    [{ generalise: 'month' }, '1990-05-06 07:08:09+00', '1990-05-01 00:00:00', 'time'],
    [{ generalise: 'year' }, 'long ago', null],
    [{ generalise: 'ip_network' }, '192.0.2.77', '192.0.2.0'],
    [{ generalise: 'ip_network' }, '2001:db8:1:2::9', '2001:db8:1::'],
    [{ generalise: 'ip_network' }, '::ffff:192.0.2.77', '::'],
    [{ generalise: 'ip_network' }, 'somewhere', null],
    [{ generalise: { first: 2 } }, '12345', '12'],
    [{ generalise: { step: 10 } }, '47', '40', 'integer'],
    [{ generalise: { step: 10 } }, '-47', '-50', 'integer'],
    [{ generalise: { step: 10 } }, '47.5', '40', 'number'],
    [{ keep: { legal_basis: 'x', until: '2026-11-21' } }, 'v', null],
    [{ keep: { legal_basis: 'x', until: '2026-11-22' } }, 'v', 'v'],
  ];
  it.each(changes.map(([rule, before, after, kind = 'text']) => ({ rule, before, after, kind })))('by $rule of $before is $after, and the same again', ({ rule, before, after, kind }) => {
    expect(apply(rule, before, kind)).toBe(after);
    expect(canonical(column(kind), apply(rule, after, kind))).toBe(canonical(column(kind), after));
  });

  it('by a hash is the same for the same, another for another, and not hashed again', () => {
    const once = apply({ hash: true }, 'ada@example.com');
    expect(once).toMatch(/^[0-9a-f]{32}$/u);
    expect(apply({ hash: true }, 'ada@example.com')).toBe(once);
    expect(apply({ hash: true }, 'eve@example.com')).not.toBe(once);
    expect(apply({ hash: true }, once)).toBe(once);
    // What only looks like a hash was written by somebody.
    expect(apply({ hash: true }, '0'.repeat(32))).not.toBe('0'.repeat(32));
  });

  it('is none where the database only writes the value in another way', () => {
    const columns = new Map([['c', column('json', 'jsonb')]]);
    expect([...changesOf({ c: { constant: { b: 1, a: [2] } } }, columns, { c: '{"a": [2], "b": 1}' }, facts)]).toEqual([]);
    expect([...changesOf({ c: { constant: { b: 1 } } }, columns, { c: '{"b": 2}' }, facts)]).toEqual([['c', '{"b":1}']]);
  });
});

describe('the end of what is kept', () => {
  it('counts from the row’s date, from the request where there is none, in months of the calendar', () => {
    const keep = { legal_basis: 'x', for: '1m', from: 'd' };
    expect(endOfKeep(keep, { d: '2024-01-31' }, facts)).toBe(Date.UTC(2024, 1, 29));
    expect(endOfKeep(keep, { d: null }, facts)).toBe(Date.UTC(2026, 1, 28));
    expect(endOfKeep({ legal_basis: 'x', until: '2030-01-01' }, {}, facts)).toBe(Date.UTC(2030, 0, 1));
  });

  it.each([
    ['7y', '2024-02-29T10:00:00Z', '2031-02-28T10:00:00Z'],
    ['18m', '2024-08-31T00:00:00Z', '2026-02-28T00:00:00Z'],
    ['30d', '2024-02-01T00:00:00Z', '2024-03-02T00:00:00Z'],
  ])('of %s after %s is %s', (duration, from, to) => {
    expect(new Date(addDuration(Date.parse(from), duration)).toISOString()).toBe(new Date(to).toISOString());
  });

  it('reads what the databases write, and nothing else', () => {
    expect(parseTime('2024-05-06 07:08:09.123456+00')).toBe(Date.UTC(2024, 4, 6, 7, 8, 9, 123));
    expect(parseTime('2024-05-06')).toBe(Date.UTC(2024, 4, 6));
    expect(parseTime('infinity')).toBeUndefined();
    expect(parseTime('0000-00-00 00:00:00')).toBeUndefined();
  });
});
