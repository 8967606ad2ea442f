import { Failure } from '../../../platform/failure.ts';
import { parseTerm, type Term } from './pattern-term.ts';

/** What one field of an event must be. */
export interface FieldTest {
  /** The steps to the field, joined by dots: `detail.status` written as one key or as two is the same. */
  readonly path: string;
  /** Where in the pattern it stands. */
  readonly pointer: string;
  /** Any of these will do. */
  readonly terms: readonly Term[];
  /** The field may also be missing: `{"exists": false}` is among the alternatives. */
  readonly absent: boolean;
}

/** Fields that an event must have together. */
export type Clause = readonly FieldTest[];

/** An event pattern that was checked: an event fits when it fits any of the clauses, of which there are several where `$or` is used. */
export interface Pattern {
  readonly clauses: readonly Clause[];
}

/** The longest pattern that EventBridge takes, in characters of its JSON text (service description, PutRule). */
const lengthMax = 4096;
/** How many combinations the alternatives of all `$or` may make together (user guide, `$or`). */
const clausesMax = 1000;
/** What cannot be the name of a field inside of `$or` (event-ruler, `Constants`). */
const reservedNames: ReadonlySet<string> = new Set(
  'exactly equals-ignore-case prefix suffix anything-but exists wildcard numeric cidr = < <= > >= regex not-wildcard not-equals-ignore-case date-after date-on-or-after date-before date-on-or-before in-date-range ip-address-in-range ip-address-not-in-range'.split(' '),
);

const escapeStep = (step: string): string => step.replaceAll('~', '~0').replaceAll('/', '~1');
const isObject = (value: unknown): value is Readonly<Record<string, unknown>> => typeof value === 'object' && value !== null && !Array.isArray(value);

function refuse(pointer: string, what: string): never {
  throw new Failure('CONFIG_INVALID', `The event pattern is not valid: ${pointer === '' ? 'it' : pointer} ${what}.`, { field: pointer });
}

function parseField(path: string, pointer: string, items: readonly unknown[]): FieldTest {
  if (items.length === 0) refuse(pointer, 'is an empty list; name what the field may be, or leave the field out');
  const terms: Term[] = [];
  let absent = false;
  for (const [index, item] of items.entries()) {
    const parsed = parseTerm(item);
    if ('wrong' in parsed) refuse(`${pointer}/${index}${parsed.pointer}`, parsed.wrong);
    if ('term' in parsed) terms.push(parsed.term);
    else absent = true;
  }
  return { path, pointer, terms, absent };
}

type Draft = ReadonlyMap<string, FieldTest>;

function parseOr(value: unknown, steps: readonly string[], pointer: string, drafts: readonly Draft[]): readonly Draft[] {
  if (!Array.isArray(value) || value.length < 2) refuse(pointer, 'must be a list of at least two objects');
  const branches: readonly unknown[] = value;
  const all: Draft[] = [];
  for (const [index, branch] of branches.entries()) {
    if (!isObject(branch)) refuse(`${pointer}/${index}`, 'must be an object');
    all.push(...parseObject(branch, steps, `${pointer}/${index}`, drafts, true));
    if (all.length > clausesMax) refuse(pointer, `makes more than ${clausesMax} combinations with the other $or; write several rules`);
  }
  return all;
}

/** Adds what an object asks for to each draft. A path that is given twice counts as it was given last, as in event-ruler. */
function parseObject(value: Readonly<Record<string, unknown>>, steps: readonly string[], pointer: string, drafts: readonly Draft[], isInOr: boolean): readonly Draft[] {
  const members = Object.entries(value);
  if (members.length === 0) refuse(pointer, 'is an empty object; name a field in it, or leave it out');
  let all = drafts;
  for (const [name, inner] of members) {
    const here = `${pointer}/${escapeStep(name)}`;
    if (name === '$or') {
      all = parseOr(inner, steps, here, all);
      continue;
    }
    if (isInOr && reservedNames.has(name)) refuse(here, 'is the name of an operator, and no field can have it inside of $or');
    const path = [...steps, name];
    if (isObject(inner)) {
      all = parseObject(inner, path, here, all, isInOr);
    } else if (Array.isArray(inner)) {
      const field = parseField(path.join('.'), here, inner);
      all = all.map((draft) => new Map(draft).set(field.path, field));
    } else {
      refuse(here, 'must be a list of what the field may be, or an object with fields of its own');
    }
  }
  return all;
}

/**
 * Checks an event pattern, as Amazon EventBridge documents them, and gives it in the form that rules are compiled from.
 * Fails with CONFIG_INVALID, whose `field` is the JSON pointer of what is wrong and whose detail says what to do.
 * Sources: EventBridge user guide, "Comparison operators for use in event patterns"; event-ruler 2.0 where the guide says nothing; docs/guides/event-rules.md has
 * what is established and what is not.
 */
export function parsePattern(value: unknown): Pattern {
  if (!isObject(value)) refuse('', 'must be an object');
  const text = JSON.stringify(value);
  if (text.length > lengthMax) refuse('', `has ${text.length} characters, and EventBridge takes ${lengthMax}; write several rules`);
  return { clauses: parseObject(value, [], '', [new Map<string, FieldTest>()], false).map((draft) => [...draft.values()]) };
}
