import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { fitsPlainly } from '../../../../test/vectors/event-patterns/interpreter.ts';
import { isFailure } from '../../../platform/failure.ts';
import { explainMatch } from './explain-match.ts';
import { parsePattern } from './pattern.ts';
import { compileRules, type Rule } from './rule-set.ts';

interface MatchVector {
  readonly title: string;
  readonly pattern: unknown;
  readonly fits: readonly unknown[];
  readonly fits_not: readonly unknown[];
}
interface InvalidVector {
  readonly title: string;
  readonly pattern: unknown;
  readonly pointer: string;
  readonly says: string;
}
const vectors = (name: string): unknown => JSON.parse(readFileSync(new URL(`../../../../test/vectors/event-patterns/${name}.json`, import.meta.url), 'utf8'));
const matching = vectors('matching') as readonly MatchVector[];
const ruleOf = (pattern: unknown, name = 'rule'): Rule => ({ name, pattern: parsePattern(pattern) });
const fits = (pattern: unknown, event: unknown): boolean => compileRules([ruleOf(pattern)]).match(event).length === 1;

describe('event patterns', () => {
  test.each(matching)('$title', ({ pattern, fits: good, fits_not: bad }) => {
    expect(good.length, 'a case without a match proves nothing').toBeGreaterThan(0);
    const answers = (event: unknown): unknown => [fits(pattern, event), explainMatch(ruleOf(pattern), event).matched];
    for (const event of good) expect(answers(event), `fits ${JSON.stringify(event)}`).toEqual([true, true]);
    for (const event of bad) expect(answers(event), `does not fit ${JSON.stringify(event)}`).toEqual([false, false]);
  });

  test('the plain interpreter gives the same answers to all of these', () => {
    const wrong = matching.flatMap(({ title, pattern, fits: good, fits_not: bad }) => [
      ...good.filter((event) => !fitsPlainly(pattern, event)).map((event) => ({ title, event })),
      ...bad.filter((event) => fitsPlainly(pattern, event)).map((event) => ({ title, event })),
    ]);
    expect(wrong).toEqual([]);
  });

  test('many rules compiled together answer as each does alone, and in the order in which they were given', () => {
    const rules = matching.map(({ pattern }, index) => ruleOf(pattern, `rule-${index}`));
    const all = compileRules(rules);
    for (const event of matching.flatMap(({ fits: good, fits_not: bad }) => [...good, ...bad])) {
      expect(all.match(event)).toEqual(matching.flatMap(({ pattern }, index) => (fitsPlainly(pattern, event) ? [`rule-${index}`] : [])));
    }
  });

  test.each(['x', 1, null, undefined, [], [{ detail: { v: 1 } }]])('what is no object fits nothing, not even a pattern of missing fields: %j', (event) => {
    const pattern = { detail: { v: [{ exists: false }] } };
    expect(fits(pattern, event)).toBe(false);
    expect(explainMatch(ruleOf(pattern), event).matched).toBe(false);
    expect(fits(pattern, {})).toBe(true);
  });

  test('nesting beyond a thousand levels is not looked at, and breaks nothing', () => {
    const nest = (levels: number): unknown => JSON.parse(`{"v":${'['.repeat(levels)}"a"${']'.repeat(levels)}}`);
    expect(fits({ v: ['a'] }, nest(900))).toBe(true);
    expect(fits({ v: ['a'] }, nest(5000))).toBe(false);
  });

  test('fields in large arrays are matched in time that grows with the arrays, not with their square', () => {
    const items = Array.from({ length: 20_000 }, (_each, index) => (index % 2 === 0 ? { a: 1, b: 0 } : { a: 0, b: 1 }));
    const start = performance.now();
    expect(fits({ detail: { items: { a: [1], b: [1] } } }, { detail: { items } })).toBe(false);
    expect(fits({ detail: { items: { a: [1], b: [1] } } }, { detail: { items: [...items, { a: 1, b: 1 }] } })).toBe(true);
    expect(performance.now() - start).toBeLessThan(3000);
  });

  test('arrays that are free of each other are not multiplied', () => {
    const names = Array.from({ length: 12 }, (_each, index) => `tags${index}`);
    const detail = Object.fromEntries(names.map((name) => [name, Array.from({ length: 6 }, (_each, index) => ({ k: `x${index}` }))]));
    const pattern = { detail: { ...Object.fromEntries(names.map((name) => [name, { k: [{ prefix: 'x' }] }])), status: ['ready'] } };
    expect(fits(pattern, { detail: { ...detail, status: 'other' } })).toBe(false);
    expect(fits(pattern, { detail: { ...detail, status: 'ready' } })).toBe(true);
  });
});

