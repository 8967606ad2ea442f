import type { Decision, Outcome } from '../../../contract/outcomes.ts';

/** What is asked of a settled task when an appeal of its request is granted. */
export interface AppealedTask {
  readonly decision: Decision;
  readonly outcome: Outcome | null;
  readonly confirmation: string | null;
  /** A step of it was taken once. */
  readonly wasBegun: boolean;
}

/** Outcomes that are what the person asked for. */
const done: readonly Outcome[] = ['erased', 'anonymised', 'already_absent', 'corrected', 'restricted'];

/**
 * What becomes of a settled task when an appeal against how its request ended is granted. What was done and seen stays as it is. `waits`: it was left out by a refusal, before its first step.
 * `person`: somebody decided, and decides anew; that may be whether the data is this person's at all, so nothing of it is done by itself. `again`: its system is asked once more, and what is seen then counts.
 */
export function afterAppeal(task: AppealedTask, wasWithPerson: boolean): 'stays' | 'waits' | 'person' | 'again' {
  if (task.decision === 'not_applicable' || task.outcome === null) return 'stays';
  if (done.includes(task.outcome) && task.confirmation !== 'unconfirmed') return 'stays';
  if (wasWithPerson) return 'person';
  return task.wasBegun ? 'again' : 'waits';
}
