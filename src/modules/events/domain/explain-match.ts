import { isInSameElements, type Wanted } from './array-elements.ts';
import { createLeafReader, type LeafReader } from './event-leaves.ts';
import type { Clause, FieldTest } from './pattern.ts';
import { createAnyTest, type Leaf } from './pattern-term.ts';
import type { Rule } from './rule-set.ts';

/**
 * What became of one field. `differs`: it has values, and none of them is asked for. `missing`: it has no value (an object or an empty list is none).
 * `present`: it should be missing and is not. `other_element`: it is what is asked for, but not in the same element of an array as the other fields.
 */
export type FieldVerdict = 'matched' | 'differs' | 'missing' | 'present' | 'other_element';

/** A field of a pattern, beside what the event has there. */
export interface FieldExplanation {
  readonly path: string;
  /** Where in the pattern it is asked for. */
  readonly pointer: string;
  readonly verdict: FieldVerdict;
  /** What the event has at the path: at most ten values. They are the event’s own, so they are for the eyes of whoever gave the event only. */
  readonly found: readonly Leaf[];
}

/** One way to fit a pattern: all of its fields together. */
export interface BranchExplanation {
  readonly matched: boolean;
  readonly fields: readonly FieldExplanation[];
}

/** Why a rule matched an event, or why not: one branch, or with `$or` one for each combination of its alternatives. */
export interface MatchExplanation {
  readonly rule: string;
  readonly matched: boolean;
  readonly branches: readonly BranchExplanation[];
}

const foundMax = 10;

interface Seen {
  readonly field: FieldTest;
  readonly leaves: readonly Leaf[];
  readonly wanted: Wanted;
}

function see(field: FieldTest, path: number, reader: LeafReader): Seen {
  const passes = createAnyTest(field.terms);
  const leaves = [...reader.leaves(path)];
  const trails = [...reader.trails(path)];
  return { field, leaves, wanted: { fitting: trails.filter((_trail, index) => passes(leaves[index] ?? null)), all: field.absent ? trails : undefined } };
}

function verdictOf({ field, leaves, wanted }: Seen): FieldVerdict {
  if (isInSameElements([wanted])) return 'matched';
  if (leaves.length === 0) return 'missing';
  return field.absent && field.terms.length === 0 ? 'present' : 'differs';
}

function explainBranch(clause: Clause, pathIds: ReadonlyMap<string, number>, reader: LeafReader): BranchExplanation {
  const seen = clause.map((field) => see(field, pathIds.get(field.path) ?? -1, reader));
  const matched = isInSameElements(seen.map(({ wanted }) => wanted));
  const alone = seen.map(verdictOf);
  // Each field matches for itself, or could in one element alone, and yet they do not together: then it is the arrays.
  const isApart = !matched && alone.every((verdict) => verdict === 'matched');
  const fields = seen.map(({ field, leaves, wanted }, index): FieldExplanation => {
    const isBound = [...wanted.fitting, ...(wanted.all ?? [])].some((trail) => trail.length > 0);
    const verdict = matched ? 'matched' : isApart && isBound ? 'other_element' : (alone[index] ?? 'differs');
    return { path: field.path, pointer: field.pointer, verdict, found: leaves.slice(0, foundMax) };
  });
  return { matched, fields };
}

/** Explains what a rule makes of an event, field by field. `matched` is what `match` of the compiled rules says; both read events and join arrays by the same code. */
export function explainMatch(rule: Rule, event: unknown): MatchExplanation {
  const { clauses } = rule.pattern;
  const paths = [...new Set(clauses.flatMap((clause) => clause.map(({ path }) => path)))];
  const reader = createLeafReader(paths);
  reader.read(event);
  const pathIds = new Map(paths.map((path, index) => [path, index]));
  const isObject = typeof event === 'object' && event !== null && !Array.isArray(event);
  const branches = clauses.map((clause) => explainBranch(clause, pathIds, reader)).map((branch) => ({ ...branch, matched: isObject && branch.matched }));
  return { rule: rule.name, matched: branches.some(({ matched }) => matched), branches };
}
