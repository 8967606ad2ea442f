import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import type { BusEvent } from '../../../src/modules/events/domain/event.ts';
import { parsePattern } from '../../../src/modules/events/domain/pattern.ts';
import { compileRules } from '../../../src/modules/events/domain/rule-set.ts';
import { parseTransform, transform, type TransformConfig } from '../../../src/modules/events/domain/transform.ts';
import { eventMatches, readEventPattern, transformedInput } from '../../../src/sandbox/eventbridge/index.ts';

const read = (name: string): unknown => JSON.parse(readFileSync(new URL(`../../vectors/event-patterns/${name}.json`, import.meta.url), 'utf8'));
const matching = read('matching') as readonly { title: string; pattern: Record<string, unknown>; fits?: readonly unknown[]; fits_not?: readonly unknown[] }[];
const transforms = read('transform') as { event: BusEvent; context: { ruleName: string; ruleArn: string; ingestionTime: string }; cases: readonly (TransformConfig & { title: string })[] };

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
