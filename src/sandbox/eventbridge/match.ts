import { BlockList, isIP } from 'node:net';
import type { Json } from './state.ts';

/** A pattern that EventBridge would not take; the message is its reason. */
export class InvalidPattern extends Error {}

type Matcher = (value: unknown) => boolean;

const isObject = (value: unknown): value is Json => typeof value === 'object' && value !== null && !Array.isArray(value);
const isString = (value: unknown): value is string => typeof value === 'string';
const text = (what: string, value: unknown): string => {
  if (!isString(value)) throw new InvalidPattern(`${what} match pattern must be a string`);
  return value;
};
const escaped = (value: string): string => value.replaceAll(/[\\^$.*+?()[\]{}|/]/gu, '\\$&');

/** An expression for a text in any case: each character of the pattern in its own form, its lower one or its upper one, which may be two (ß, SS); as the recorded answers have it. */
const anyCase = (value: string): string => Array.from(value, (sign) => `(?:${[...new Set([sign, sign.toLowerCase(), sign.toUpperCase()])].map(escaped).join('|')})`).join('');
const looksLike = (source: string): Matcher => {
  const expression = new RegExp(source, 'u');
  return (value) => isString(value) && expression.test(value);
};

/** `{"equals-ignore-case": "x"}` inside prefix, suffix or anything-but gives `x`. */
function ignoringCase(value: unknown): string | undefined {
  if (!isObject(value) || Object.keys(value).join() !== 'equals-ignore-case') return undefined;
  return text('equals-ignore-case', value['equals-ignore-case']);
}

function prefix(wanted: unknown): Matcher {
  const loose = ignoringCase(wanted);
  if (loose !== undefined) return looksLike(`^${anyCase(loose)}`);
  const exact = text('prefix', wanted);
  return (value) => isString(value) && value.startsWith(exact);
}

function suffix(wanted: unknown): Matcher {
  const loose = ignoringCase(wanted);
  if (loose !== undefined) return looksLike(`${anyCase(loose)}$`);
  const exact = text('suffix', wanted);
  return (value) => isString(value) && value.endsWith(exact);
}

function equalsIgnoreCase(wanted: unknown): Matcher {
  return looksLike(`^${anyCase(text('equals-ignore-case', wanted))}$`);
}

function wildcard(wanted: unknown): Matcher {
  const pattern = text('wildcard', wanted);
  let source = '';
  let wasStar = false;
  for (let at = 0; at < pattern.length; at += 1) {
    let sign = pattern[at] ?? '';
    if (sign === '*') {
      if (wasStar) throw new InvalidPattern(`Consecutive wildcard characters at pos ${at - 1}`);
      source += '[^]*';
      wasStar = true;
      continue;
    }
    wasStar = false;
    if (sign === '\\') {
      at += 1;
      sign = pattern[at] ?? '';
      if (sign !== '*' && sign !== '\\') throw new InvalidPattern(`Invalid escape character at pos ${at - 1}`);
    }
    source += escaped(sign);
  }
  const expression = new RegExp(`^${source}$`);
  return (value) => isString(value) && expression.test(value);
}

/** docs.aws.amazon.com/eventbridge/latest/userguide/eb-create-pattern-operators.html: between -5e9 and +5e9. */
const numberMax = 5e9;
const compare: Readonly<Record<string, (value: number, bound: number) => boolean>> = {
  '=': (value, bound) => value === bound,
  '<': (value, bound) => value < bound,
  '<=': (value, bound) => value <= bound,
  '>': (value, bound) => value > bound,
  '>=': (value, bound) => value >= bound,
};

function numeric(wanted: unknown): Matcher {
  if (!Array.isArray(wanted) || wanted.length === 0 || wanted.length % 2 === 1 || wanted.length > 4) throw new InvalidPattern('Invalid member in numeric match');
  const bounds: [string, number][] = [];
  for (let at = 0; at < wanted.length; at += 2) {
    const operator: unknown = wanted[at];
    const bound: unknown = wanted[at + 1];
    if (!isString(operator) || compare[operator] === undefined) throw new InvalidPattern(`Unrecognized numeric range operator: ${String(operator)}`);
    if (typeof bound !== 'number') throw new InvalidPattern('Value of a numeric match must be numeric');
    if (Math.abs(bound) > numberMax) throw new InvalidPattern('Value must be between -5.0E9 and 5.0E9, inclusive');
    bounds.push([operator, bound]);
  }
  const [bottom, top] = bounds;
  if (top !== undefined && !(bottom?.[0].startsWith('>') === true && top[0].startsWith('<') && bottom[1] < top[1])) throw new InvalidPattern('Bottom must be less than top');
  return (value) => typeof value === 'number' && bounds.every(([operator, bound]) => compare[operator]?.(value, bound) === true);
}

