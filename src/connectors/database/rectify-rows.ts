import { sql } from 'kysely';
import { Failure, type Correction, type EraseResult, type RectifyConfirmation, type RectifyContext } from '../../connector-kit/index.ts';
import type { DatabaseConfig } from './config.ts';
import { splitColumn } from './data-map.ts';
import { batchRows } from './erase-batch.ts';
import { parseCursor, toJson } from './erase-cursor.ts';
import { codeOf } from './erase-rows.ts';
import type { LiveColumn } from './live-schema.ts';
import type { Row, Session } from './open-database.ts';
import { hasKey, keyOf, keyValues, readPersonRows } from './person-rows.ts';
import { findRows, keyKind, subjectOf, tableOf, type Subject } from './subject.ts';
import { withSystem, type System } from './system.ts';
import { canonical, selected, written } from './values.ts';

/**
 * Corrects the columns that the connection names for the fields, in every row of the person. A value that is neither what the person said was there nor
 * what it should be is left as it is. A field without a column goes to a person before anything is changed. Doing it twice changes nothing more.
 */
export async function rectifyRows(context: RectifyContext, config: DatabaseConfig): Promise<EraseResult> {
  const unknown = context.corrections.filter(({ field }) => config.rectify[field] === undefined);
  if (unknown.length > 0) {
    return { state: 'operator', code: 'UNSUPPORTED', detail: `No column is named for ${unknown.map(({ field }) => field).join(', ')}`, counts: {}, residue: [] };
  }
  return withSystem(config, async (system, session) => {
    const subjects = await subjectsOf(context, system, session);
    const counts: Record<string, number> = {};
    let asAsked = 0;
    for (const correction of context.corrections) {
      for (const subject of subjects) {
        for await (const { target, rows } of pagesOf(system, session, correction, subject)) {
          asAsked += rows.filter((row) => canonical(target.column, row[target.column.name] ?? null) === canonical(target.column, correction.to)).length;
          const corrected = await correct(system, session, target, rows.filter((row) => isStale(target.column, row, correction)), correction);
          if (corrected === 0) continue;
          asAsked += corrected;
          counts[codeOf(target.table)] = (counts[codeOf(target.table)] ?? 0) + corrected;
        }
      }
    }
    return { state: 'done', outcome: asAsked > 0 ? 'corrected' : 'nothing_matched', counts, residue: [], cursor: toJson({ phase: 'correcting', subjects: subjects.map((each) => ({ ...each })) }) };
  });
}

/** Reads every corrected value again. A correction of which no row is found is not as asked: nothing shows it. */
export async function confirmRectified(context: RectifyContext, config: DatabaseConfig): Promise<RectifyConfirmation> {
  return withSystem(config, async (system, session) => {
    const subjects = await subjectsOf(context, system, session);
    const otherwise = new Set<string>();
    for (const correction of context.corrections) {
      let seen = 0;
      for (const subject of subjects) {
        for await (const { target, rows } of pagesOf(system, session, correction, subject)) {
          seen += rows.length;
          if (rows.some((row) => canonical(target.column, row[target.column.name] ?? null) !== canonical(target.column, correction.to))) otherwise.add(correction.field);
        }
      }
      if (seen === 0) otherwise.add(correction.field);
    }
    return otherwise.size === 0 ? { state: 'as_asked' } : { state: 'otherwise', fields: [...otherwise] };
  });
}

/** Who is corrected: kept from before, since what finds them may be what is corrected. */
async function subjectsOf(context: RectifyContext, system: System, session: Session): Promise<readonly Subject[]> {
  const cursor = parseCursor(context.cursor ?? context.previous);
  if (cursor?.phase === 'correcting') return cursor.subjects;
  const { identifier } = context;
  const rows = await session.transaction(async (tx) => findRows(tx, session, system, identifier), 'read only');
  if (rows.length > 1 && identifier.kind !== keyKind(system.config)) throw new Failure('SUBJECT_AMBIGUOUS', `The identifier finds ${rows.length} people`);
  const subjects = rows.map((row) => ({ ...subjectOf(system, row) }));
  await context.save(toJson({ phase: 'correcting', subjects }));
  return subjects;
}

interface Target {
  readonly table: string;
  readonly column: LiveColumn;
}

async function* pagesOf(system: System, session: Session, { field }: Correction, subject: Subject): AsyncGenerator<{ readonly target: Target; readonly rows: readonly Row[] }> {
  const { table, column: name } = splitColumn(system.config.rectify[field] ?? '.');
  const column = system.schema.tables.get(table)?.columns.get(name);
  if (column === undefined) return;
  for (const stage of system.map.stages.filter((each) => each.table === table && each.unlink === undefined)) {
    let after: readonly string[] | undefined;
    for (;;) {
      const options = { after, limit: batchRows, columns: [name], locks: false };
      const rows = await session.transaction(async (tx) => readPersonRows(tx, session, system, stage, subject, options), 'read only');
      if (rows.length > 0) yield { target: { table, column }, rows };
      const last = rows.at(-1);
      if (last === undefined || rows.length < batchRows) break;
      after = keyValues(keyOf(system, table), last);
    }
  }
}

function isStale(column: LiveColumn, row: Row, { from, to }: Correction): boolean {
  const stored = canonical(column, row[column.name] ?? null);
  if (stored === canonical(column, to)) return false;
  return from === undefined || stored === canonical(column, from);
}

/** Changes the rows that still have the value that was read, and says how many. */
async function correct(system: System, session: Session, { table, column }: Target, rows: readonly Row[], correction: Correction): Promise<number> {
  if (rows.length === 0) return 0;
  const live = tableOf(system.schema.tables, table);
  const key = keyOf(system, table);
  const place = sql.id(session.schema, table);
  return session.transaction(async (tx) => {
    const keys = rows.map((row) => keyValues(key, row));
    const names = [...new Set([...key, column.name])].flatMap((each) => live.columns.get(each) ?? []);
    const current = await sql<Row>`select ${sql.join(names.map((each) => selected(session.dialect, each, table)))} from ${place} where ${hasKey(session.dialect, live, key, keys)} for update`.execute(tx);
    const stale = current.rows.filter((row) => isStale(column, row, correction)).map((row) => keyValues(key, row));
    if (stale.length > 0) await sql`update ${place} set ${sql.id(column.name)} = ${written(session.dialect, column, correction.to)} where ${hasKey(session.dialect, live, key, stale)}`.execute(tx);
    return stale.length;
  });
}
