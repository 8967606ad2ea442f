import { sql, type Insertable, type Kysely, type Selectable, type Transaction } from 'kysely';
import type { Identifier } from '../../contract/identifiers.ts';
import type { IdentifierId, RequestId } from '../../contract/ids.ts';
import type { IdentityTables } from './tables.ts';

type Db = Kysely<IdentityTables>;
type Trx = Transaction<IdentityTables>;
/** A sealed identifier as it is stored. */
export type IdentityRow = Selectable<IdentityTables['subject_identity']>;
/** A verification as it is stored. */
export type VerificationRow = Selectable<IdentityTables['verification']>;
/** One cell of the imported mapping. */
export type MappingRow = Selectable<IdentityTables['identity_mapping']>;

/** Stores a request's wrapped data key. */
export async function insertKey(trx: Trx, row: { request_id: RequestId; master_key_id: string; wrapped: Buffer }): Promise<void> {
  await trx.insertInto('request_key').values(row).execute();
}

/** Reads a request's key; `wrapped` is null once it was destroyed. */
export async function findKey(db: Db, requestId: RequestId): Promise<Selectable<IdentityTables['request_key']> | undefined> {
  return db.selectFrom('request_key').selectAll().where('request_id', '=', requestId).executeTakeFirst();
}

/**
 * How many keys that are not destroyed each master key wraps. Reads an index as long as the requests that still have their vault; by
 * `destroyed_at`, since of `wrapped` the planner keeps no statistics and would read the whole table.
 */
export async function countKeys(db: Db): Promise<ReadonlyMap<string, number>> {
  const { rows } = await sql<{ id: string; count: number }>`
    SELECT master_key_id AS id, count(*)::float8 AS count FROM request_key WHERE destroyed_at IS NULL GROUP BY master_key_id`.execute(db);
  return new Map(rows.map((row) => [row.id, row.count]));
}

/** Says whether any request ever had a vault. */
export async function hasKeys(db: Db): Promise<boolean> {
  return (await db.selectFrom('request_key').select('request_id').limit(1).executeTakeFirst()) !== undefined;
}

/** Keys under one master key, by request, behind `after`. */
export async function keysUnder(db: Db, masterKeyId: string, after: string, limit: number): Promise<readonly { readonly requestId: RequestId; readonly wrapped: Buffer }[]> {
  const rows = await db
    .selectFrom('request_key')
    .select(['request_id', 'wrapped'])
    .where('master_key_id', '=', masterKeyId)
    .where('destroyed_at', 'is', null)
    .where('request_id', '>', after as RequestId)
    .orderBy('request_id')
    .limit(limit)
    .execute();
  return rows.flatMap((row) => (row.wrapped === null ? [] : [{ requestId: row.request_id, wrapped: Buffer.from(row.wrapped) }]));
}

/** One key, as it was read and as it is to be stored. */
export interface Rewrapping {
  readonly requestId: RequestId;
  readonly before: Buffer;
  readonly after: Buffer;
}

/** Stores keys under another master key, each only where it still is what was read: one that was destroyed meanwhile stays destroyed. */
export async function replaceKeys(trx: Trx, masterKeyId: string, keys: readonly Rewrapping[]): Promise<number> {
  const hex = (bytes: Buffer): string => bytes.toString('hex');
  const { numAffectedRows } = await sql`
    UPDATE request_key SET master_key_id = ${masterKeyId}, wrapped = decode(given.after, 'hex')
    FROM unnest(${keys.map((each) => each.requestId)}::uuid[], ${keys.map((each) => hex(each.before))}::text[], ${keys.map((each) => hex(each.after))}::text[]) AS given (id, before, after)
    WHERE request_key.request_id = given.id AND request_key.wrapped = decode(given.before, 'hex')`.execute(trx);
  return Number(numAffectedRows ?? 0n);
}

