import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { BusEvent } from '../../../src/modules/events/domain/event.ts';
import { parsePattern } from '../../../src/modules/events/domain/pattern.ts';
import { compileRules } from '../../../src/modules/events/domain/rule-set.ts';
import { parseTransform, transform, type TransformConfig } from '../../../src/modules/events/domain/transform.ts';
import { eventMatches, readEventPattern, transformedInput } from '../../../src/sandbox/eventbridge/index.ts';

const read = (name: string): unknown => JSON.parse(readFileSync(new URL(`../../vectors/event-patterns/${name}.json`, import.meta.url), 'utf8'));
const matching = read('matching') as readonly { title: string; pattern: Record<string, unknown>; fits?: readonly unknown[]; fits_not?: readonly unknown[] }[];
const transforms = read('transform') as { event: BusEvent; context: { ruleName: string; ruleArn: string; ingestionTime: string }; cases: readonly (TransformConfig & { title: string })[] };

const word = fc.constantFrom('a', 'b', 'ab', 'ba', '', 'A', '10.0.0.1', '10.0.1.1');
const number = fc.constantFrom(-1, 0, 1, 1.5, 2);
const scalar = fc.oneof(word, number, fc.boolean(), fc.constant(null));
const test = fc.oneof(
  scalar,
  fc.record({ prefix: word }),
  fc.record({ suffix: word }),
  fc.record({ 'equals-ignore-case': word }),
  fc.record({ exists: fc.boolean() }),
  fc.record({ wildcard: fc.constantFrom('a*', '*b', 'a*b', '*') }),
  fc.record({ 'anything-but': fc.oneof(word, number, fc.array(word, { minLength: 1, maxLength: 2 })) }),
  fc.record({ numeric: fc.constantFrom(['>', 0], ['>=', 0, '<', 2], ['=', 1]) }),
  fc.record({ cidr: fc.constant('10.0.0.0/24') }),
);
type Part = Record<string, unknown>;
const key = fc.constantFrom('x', 'y', 'z');
/** Fields that a pattern asks of what is below them; what EventBridge makes of a pattern that asks of a field both itself and what is below is not established. */
const branch = fc.constantFrom('p', 'q');
const anyKey = fc.oneof(key, branch);
const leaf = fc.array(test, { minLength: 1, maxLength: 2 });
const flat: fc.Arbitrary<Part> = fc.dictionary(key, leaf, { minKeys: 1, maxKeys: 2 });
const deeper = (inner: fc.Arbitrary<Part>): fc.Arbitrary<Part> =>
  fc
    .tuple(fc.dictionary(key, leaf, { maxKeys: 2 }), fc.dictionary(branch, inner, { minKeys: 1, maxKeys: 2 }), fc.option(fc.array(inner, { minLength: 2, maxLength: 2 }), { nil: undefined }))
    .map(([fields, below, or]) => ({ ...fields, ...below, ...(or === undefined ? {} : { $or: or }) }));
const somePattern = fc.oneof(flat, deeper(flat), deeper(deeper(flat)));
const within = (inner: fc.Arbitrary<unknown>): fc.Arbitrary<unknown> => fc.oneof(scalar, fc.array(inner, { maxLength: 3 }), fc.dictionary(anyKey, inner, { maxKeys: 3 }));
const someEvent: fc.Arbitrary<Part> = fc.dictionary(anyKey, within(within(within(scalar))), { maxKeys: 3 });

describe('the rules of Quittance and those of the simulated EventBridge, written apart from each other', () => {
  it('match the same: every pattern of the vectors with every event of them', () => {
    const rules = compileRules(matching.map(({ pattern }, index) => ({ name: String(index), pattern: parsePattern(pattern) })));
    const simulated = matching.map(({ pattern }, index) => ({ name: String(index), pattern: readEventPattern(JSON.stringify(pattern)) }));
    const events = matching.flatMap(({ fits = [], fits_not: fitsNot = [] }) => [...fits, ...fitsNot]) as readonly Record<string, unknown>[];
    expect(events.length).toBeGreaterThan(200);
    let matched = 0;
    for (const event of events) {
      const names = simulated.filter(({ pattern }) => eventMatches(pattern, event)).map(({ name }) => name);
      matched += names.length;
      expect(rules.match(event), JSON.stringify(event)).toEqual(names);
    }
    expect(matched).toBeGreaterThan(events.length / 2);
  });

  it('match the same: patterns and events at random', () => {
    fc.assert(
      fc.property(somePattern, someEvent, (pattern, event) => {
        const here = compileRules([{ name: 'rule', pattern: parsePattern(pattern) }]).match(event).length === 1;
        expect(eventMatches(readEventPattern(JSON.stringify(pattern)), event)).toBe(here);
      }),
      { numRuns: 5000 },
    );
  });

  it('shape the same bytes: every template of the vectors', () => {
    const { event, context } = transforms;
    expect(transforms.cases.length).toBeGreaterThan(30);
    for (const { title, InputTemplate: template, InputPathsMap: paths = {} } of transforms.cases) {
      const target = { Id: 'x', Arn: 'x', InputTransformer: { InputPathsMap: paths, InputTemplate: template } };
      const simulated = transformedInput(target, { ...event }, JSON.stringify(event), { rule: { arn: context.ruleArn, name: context.ruleName }, ingestedAt: Date.parse(context.ingestionTime) });
      expect(transform(event, parseTransform({ InputTemplate: template, InputPathsMap: paths }), context), title).toBe(simulated);
    }
  });
});
