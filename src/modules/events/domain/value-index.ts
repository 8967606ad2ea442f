import { readAddress, type Address } from './address-range.ts';
import { isBeyondAscii, lowerAscii } from './letter-case.ts';
import type { Leaf, Term } from './pattern-term.ts';
import { createRangeTree, type Range } from './range-tree.ts';
import { createFragmentFinder, createTextTree, type TextTree } from './text-tree.ts';

/** Finds whom a value may concern. What it gives may hold some whom it does not concern, and some twice; it misses nobody. */
export interface ValueIndex {
  readonly find: (leaf: Leaf, give: (entries: readonly number[]) => void) => void;
}

/** One entry and what it waits for. */
export interface Entry {
  readonly entry: number;
  readonly term: Term;
}

interface Shelves {
  readonly values: Map<Leaf, number[]>;
  readonly lowered: Map<string, number[]>;
  readonly starts: TextTree;
  readonly ends: TextTree;
  readonly loweredStarts: TextTree;
  readonly loweredEnds: TextTree;
  readonly fragments: (readonly [string, number])[];
  readonly numbers: Range<number>[];
  readonly addresses: Range<Address>[];
  /** For whom any string may be meant. */
  readonly strings: number[];
  /** For whom any value may be meant. */
  readonly any: number[];
}

function shelve(list: Map<Leaf, number[]> | Map<string, number[]>, key: string, entry: number): void;
function shelve(list: Map<Leaf, number[]>, key: Leaf, entry: number): void;
function shelve(list: Map<Leaf, number[]>, key: Leaf, entry: number): void {
  const entries = list.get(key);
  if (entries === undefined) list.set(key, [entry]);
  else entries.push(entry);
}

function putIgnoreCase(shelves: Shelves, term: Extract<Term, { kind: 'ignore_case' }>, entry: number): void {
  const text = lowerAscii(term.text);
  // Characters beyond ASCII have forms of several lengths: such patterns are rare, and are tried one by one.
  if (isBeyondAscii(text)) shelves.strings.push(entry);
  else if (term.part === 'whole') shelve(shelves.lowered, text, entry);
  else if (term.part === 'start') shelves.loweredStarts.add(text, entry);
  else shelves.loweredEnds.add(text, entry);
}

function put(shelves: Shelves, { term, entry }: Entry): void {
  switch (term.kind) {
    case 'equals':
      shelve(shelves.values, term.value, entry);
      return;
    case 'prefix':
      shelves.starts.add(term.text, entry);
      return;
    case 'suffix':
      shelves.ends.add(term.text, entry);
      return;
    case 'ignore_case':
      putIgnoreCase(shelves, term, entry);
      return;
    case 'wildcard': {
      const [first] = term.wildcard;
      const last = term.wildcard.at(-1) ?? '';
      const longest = term.wildcard.toSorted((one, other) => other.length - one.length)[0] ?? '';
      if (first !== '') shelves.starts.add(first, entry);
      else if (last !== '') shelves.ends.add(last, entry);
      else if (longest !== '') shelves.fragments.push([longest, entry]);
      else shelves.strings.push(entry);
      return;
    }
    case 'numeric':
      shelves.numbers.push({ first: term.low, last: term.high, entry });
      return;
    case 'cidr':
      shelves.addresses.push({ first: term.first, last: term.last, entry });
      return;
    case 'exists':
    case 'anything_but':
      shelves.any.push(entry);
  }
}

/** Makes an index of what entries wait for at one path: by value, by beginning, by end, by a piece in the middle, by range. */
export function createValueIndex(entries: readonly Entry[]): ValueIndex {
  const shelves: Shelves = {
    values: new Map(),
    lowered: new Map(),
    starts: createTextTree('start'),
    ends: createTextTree('end'),
    loweredStarts: createTextTree('start'),
    loweredEnds: createTextTree('end'),
    fragments: [],
    numbers: [],
    addresses: [],
    strings: [],
    any: [],
  };
  for (const entry of entries) put(shelves, entry);
  const { values, lowered, starts, ends, loweredStarts, loweredEnds, strings, any } = shelves;
  const numbers = createRangeTree(shelves.numbers);
  // Ranges of the two families lie on lines of their own.
  const v4 = createRangeTree(shelves.addresses.filter(({ first }) => typeof first === 'number'));
  const v6 = createRangeTree(shelves.addresses.filter(({ first }) => typeof first === 'bigint'));
  const fragments = createFragmentFinder(shelves.fragments);
  const [hasAddresses, ignoresCase] = [shelves.addresses.length > 0, lowered.size > 0 || !loweredStarts.isEmpty() || !loweredEnds.isEmpty()];

  const findText = (text: string, give: (entries: readonly number[]) => void): void => {
    starts.find(text, give);
    ends.find(text, give);
    if (ignoresCase) {
      const small = lowerAscii(text);
      const whole = lowered.get(small);
      if (whole !== undefined) give(whole);
      loweredStarts.find(small, give);
      loweredEnds.find(small, give);
    }
    fragments(text, give);
    if (hasAddresses) {
      const address = readAddress(text);
      if (address !== undefined) (typeof address === 'number' ? v4 : v6)(address, give);
    }
    if (strings.length > 0) give(strings);
  };

  return {
    find: (leaf, give) => {
      const same = values.get(leaf);
      if (same !== undefined) give(same);
      if (typeof leaf === 'string') findText(leaf, give);
      else if (typeof leaf === 'number') numbers(leaf, give);
      if (any.length > 0) give(any);
    },
  };
}
