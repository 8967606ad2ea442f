import { describe, expect, it } from 'vitest';
import { idAt, jsonPathRule, valueAt, valuesAt } from './json-path.ts';

const body = { job: { id: 7 }, results: [{ id: 'a', emails: ['x', 'y'] }, { id: 'b', emails: [] }], none: null, 'odd-name_1': 1 };

describe('a path into an answer', () => {
  it.each([
    ['$', [body]],
    ['$.job.id', [7]],
    ['$.results[1].id', ['b']],
    ['$.results[*].id', ['a', 'b']],
    ['$.results[*].emails[*]', ['x', 'y']],
    ['$.results', [body.results]],
    ['$.none', [null]],
    ['$.odd-name_1', [1]],
    ['$.results[9]', []],
    ['$.results.length', []],
    ['$.job.id.toString', []],
    ['$.constructor', []],
    ['$.__proto__', []],
    ['$.job[0]', []],
  ])('%s leads to what is there, and nowhere else', (path, expected) => {
    expect(jsonPathRule.test(path)).toBe(true);
    expect(valuesAt(body, path)).toEqual(expected);
    expect(valueAt(body, path)).toEqual(expected[0]);
  });

  it.each(['', 'job.id', '$job', '$..id', '$.a[?(@.x)]', '$.a[-1]', "$['a']", '$.a[0:2]', '$.a.', '$.a b', '$[9999999]'])('is not %j', (path) => {
    expect(jsonPathRule.test(path)).toBe(false);
  });

  it('reads ids as texts, and nothing else as an id', () => {
    expect(idAt({ id: 7 }, '$.id')).toBe('7');
    expect(idAt({ id: 'a' }, '$.id')).toBe('a');
    for (const id of ['', null, true, 1.5, 2 ** 60, {}, ['a']]) expect(idAt({ id }, '$.id')).toBeUndefined();
  });
});
