import { isInSameElements } from './array-elements.ts';
import { createLeafReader, type LeafReader } from './event-leaves.ts';
import type { Clause, FieldTest, Pattern } from './pattern.ts';
import { createAnyTest, type Leaf, type Term } from './pattern-term.ts';
import { createValueIndex, type Entry, type ValueIndex } from './value-index.ts';

/** A rule: what it is called, and which events it is for. */
export interface Rule {
  readonly name: string;
  readonly pattern: Pattern;
}

/** Many rules that were compiled together. */
export interface RuleSet {
  /**
   * Gives the names of the rules that an event fits, in the order in which the rules were given. The event is the parsed JSON of the envelope; what is no object fits
   * no rule. What an event costs goes by its own size and by the rules that it nearly fits, not by the number of the others.
   */
  readonly match: (event: unknown) => readonly string[];
}

/** A test of one field, which several rules may share. */
interface Test {
  readonly path: number;
  readonly absent: boolean;
  readonly passes: (leaf: Leaf) => boolean;
}

interface CompiledClause {
  readonly rule: number;
  readonly tests: readonly number[];
}

/** How many rules one value of a path may bring up, as guessed from the rules alone: what is rarest is what a clause is looked up by. */
type Crowd = ReadonlyMap<string, number>;

const keyOf = (term: Term): string => (term.kind === 'cidr' ? `cidr ${term.first}-${term.last}` : JSON.stringify(term));
/** Where terms stand in one crowd: those that a value mostly fits all of, or of which it may well fit many, as ranges overlap. */
const crowdKey = (path: string, term: Term): string => (term.kind === 'exists' || term.kind === 'anything_but' ? path : `${path} ${term.kind === 'numeric' ? 'numeric' : keyOf(term)}`);

function countCrowds(clauses: readonly Clause[]): Crowd {
  const crowds = new Map<string, number>();
  const add = (key: string): void => void crowds.set(key, (crowds.get(key) ?? 0) + 1);
  for (const clause of clauses) {
    for (const { path, terms } of clause) {
      add(path);
      for (const key of new Set(terms.map((term) => crowdKey(path, term)))) if (key !== path) add(key);
    }
  }
  return crowds;
}

/** The size of the crowd that a clause would stand in if it were looked up by this field; undefined where it cannot be, since it may be missing. A value is rarer than anything that is like it. */
function crowdOf(field: FieldTest, crowds: Crowd): number | undefined {
  if (field.absent || field.terms.length === 0) return undefined;
  return Math.max(...field.terms.map((term) => (crowds.get(crowdKey(field.path, term)) ?? 0) + (term.kind === 'equals' ? 0 : 0.5)));
}

interface Compiled {
  readonly clauses: readonly CompiledClause[];
  readonly tests: readonly Test[];
  readonly paths: readonly string[];
  /** For each path, the clauses that are looked up by it. */
  readonly indexes: readonly (ValueIndex | undefined)[];
  /** The clauses that are tried on every event: all of their fields may be missing. */
  readonly always: readonly number[];
}

function compile(rules: readonly Rule[]): Compiled {
  const crowds = countCrowds(rules.flatMap(({ pattern }) => pattern.clauses));
  const pathIds = new Map<string, number>();
  const testIds = new Map<string, number>();
  const tests: Test[] = [];
  const clauses: CompiledClause[] = [];
  const entries: Entry[][] = [];
  const always: number[] = [];
  const testIdOf = (field: FieldTest): number => {
    const key = JSON.stringify([field.path, field.absent, ...field.terms.map(keyOf)]);
    const known = testIds.get(key);
    if (known !== undefined) return known;
    const path = pathIds.get(field.path) ?? pathIds.size;
    pathIds.set(field.path, path);
    testIds.set(key, tests.length);
    return tests.push({ path, absent: field.absent, passes: createAnyTest(field.terms) }) - 1;
  };
  for (const [rule, { pattern }] of rules.entries()) {
    for (const clause of pattern.clauses) {
      // What is rare fails first.
      const rarestFirst = clause.toSorted((one, other) => (crowdOf(one, crowds) ?? Infinity) - (crowdOf(other, crowds) ?? Infinity) || 0);
      const id = clauses.push({ rule, tests: rarestFirst.map(testIdOf) }) - 1;
      // It is looked up by the rarest of its fields that cannot be missing.
      const field = rarestFirst.find((each) => crowdOf(each, crowds) !== undefined);
      const path = field === undefined ? undefined : pathIds.get(field.path);
      if (field === undefined || path === undefined) always.push(id);
      else (entries[path] ??= []).push(...field.terms.map((term) => ({ entry: id, term })));
    }
  }
  const paths = [...pathIds.keys()];
  return { clauses, tests, paths, always, indexes: paths.map((_path, path) => (entries[path] === undefined ? undefined : createValueIndex(entries[path]))) };
}

