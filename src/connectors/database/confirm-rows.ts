import type { ConfirmResult, EraseContext } from '../../connector-kit/index.ts';
import type { Identifier } from '../../contract/identifiers.ts';
import type { ChangeFacts } from './column-change.ts';
import type { DatabaseConfig } from './config.ts';
import { modeOf } from './data-map.ts';
import { batchRows, planBatch, updatesOf } from './erase-batch.ts';
import { parseCursor, toJson, type Over } from './erase-cursor.ts';
import type { Session } from './open-database.ts';
import { findRows, isAnonymised, keyKind, subjectOf, subjectWithoutRow } from './subject.ts';
import { withSystem, type System } from './system.ts';

/**
 * Looks at every row of the person again: what was deleted is gone, what was changed has its new values, and no row is found by an identifier of the
 * person but one in which nothing of them is left. Changes nothing.
 */
export async function confirmRows(context: EraseContext, config: DatabaseConfig): Promise<ConfirmResult> {
  return withSystem(config, async (system, session) => {
    const over = await overOf(context, system, session);
    const facts = { hashKey: config.hash_key, receivedAt: context.receivedAt, now: over.asOf };
    const looked = await lookAtRows(context, system, session, over, facts);
    if (looked === 'later') return { state: 'later', afterMs: 1 };
    if (over.checked !== undefined) await context.save(toJson({ phase: 'over', subjects: over.subjects, asOf: over.asOf }));
    const found = new Map<string, Identifier>();
    const add = (each: Identifier): void => void found.set(`${each.kind}:${each.value}`, each);
    if (looked === 'present') add(context.identifier);
    for (const each of context.identifiers) for (const seen of await whoIsThere(context, system, session, over, each, facts)) add(seen);
    return found.size === 0 ? { state: 'absent' } : { state: 'present', found: [...found.values()] };
  });
}

async function overOf(context: EraseContext, system: System, session: Session): Promise<Over> {
  const cursor = parseCursor(context.cursor);
  if (cursor?.phase === 'over') return cursor;
  const rows = await session.transaction(async (tx) => findRows(tx, session, system, context.identifier), 'read only');
  const without = subjectWithoutRow(system, context.identifier);
  const subjects = rows.length > 0 ? rows.map((row) => subjectOf(system, row)) : without === undefined ? [] : [without];
  return { phase: 'over', subjects: subjects.map((each) => ({ ...each })), asOf: context.now() };
}

async function lookAtRows(context: EraseContext, { map, ...rest }: System, session: Session, over: Over, facts: Omit<ChangeFacts, 'subjectId'>): Promise<'present' | 'absent' | 'later'> {
  let { subject, stage, after } = over.checked ?? { subject: 0, stage: 0, after: undefined };
  for (;;) {
    const [one, current] = [over.subjects[subject], map.stages[stage]];
    if (one === undefined) return 'absent';
    if (current === undefined) {
      [subject, stage, after] = [subject + 1, 0, undefined];
      continue;
    }
    const page = { after, locks: false };
    const batch = await session.transaction(async (tx) => planBatch(tx, session, { map, ...rest }, current, one, facts, page), 'read only');
    if (batch.deletes.length > 0 || updatesOf(batch) > 0) return 'present';
    if (batch.rows < batchRows) [stage, after] = [stage + 1, undefined];
    else after = batch.last === undefined ? undefined : [...batch.last];
    if (!context.shouldYield()) continue;
    await context.save(toJson({ ...over, checked: { subject, stage, ...(after === undefined ? {} : { after }) } }));
    return 'later';
  }
}

/** Whom an identifier still finds: this task's person by the task's identifier, anybody else by their own key. */
async function whoIsThere(context: EraseContext, system: System, session: Session, over: Over, identifier: Identifier, facts: Omit<ChangeFacts, 'subjectId'>): Promise<readonly Identifier[]> {
  const { subject, tables } = system.config;
  const rule = tables[subject.table];
  const rows = await session.transaction(async (tx) => findRows(tx, session, system, identifier), 'read only');
  const kind = keyKind(system.config);
  return rows.flatMap((row) => {
    const key = row[subject.key] ?? null;
    const isOurs = over.subjects.some((each) => each[subject.key] === key);
    // A row of this task's person was looked at above; a kept one stays by law.
    if ((isOurs && rule !== undefined && modeOf(rule) === 'keep') || isAnonymised(system, row, facts)) return [];
    if (isOurs) return [context.identifier];
    return [kind === undefined || key === null ? identifier : { kind, value: key }];
  });
}