/** Keeps the key from being destroyed until the transaction ends; answers false when it is gone. */
export async function holdKey(trx: Trx, requestId: RequestId): Promise<boolean> {
  const row = await trx.selectFrom('request_key').select('wrapped').where('request_id', '=', requestId).forShare().executeTakeFirst();
  return row !== undefined && row.wrapped !== null;
}

/** Destroys the key and deletes the sealed identifiers. */
export async function destroyVault(trx: Trx, requestId: RequestId, at: Date): Promise<void> {
  await trx
    .updateTable('request_key')
    .set({ wrapped: null, destroyed_at: at })
    .where('request_id', '=', requestId)
    .where('wrapped', 'is not', null)
    .execute();
  await trx.deleteFrom('subject_identity').where('request_id', '=', requestId).execute();
  await trx.deleteFrom('request_correction').where('request_id', '=', requestId).execute();
}

/** Stores what is to be put right, sealed. */
export async function insertCorrections(trx: Trx, requestId: RequestId, sealed: Buffer): Promise<void> {
  await trx.insertInto('request_correction').values({ request_id: requestId, sealed }).execute();
}

/** What is to be put right, sealed. */
export async function findCorrections(db: Kysely<IdentityTables>, requestId: RequestId): Promise<Buffer | undefined> {
  const row = await db.selectFrom('request_correction').select('sealed').where('request_id', '=', requestId).executeTakeFirst();
  return row === undefined ? undefined : Buffer.from(row.sealed);
}

/** Stores an identifier, or merges `seen_in` into the one that is there; answers the stored row. */
export async function upsertIdentity(trx: Trx, row: Insertable<IdentityTables['subject_identity']>): Promise<Pick<IdentityRow, 'id' | 'sealed'>> {
  return trx
    .insertInto('subject_identity')
    .values(row)
    .onConflict((conflict) =>
      conflict.columns(['request_id', 'lookup']).doUpdateSet({
        seen_in: sql<string[]>`(SELECT coalesce(array_agg(DISTINCT name ORDER BY name), '{}') FROM unnest(subject_identity.seen_in || excluded.seen_in) AS name)`,
      }),
    )
    .returning(['id', 'sealed'])
    .executeTakeFirstOrThrow();
}

/** Replaces the sealed value of an identifier. */
export async function resealIdentity(trx: Trx, id: IdentifierId, sealed: Buffer): Promise<void> {
  await trx.updateTable('subject_identity').set({ sealed }).where('id', '=', id).execute();
}

/** A request's identifiers in the order in which they were found. */
export async function listIdentities(db: Db, requestId: RequestId): Promise<readonly IdentityRow[]> {
  return db.selectFrom('subject_identity').selectAll().where('request_id', '=', requestId).orderBy('found_at').orderBy('id').execute();
}

/** More requests of one person than anyone has at once; a bound on what one look may cost. */
const sameSubjectMax = 1000;

/** Requests that were given every one of these lookups, oldest first (ids sort by time). */
export async function requestsGiven(db: Db, lookups: readonly Buffer[]): Promise<readonly RequestId[]> {
  const rows = await db
    .selectFrom('subject_identity')
    .select('request_id')
    .where('lookup', 'in', [...lookups])
    .where('found_by', '=', 'given')
    .groupBy('request_id')
    .having((has) => has(has.fn.countAll(), '=', lookups.length))
    .orderBy('request_id')
    .limit(sameSubjectMax)
    .execute();
  return rows.map((row) => row.request_id);
}

/** Requests that were given, and proven, any identifier that was given and proven for this one. */
export async function requestsSharing(db: Db, requestId: RequestId): Promise<readonly RequestId[]> {
  const rows = await db
    .selectFrom('subject_identity as own')
    .innerJoin('subject_identity as other', 'other.lookup', 'own.lookup')
    .select('other.request_id')
    .distinct()
    .where('own.request_id', '=', requestId)
    .whereRef('other.request_id', '<>', 'own.request_id')
    .where('own.found_by', 'in', ['given', 'account'])
    .where('own.confidence', '>=', 1)
    .where('other.found_by', 'in', ['given', 'account'])
    .where('other.confidence', '>=', 1)
    .limit(sameSubjectMax)
    .execute();
  return rows.map((row) => row.request_id);
}