/** An address as it is compared: leading zeros are decimal, and neither zones nor dotted tails are taken. */
function addressOf(value: string): { readonly address: string; readonly family: 'ipv4' | 'ipv6' } | undefined {
  const address = /^\d+(?:\.\d+){3}$/u.test(value) ? value.split('.').map(Number).join('.') : value;
  const version = isIP(address);
  if (version === 4) return { address, family: 'ipv4' };
  return version === 6 && !/[.%]/u.test(address) ? { address, family: 'ipv6' } : undefined;
}

function cidr(wanted: unknown): Matcher {
  const [, given = '', bits = ''] = /^([^/]+)\/(\d+)$/u.exec(text('cidr', wanted)) ?? [];
  const found = addressOf(given);
  if (found === undefined) throw new InvalidPattern(`Malformed CIDR, invalid address: ${given}`);
  const most = found.family === 'ipv4' ? 32 : 128;
  if (Number(bits) >= most) throw new InvalidPattern(`Malformed CIDR, mask bits must be < ${most}`);
  const block = new BlockList();
  block.addSubnet(found.address, Number(bits), found.family);
  return (value) => {
    const asked = isString(value) ? addressOf(value) : undefined;
    return asked?.family === found.family && block.check(asked.address, asked.family);
  };
}

const insideAnythingBut: Readonly<Record<string, (wanted: unknown) => Matcher>> = { prefix, suffix, wildcard, 'equals-ignore-case': equalsIgnoreCase };

function anythingBut(wanted: unknown): Matcher {
  if (isObject(wanted)) {
    const [[operator, values] = []] = Object.entries(wanted);
    const make = operator === undefined ? undefined : insideAnythingBut[operator];
    if (make === undefined || Object.keys(wanted).length !== 1) throw new InvalidPattern('Unsupported anything-but pattern');
    // Inside, prefix and suffix are texts, and not empty.
    if ((Array.isArray(values) ? values : [values]).some((each) => !isString(each) || each === '')) throw new InvalidPattern(`Unsupported anything-but ${operator} pattern`);
    const unwanted = (Array.isArray(values) ? (values as readonly unknown[]) : [values]).map((value) => make(value));
    if (unwanted.length === 0) throw new InvalidPattern('Empty arrays are not allowed');
    return (value) => !unwanted.some((fits) => fits(value));
  }
  const values: readonly unknown[] = Array.isArray(wanted) ? wanted : [wanted];
  const isPlain = values.length > 0 && (values.every(isString) || values.every((value) => typeof value === 'number'));
  if (!isPlain) throw new InvalidPattern('Inside anything but list, either all values are number or string, mixed type is not supported');
  return (value) => !values.some((each) => each === value);
}

const operators: Readonly<Record<string, (wanted: unknown) => Matcher>> = { prefix, suffix, wildcard, numeric, cidr, 'anything-but': anythingBut, 'equals-ignore-case': equalsIgnoreCase };

/** All values under a key that are no objects: arrays within arrays lie flat. */
function leaves(value: unknown): readonly unknown[] {
  if (Array.isArray(value)) return value.flatMap(leaves);
  return value === undefined || isObject(value) ? [] : [value];
}

/** One entry of the list that a field of a pattern has, asked of all values of the field. */
function fieldMatches(entry: unknown, values: readonly unknown[]): boolean {
  if (!isObject(entry)) {
    if (Array.isArray(entry)) throw new InvalidPattern('Match value must be String, number, true, false, or null');
    return values.includes(entry);
  }
  const [[operator, wanted] = []] = Object.entries(entry);
  if (operator === undefined || Object.keys(entry).length !== 1) throw new InvalidPattern('Only one key allowed in match expression');
  if (operator === 'exists') {
    if (typeof wanted !== 'boolean') throw new InvalidPattern('exists match pattern must be either true or false.');
    return wanted === values.length > 0;
  }
  const make = operators[operator];
  if (make === undefined) throw new InvalidPattern(`Unrecognized match type ${operator}`);
  return values.some(make(wanted));
}

type Fields = ReadonlyMap<string, readonly unknown[]>;

/** More ways than that through the `$or`s of a pattern are refused. */
const waysMax = 1000;

/**
 * All ways through the `$or`s of a pattern, each as its fields by their paths. A key with dots is the same as objects within objects, and a path that comes
 * again takes the place of the one before.
 */
function waysThrough(pattern: Json, above = ''): readonly Fields[] {
  let ways: readonly Fields[] = [new Map()];
  const follow = (choices: readonly Fields[]): void => {
    ways = ways.flatMap((way) => choices.map((choice) => new Map([...way, ...choice])));
    if (ways.length > waysMax) throw new InvalidPattern(`Too many combinations of $or: more than ${waysMax}`);
  };
  for (const [key, wanted] of Object.entries(pattern)) {
    const path = above === '' ? key : `${above}.${key}`;
    if (key === '$or') follow((wanted as readonly Json[]).flatMap((choice) => waysThrough(choice, above)));
    else if (Array.isArray(wanted)) follow([new Map([[path, wanted as readonly unknown[]]])]);
    else follow(waysThrough(wanted as Json, path));
  }
  return ways;
}

