import type { EraseContext, EraseResult } from '../../connector-kit/index.ts';
import type { Counts } from '../../contract/outcomes.ts';
import { isOwn } from './addresses.ts';
import { collectObjects } from './collect-objects.ts';
import { deleteObjects } from './delete-objects.ts';
import { toJson, type Collecting, type Deleting, type EraseCursor, type Target } from './erase-cursor.ts';
import { addCounts, continueLater, countSettled, startRun, totalOf, type EraseRun } from './erase-run.ts';
import { residueOf } from './residue.ts';

/**
 * How often the lists are read at most. A person who goes on writing can keep adding to them; the read-back says so then.
 */
const sweepsMax = 5;

/**
 * One step of erasing what Twilio holds under a number or an e-mail address: first every object is collected, then all are deleted, and that
 * again until the lists show nothing new, since what arrived or was skipped meanwhile (lists shift while other tasks delete) counts too.
 * A Memory profile is not among them: it has an identifier, and so a task, of its own. The account's own number names nobody.
 */
export async function eraseObjects(run: EraseRun, cursor: EraseCursor | undefined): Promise<EraseResult> {
  const { context, config } = run;
  if (isOwn(config, context.identifier)) {
    return { state: 'operator', code: 'SUBJECT_AMBIGUOUS', detail: 'The identifier is one of the account\'s own numbers or identities, so it names no subject', counts: {}, residue: [] };
  }
  let state: Collecting | Deleting;
  if (cursor?.phase === 'collecting' || cursor?.phase === 'deleting') state = cursor;
  else {
    const begun = await startRun(context);
    const sweep = { number: 0, settled: begun.round };
    // What an interrupted run has collected comes first; the lists are read afterwards in any case.
    const isLeft = begun.round > 0 && (await context.worklist.take(1)).length > 0;
    state = isLeft ? { phase: 'deleting', ...begun, sweep } : { phase: 'collecting', ...begun, sweep, source: 0, at: 0, sub: 0 };
    await run.keep(state);
  }
  for (;;) {
    const { round, base, sweep }: Collecting | Deleting = state;
    if (state.phase === 'collecting') {
      const stopped = await collectObjects(run, state);
      if (stopped !== undefined) return continueLater(context, stopped);
      state = { phase: 'deleting', round, base, ...(sweep === undefined ? {} : { sweep }) };
      if (await run.keep(state)) return continueLater(context, state);
    }
    const ended = await deleteObjects(run, state);
    if (ended !== undefined) return ended;
    const settled = await countSettled(context);
    if (sweep === undefined || settled === sweep.settled || sweep.number + 1 >= sweepsMax) return finish(context, base);
    state = { phase: 'collecting', round, base, sweep: { number: sweep.number + 1, settled }, source: 0, at: 0, sub: 0 };
    if (await run.keep(state)) return continueLater(context, state);
  }
}

/**
 * The end of an erasure, from what the worklist saw: what was collected was there, so its absence now is the erasure's doing, whether or not
 * each receipt arrived. Where nothing was there, it says whether resolution had seen the person here.
 */
export async function finish(
  context: EraseContext,
  base: Counts,
  options: { readonly target?: Target; readonly outcome?: 'erased' | 'anonymised' } = {},
): Promise<EraseResult> {
  const { deleted, absent } = await context.worklist.summary();
  const ofThisRun = addCounts(deleted, base, -1);
  const lost = totalOf(absent);
  const now = context.now();
  const cursor = toJson({ phase: 'over', at: now, ...(options.target === undefined ? {} : { target: options.target }) });
  const gone = addCounts(deleted, absent);
  if (totalOf(gone) === 0) return { state: 'done', outcome: context.seenHere ? 'already_absent' : 'nothing_matched', counts: {}, residue: [], cursor };
  // A run that a person sent on counts its own deletions alone, since what the vendor showed again was counted before. One that found
  // nothing more ends what the earlier runs did.
  const counts = totalOf(base) > 0 && totalOf(ofThisRun) > 0 ? ofThisRun : { ...deleted, ...(lost === 0 ? {} : { already_absent: lost }) };
  return { state: 'done', outcome: options.outcome ?? 'erased', counts, residue: residueOf(gone, now), cursor };
}
