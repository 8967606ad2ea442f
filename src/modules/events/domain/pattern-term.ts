import { readAddress, parseCidr, type Address, type AddressRange } from './address-range.ts';
import { createCaseTest, type Part } from './letter-case.ts';
import { fitsWildcard, parseWildcard, type Wildcard } from './wildcard.ts';

/** A value at the end of a path: what patterns compare. */
export type Leaf = string | number | boolean | null;

/** One thing that a field may be. A field of a pattern lists several, and any of them will do. */
export type Term =
  | { readonly kind: 'equals'; readonly value: Leaf }
  | { readonly kind: 'exists' }
  | { readonly kind: 'prefix' | 'suffix'; readonly text: string }
  | { readonly kind: 'ignore_case'; readonly part: Part; readonly text: string }
  | { readonly kind: 'wildcard'; readonly wildcard: Wildcard }
  | { readonly kind: 'numeric'; readonly low: number; readonly lowOpen: boolean; readonly high: number; readonly highOpen: boolean }
  | ({ readonly kind: 'cidr' } & AddressRange)
  | { readonly kind: 'anything_but'; readonly but: readonly Term[] };

/** What a match expression is, or what is wrong with it; `pointer` is added to that of the expression. */
export type ParsedTerm = { readonly term: Term } | { readonly absent: true } | { readonly wrong: string; readonly pointer: string };

/** The range of numbers that EventBridge documents for comparisons. */
const numberMax = 5e9;
const wrong = (text: string, pointer = ''): ParsedTerm => ({ wrong: text, pointer });
const isObject = (value: unknown): value is Readonly<Record<string, unknown>> => typeof value === 'object' && value !== null && !Array.isArray(value);

/** Gives the single member of an object, if it has exactly one. */
function onlyMember(value: unknown): readonly [string, unknown] | undefined {
  if (!isObject(value)) return undefined;
  const members = Object.entries(value);
  return members.length === 1 ? members[0] : undefined;
}

function checkNumber(value: unknown): string | undefined {
  if (typeof value !== 'number' || !Number.isFinite(value)) return 'must be a number';
  return Math.abs(value) > numberMax ? `is beyond ±${numberMax}, up to where EventBridge documents comparisons` : undefined;
}

function parseNumeric(operand: unknown): ParsedTerm {
  if (!Array.isArray(operand) || (operand.length !== 2 && operand.length !== 4)) return wrong('must be an operator and a number, such as [">", 0], or a range, such as [">", 0, "<=", 5]');
  const parts: readonly unknown[] = operand;
  for (let index = 1; index < parts.length; index += 2) {
    const bad = checkNumber(parts[index]);
    if (bad !== undefined) return wrong(bad, `/${index}`);
  }
  const [operator, value, upper, limit] = parts as readonly [unknown, number, unknown?, number?];
  if (limit === undefined) {
    switch (operator) {
      case '=':
        return { term: { kind: 'equals', value } };
      case '>':
      case '>=':
        return { term: { kind: 'numeric', low: value, lowOpen: operator === '>', high: Infinity, highOpen: false } };
      case '<':
      case '<=':
        return { term: { kind: 'numeric', low: -Infinity, lowOpen: false, high: value, highOpen: operator === '<' } };
      default:
        return wrong('must be one of =, <, <=, >, >=', '/0');
    }
  }
  if (operator !== '>' && operator !== '>=') return wrong('must be > or >=: a range begins with its lower end', '/0');
  if (upper !== '<' && upper !== '<=') return wrong('must be < or <=: a range ends with its upper end', '/2');
  if (value >= limit) return wrong('must be a range whose lower end is below its upper end');
  return { term: { kind: 'numeric', low: value, lowOpen: operator === '>', high: limit, highOpen: upper === '<' } };
}

function parseText(operator: 'prefix' | 'suffix' | 'equals-ignore-case' | 'wildcard', operand: unknown): ParsedTerm {
  if (typeof operand === 'string') {
    switch (operator) {
      case 'prefix':
      case 'suffix':
        return { term: { kind: operator, text: operand } };
      case 'equals-ignore-case':
        return { term: { kind: 'ignore_case', part: 'whole', text: operand } };
      case 'wildcard': {
        const parsed = parseWildcard(operand);
        return 'wrong' in parsed ? wrong(parsed.wrong) : { term: { kind: 'wildcard', wildcard: parsed.wildcard } };
      }
    }
  }
  if (operator === 'prefix' || operator === 'suffix') {
    const [name, text] = onlyMember(operand) ?? [];
    if (name === 'equals-ignore-case' && typeof text === 'string') return { term: { kind: 'ignore_case', part: operator === 'prefix' ? 'start' : 'end', text } };
    return wrong('must be a string, or {"equals-ignore-case": string}; for several write several expressions');
  }
  return wrong('must be a string; for several write several expressions');
}

function parseButText(operator: 'prefix' | 'suffix' | 'equals-ignore-case' | 'wildcard', operand: unknown): ParsedTerm {
  const items: readonly unknown[] = Array.isArray(operand) ? operand : [operand];
  if (items.length === 0) return wrong('must not be an empty list', `/${operator}`);
  const but: Term[] = [];
  for (const [index, item] of items.entries()) {
    const pointer = Array.isArray(operand) ? `/${operator}/${index}` : `/${operator}`;
    if (typeof item !== 'string') return wrong('must be a string, or a list of strings', pointer);
    if (item === '' && (operator === 'prefix' || operator === 'suffix')) return wrong('must not be empty: every string begins and ends with it', pointer);
    const parsed = parseText(operator, item);
    if (!('term' in parsed)) return wrong('wrong' in parsed ? parsed.wrong : 'must be a string', pointer);
    but.push(parsed.term);
  }
  return { term: { kind: 'anything_but', but } };
}

