import { Failure, type EraseContext, type EraseResult } from '../../connector-kit/index.ts';
import type { Counts, Residue } from '../../contract/outcomes.ts';
import { collectRecords } from './collect-records.ts';
import { isThere } from './confirm-absence.ts';
import type { Declaration, EraseStep } from './declaration.ts';
import { declaredBy, parseCursor, toJson, type EraseCursor, type Unit } from './erase-cursor.ts';
import { mainLookUps, type System } from './look-up.ts';
import { surveyRecords } from './other-people.ts';
import { runStep, type StepOutcome } from './run-step.ts';

/** More reasons than this for what stays are not told one by one. */
const retainedMax = 20;
/** More doubtful records than this are more than a person can look at, and are not let run. */
const doubtsMax = 1000;

/**
 * One step of an erasure as a declaration has it: for each type of record all are collected first and then taken through their steps one by one; steps
 * without records are done once for the identifier. What was settled is never asked for again, and whatever is repeated has the same idempotency key.
 */
export async function erasePerson(context: EraseContext, system: System): Promise<EraseResult> {
  const declared = declaredBy(system.declaration);
  let cursor = parseCursor(context.cursor) ?? (await start(context, declared));
  if (cursor.declared !== declared) {
    const spent: EraseCursor = { ...cursor, isSpent: true };
    return { state: 'operator', code: 'CONFIG_INVALID', detail: 'The declaration was changed while the task ran; a retry starts it anew', counts: cursor.counts, residue: cursor.retained, cursor: toJson(spent) };
  }
  if (context.cursor === null) {
    const { doubts, ties } = await surveyRecords(context, system);
    const letRun = cursor.doubts;
    if (doubts.some((each) => !letRun.includes(each))) return toPerson(cursor, doubts);
    cursor = { ...cursor, ties };
    await context.save(toJson(cursor));
  }
  for (;;) {
    const step = system.declaration.erase[cursor.step];
    if (step === undefined) return finish(context, system, cursor);
    if (step.each !== undefined && cursor.collecting !== undefined) {
      const collected = await collectRecords(context, system, step.each, cursor);
      if (collected.is === 'doubtful') return toPerson(cursor, [...cursor.doubts, ...collected.doubts]);
      cursor = collected.cursor;
      if (collected.is === 'more') return { state: 'continue', cursor: toJson(cursor) };
      await context.save(toJson(cursor));
    }
    const advanced: Advanced = step.each === undefined ? await identifierStep(context, system, step, cursor) : await recordStep(context, system, cursor);
    if (advanced.result !== undefined) return advanced.result;
    cursor = advanced.cursor;
    if (context.shouldYield()) return { state: 'continue', cursor: toJson(cursor), ...(await progress(context, cursor)) };
  }
}

/** Asks a person about the records that may be somebody else's. A retry lets it run for these, and for no other. */
function toPerson(cursor: EraseCursor, doubts: readonly string[]): EraseResult {
  const ask = doubts.length > doubtsMax ? [] : doubts;
  const detail = `${doubts.length} of the records that are found may be somebody else’s${doubts.length > doubtsMax ? ': more than a retry lets run' : ''}`;
  return { state: 'operator', code: 'SUBJECT_AMBIGUOUS', detail, counts: cursor.counts, residue: cursor.retained, cursor: toJson({ ...cursor, doubts: [...ask] }) };
}

async function start(context: EraseContext, declared: string): Promise<EraseCursor> {
  const previous = parseCursor(context.previous);
  // A retry goes on from where the task went to a person, a running job is followed on; only what cannot be gone on with is started anew.
  if (previous !== undefined && previous.phase === 'working' && previous.isSpent !== true && previous.declared === declared) return previous;
  const { deleted, absent } = await context.worklist.summary();
  return {
    phase: 'working',
    declared,
    step: 0,
    collecting: { done: [] },
    succeeded: 0,
    none: 0,
    counts: {},
    retained: [],
    generation: previous === undefined ? 0 : previous.generation + 1,
    before: previous === undefined ? { deleted: {}, absent: {} } : { deleted, absent },
    doubts: [],
    ties: {},
  };
}

type Advanced = { readonly cursor: EraseCursor; readonly result?: undefined } | { readonly result: EraseResult };

