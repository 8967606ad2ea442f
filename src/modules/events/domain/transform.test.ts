import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { isFailure } from '../../../platform/failure.ts';
import type { BusEvent } from './event.ts';
import { isJson, parseTransform, readPath, transform, unsafeVariables, type TransformConfig, type TransformContext } from './transform.ts';

interface Vectors {
  readonly event: BusEvent;
  readonly context: TransformContext;
  readonly cases: readonly (TransformConfig & { readonly title: string; readonly output: string; readonly is_json: boolean })[];
  readonly invalid: readonly (TransformConfig & { readonly title: string; readonly field: string; readonly says: string })[];
}
const { event, context, cases, invalid } = JSON.parse(readFileSync(new URL('../../../../test/vectors/event-patterns/transform.json', import.meta.url), 'utf8')) as Vectors;
const withText = (text: unknown): BusEvent => ({ ...event, detail: { text } });

describe('a template', () => {
  test.each(cases)('$title', (config) => {
    const transformer = parseTransform(config);
    const output = transform(event, transformer, context);
    expect(output).toBe(config.output);
    expect(isJson(output, transformer)).toBe(config.is_json);
  });

  test.each(invalid)('is refused: $title', (config) => {
    let thrown: unknown;
    try {
      parseTransform(config);
    } catch (error) {
      thrown = error;
    }
    if (!isFailure(thrown)) throw new Error('It was not refused', { cause: thrown });
    expect(thrown.code).toBe('CONFIG_INVALID');
    expect(thrown.field).toBe(config.field);
    expect(thrown.detail).toContain(config.says);
  });

  test('at its limits is taken', () => {
    expect(parseTransform({ InputTemplate: `"${'x'.repeat(8190)}"`, InputPathsMap: Object.fromEntries(Array.from({ length: 100 }, (_each, index) => [`k${index}`, '$.id'])) }).paths.size).toBe(100);
  });

  test('that is an object gives JSON whatever a string holds, within quotes and without', () => {
    const transformer = parseTransform({ InputPathsMap: { t: '$.detail.text' }, InputTemplate: '{"bare":<t>,"quoted":"a <t> b"}' });
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        const output = transform(withText(text), transformer, context);
        expect(isJson(output, transformer)).toBe(true);
        expect(JSON.parse(output)).toEqual({ bare: text, quoted: `a ${text} b` });
      }),
    );
  });

  test('that is a text lets a value end the text: what it then gives is no JSON, or says something else', () => {
    const transformer = parseTransform({ InputPathsMap: { t: '$.detail.text' }, InputTemplate: '{"a":[1]}' });
    expect(unsafeVariables(transformer)).toEqual([]);
    const line = parseTransform({ InputPathsMap: { t: '$.detail.text' }, InputTemplate: '"<t>"' });
    expect(isJson(transform(withText('plain'), line, context), line)).toBe(true);
    expect(isJson(transform(withText('a" "b'), line, context), line)).toBe(false);
  });

  test('of several lines counts as JSON only where the template had lines', () => {
    const lines = parseTransform({ InputTemplate: '"one"\n"two"' });
    expect(isJson('"one"\n"two"', lines)).toBe(true);
    expect(isJson('"one"\n"two"')).toBe(false);
    expect(isJson('"one"\ntwo', lines)).toBe(false);
    expect(isJson('"line \u0007"\n"two"', lines)).toBe(false);
  });
});

describe('a path', () => {
  test('leads to a value of the event, whatever it is', () => {
    expect(readPath(event, '$.detail.items[0].name')).toBe('first');
    expect(readPath(event, '$.detail.number')).toBe(42);
    expect(readPath(event, '$.detail.nothing')).toBeNull();
    expect(readPath(event, '$.detail-type')).toBe('erasure.completed');
  });

  test.each(['$.detail.missing', '$.detail.items[5]', '$.detail.items.name', '$.detail.toString', 'detail', '$..x', ''])('that leads nowhere or is none gives undefined: %s', (path) => {
    expect(readPath(event, path)).toBeUndefined();
  });
});

describe('the check of variables', () => {
  const check = (InputTemplate: string): unknown => unsafeVariables(parseTransform({ InputPathsMap: { t: '$.detail.text', id: '$.id' }, InputTemplate })).map(({ name, why }) => [name, why]);

  test.each([
    ['"hello <t>"', [['t', 'not_escaped']]],
    ['"one <t>"\n"two <t>"', [['t', 'not_escaped']]],
    ['{"a":"hello <t>"}', [['t', 'structure_in_quotes']]],
    ['["<t>", <t>]', [['t', 'not_escaped'], ['t', 'bare']]],
    ['<t>', [['t', 'bare']]],
    ['[<id>]', [['id', 'bare']]],
  ])('names what may break %j', (template, expected) => {
    expect(check(template)).toEqual(expected);
  });

  test.each(['{"a":<t>}', '"event <id> of rule <aws.events.rule-name>"', '{"a":"<id>"}', '"nothing"'])('lets pass what nothing can break: %j', (template) => {
    expect(check(template)).toEqual([]);
  });
});
