import { sql, type Kysely, type Transaction } from 'kysely';
import type { RequestId } from '../../contract/ids.ts';
import type { IntakeTables } from './tables.ts';

/** The newest request that a profile was named to. */
export async function findProfileJob(trx: Transaction<IntakeTables>, subject: Buffer): Promise<RequestId | undefined> {
  const row = await trx.selectFrom('profile_job').select('request_id').where('subject', '=', subject).executeTakeFirst();
  return row?.request_id;
}

/** Says which request a profile was named to. */
export async function keepProfileJob(trx: Transaction<IntakeTables>, subject: Buffer, requestId: RequestId): Promise<void> {
  await trx
    .insertInto('profile_job')
    .values({ subject, request_id: requestId })
    .onConflict((conflict) => conflict.column('subject').doUpdateSet({ request_id: requestId }))
    .execute();
}

/** A page of the requests that profiles were named to, in the order of their ids. */
export async function profileJobsAfter(db: Kysely<IntakeTables>, after: RequestId | undefined, limit: number): Promise<readonly RequestId[]> {
  const query = db.selectFrom('profile_job').select('request_id').distinct().orderBy('request_id').limit(limit);
  const rows = await (after === undefined ? query : query.where('request_id', '>', after)).execute();
  return rows.map((row) => row.request_id);
}

/** Forgets whom these requests were about. */
export async function forgetProfileJobs(db: Kysely<IntakeTables>, ids: readonly RequestId[]): Promise<void> {
  if (ids.length > 0) await db.deleteFrom('profile_job').where('request_id', '=', sql<RequestId>`ANY(${ids}::uuid[])`).execute();
}
