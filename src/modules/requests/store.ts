import { sql, type Kysely, type Selectable, type Transaction } from 'kysely';
import { formatId, type RequestId } from '../../contract/ids.ts';
import type { RequestStatus } from '../../contract/outcomes.ts';
import type { RequestSummary } from './requests.ts';
import type { RequestTables } from './tables.ts';

/** A request's row. */
export type RequestRow = Selectable<RequestTables['privacy_request']>;

/** Everything but the certificate, which is read on its own. */
const columns = [
  'id', 'reference', 'source', 'source_id', 'payload_hash', 'request_right', 'jurisdiction', 'law', 'status', 'verdict', 'reason_code',
  'duplicate_of', 'erased_under', 'vouched', 'moved_at', 'received_at', 'due_at', 'verified_at', 'verified_by', 'planned_at', 'closed_at', 'wake_at', 'attempt', 'version',
  'language', 'law_version', 'extended_at', 'extension_reason', 'extended_until', 'clock_wake_at', 'systems',
] as const;

/** A request's row without its certificate. */
export type RequestCore = Omit<RequestRow, 'certificate'>;

/** Inserts a request unless its source already sent one under the same id. */
export async function insertRequest(trx: Transaction<RequestTables>, row: Omit<RequestRow, 'attempt' | 'version' | 'certificate'>): Promise<boolean> {
  const result = await trx
    .insertInto('privacy_request')
    .values(row)
    .onConflict((conflict) => conflict.columns(['source', 'source_id']).doNothing())
    .returning('id')
    .executeTakeFirst();
  return result !== undefined;
}

/** The request that a source sent under an id. */
export async function findBySource(db: Kysely<RequestTables>, source: string, sourceId: Buffer): Promise<RequestCore | undefined> {
  return db.selectFrom('privacy_request').select(columns).where('source', '=', source).where('source_id', '=', sourceId).executeTakeFirst();
}

/** One request by its id. */
export async function findRequest(db: Kysely<RequestTables>, id: RequestId): Promise<RequestCore | undefined> {
  return db.selectFrom('privacy_request').select(columns).where('id', '=', id).executeTakeFirst();
}

/** One request, locked until the transaction ends: all changes of a request come one after the other. */
export async function lockRequest(trx: Transaction<RequestTables>, id: RequestId): Promise<RequestCore | undefined> {
  return trx.selectFrom('privacy_request').select(columns).where('id', '=', id).forUpdate().executeTakeFirst();
}

/** Changes a locked request. */
export async function updateRequest(trx: Transaction<RequestTables>, id: RequestId, change: Partial<Omit<RequestRow, 'id' | 'version'>>): Promise<void> {
  await trx
    .updateTable('privacy_request')
    .set({ ...change, version: sql<number>`version + 1` })
    .where('id', '=', id)
    .execute();
}

/** Requests whose time has come, longest waiting first. */
export async function dueRequests(db: Kysely<RequestTables>, now: Date, limit: number): Promise<readonly RequestId[]> {
  const rows = await db.selectFrom('privacy_request').select('id').where('wake_at', '<=', now).orderBy('wake_at').limit(limit).execute();
  return rows.map((row) => row.id);
}

/**
 * Has every request that is under way looked at again: after a crash of a server that is alone on its database, whose jobs died with it.
 */
export async function wakeUnderWay(db: Kysely<RequestTables>, now: Date): Promise<void> {
  await db
    .updateTable('privacy_request')
    .set({ wake_at: now })
    .where('status', 'in', ['verified', 'resolving', 'planned', 'executing', 'confirming', 'escalated'])
    .execute();
}

/** Which of these requests are open, oldest first. */
export async function openAmong(db: Kysely<RequestTables>, ids: readonly RequestId[], ended: readonly RequestStatus[]): Promise<readonly RequestCore[]> {
  if (ids.length === 0) return [];
  return db.selectFrom('privacy_request').select(columns).where('id', 'in', ids).where('status', 'not in', ended).orderBy('received_at').orderBy('id').execute();
}

/** Has the requests that wait for the end of this one looked at; answers their ids. */
export async function wakeDuplicates(trx: Transaction<RequestTables>, id: RequestId, now: Date): Promise<readonly RequestId[]> {
  const rows = await trx.updateTable('privacy_request').set({ wake_at: now }).where('duplicate_of', '=', id).where('status', '=', 'verified').returning('id').execute();
  return rows.map((row) => row.id);
}

/** Where a page of the list starts: after this request. */
export interface PageStart {
  readonly receivedAt: Date;
  readonly id: RequestId;
}

/** A page of requests, newest first. */
export async function listRequests(
  db: Kysely<RequestTables>,
  options: { readonly limit: number; readonly after?: PageStart | undefined; readonly status?: RequestStatus | undefined },
): Promise<readonly RequestCore[]> {
  let query = db.selectFrom('privacy_request').select(columns).orderBy('received_at', 'desc').orderBy('id', 'desc').limit(options.limit);
  const { after, status } = options;
  if (after !== undefined) query = query.where(sql<boolean>`(received_at, id) < (${after.receivedAt}, ${after.id})`);
  if (status !== undefined) query = query.where('status', '=', status);
  return query.execute();
}

/** The certificate's bytes, if it was issued. */
export async function readCertificate(db: Kysely<RequestTables>, id: RequestId): Promise<Buffer | undefined> {
  const row = await db.selectFrom('privacy_request').select('certificate').where('id', '=', id).executeTakeFirst();
  return row?.certificate === null || row === undefined ? undefined : Buffer.from(row.certificate);
}

/** What the API shows of a row. */
export function summarise(row: RequestCore): RequestSummary {
  const time = (value: Date | null): string | null => (value === null ? null : value.toISOString());
  return {
    id: row.id,
    reference: row.reference,
    status: row.status,
    right: row.request_right,
    jurisdiction: row.jurisdiction,
    law: row.law,
    source: row.source,
    verdict: row.verdict,
    reason_code: row.reason_code,
    duplicate_of: row.duplicate_of,
    erased_under: row.erased_under,
    limited_to: row.systems,
    received_at: row.received_at.toISOString(),
    verified_at: time(row.verified_at),
    due_at: row.due_at.toISOString(),
    extended_at: time(row.extended_at),
    closed_at: time(row.closed_at),
    language: row.language,
  };
}

/** A request's id as it is shown outside. */
export const outsideId = (id: RequestId): string => formatId('request', id);
