import { z } from 'zod';
import { Failure, type ExportContext, type ExportedRecord, type ExportPage, type Json } from '../../connector-kit/index.ts';
import type { DatabaseConfig } from './config.ts';
import { modeOf, type Stage } from './data-map.ts';
import { openSession, type Row, type Session } from './open-database.ts';
import { keyOf, keyValues, readPersonRows } from './person-rows.ts';
import { findRows, keyKind, subjectOf, subjectWithoutRow, tableOf, type Subject } from './subject.ts';
import { readSystem, type System } from './system.ts';
import { exported } from './values.ts';

const pageRows = 1000;
/** What a page may hold as JSON, in bytes. */
const pageBytes = 8 * 1024 * 1024;
/** How many rows are read at first; more where they turn out to be small, so that a page of large ones is never whole in memory twice. */
const firstRows = 20;

const resumeSchema = z.object({
  subjects: z.array(z.record(z.string(), z.string().nullable())),
  subject: z.int().nonnegative(),
  stage: z.int().nonnegative(),
  after: z.array(z.string()).optional(),
});
type Resume = z.output<typeof resumeSchema>;

/**
 * Gives the person's rows table after table, the person's own first, in pages of at most 1,000 rows and 8 MiB. Each page says from where the export goes
 * on. Fails with `SUBJECT_AMBIGUOUS` where the identifier finds several people, and with `UNSUPPORTED` where one row alone is larger than a page.
 */
export async function* exportRows(context: ExportContext, config: DatabaseConfig): AsyncGenerator<ExportPage> {
  const { session, close } = openSession(config);
  try {
    const system = await readSystem(config, session);
    let next: Resume | undefined = await begin(context, system, session);
    let limit = firstRows;
    while (next !== undefined) {
      const { page, after, grown }: ReadPage = await readPage(system, session, next, limit);
      limit = grown;
      next = after;
      if (page.records.length > 0 || after === undefined) yield page;
    }
  } finally {
    await close();
  }
}

async function begin(context: ExportContext, system: System, session: Session): Promise<Resume> {
  const kept = resumeSchema.safeParse(context.cursor);
  if (kept.success) return kept.data;
  if (context.cursor !== null) throw new Failure('INTERNAL', 'The kept place of an export is not one of the database connector');
  const { identifier } = context;
  const rows = await session.transaction(async (tx) => findRows(tx, session, system, identifier), 'read only');
  if (rows.length > 1 && identifier.kind !== keyKind(system.config)) throw new Failure('SUBJECT_AMBIGUOUS', `The identifier finds ${rows.length} people`);
  const without = rows.length === 0 ? subjectWithoutRow(system, identifier) : undefined;
  return { subjects: [...rows.map((row) => subjectOf(system, row)), ...(without === undefined ? [] : [without])].map((each) => ({ ...each })), subject: 0, stage: 0 };
}

/** The stages of an export: an erasure's the other way round, without what is only cut or left out. */
function stagesOf({ config, map }: System): readonly Stage[] {
  return map.stages.filter((stage) => stage.unlink === undefined && config.tables[stage.table]?.export !== false && modeOf(config.tables[stage.table] ?? { not_personal: [] }) !== 'untouched').toReversed();
}

interface ReadPage {
  readonly page: ExportPage;
  /** Where the next page begins; undefined where there is none. */
  readonly after: Resume | undefined;
  /** How many rows to read at once from now on. */
  readonly grown: number;
}

async function readPage(system: System, session: Session, from: Resume, limit: number): Promise<ReadPage> {
  const subject: Subject | undefined = from.subjects[from.subject];
  const stage = stagesOf(system)[from.stage];
  if (subject === undefined) return { page: { records: [], resume: toJson(from) }, after: undefined, grown: limit };
  if (stage === undefined) return readPage(system, session, { subjects: from.subjects, subject: from.subject + 1, stage: 0 }, limit);
  const live = tableOf(system.schema.tables, stage.table);
  const columns = exportedColumns(system, stage.table);
  const options = { after: from.after, limit, columns, locks: false };
  const rows = await session.transaction(async (tx) => readPersonRows(tx, session, system, stage, subject, options), 'read only');
  const key = keyOf(system, stage.table);
  const records: ExportedRecord[] = [];
  let bytes = 0;
  let last: Row | undefined;
  for (const row of rows) {
    const data = Object.fromEntries(columns.flatMap((name) => (live.columns.has(name) ? [[name, valueOf(system, stage.table, name, row)]] : [])));
    const most = mostBytes(columns, row);
    // To write each row out only to measure it would cost as much as the export.
    const size = bytes + most < pageBytes - 1024 ? most : Buffer.byteLength(JSON.stringify(data));
    // Some room for what is around the rows.
    if (size > pageBytes - 1024) throw new Failure('UNSUPPORTED', `A row of ${stage.table} is larger than a page of an export may be; leave its large column out`);
    if (bytes + size + stage.table.length + 64 > pageBytes - 1024 && last !== undefined) break;
    bytes += size + stage.table.length + 64;
    records.push({ type: stage.table, data });
    last = row;
  }
  const isEnd = rows.length < limit && records.length === rows.length;
  const after: Resume = isEnd || last === undefined ? { subjects: from.subjects, subject: from.subject, stage: from.stage + 1 } : { ...from, after: [...keyValues(key, last)] };
  const grown = bytes > pageBytes / 8 ? Math.max(firstRows, Math.floor(limit / 2)) : Math.min(pageRows, limit * 4);
  return { page: { records, resume: toJson(after) }, after, grown };
}

/** More bytes than a row takes as JSON: a character takes at most six, and bytes as base64 fewer than as digits. */
function mostBytes(columns: readonly string[], row: Row): number {
  return columns.reduce((sum, name) => sum + 6 * (name.length + (row[name]?.length ?? 4)) + 8, 2);
}

function exportedColumns({ config, schema }: System, table: string): readonly string[] {
  const rule = config.tables[table];
  const omitted = typeof rule?.export === 'object' ? rule.export.omit : [];
  return [...tableOf(schema.tables, table).columns.keys()].filter((each) => !omitted.includes(each));
}

function valueOf({ schema }: System, table: string, name: string, row: Row): unknown {
  const column = tableOf(schema.tables, table).columns.get(name);
  return column === undefined ? null : exported(column, row[name] ?? null);
}

const toJson = (resume: Resume): Json => JSON.parse(JSON.stringify(resume)) as Json;
