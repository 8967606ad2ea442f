import type { Kysely, Selectable, Transaction } from 'kysely';
import type { RequestId } from '../../contract/ids.ts';
import type { RefusalReason } from '../../contract/justifications.ts';
import type { PauseCondition } from './domain/law-pack.ts';
import type { RequestTables } from './tables.ts';

/** A pause as it is stored. */
export type PauseRow = Selectable<RequestTables['clock_pause']>;
/** An appeal as it is stored. */
export type AppealRow = Selectable<RequestTables['appeal']>;

/** Every pause of a request, oldest first. */
export async function pausesOf(db: Kysely<RequestTables>, id: RequestId): Promise<readonly PauseRow[]> {
  return db.selectFrom('clock_pause').selectAll().where('request_id', '=', id).orderBy('paused_at').execute();
}

/** Stops a locked request's clock; answers false when it stands still already. */
export async function startPause(trx: Transaction<RequestTables>, id: RequestId, at: Date, condition: PauseCondition): Promise<boolean> {
  const row = await trx
    .insertInto('clock_pause')
    .values({ request_id: id, paused_at: at, condition })
    .onConflict((conflict) => conflict.doNothing())
    .returning('request_id')
    .executeTakeFirst();
  return row !== undefined;
}

/** Starts a locked request's clock again; answers false when it did not stand still. */
export async function endPause(trx: Transaction<RequestTables>, id: RequestId, at: Date): Promise<boolean> {
  const row = await trx.updateTable('clock_pause').set({ resumed_at: at }).where('request_id', '=', id).where('resumed_at', 'is', null).returning('request_id').executeTakeFirst();
  return row !== undefined;
}

/** Requests with a date that is to be looked at, the longest due first. */
export async function dueClocks(db: Kysely<RequestTables>, now: Date, limit: number): Promise<readonly RequestId[]> {
  const rows = await db.selectFrom('privacy_request').select('id').where('clock_wake_at', '<=', now).orderBy('clock_wake_at').limit(limit).execute();
  return rows.map((row) => row.id);
}

/** Says when a request's dates are looked at next. Not a change of the request: followers need not hear of it. */
export async function wakeClock(trx: Transaction<RequestTables>, id: RequestId, at: Date | null): Promise<void> {
  await trx.updateTable('privacy_request').set({ clock_wake_at: at }).where('id', '=', id).execute();
}

/** A request's appeal. */
export async function findAppeal(db: Kysely<RequestTables>, id: RequestId): Promise<AppealRow | undefined> {
  return db.selectFrom('appeal').selectAll().where('request_id', '=', id).executeTakeFirst();
}

/** Opens an appeal of a locked request; answers false when there was one. */
export async function insertAppeal(trx: Transaction<RequestTables>, id: RequestId, openedAt: Date, dueAt: Date): Promise<boolean> {
  const row = await trx
    .insertInto('appeal')
    .values({ request_id: id, opened_at: openedAt, due_at: dueAt })
    .onConflict((conflict) => conflict.column('request_id').doNothing())
    .returning('request_id')
    .executeTakeFirst();
  return row !== undefined;
}

/** Writes the decision of an appeal; answers false when none waits for one. */
export async function decideAppeal(trx: Transaction<RequestTables>, id: RequestId, decision: { readonly decision: 'granted' | 'denied'; readonly reason_code: RefusalReason | null; readonly decided_at: Date; readonly decided_by: string }): Promise<boolean> {
  const row = await trx.updateTable('appeal').set(decision).where('request_id', '=', id).where('decision', 'is', null).returning('request_id').executeTakeFirst();
  return row !== undefined;
}
