import { sql, type Kysely } from 'kysely';
import { tablesOf, type Database, type Tx } from '../../platform/db/database.ts';
import { parseNote, type LevelReader, type LogRow } from '../../verify/index.ts';
import type { AuditLogTables } from './tables.ts';

type Db = Kysely<AuditLogTables>;

/** A claim on the log: only the newest may write. */
export interface Claim {
  readonly logId: number;
  readonly epoch: number;
}

/** Rows to append, hashed and chained already. */
export interface NewRows {
  readonly prev: string;
  readonly eventIds: readonly string[];
  readonly entries: readonly string[];
  readonly hashes: readonly string[];
  readonly tiles: readonly { readonly level: number; readonly index: number; readonly hash: string }[];
}

/** A signed head as it is kept. */
export interface StoredCheckpoint {
  readonly size: number;
  readonly root: Buffer;
  readonly note: string;
}

/** Errors of the audit database's functions: the epoch is over, or the rows do not continue the log. */
export const fencedCodes: ReadonlySet<string> = new Set(['QA001', 'QA002']);

/** Runs database work as the application's role, which can append and read and do nothing else, whoever the process logged in as. */
export async function asApplication<Result>(audit: Database, work: (tx: Tx) => Promise<Result>): Promise<Result> {
  return audit.transaction(async (tx) => {
    await sql`SET LOCAL ROLE quittance_audit_app`.execute(tablesOf(tx));
    return work(tx);
  });
}

/** Claims the log for one writer, creating it at first. */
export async function claimLog(audit: Database, origin: string): Promise<Claim> {
  return asApplication(audit, async (tx) => {
    const { rows } = await sql<{ log_id: number; epoch: number }>`SELECT log_id, epoch FROM audit.claim(${origin})`.execute(tablesOf(tx));
    const row = rows[0];
    if (row === undefined) throw new Error('The audit log could not be claimed');
    return { logId: row.log_id, epoch: row.epoch };
  });
}

/** Appends rows in one statement, and gives the log's new size. */
export async function appendRows(audit: Database, claim: Claim, rows: NewRows): Promise<number> {
  return asApplication(audit, async (tx) => {
    const answer = await sql<{ size: number }>`SELECT audit.append(${claim.logId}, ${claim.epoch}, ${rows.prev}, ${[...rows.eventIds]}::uuid[],
      ${[...rows.entries]}::text[], ${[...rows.hashes]}::text[], ${rows.tiles.map((tile) => tile.level)}::integer[],
      ${rows.tiles.map((tile) => tile.index)}::bigint[], ${rows.tiles.map((tile) => tile.hash)}::text[])::float8 AS size`.execute(tablesOf(tx));
    return answer.rows[0]?.size ?? 0;
  });
}

/** Keeps a signed head. */
export async function keepCheckpoint(audit: Database, claim: Claim, checkpoint: StoredCheckpoint): Promise<void> {
  await asApplication(audit, async (tx) => {
    await sql`SELECT audit.keep_checkpoint(${claim.logId}, ${claim.epoch}, ${checkpoint.size}, ${checkpoint.root.toString('hex')}, ${checkpoint.note})`.execute(tablesOf(tx));
  });
}

/** Finds the log of an origin, if it was ever written to. */
export async function findLog(db: Db, origin: string): Promise<number | undefined> {
  return (await db.selectFrom('audit.log').select('id').where('origin', '=', origin).executeTakeFirst())?.id;
}

/** Gives the size of the log and the hash of its last row. */
export async function lastRow(db: Db, logId: number): Promise<{ readonly size: number; readonly hash: Buffer } | undefined> {
  const row = await db.selectFrom('audit.log_row').select(['seq', 'hash']).where('log_id', '=', logId).orderBy('seq', 'desc').limit(1).executeTakeFirst();
  return row === undefined ? undefined : { size: row.seq + 1, hash: Buffer.from(row.hash) };
}

/** Gives those of the events that are in the log already. */
export async function appendedAmong(db: Db, eventIds: readonly string[]): Promise<ReadonlySet<string>> {
  const { rows } = await sql<{ event_id: string }>`SELECT event_id FROM audit.log_row WHERE event_id = ANY(${[...eventIds]}::uuid[])`.execute(db);
  return new Set(rows.map((row) => row.event_id));
}

/** Finds a row by its event. */
export async function rowOfEvent(db: Db, eventId: string): Promise<LogRow | undefined> {
  const row = await db.selectFrom('audit.log_row').select(['seq', 'entry', 'hash']).where('event_id', '=', eventId).executeTakeFirst();
  return row === undefined ? undefined : { seq: row.seq, entry: row.entry, hash: row.hash };
}