/** Stores cells of the mapping; those that are there already stay. */
export async function insertMapping(trx: Trx, rows: readonly MappingRow[]): Promise<void> {
  await trx
    .insertInto('identity_mapping')
    .values([...rows])
    .onConflict((conflict) => conflict.columns(['row_id', 'kind', 'lookup']).doNothing())
    .execute();
}

/** The ids of the mapping rows that hold any of these lookups, at most `limit`. */
export async function mappingRowsWith(db: Db, lookups: readonly Buffer[], limit: number): Promise<readonly string[]> {
  const rows = await db
    .selectFrom('identity_mapping')
    .select('row_id')
    .distinct()
    .where('lookup', 'in', [...lookups])
    .orderBy('row_id')
    .limit(limit)
    .execute();
  return rows.map((row) => row.row_id);
}

/** All cells of these mapping rows. */
export async function mappingCells(db: Db, rowIds: readonly string[]): Promise<readonly MappingRow[]> {
  return db
    .selectFrom('identity_mapping')
    .selectAll()
    .where('row_id', 'in', [...rowIds])
    .orderBy('row_id')
    .orderBy('kind')
    .execute();
}

/** Deletes whole mapping rows. */
export async function deleteMapping(trx: Trx, rowIds: readonly string[]): Promise<void> {
  await trx
    .deleteFrom('identity_mapping')
    .where('row_id', 'in', [...rowIds])
    .execute();
}

/** Adds hashes to the suppression ledger; a hash that is there stays with the request that first added it. */
export async function insertSuppressions(trx: Trx, rows: readonly Selectable<IdentityTables['suppression']>[]): Promise<void> {
  await trx
    .insertInto('suppression')
    .values([...rows])
    .onConflict((conflict) => conflict.column('hash').doNothing())
    .execute();
}

/** Which of these hashes are in the ledger, in hex. */
export async function suppressedAmong(db: Db, hashes: readonly Buffer[]): Promise<ReadonlySet<string>> {
  const rows = await db
    .selectFrom('suppression')
    .select('hash')
    .where('hash', 'in', [...hashes])
    .execute();
  return new Set(rows.map((row) => Buffer.from(row.hash).toString('hex')));
}

/** A proof that is to be judged, as it is stored. */
export interface StoredProof {
  /** Sealed under the request's data key. */
  readonly sealed: Buffer;
  readonly hash: Buffer;
}

const now = sql<Date>`now()`;
const after = (ms: number): ReturnType<typeof sql<Date>> => sql<Date>`now() + ${ms} * interval '1 millisecond'`;

/** Starts a request's verification. */
export async function insertVerification(trx: Trx, row: Pick<VerificationRow, 'request_id' | 'source' | 'method' | 'sent_count' | 'expires_at'>, proof?: StoredProof): Promise<void> {
  await trx
    .insertInto('verification')
    .values({ ...row, attempts: 0, asked: 0, verified_at: null, proof: proof?.sealed ?? null, given_hash: proof?.hash ?? null, wake_at: proof === undefined ? null : now })
    .execute();
}

/** Reads and locks a request's verification, so that two attempts at once are counted as two. */
export async function lockVerification(trx: Trx, requestId: RequestId): Promise<VerificationRow | undefined> {
  return trx.selectFrom('verification').selectAll().where('request_id', '=', requestId).forUpdate().executeTakeFirst();
}

/** Changes a request's verification. */
export async function updateVerification(trx: Trx, requestId: RequestId, change: Partial<Pick<VerificationRow, 'attempts' | 'sent_count' | 'expires_at' | 'verified_at' | 'given_hash'>>): Promise<void> {
  await trx.updateTable('verification').set(change).where('request_id', '=', requestId).execute();
}