describe('patterns that are refused', () => {
  test.each(vectors('invalid') as readonly InvalidVector[])('$title', ({ pattern, pointer, says }) => {
    let thrown: unknown;
    try {
      parsePattern(pattern);
    } catch (error) {
      thrown = error;
    }
    if (!isFailure(thrown)) throw new Error('It was not refused', { cause: thrown });
    expect(thrown.code).toBe('CONFIG_INVALID');
    expect(thrown.field).toBe(pointer);
    expect(thrown.detail).toContain(says);
  });

  test('what is just within the limits is taken', () => {
    expect(parsePattern({ source: ['x'.repeat(4096 - '{"source":[""]}'.length)] }).clauses).toHaveLength(1);
    expect(parsePattern(Object.fromEntries(Array.from({ length: 9 }, (_each, index) => [`g${index}`, { $or: [{ v: [1] }, { v: [2] }] }]))).clauses).toHaveLength(512);
    expect(parsePattern({ v: [{ numeric: ['<=', 5e9] }, { numeric: ['>=', -5e9] }, 123456789012] }).clauses).toHaveLength(1);
    expect(parsePattern({ v: [{ cidr: '10.0.0.0/31' }, { cidr: '::/127' }, { cidr: '0.0.0.0/0' }] }).clauses).toHaveLength(1);
  });

  test('a number that is none, which YAML can hold, is refused', () => {
    for (const value of [Number.NaN, Infinity]) expect(() => parsePattern({ v: [value] })).toThrow('as a string');
    expect(() => parsePattern({ v: [{ numeric: ['>', Number.NaN] }] })).toThrow('number');
  });
});