function parseAnythingBut(operand: unknown): ParsedTerm {
  if (isObject(operand)) {
    const [name, inner] = onlyMember(operand) ?? [];
    if (name !== 'prefix' && name !== 'suffix' && name !== 'equals-ignore-case' && name !== 'wildcard') return wrong('must have exactly one of prefix, suffix, equals-ignore-case, wildcard');
    return parseButText(name, inner);
  }
  const items: readonly unknown[] = Array.isArray(operand) ? operand : [operand];
  const kind = typeof items[0];
  if (kind !== 'string' && kind !== 'number') return wrong('must be a string, a number, or a list of either that is not empty; for null, true and false name what the field may be instead');
  const but: Term[] = [];
  for (const [index, item] of items.entries()) {
    const pointer = Array.isArray(operand) ? `/${index}` : '';
    if (typeof item !== kind) return wrong('must be strings only or numbers only', pointer);
    const bad = kind === 'number' ? checkNumber(item) : undefined;
    if (bad !== undefined) return wrong(bad, pointer);
    but.push({ kind: 'equals', value: item as string | number });
  }
  return { term: { kind: 'anything_but', but } };
}

function parseExpression(name: string, operand: unknown): ParsedTerm {
  switch (name) {
    case 'exists':
      if (typeof operand !== 'boolean') return wrong('must be true or false');
      return operand ? { term: { kind: 'exists' } } : { absent: true };
    case 'prefix':
    case 'suffix':
    case 'equals-ignore-case':
    case 'wildcard':
      return parseText(name, operand);
    case 'numeric':
      return parseNumeric(operand);
    case 'cidr': {
      const range = typeof operand === 'string' ? parseCidr(operand) : { wrong: 'must be a string such as 10.0.0.0/24' };
      return 'wrong' in range ? wrong(range.wrong) : { term: { kind: 'cidr', ...range } };
    }
    case 'anything-but':
      return parseAnythingBut(operand);
    default:
      return wrong('is no operator; there are prefix, suffix, equals-ignore-case, wildcard, anything-but, numeric, exists, cidr');
  }
}

/** Reads one item of a field's list: a value, or an object with one operator. */
export function parseTerm(item: unknown): ParsedTerm {
  if (typeof item === 'string' || typeof item === 'boolean' || item === null) return { term: { kind: 'equals', value: item } };
  if (typeof item === 'number') {
    if (!Number.isFinite(item) || Math.abs(item) > Number.MAX_SAFE_INTEGER) return wrong('is a number that cannot be told from its neighbours; send and compare it as a string');
    return { term: { kind: 'equals', value: item } };
  }
  const member = onlyMember(item);
  if (member === undefined) return wrong('must be a string, a number, true, false, null, or an object with exactly one operator');
  const [name, operand] = member;
  const parsed = parseExpression(name, operand);
  return 'wrong' in parsed ? { wrong: parsed.wrong, pointer: `/${name}${parsed.pointer}` } : parsed;
}

const isWithin = (address: Address | undefined, range: AddressRange): boolean => address !== undefined && typeof address === typeof range.first && address >= range.first && address <= range.last;

/** Makes the test that a term stands for. */
export function createTermTest(term: Term): (leaf: Leaf) => boolean {
  switch (term.kind) {
    case 'equals':
      return (leaf) => leaf === term.value;
    case 'exists':
      return () => true;
    case 'prefix':
      return (leaf) => typeof leaf === 'string' && leaf.startsWith(term.text);
    case 'suffix':
      return (leaf) => typeof leaf === 'string' && leaf.endsWith(term.text);
    case 'ignore_case': {
      const test = createCaseTest(term.text, term.part);
      return (leaf) => typeof leaf === 'string' && test(leaf);
    }
    case 'wildcard':
      return (leaf) => typeof leaf === 'string' && fitsWildcard(term.wildcard, leaf);
    case 'numeric': {
      const { low, lowOpen, high, highOpen } = term;
      return (leaf) => typeof leaf === 'number' && (lowOpen ? leaf > low : leaf >= low) && (highOpen ? leaf < high : leaf <= high);
    }
    case 'cidr':
      return (leaf) => typeof leaf === 'string' && isWithin(readAddress(leaf), term);
    case 'anything_but': {
      const test = createAnyTest(term.but);
      return (leaf) => !test(leaf);
    }
  }
}

/** Makes the test that passes where any of the terms would. Values are looked up in a set, so a long list costs no more than a short one. */
export function createAnyTest(terms: readonly Term[]): (leaf: Leaf) => boolean {
  const values = new Set<Leaf>();
  const tests: ((leaf: Leaf) => boolean)[] = [];
  for (const term of terms) {
    if (term.kind === 'equals') values.add(term.value);
    else tests.push(createTermTest(term));
  }
  const [only] = tests;
  if (only === undefined) return (leaf) => values.has(leaf);
  if (tests.length === 1) return (leaf) => values.has(leaf) || only(leaf);
  return (leaf) => values.has(leaf) || tests.some((test) => test(leaf));
}