const freshUnit = (step: number, now: number): Unit => ({ step, accepted: false, did: false, asked: false, since: now, lost: 0 });

/** The end of a step that has to wait, or to go to a person. */
function paused(cursor: EraseCursor, outcome: Extract<StepOutcome, { is: 'pending' | 'operator' }>): EraseResult {
  if (outcome.is === 'operator') {
    const spent: EraseCursor = { ...cursor, isSpent: true };
    return { state: 'operator', code: outcome.code, detail: outcome.detail, counts: cursor.counts, residue: cursor.retained, cursor: toJson(spent) };
  }
  const job = outcome.unit.job ?? outcome.unit.known;
  const next: EraseCursor = { ...cursor, unit: outcome.unit, ...(job === undefined ? {} : { vendorJob: job }) };
  return { state: 'wait', cursor: toJson(next), afterMs: outcome.afterMs, reason: outcome.reason, ...(job === undefined ? {} : { vendorJob: job }) };
}

const keeper = (context: EraseContext, cursor: EraseCursor) => async (unit: Unit): Promise<void> => context.save(toJson({ ...cursor, unit, ...(unit.job === undefined ? {} : { vendorJob: unit.job }) }));

async function identifierStep(context: EraseContext, system: System, step: EraseStep, cursor: EraseCursor): Promise<Advanced> {
  const unit = cursor.unit ?? freshUnit(cursor.step, context.now());
  const outcome = await runStep({ context, system, step, unit, generation: cursor.generation, keep: keeper(context, cursor) });
  if (outcome.is === 'pending' || outcome.is === 'operator') return { result: paused(cursor, outcome) };
  const { unit: _ended, ...rest } = cursor;
  const next = afterIdentifier(context, { ...rest, step: cursor.step + 1, collecting: { done: [] } }, outcome);
  // Kept at once: what comes next may fail, and this must not be asked for again or forgotten.
  await context.save(toJson(next));
  return { cursor: next };
}

function afterIdentifier(context: EraseContext, next: EraseCursor, outcome: Exclude<StepOutcome, { is: 'pending' | 'operator' }>): EraseCursor {
  switch (outcome.is) {
    case 'success':
      return { ...next, succeeded: next.succeeded + 1, counts: plus(next.counts, outcome.counts), ...(outcome.job === undefined ? {} : { vendorJob: outcome.job }) };
    case 'retained':
      return { ...next, retained: addRetained(next.retained, outcome.residue) };
    case 'none':
      return { ...next, none: next.none + 1 };
    case 'gone':
      // Seen there by resolution, asked for by a call whose answer was lost, and gone now: that call did it.
      return outcome.wasAsked && context.seenHere ? { ...next, succeeded: next.succeeded + 1 } : next;
  }
}

async function recordStep(context: EraseContext, system: System, cursor: EraseCursor): Promise<Advanced> {
  const steps = system.declaration.erase;
  const [item] = await context.worklist.take(1);
  if (item === undefined) {
    const { unit: _none, ...rest } = cursor;
    return { cursor: { ...rest, step: lastStepOf(steps, steps[cursor.step]?.each) + 1, collecting: { done: [] } } };
  }
  // By its own type and not by the cursor's place: a step that died may have left records of a later type.
  const unit = cursor.unit?.ordinal === item.ordinal ? cursor.unit : { ...freshUnit(steps.findIndex((each) => each.each === item.type), context.now()), ordinal: item.ordinal };
  const step = steps[unit.step];
  if (step === undefined) throw new Failure('CONFIG_INVALID', 'Records were collected of a type that the declaration does not erase any more');
  const id = item.ref.slice(item.ref.indexOf('|') + 1);
  const outcome = await runStep({ context, system, step, unit, generation: cursor.generation, item: id, keep: keeper(context, cursor) });
  if (outcome.is === 'pending' || outcome.is === 'operator') return { result: paused(cursor, outcome) };
  // The record was seen when it was collected. Where a call's answer was lost and it is gone now, that call did it.
  const did = unit.did || outcome.is === 'success' || (outcome.is === 'gone' && outcome.wasAsked);
  const isLast = outcome.is === 'retained' || unit.step >= lastStepOf(steps, item.type);
  const { unit: _done, ...rest } = cursor;
  if (!isLast) {
    const next: EraseCursor = { ...cursor, unit: { ...freshUnit(unit.step + 1, context.now()), ordinal: item.ordinal, did } };
    // Kept at once: a later step must not forget that an earlier one erased something.
    await context.save(toJson(next));
    return { cursor: next };
  }
  // Of a record that stays nothing was deleted; what it is counts among what is retained.
  await context.worklist.settle([item.ordinal], did && outcome.is !== 'retained' ? 'deleted' : 'absent');
  return { cursor: outcome.is === 'retained' ? { ...rest, retained: addRetained(rest.retained, outcome.residue) } : rest };
}