const words = ['', 'a', 'A', 'ab', 'aB', 'abc', 'ba', 'b*', 'k', 'K', 'ß', 'SS', 'x.y', '10.0.0.1', '10.1.0.1', '2001:db8::1', 'eu-1', 'eu-2', 'null'] as const;
const keys = ['a', 'b', 'c', 'a.b'] as const;
const word = fc.constantFrom(...words);
const number = fc.constantFrom(-1, 0, 1, 1.5, 2, 300);
const leaf: fc.Arbitrary<unknown> = fc.oneof({ weight: 4, arbitrary: word }, { weight: 2, arbitrary: number }, fc.boolean(), fc.constant(null));
const wildcard = fc.array(fc.constantFrom('a', 'b', 'ab', 'eu-', '1', '*', '\\*', '\\\\'), { minLength: 1, maxLength: 5 }).map((parts) => parts.filter((part, index) => part !== '*' || parts[index - 1] !== '*').join('')).filter((text) => text !== '');
const text = fc.constantFrom('a', 'b', 'ab', 'K', 'ß', 'eu-', '1');
const oneOrMany = <Value>(value: fc.Arbitrary<Value>): fc.Arbitrary<Value | Value[]> => fc.oneof(value, fc.array(value, { minLength: 1, maxLength: 3 }));
const item: fc.Arbitrary<unknown> = fc.oneof(
  { weight: 5, arbitrary: leaf },
  fc.record({ prefix: fc.oneof(text, fc.constant(''), fc.record({ 'equals-ignore-case': text })) }),
  fc.record({ suffix: fc.oneof(text, fc.record({ 'equals-ignore-case': text })) }),
  fc.record({ 'equals-ignore-case': word }),
  fc.record({ wildcard }),
  fc.record({ cidr: fc.constantFrom('10.0.0.0/8', '10.0.0.0/24', '0.0.0.0/0', '2001:db8::/32', '::/0') }),
  fc.record({ numeric: fc.oneof(fc.tuple(fc.constantFrom('=', '<', '<=', '>', '>='), number), fc.tuple(fc.constantFrom('>', '>='), fc.constantFrom(-1, 0, 1), fc.constantFrom('<', '<='), fc.constantFrom(1.5, 2, 300))) }),
  fc.record({ exists: fc.boolean() }),
  fc.record({ 'anything-but': fc.oneof(oneOrMany(word), oneOrMany(number), fc.record({ prefix: oneOrMany(text) }), fc.record({ suffix: oneOrMany(text) }), fc.record({ 'equals-ignore-case': oneOrMany(word) }), fc.record({ wildcard: oneOrMany(wildcard) })) }),
);
const list = fc.array(item, { minLength: 1, maxLength: 3 });
type Fields = Readonly<Record<string, unknown>>;
const flat = fc.dictionary(fc.constantFrom(...keys), list, { minKeys: 1, maxKeys: 2 });
const or = fc.array(flat, { minLength: 2, maxLength: 3 });
const withOr = (fields: fc.Arbitrary<Fields>): fc.Arbitrary<Fields> => fc.tuple(fields, or, fc.boolean()).map(([given, alternatives, isFirst]) => (isFirst ? { $or: alternatives, ...given } : { ...given, $or: alternatives }));
const nested = fc.oneof({ weight: 3, arbitrary: flat }, withOr(flat));
const deep = fc.dictionary(fc.constantFrom(...keys), fc.oneof({ weight: 2, arbitrary: list }, nested), { minKeys: 1, maxKeys: 3 });
const pattern: fc.Arbitrary<Fields> = fc.oneof({ weight: 3, arbitrary: deep }, withOr(deep));
const { event } = fc.letrec<{ event: unknown; value: unknown }>((tie) => ({
  value: fc.oneof({ depthSize: 'medium', withCrossShrink: true }, { weight: 3, arbitrary: leaf }, { weight: 2, arbitrary: tie('event') }, { weight: 2, arbitrary: fc.array(tie('value'), { maxLength: 3 }) }),
  event: fc.dictionary(fc.constantFrom(...keys), tie('value'), { maxKeys: 4 }),
}));

/** Makes a pattern from an event, so that it often fits: by a tape of choices, it asks for what is there in one way or another, from whichever element of an array. */
function mirror(value: unknown, choose: (among: number) => number): unknown {
  if (Array.isArray(value)) {
    const elements: readonly unknown[] = value;
    const objects = elements.filter((element): element is Fields => typeof element === 'object' && element !== null && !Array.isArray(element));
    if (objects.length === 0) return elements.length === 0 ? [{ exists: false }] : mirror(elements[choose(elements.length)], choose);
    const names = [...new Set(objects.flatMap((object) => Object.keys(object)))];
    const picked = names.flatMap((name) => (choose(3) === 0 ? [] : [[name, mirror(objects[choose(objects.length)]?.[name], choose)] as const]));
    return picked.length === 0 ? [{ exists: false }] : Object.fromEntries(picked);
  }
  if (typeof value === 'object' && value !== null) {
    const picked = Object.entries(value).flatMap(([name, inner]) => (choose(4) === 0 ? [] : [[name, mirror(inner, choose)] as const]));
    return picked.length === 0 ? [{ exists: false }] : Object.fromEntries(picked);
  }
  const ways = (): readonly unknown[] => {
    if (value === undefined) return [{ exists: false }];
    if (typeof value !== 'string') return [value, { exists: true }, { 'anything-but': ['zz'] }];
    return [value, { prefix: value.slice(0, 1) }, { suffix: value.slice(-1) }, { wildcard: '*' }, { 'equals-ignore-case': value.toLowerCase() }, { 'anything-but': 'zz' }];
  };
  const asked = ways();
  const way = asked[choose(asked.length)];
  return choose(3) === 0 ? ['zz', way, { exists: false }] : [way];
}
const tape = fc.array(fc.nat({ max: 59 }), { minLength: 5, maxLength: 40 });
const mirrored = fc.tuple(event, tape).map(([each, choices]) => {
  let at = 0;
  const made = mirror(each, (among) => (choices[at++ % choices.length] ?? 0) % among);
  return { each, made: Array.isArray(made) ? { a: made } : made };
});