/** Objects within objects, from keys that have dots; the later of two of the same name is kept. */
function nested(fields: Iterable<readonly [string, unknown]>): Json {
  const tree: Record<string, unknown> = Object.create(null) as Record<string, unknown>;
  for (const [path, value] of fields) {
    const names = path.split('.');
    const last = names.pop() ?? '';
    let at = tree;
    for (const name of names) {
      if (!isObject(at[name])) at[name] = Object.create(null) as Json;
      at = at[name] as Record<string, unknown>;
    }
    const old = at[last];
    at[last] = isObject(old) && isObject(value) ? { ...old, ...value } : value;
  }
  return tree;
}

/** An event with its dotted keys as objects within objects. */
function undotted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(undotted);
  return isObject(value) ? nested(Object.entries(value).map(([key, each]): [string, unknown] => [key, undotted(each)])) : value;
}

/** What is asked of a field itself, and of what is below it: a pattern may ask both. */
interface Question {
  test?: readonly unknown[];
  readonly below: Map<string, Question>;
}

function questionOf(fields: Fields): Question {
  const root: Question = { below: new Map() };
  for (const [path, test] of fields) {
    let at = root;
    for (const name of path.split('.')) {
      const next: Question = at.below.get(name) ?? { below: new Map() };
      at.below.set(name, next);
      at = next;
    }
    at.test = test;
  }
  return root;
}

/** Whether a question is of nothing but absence. */
function asksOfAbsence({ test = [], below }: Question): boolean {
  return test.every((entry) => isObject(entry) && entry['exists'] === false) && [...below.values()].every(asksOfAbsence);
}

function objectMatches(question: Question, value: Json): boolean {
  return [...question.below].every(([key, asked]) => {
    const found = value[key];
    if (asked.test !== undefined) {
      const values = leaves(found);
      if (!asked.test.some((entry) => fieldMatches(entry, values))) return false;
    }
    if (asked.below.size === 0) return true;
    // Of an array of objects, one of them has to match as a whole; what is to be absent where nothing chooses one is to be absent from all.
    const objects = Array.isArray(found) ? (found as readonly unknown[]).flat(Infinity).filter(isObject) : isObject(found) ? [found] : [];
    const inner: Question = { below: asked.below };
    if (asksOfAbsence(inner)) return objects.every((one) => objectMatches(inner, one));
    return (objects.length === 0 ? [{}] : objects).some((one) => objectMatches(inner, one));
  });
}

function check(pattern: unknown, isInOr: boolean): void {
  if (!isObject(pattern)) throw new InvalidPattern('Filter is not an object');
  if (Object.keys(pattern).length === 0) throw new InvalidPattern('Empty objects are not allowed');
  for (const [key, wanted] of Object.entries(pattern)) {
    if (isInOr && (key === 'exists' || operators[key] !== undefined)) throw new InvalidPattern(`Unrecognized match type ${key} in $or`);
    if (key === '$or') {
      if (!Array.isArray(wanted) || wanted.length < 2) throw new InvalidPattern('There must have at least 2 Objects in $or relationship.');
      for (const choice of wanted) check(choice, true);
    } else if (Array.isArray(wanted)) {
      if (wanted.length === 0) throw new InvalidPattern('Empty arrays are not allowed');
      for (const entry of wanted) fieldMatches(entry, []);
      // An operator is made only when a value is there to be asked.
      for (const entry of wanted) if (isObject(entry) && !('exists' in entry)) fieldMatches(entry, ['']);
    } else if (isObject(wanted)) {
      check(wanted, isInOr);
    } else {
      throw new InvalidPattern(`"${key}" must be an object or an array`);
    }
  }
}

/** Reads a pattern. Throws `InvalidPattern` with the reason. */
export function readPattern(source: string): Json {
  let pattern: unknown;
  try {
    pattern = JSON.parse(source);
  } catch (error) {
    throw new InvalidPattern('Filter is not valid JSON', { cause: error });
  }
  check(pattern, false);
  waysThrough(pattern as Json);
  return pattern as Json;
}

/**
 * Whether an event matches, field by field, as the user guide tells it, and where that says nothing, as answers of TestEventPattern that were recorded in September
 * 2026 have it (docs/guides/event-rules.md): one interpreter, no index.
 */
export function matches(pattern: Json, event: Json): boolean {
  const plain = undotted(event) as Json;
  return waysThrough(pattern).some((way) => objectMatches(questionOf(way), plain));
}
