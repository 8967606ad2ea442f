import type { EraseContext, EraseResult } from '../../connector-kit/index.ts';
import type { Counts, Residue } from '../../contract/outcomes.ts';
import type { ChangeFacts } from './column-change.ts';
import type { DatabaseConfig } from './config.ts';
import type { Stage } from './data-map.ts';
import { StillReferenced } from './database-failure.ts';
import { addKept, applyBatch, batchRows, isApplied, planBatch, updatesOf, type Batch, type Kept } from './erase-batch.ts';
import { declaredBy, emptyTally, parseCursor, toJson, type Place, type Tally, type Working } from './erase-cursor.ts';
import type { Session, Tx } from './open-database.ts';
import { findRows, keyKind, subjectOf, subjectWithoutRow } from './subject.ts';
import { withSystem, type System } from './system.ts';

/**
 * One step of an erasure: the person's rows, table after table, children first and the person's own row last, in transactions of at most 500 rows.
 * What a batch is about to do is kept before it is committed, and looked at again after a crash, so that it is done and counted once.
 */
export async function eraseRows(context: EraseContext, config: DatabaseConfig): Promise<EraseResult> {
  return withSystem(config, async (system, session) => {
    const begun = await begin(context, system, session);
    if ('state' in begun) return begun;
    let working = await settlePending(context, system, session, begun);
    for (;;) {
      const stage = stageAt(system, working);
      if (stage === undefined) return finish(context, working);
      const from = working;
      try {
        const place = await session.transaction(async (tx) => eraseBatch(context, system, session, tx, from, stage));
        working = { ...withoutPending(from), place };
      } catch (error) {
        if (!(error instanceof StillReferenced) || from.restarts >= restartsMax) throw error;
        // The map has a plan for every reference, so the row is new: it was written after its table was gone through.
        working = { ...withoutPending(from), restarts: from.restarts + 1, place: anew(from.place.tally) };
      }
      // What is over is kept at once, so that a step that fails later begins here.
      await context.save(toJson(working));
      if (context.shouldYield() && stageAt(system, working) !== undefined) return { state: 'continue', cursor: toJson(working), done: changed(working.place.tally) };
    }
  });
}

/** Says what an erasure would do, by doing it in one transaction that is taken back. */
export async function dryRunErasure(context: EraseContext, config: DatabaseConfig): Promise<{ readonly counts: Counts; readonly residue: readonly Residue[] }> {
  return withSystem(config, async (system, session) => {
    const begun = await begin({ ...context, cursor: null, previous: null }, system, session);
    if ('state' in begun) return { counts: begun.counts, residue: begun.residue };
    let tally = begun.place.tally;
    const takenBack = new Error('The dry run is over');
    try {
      await session.transaction(async (tx) => {
        let working = begun;
        for (let stage = stageAt(system, working); stage !== undefined; stage = stageAt(system, working)) {
          const { place: at, subjects } = working;
          const batch = await planBatch(tx, session, system, stage, subjects[at.subject] ?? {}, factsOf(context, system, working), { after: at.after, locks: true });
          await applyBatch(tx, session, system, stage, batch);
          working = { ...working, place: nextPlace(system, at, stage, batch) };
        }
        tally = working.place.tally;
        throw takenBack;
      });
    } catch (error) {
      if (error !== takenBack) throw error;
    }
    return { counts: tally.counts, residue: residueOf(tally.kept) };
  });
}

/** An application that writes rows of the person faster than they are erased is a matter for a person. */
const restartsMax = 3;

function withoutPending({ pending: _done, ...rest }: Working): Working {
  return rest;
}

/** The start, with what was done so far; what is only seen is seen again. */
const anew = (tally: Tally): Place => ({ subject: 0, stage: 0, tally: { ...tally, seen: 0, keptRows: 0, kept: [] } });

type Begun = Working | Extract<EraseResult, { state: 'done' | 'operator' }>;

/** Goes on where the last step ended, or finds the person. */
async function begin(context: EraseContext, system: System, session: Session): Promise<Begun> {
  const cursor = parseCursor(context.cursor);
  const declared = declaredBy(system.config);
  if (cursor?.phase === 'working') {
    if (cursor.declared === declared) return cursor;
    // Under another map every place means something else. What was done stays done, and is counted; all of it is looked at anew.
    return { ...withoutPending(cursor), declared, place: anew(cursor.place.tally) };
  }
  const previous = parseCursor(context.previous);
  const { identifier } = context;
  const rows = await session.transaction(async (tx) => findRows(tx, session, system, identifier), 'read only');
  const keys = rows.map((row) => row[system.config.subject.key] ?? '');
  const letRun = previous?.phase === 'doubt' ? previous.keys : [];
  if (rows.length > 1 && identifier.kind !== keyKind(system.config) && keys.some((each) => !letRun.includes(each))) {
    return { state: 'operator', code: 'SUBJECT_AMBIGUOUS', detail: `The identifier finds ${rows.length} people; a retry erases them all`, counts: {}, residue: [], cursor: toJson({ phase: 'doubt', keys }) };
  }
  const without = rows.length === 0 ? subjectWithoutRow(system, identifier) : undefined;
  const found = [...rows.map((row) => subjectOf(system, row)), ...(without === undefined ? [] : [without])];
  // On a person's retry the row may be changed already: by what it was found then, the others still are.
  const before = previous?.phase === 'working' || previous?.phase === 'over' ? previous.subjects : [];
  const missing = before.filter((each) => !found.some((one) => one[system.config.subject.key] === each[system.config.subject.key]));
  const changedSince = found.map((one) => before.find((each) => each[system.config.subject.key] !== undefined && each[system.config.subject.key] === one[system.config.subject.key]) ?? one);
  return { phase: 'working', declared, subjects: [...changedSince, ...missing], asOf: context.now(), restarts: 0, place: anew(emptyTally) };
}