describe('whatever the pattern and the event', () => {
  test('the compiled rules and the explanations say what the plain interpreter says, and both answers occur', () => {
    const seen = { yes: 0, no: 0 };
    fc.assert(
      fc.property(fc.array(pattern, { maxLength: 4 }), fc.array(mirrored, { minLength: 1, maxLength: 3 }), (others, pairs) => {
        const patterns = [...others, ...pairs.map(({ made }) => made)];
        const rules = patterns.map((each, index) => ruleOf(each, `rule-${index}`));
        const all = compileRules(rules);
        for (const { each } of pairs) {
          const expected = rules.flatMap(({ name }, index) => (fitsPlainly(patterns[index], each) ? [name] : []));
          seen.yes += expected.length;
          seen.no += rules.length - expected.length;
          expect(all.match(each)).toEqual(expected);
          expect(rules.filter((rule) => explainMatch(rule, each).matched).map(({ name }) => name)).toEqual(expected);
        }
      }),
      { numRuns: 1500 },
    );
    expect(Math.min(seen.yes, seen.no)).toBeGreaterThan(1000);
  });

  test('an explanation that matched has a branch whose fields all match, and one that did not names what stands against it in every branch', () => {
    fc.assert(
      fc.property(fc.oneof(mirrored, fc.record({ each: event, made: pattern })), ({ each, made }) => {
        const { matched, branches } = explainMatch(ruleOf(made), each);
        const whole = branches.map(({ fields }) => fields.every(({ verdict }) => verdict === 'matched'));
        expect(whole).toEqual(branches.map((branch) => branch.matched));
        expect(matched).toBe(whole.includes(true));
      }),
      { numRuns: 1000 },
    );
  });
});

describe('an explanation', () => {
  const explain = (one: unknown, each: unknown): unknown => explainMatch(ruleOf(one), each).branches.map(({ fields }) => fields.map(({ path, verdict, found }) => [path, verdict, ...found]));

  test('says of each field what was found and what is wrong with it', () => {
    expect(explain({ source: ['quittance'], detail: { a: [1], b: [{ exists: false }], c: [{ prefix: 'x' }] } }, { source: 'quittance', detail: { a: 2, b: 'here', c: {} } })).toEqual([
      [
        ['source', 'matched', 'quittance'],
        ['detail.a', 'differs', 2],
        ['detail.b', 'present', 'here'],
        ['detail.c', 'missing'],
      ],
    ]);
  });

  test('says when values are there, but in different elements of an array', () => {
    const one = { detail: { kind: ['k'], items: { a: [1], b: [2] } } };
    expect(explain(one, { detail: { kind: 'k', items: [{ a: 1 }, { b: 2 }] } })).toEqual([
      [
        ['detail.kind', 'matched', 'k'],
        ['detail.items.a', 'other_element', 1],
        ['detail.items.b', 'other_element', 2],
      ],
    ]);
    expect(explain(one, { detail: { kind: 'k', items: [{ a: 1, b: 2 }] } })).toEqual([
      [
        ['detail.kind', 'matched', 'k'],
        ['detail.items.a', 'matched', 1],
        ['detail.items.b', 'matched', 2],
      ],
    ]);
  });

  test('has a branch for each alternative of $or, with the place in the pattern, and shows ten values at most', () => {
    const { matched, branches } = explainMatch(ruleOf({ detail: { $or: [{ a: ['x'] }, { b: ['y'] }] } }), { detail: { a: Array.from({ length: 20 }, (_each, index) => index), b: 'y' } });
    expect(matched).toBe(true);
    expect(branches.map((branch) => branch.matched)).toEqual([false, true]);
    expect(branches.flatMap(({ fields }) => fields.map(({ pointer, found }) => [pointer, found.length]))).toEqual([
      ['/detail/$or/0/a', 10],
      ['/detail/$or/1/b', 1],
    ]);
  });
});