const lastStepOf = (steps: readonly EraseStep[], type: string | undefined): number => steps.findLastIndex((each) => each.each === type);

async function progress(context: EraseContext, cursor: EraseCursor): Promise<{ done: number; total: number }> {
  const { open, deferred, deleted, absent } = await context.worklist.summary();
  const done = total(deleted) + total(absent) - total(cursor.before.deleted) - total(cursor.before.absent);
  return { done, total: done + open + deferred };
}

async function finish(context: EraseContext, system: System, cursor: EraseCursor): Promise<EraseResult> {
  const summary = await context.worklist.summary();
  const deleted = minus(summary.deleted, cursor.before.deleted);
  const wasCollected = total(deleted) + total(minus(summary.absent, cursor.before.absent)) > 0;
  const isKnown = context.seenHere || mainLookUps(system.declaration.locate, context.identifier.kind).length === 0;
  // A success that counts nothing, of somebody whom no look-up knows, may have been one to nobody.
  const isErased = total(deleted) > 0 || (cursor.succeeded > 0 && (isKnown || total(cursor.counts) > 0));
  const over: EraseCursor = { ...cursor, phase: 'over', at: context.now() };
  return {
    state: 'done',
    outcome: cursor.retained.length > 0 ? 'retained' : isErased ? 'erased' : wasCollected || (await wentBefore(context, system, cursor)) ? 'already_absent' : 'nothing_matched',
    counts: plus(cursor.counts, deleted),
    residue: [...cursor.retained, ...(isErased ? declaredResidue(system.declaration, context.now()) : [])],
    cursor: toJson(over),
    ...(cursor.vendorJob === undefined ? {} : { vendorJob: cursor.vendorJob }),
  };
}

/**
 * True where resolution saw the identifier here and it is not here now: another task of the same person erased it, say. A system that says it has
 * nobody is looked at once more, since it may not have matched whom it shows.
 */
async function wentBefore(context: EraseContext, system: System, cursor: EraseCursor): Promise<boolean> {
  if (!context.seenHere) return false;
  if (cursor.none === 0) return true;
  const { identifier } = context;
  return mainLookUps(system.declaration.locate, identifier.kind).length > 0 && !(await isThere(context, system, identifier));
}

function declaredResidue(declaration: Declaration, now: number): readonly Residue[] {
  return declaration.residue.map(({ until_days: days, legal_basis: basis, what, why }) => ({
    what,
    why,
    ...(basis === undefined ? {} : { legal_basis: basis }),
    ...(days === undefined ? {} : { until: new Date(now + days * 86_400_000).toISOString() }),
  }));
}

function addRetained(retained: readonly Residue[], residue: Residue): Residue[] {
  const same = (each: Residue): boolean => JSON.stringify({ ...each, count: 0 }) === JSON.stringify({ ...residue, count: 0 });
  const known = retained.find((each) => same(each));
  if (known === undefined) return retained.length >= retainedMax ? [...retained] : [...retained, { ...residue, count: 1 }];
  return retained.map((each) => (each === known ? { ...each, count: (each.count ?? 0) + 1 } : each));
}

const total = (counts: Counts): number => Object.values(counts).reduce((sum, each) => sum + each, 0);
const plus = (one: Counts, other: Counts): Counts => Object.fromEntries([...new Set([...Object.keys(one), ...Object.keys(other)])].map((name) => [name, (one[name] ?? 0) + (other[name] ?? 0)]));
const minus = (one: Counts, other: Counts): Counts => Object.fromEntries(Object.entries(one).flatMap(([name, count]) => (count > (other[name] ?? 0) ? [[name, count - (other[name] ?? 0)]] : [])));
