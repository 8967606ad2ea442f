import { sql, type Kysely, type Transaction } from 'kysely';
import type { AuditOutboxTables } from './tables.ts';

/** One recorded entry that waits to be appended. */
export interface OutboxRow {
  readonly id: number;
  readonly eventId: string;
  readonly entry: unknown;
}

/** Writes an entry into the outbox. */
export async function insertOutbox(trx: Transaction<AuditOutboxTables>, eventId: string, requestId: string | undefined, entry: string): Promise<void> {
  await trx
    .insertInto('audit_outbox')
    .values({ event_id: eventId, request_id: requestId ?? null, entry: sql`${entry}::text::jsonb`, delivered_at: null })
    .execute();
}

/** Reads the oldest entries that were not delivered yet. */
export async function undelivered(db: Kysely<AuditOutboxTables>, limit: number): Promise<readonly OutboxRow[]> {
  const rows = await db.selectFrom('audit_outbox').select(['id', 'event_id', 'entry']).where('delivered_at', 'is', null).orderBy('id').limit(limit).execute();
  return rows.map((row) => ({ id: row.id, eventId: row.event_id, entry: row.entry }));
}

/** Marks entries as appended. */
export async function markDelivered(db: Kysely<AuditOutboxTables>, ids: readonly number[]): Promise<void> {
  await sql`UPDATE audit_outbox SET delivered_at = now() WHERE id = ANY(${[...ids]}::bigint[])`.execute(db);
}

/** Counts the entries ever recorded, and those marked as appended. */
export async function countOutbox(db: Kysely<AuditOutboxTables>): Promise<{ readonly recorded: number; readonly delivered: number }> {
  const { rows } = await sql<{ recorded: number; delivered: number }>`
    SELECT count(*)::float8 AS recorded, count(delivered_at)::float8 AS delivered FROM audit_outbox`.execute(db);
  return rows[0] ?? { recorded: 0, delivered: 0 };
}

/** Keeps the statement that an entry commits to. */
export async function insertStatement(trx: Transaction<AuditOutboxTables>, row: AuditOutboxTables['certificate_statement']): Promise<void> {
  await trx.insertInto('certificate_statement').values(row).execute();
}

/** Reads the newest statement of a request. */
export async function newestStatement(db: Kysely<AuditOutboxTables>, requestId: string): Promise<AuditOutboxTables['certificate_statement'] | undefined> {
  return db.selectFrom('certificate_statement').selectAll().where('request_id', '=', requestId).orderBy('event_id', 'desc').limit(1).executeTakeFirst();
}

/** What was recorded about one request, in order, and whether the log holds it yet. */
export async function entriesOfRequest(db: Kysely<AuditOutboxTables>, requestId: string): Promise<readonly { readonly entry: unknown; readonly logged: boolean }[]> {
  const rows = await db.selectFrom('audit_outbox').select(['entry', 'delivered_at']).where('request_id', '=', requestId).orderBy('id').execute();
  return rows.map((row) => ({ entry: row.entry, logged: row.delivered_at !== null }));
}
