import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { createRangeTree } from './range-tree.ts';
import { createFragmentFinder, createTextTree } from './text-tree.ts';

const small = fc.string({ unit: fc.constantFrom('a', 'b', 'c'), maxLength: 6 });
const collect = (find: (give: (entries: readonly number[]) => void) => void): readonly number[] => {
  const all = new Set<number>();
  find((entries) => entries.forEach((entry) => all.add(entry)));
  return [...all].toSorted((one, other) => one - other);
};
const indexesOf = <Item>(items: readonly Item[], fits: (item: Item) => boolean): readonly number[] => items.flatMap((item, index) => (fits(item) ? [index] : []));

describe('what finds rules by a value', () => {
  test('a finder of fragments finds exactly those that stand in a text, also those within others', () => {
    const fragments = ['abcab', 'bca', 'ca', 'a'];
    const find = createFragmentFinder(fragments.map((text, index) => [text, index]));
    expect(collect((give) => find('abcab', give))).toEqual([0, 1, 2, 3]);
    expect(collect((give) => find('xbcx', give))).toEqual([]);
    fc.assert(
      fc.property(fc.array(small.filter((text) => text !== ''), { maxLength: 12 }), fc.string({ unit: fc.constantFrom('a', 'b', 'c', 'd'), maxLength: 20 }), (texts, text) => {
        const finder = createFragmentFinder(texts.map((each, index) => [each, index]));
        expect(collect((give) => finder(text, give))).toEqual(indexesOf(texts, (each) => text.includes(each)));
      }),
    );
  });

  test('a tree of texts finds exactly those that another text begins with, or ends with', () => {
    fc.assert(
      fc.property(fc.array(small, { maxLength: 12 }), small, (texts, text) => {
        const [starts, ends] = [createTextTree('start'), createTextTree('end')];
        for (const [index, each] of texts.entries()) {
          starts.add(each, index);
          ends.add(each, index);
        }
        expect(starts.isEmpty()).toBe(texts.length === 0);
        expect(collect((give) => starts.find(text, give))).toEqual(indexesOf(texts, (each) => text.startsWith(each)));
        expect(collect((give) => ends.find(text, give))).toEqual(indexesOf(texts, (each) => text.endsWith(each)));
      }),
    );
  });

  test('a tree of ranges finds exactly those that hold a value, ends and endless ones included', () => {
    const end = fc.oneof(fc.integer({ min: -5, max: 5 }), fc.constantFrom(-Infinity, Infinity, 0.5));
    fc.assert(
      fc.property(fc.array(fc.tuple(end, end), { maxLength: 20 }), fc.oneof(end, fc.double({ min: -6, max: 6, noNaN: true })), (pairs, value) => {
        const ranges = pairs.map(([one, other], entry) => ({ first: Math.min(one, other), last: Math.max(one, other), entry }));
        const find = createRangeTree(ranges);
        expect(collect((give) => find(value, give))).toEqual(indexesOf(ranges, ({ first, last }) => first <= value && value <= last));
      }),
    );
  });
});
