import type { Action, Outcome } from '../../../contract/outcomes.ts';

/** What is asked of a task to see whether its system's recipients have something to be told. */
export interface ToldTask {
  readonly connection: string;
  readonly action: Action;
  readonly outcome: Outcome | null;
  /** Resolution saw the person in this very system. */
  readonly seen_here: boolean;
}

/** Outcomes by which data of the person became another, or went: by a system, or by the word of who did it by hand. */
const changing: readonly Outcome[] = ['erased', 'anonymised', 'corrected', 'done_manually'];

/**
 * The systems whose data an erasure or a correction changed. What had gone already, and was seen there by resolution, went on the way; a system that knew nobody disclosed
 * nobody, and its recipients hear of nobody.
 */
export function changedSystems(tasks: readonly ToldTask[]): readonly string[] {
  const changed = tasks.filter((task) => task.outcome !== null && (changing.includes(task.outcome) || (task.outcome === 'already_absent' && task.seen_here)));
  return [...new Set(changed.map((task) => task.connection))];
}

/** The systems that a restricted person is in, as far as that is seen; and those of which it is not, since they cannot be searched or were not. */
export function restrictedSystems(
  connections: readonly { readonly name: string; readonly capabilities: { readonly locates: readonly string[] } }[],
  identifiers: readonly { readonly kind: string; readonly seenIn: readonly string[] }[],
  tasks: readonly ToldTask[],
): { readonly seen: readonly string[]; readonly unknown: readonly string[] } {
  const seen = new Set(identifiers.flatMap((each) => each.seenIn));
  const unsearched = new Set(tasks.filter((task) => task.action === 'locate' && task.outcome !== 'located').map((task) => task.connection));
  const isSearched = (connection: (typeof connections)[number]): boolean => !unsearched.has(connection.name) && identifiers.some((each) => connection.capabilities.locates.includes(each.kind));
  const names = connections.map((each) => each.name);
  return { seen: names.filter((name) => seen.has(name)), unknown: connections.filter((each) => !seen.has(each.name) && !isSearched(each)).map((each) => each.name) };
}
