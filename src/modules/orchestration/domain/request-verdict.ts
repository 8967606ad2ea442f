import type { Confirmation, Outcome, Residue, Verdict } from '../../../contract/outcomes.ts';

/** What the verdict looks at in a settled task. */
export interface SettledTask {
  readonly outcome: Outcome;
  readonly confirmation: Confirmation | null;
  readonly residue: readonly Residue[];
}

/** Outcomes that leave the person's wish undone in that system. */
const undone: readonly Outcome[] = ['failed', 'unsupported', 'not_asked', 'skipped_by_operator'];
/** Reasons for residue that leave the person's wish undone, or leave open whether it is: no law and no mere delay keeps this data. */
const undoneResidue: readonly string[] = ['unsupported', 'destination_state_unknown', 'not_requested'];
/** Outcomes that found nothing to do. */
const empty: readonly Outcome[] = ['nothing_matched', 'already_absent', 'refreshed', 'located'];

/** Kept, and no law or vendor's term says so: a mark on a customer, for one, erases nothing. */
function isKeptWithoutReason(task: SettledTask): boolean {
  return task.outcome === 'retained' && !(task.residue.length > 0 && task.residue.every((each) => each.legal_basis !== undefined || each.until !== undefined));
}

/**
 * Gives the verdict of a request whose tasks are all settled: the worst that is true of any of them.
 * A request whose tasks all found nothing to erase says `nothing_held`, never `fulfilled`.
 */
export function requestVerdict(tasks: readonly SettledTask[]): Verdict {
  if (tasks.length === 0 || tasks.some((task) => undone.includes(task.outcome) || isKeptWithoutReason(task) || task.confirmation === 'unconfirmed' || task.residue.some((each) => undoneResidue.includes(each.why)))) {
    return 'partially_fulfilled';
  }
  if (tasks.every((task) => empty.includes(task.outcome))) return 'nothing_held';
  if (tasks.some((task) => task.outcome === 'retained' || task.residue.length > 0)) return 'fulfilled_with_retention';
  return 'fulfilled';
}