/** Whether the event that was read last passes a test, taken alone. */
function passesAlone({ path, absent, passes }: Test, reader: LeafReader): boolean {
  const leaves = reader.leaves(path);
  if (leaves.length === 0) return absent;
  for (const leaf of leaves) if (passes(leaf)) return true;
  return false;
}

/** Whether it passes tests together, when leaves lie in arrays: then a field may also be missing from one element only. */
function passTogether(tests: readonly Test[], reader: LeafReader): boolean {
  return isInSameElements(
    tests.map(({ path, absent, passes }) => {
      const leaves = reader.leaves(path);
      const trails = reader.trails(path);
      return { fitting: trails.filter((_trail, index) => passes(leaves[index] ?? null)), all: absent ? trails : undefined };
    }),
  );
}

/**
 * Compiles rules into one structure: each clause of each pattern is looked up by the one of its fields that the fewest other clauses share, in an index of values,
 * beginnings, ends, fragments and ranges; its other fields are tested then, each test once for an event even if a thousand rules share it.
 * The names must differ; `match` gives them in this order.
 */
export function compileRules(rules: readonly Rule[]): RuleSet {
  const { clauses, tests, paths, indexes, always } = compile(rules);
  const reader = createLeafReader(paths);
  // Stamps say for which event a mark was set, so that nothing has to be wiped between two events.
  let stamp = 0;
  const tried = new Float64Array(clauses.length);
  const matched = new Float64Array(rules.length);
  const tested = new Float64Array(tests.length);
  const passed = new Uint8Array(tests.length);
  let hits: number[] = [];

  const passesTest = (id: number): boolean => {
    if (tested[id] !== stamp) {
      const test = tests[id];
      tested[id] = stamp;
      passed[id] = test !== undefined && passesAlone(test, reader) ? 1 : 0;
    }
    return passed[id] === 1;
  };

  const fits = (ids: readonly number[]): boolean => {
    let inArrays = 0;
    let needsJoin = false;
    for (const id of ids) {
      const test = tests[id];
      if (test === undefined) return false;
      if (reader.hasTrail(test.path)) inArrays += 1;
      // A field that may be missing may be missing from one element only, so what it is alone does not yet speak against it.
      if (!passesTest(id)) {
        if (!test.absent || !reader.hasTrail(test.path)) return false;
        needsJoin = true;
      }
    }
    // One field in arrays has nothing to be apart from.
    return inArrays < 2 ? !needsJoin : passTogether(ids.flatMap((id) => tests[id] ?? []), reader);
  };

  const tryAll = (ids: readonly number[]): void => {
    for (const id of ids) {
      if (tried[id] === stamp) continue;
      tried[id] = stamp;
      const clause = clauses[id];
      if (clause === undefined || matched[clause.rule] === stamp || !fits(clause.tests)) continue;
      matched[clause.rule] = stamp;
      hits.push(clause.rule);
    }
  };

  return {
    match: (event) => {
      stamp += 1;
      hits = [];
      reader.read(event);
      if (typeof event !== 'object' || event === null || Array.isArray(event)) return [];
      for (const path of reader.found()) {
        const index = indexes[path];
        if (index === undefined) continue;
        for (const leaf of reader.leaves(path)) index.find(leaf, tryAll);
      }
      tryAll(always);
      return hits.sort((one, other) => one - other).map((rule) => rules[rule]?.name ?? '');
    },
  };
}