const factsOf = (context: EraseContext, { config }: System, { asOf }: { readonly asOf: number }): Omit<ChangeFacts, 'subjectId'> => ({ hashKey: config.hash_key, receivedAt: context.receivedAt, now: asOf });

function stageAt({ map }: System, { place, subjects }: Working): Stage | undefined {
  return place.subject < subjects.length ? map.stages[place.stage] : undefined;
}

/** A batch whose commit was not heard of is looked for by its first row. */
async function settlePending(context: EraseContext, system: System, session: Session, working: Working): Promise<Working> {
  const { pending, ...rest } = working;
  const stage = stageAt(system, working);
  if (pending === undefined || stage === undefined) return rest;
  const subject = working.subjects[working.place.subject] ?? {};
  const applied = await session.transaction(async (tx) => isApplied(tx, session, system, stage, subject, factsOf(context, system, working), pending));
  return applied ? { ...rest, place: pending.next } : rest;
}

async function eraseBatch(context: EraseContext, system: System, session: Session, tx: Tx, working: Working, stage: Stage): Promise<Place> {
  const { place, subjects } = working;
  const batch = await planBatch(tx, session, system, stage, subjects[place.subject] ?? {}, factsOf(context, system, working), { after: place.after, locks: true });
  const next = nextPlace(system, place, stage, batch);
  const [deleted] = batch.deletes;
  const updated = batch.updates[0]?.keys[0];
  const key = deleted ?? updated;
  if (key === undefined) return next;
  // A worker that has lost its task fails here, before anything is done.
  await context.save(toJson({ ...working, pending: { key: [...key], how: deleted === undefined ? 'update' : 'delete', next } }));
  await applyBatch(tx, session, system, stage, batch);
  return next;
}

function nextPlace({ map }: System, { subject, stage: at, tally }: Place, stage: Stage, batch: Batch): Place {
  const next = addBatch(tally, stage, batch);
  if (batch.rows === batchRows && batch.last !== undefined) return { subject, stage: at, after: [...batch.last], tally: next };
  return at + 1 < map.stages.length ? { subject, stage: at + 1, tally: next } : { subject: subject + 1, stage: 0, tally: next };
}

function addBatch(tally: Tally, stage: Stage, batch: Batch): Tally {
  const [deleted, updated] = [batch.deletes.length, updatesOf(batch)];
  const name = codeOf(stage.table);
  const isUnlink = stage.unlink !== undefined;
  return {
    counts: deleted + updated === 0 ? tally.counts : { ...tally.counts, [name]: (tally.counts[name] ?? 0) + deleted + updated },
    deleted: tally.deleted + deleted,
    anonymised: tally.anonymised + (isUnlink ? 0 : updated),
    unlinked: tally.unlinked + (isUnlink ? updated : 0),
    seen: tally.seen + (isUnlink ? 0 : batch.rows),
    keptRows: tally.keptRows + batch.keptRows,
    kept: batch.kept.reduce<readonly Kept[]>(addKept, tally.kept).map((each) => ({ ...each })),
  };
}

/** A name as a code: counts and residue have no free text. */
export function codeOf(name: string): string {
  const code = name.toLowerCase().replaceAll(/[^a-z0-9]+/gu, '_').slice(0, 60);
  return /^[a-z]/u.test(code) ? code : `t_${code}`;
}

const changed = ({ deleted, anonymised, unlinked }: Tally): number => deleted + anonymised + unlinked;

/** More reasons than this are told together: a certificate lists at most 50. */
const residueMax = 40;

function residueOf(kept: readonly Kept[]): readonly Residue[] {
  const told = kept.slice(0, residueMax).map(({ what, legalBasis, count, until }) => ({ what: codeOf(what), why: 'legal_obligation', count, legal_basis: legalBasis, until: new Date(until).toISOString() }));
  const rest = kept.slice(residueMax).reduce((sum, each) => sum + each.count, 0);
  return rest === 0 ? told : [...told, { what: 'others', why: 'legal_obligation', count: rest }];
}

function finish(context: EraseContext, { subjects, asOf, place: { tally } }: Working): EraseResult {
  const held = tally.seen > 0 || context.seenHere ? 'already_absent' : 'nothing_matched';
  return {
    state: 'done',
    outcome: tally.anonymised > 0 ? 'anonymised' : tally.deleted + tally.unlinked > 0 ? 'erased' : tally.keptRows > 0 && tally.keptRows === tally.seen ? 'retained' : held,
    counts: tally.counts,
    residue: residueOf(tally.kept),
    cursor: toJson({ phase: 'over', subjects, asOf }),
  };
}