/** Reads rows by ascending `seq`, `from` included. */
export async function readRows(db: Db, logId: number, from: number, limit: number): Promise<readonly LogRow[]> {
  const rows = await db
    .selectFrom('audit.log_row')
    .select(['seq', 'entry', 'hash'])
    .where('log_id', '=', logId)
    .where('seq', '>=', from)
    .orderBy('seq')
    .limit(limit)
    .execute();
  return rows.map((row) => ({ seq: row.seq, entry: row.entry, hash: row.hash }));
}

/** Rows read at a time by a whole pass over the log. */
const passRows = 2000;

/** Streams all rows, in batches. A row that repeats a number is passed on once: the database's key makes more impossible. */
export async function* streamRows(db: Db, logId: number, from = 0): AsyncGenerator<readonly LogRow[]> {
  let next = from;
  for (;;) {
    const rows = await readRows(db, logId, next, passRows);
    const last = rows.at(-1);
    if (last === undefined) return;
    yield rows;
    next = last.seq + 1;
  }
}

/** Reads tile hashes: level 0 are the rows' hashes. */
export function createLevelReader(db: Db, logId: number): LevelReader {
  return async (level, from, count) => {
    if (level === 0) {
      const rows = await db
        .selectFrom('audit.log_row')
        .select('hash')
        .where('log_id', '=', logId)
        .where('seq', '>=', from)
        .where('seq', '<', from + count)
        .orderBy('seq')
        .execute();
      return rows.map((row) => Buffer.from(row.hash));
    }
    const rows = await db
      .selectFrom('audit.tile_hash')
      .select('hash')
      .where('log_id', '=', logId)
      .where('level', '=', level)
      .where('index', '>=', from)
      .where('index', '<', from + count)
      .orderBy('index')
      .execute();
    return rows.map((row) => Buffer.from(row.hash));
  };
}

/** Reads the largest signed head. */
export async function newestCheckpoint(db: Db, logId: number): Promise<StoredCheckpoint | undefined> {
  const row = await db.selectFrom('audit.checkpoint').select(['size', 'root', 'note']).where('log_id', '=', logId).orderBy('size', 'desc').limit(1).executeTakeFirst();
  return row === undefined ? undefined : { size: row.size, root: Buffer.from(row.root), note: row.note };
}

/** Heads looked through at a time for one key's signature. */
const headsAtOnce = 100;

/** Gives the size of the largest head that has a signature line of this key id; 0 when none has. Looks from the newest head backwards. */
export async function lastSizeSignedBy(db: Db, logId: number, keyId: string): Promise<number> {
  for (let below = Number.MAX_SAFE_INTEGER; ; ) {
    const rows = await db.selectFrom('audit.checkpoint').select(['size', 'note']).where('log_id', '=', logId).where('size', '<', below).orderBy('size', 'desc').limit(headsAtOnce).execute();
    for (const { size, note } of rows) {
      const parsed = parseNote(note);
      if (parsed.ok && parsed.signatures.some((line) => line.id === keyId)) return size;
    }
    const last = rows.at(-1);
    if (last === undefined) return 0;
    below = last.size;
  }
}

/** Reads all signed heads by ascending size. */
export async function allCheckpoints(db: Db, logId: number): Promise<readonly StoredCheckpoint[]> {
  const rows = await db.selectFrom('audit.checkpoint').select(['size', 'root', 'note']).where('log_id', '=', logId).orderBy('size').execute();
  return rows.map((row) => ({ size: row.size, root: Buffer.from(row.root), note: row.note }));
}

/** Streams the notes of all signed heads over `from` to `to` rows, both included, by ascending size, in batches. */
export async function* streamCheckpoints(db: Db, logId: number, from: number, to: number): AsyncGenerator<readonly string[]> {
  for (let next = from; ; ) {
    const rows = await db.selectFrom('audit.checkpoint').select(['size', 'note']).where('log_id', '=', logId).where('size', '>=', next).where('size', '<=', to).orderBy('size').limit(passRows).execute();
    const last = rows.at(-1);
    if (last === undefined) return;
    yield rows.map((row) => row.note);
    next = last.size + 1;
  }
}

/** Records what a verification found. */
export async function insertVerification(audit: Database, row: Omit<AuditLogTables['audit.verification'], 'id'>): Promise<void> {
  await asApplication(audit, async (tx) => {
    await tablesOf<AuditLogTables>(tx).insertInto('audit.verification').values(row).execute();
  });
}

/** Reads the last verification's record. */
export async function lastVerification(db: Db, logId: number): Promise<Omit<AuditLogTables['audit.verification'], 'id'> | undefined> {
  return db
    .selectFrom('audit.verification')
    .select(['log_id', 'finished_at', 'ok', 'size', 'grade', 'failed_check', 'seq'])
    .where('log_id', '=', logId)
    .orderBy('id', 'desc')
    .limit(1)
    .executeTakeFirst();
}