/** Puts another proof in the place of the one before, due at once. */
export async function replaceProof(trx: Trx, requestId: RequestId, number: number, proof: StoredProof): Promise<void> {
  const change = { sent_count: number, proof: proof.sealed, given_hash: proof.hash, asked: 0, wake_at: now };
  await trx.updateTable('verification').set(change).where('request_id', '=', requestId).execute();
}

/** Takes a due proof for `leaseMs`, by the database's clock; undefined when there is none, it is not due, or somebody else has it. */
export async function claimProof(db: Db, requestId: RequestId, leaseMs: number): Promise<VerificationRow | undefined> {
  return db
    .updateTable('verification')
    .set({ asked: sql<number>`asked + 1`, wake_at: after(leaseMs) })
    .where('request_id', '=', requestId)
    .where('wake_at', '<=', now)
    .returningAll()
    .executeTakeFirst();
}

/** Has a claimed proof asked about later; answers false when it was judged or replaced meanwhile, or claimed again. */
export async function postponeProof(trx: Trx, claimed: Pick<VerificationRow, 'request_id' | 'sent_count' | 'asked'>, delayMs: number): Promise<boolean> {
  const row = await trx
    .updateTable('verification')
    .set({ wake_at: after(delayMs) })
    .where('request_id', '=', claimed.request_id)
    .where('sent_count', '=', claimed.sent_count)
    .where('asked', '=', claimed.asked)
    .where('proof', 'is not', null)
    .returning('request_id')
    .executeTakeFirst();
  return row !== undefined;
}

/** Forgets the n-th proof and says what became of it; answers false when it was judged or replaced before. */
export async function settleProof(trx: Trx, requestId: RequestId, number: number, change: Partial<Pick<VerificationRow, 'attempts' | 'verified_at'>>): Promise<boolean> {
  const row = await trx
    .updateTable('verification')
    .set({ ...change, proof: null, wake_at: null })
    .where('request_id', '=', requestId)
    .where('sent_count', '=', number)
    .where('proof', 'is not', null)
    .returning('request_id')
    .executeTakeFirst();
  return row !== undefined;
}

/** Requests whose proof is due, the longest due first. */
export async function dueProofs(db: Db, limit: number): Promise<readonly RequestId[]> {
  const rows = await db.selectFrom('verification').select('request_id').where('wake_at', '<=', now).orderBy('wake_at').limit(limit).execute();
  return rows.map((row) => row.request_id);
}

/** Makes every proof that somebody holds due at once: for a server that is alone on its database and starts after a crash. */
export async function freeProofs(db: Db): Promise<void> {
  await db.updateTable('verification').set({ wake_at: now }).where('wake_at', 'is not', null).execute();
}

/** How many proofs of a source failed since `start`, and when the hour that they are counted in began. */
export async function failedProofs(db: Db, source: string, start: Date): Promise<{ readonly count: number; readonly since: Date } | undefined> {
  return db.selectFrom('failed_proof').select(['count', 'since']).where('source', '=', source).where('since', '>', start).executeTakeFirst();
}

/** Counts a proof of a source that failed; a count that began before `start` begins anew. */
export async function countFailedProof(trx: Trx, source: string, at: Date, start: Date): Promise<void> {
  await sql`
    INSERT INTO failed_proof AS held (source, since, count) VALUES (${source}, ${at}, 1)
    ON CONFLICT (source) DO UPDATE SET
      since = CASE WHEN held.since > ${start} THEN held.since ELSE excluded.since END,
      count = CASE WHEN held.since > ${start} THEN held.count + 1 ELSE 1 END`.execute(trx);
}

/** What an identifier is looked up by, in every table: its kind and its normal form. */
export const lookupText = (identifier: Identifier): string => `${identifier.kind}:${identifier.value}`;
