import type { EraseContext, EraseResult } from '../../connector-kit/index.ts';
import type { Counts } from '../../contract/outcomes.ts';
import { isOwn } from './addresses.ts';
import { collectObjects } from './collect-objects.ts';
import { deleteObjects } from './delete-objects.ts';
import { toJson, type EraseCursor, type Target } from './erase-cursor.ts';
import { addCounts, continueLater, startRun, totalOf, type EraseRun } from './erase-run.ts';
import { residueOf } from './residue.ts';

/**
 * One step of erasing what Twilio holds under a number or an e-mail address: first every object is collected, then all are deleted.
 * A Memory profile is not among them: it has an identifier, and so a task, of its own. The account's own number names nobody.
 */
export async function eraseObjects(run: EraseRun, cursor: EraseCursor | undefined): Promise<EraseResult> {
  const { context, config } = run;
  if (isOwn(config, context.identifier)) {
    return { state: 'operator', code: 'SUBJECT_AMBIGUOUS', detail: 'The identifier is one of the account\'s own numbers or identities, so it names no subject', counts: {}, residue: [] };
  }
  let state = cursor;
  if (state?.phase !== 'collecting' && state?.phase !== 'deleting') {
    state = { phase: 'collecting', ...(await startRun(context)), source: 0, at: 0, sub: 0 };
    await run.keep(state);
  }
  if (state.phase === 'collecting') {
    const { round, base } = state;
    const stopped = await collectObjects(run, state);
    if (stopped !== undefined) return continueLater(context, stopped);
    state = { phase: 'deleting', round, base };
    if (await run.keep(state)) return continueLater(context, state);
  }
  return (await deleteObjects(run, state)) ?? finish(context, state.base);
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
  const all = addCounts(deleted, absent);
  const ofThisRun = addCounts(all, base, -1);
  // A run that found nothing more ends what earlier runs of the same task did.
  const gone = totalOf(ofThisRun) > 0 ? ofThisRun : all;
  const lost = totalOf(absent);
  const counts = totalOf(ofThisRun) > 0 && totalOf(base) > 0 ? gone : { ...deleted, ...(lost === 0 ? {} : { already_absent: lost }) };
  const now = context.now();
  const cursor = toJson({ phase: 'over', at: now, ...(options.target === undefined ? {} : { target: options.target }) });
  if (totalOf(gone) === 0) return { state: 'done', outcome: context.seenHere ? 'already_absent' : 'nothing_matched', counts: {}, residue: [], cursor };
  return { state: 'done', outcome: options.outcome ?? 'erased', counts, residue: residueOf(gone, now), cursor };
}
