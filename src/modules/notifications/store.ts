import { sql, type Kysely, type Selectable, type Transaction } from 'kysely';
import type { RequestId } from '../../contract/ids.ts';
import type { NotificationError, NotificationTemplate } from './notification.ts';
import type { NotificationTables } from './tables.ts';

type Db = Kysely<NotificationTables>;
type Trx = Transaction<NotificationTables>;
/** A notification as it is stored. */
export type NotificationRow = Selectable<NotificationTables['notification']>;

const after = (ms: number): ReturnType<typeof sql<Date>> => sql<Date>`now() + ${ms} * interval '1 millisecond'`;

/** Stores a notification, due at once; answers false when the same was stored before. */
export async function insertNotification(
  trx: Trx,
  row: Pick<NotificationRow, 'id' | 'request_id' | 'template' | 'recipient' | 'occasion' | 'created_at'>,
): Promise<boolean> {
  const stored = await trx
    .insertInto('notification')
    .values({ ...row, sent_at: null, error_code: null, wake_at: after(0) })
    .onConflict((conflict) => conflict.columns(['request_id', 'template', 'occasion', 'recipient']).doNothing())
    .returning('id')
    .executeTakeFirst();
  return stored !== undefined;
}

/** Keeps whom a notice is about that belongs to no request, until it is sent or given up. */
export async function insertSubject(trx: Trx, notificationId: string, sealed: Buffer): Promise<void> {
  await trx.insertInto('notice_subject').values({ notification_id: notificationId, sealed }).execute();
}

/** Whom a notice is about that belongs to no request; undefined once it is sent or given up. */
export async function findSubject(db: Db, notificationId: string): Promise<Buffer | undefined> {
  const row = await db.selectFrom('notice_subject').select('sealed').where('notification_id', '=', notificationId).executeTakeFirst();
  return row?.sealed;
}

async function forgetSubject(trx: Trx, notificationId: string): Promise<void> {
  await trx.deleteFrom('notice_subject').where('notification_id', '=', notificationId).execute();
}

/** Takes a due notification for `leaseMs`, by the database's clock; undefined when it is not due, done, or somebody else's. */
export async function claimNotification(db: Db, id: string, leaseMs: number): Promise<NotificationRow | undefined> {
  return db
    .updateTable('notification')
    .set({ attempts: sql<number>`attempts + 1`, wake_at: after(leaseMs) })
    .where('id', '=', id)
    .where('wake_at', '<=', sql<Date>`now()`)
    .returningAll()
    .executeTakeFirst();
}

/** Marks it as sent; answers false when it was marked before. */
export async function markSent(trx: Trx, id: string, at: Date): Promise<boolean> {
  const row = await trx
    .updateTable('notification')
    .set({ sent_at: at, wake_at: null, error_code: null })
    .where('id', '=', id)
    .where('sent_at', 'is', null)
    .returning('id')
    .executeTakeFirst();
  if (row !== undefined) await forgetSubject(trx, id);
  return row !== undefined;
}

/** Ends it unsent; answers false when the claim of this attempt is no longer the newest. */
export async function markSkipped(trx: Trx, claimed: NotificationRow, code: NotificationError): Promise<boolean> {
  const row = await trx
    .updateTable('notification')
    .set({ wake_at: null, error_code: code })
    .where('id', '=', claimed.id)
    .where('sent_at', 'is', null)
    .where('attempts', '=', claimed.attempts)
    .returning('id')
    .executeTakeFirst();
  if (row !== undefined) await forgetSubject(trx, claimed.id);
  return row !== undefined;
}

/** Puts it off; answers false when the claim of this attempt is no longer the newest. */
export async function markRetry(trx: Trx, claimed: NotificationRow, code: NotificationError, delayMs: number): Promise<boolean> {
  const row = await trx
    .updateTable('notification')
    .set({ wake_at: after(delayMs), error_code: code })
    .where('id', '=', claimed.id)
    .where('sent_at', 'is', null)
    .where('attempts', '=', claimed.attempts)
    .returning('id')
    .executeTakeFirst();
  return row !== undefined;
}

/** Makes due again what ended unsent of a request, as if it were said now, but for what has these codes; answers the ids. */
export async function reviveNotifications(trx: Trx, requestId: RequestId, template: NotificationTemplate, but: readonly NotificationError[], at: Date): Promise<readonly string[]> {
  const rows = await trx
    .updateTable('notification')
    .set({ created_at: at, wake_at: after(0), error_code: null })
    .where('request_id', '=', requestId)
    .where('template', '=', template)
    .where('sent_at', 'is', null)
    .where('wake_at', 'is', null)
    .where('error_code', 'not in', [...but])
    .returning('id')
    .execute();
  return rows.map((row) => row.id);
}

/** Notifications whose time has come, the longest due first. */
export async function dueNotifications(db: Db, limit: number): Promise<readonly string[]> {
  const rows = await db
    .selectFrom('notification')
    .select('id')
    .where('wake_at', '<=', sql<Date>`now()`)
    .orderBy('wake_at')
    .limit(limit)
    .execute();
  return rows.map((row) => row.id);
}

/** Whether anything is still to be said of this request for which the person must be known: to them, or to recipients of their data. */
export async function subjectWaits(db: Db, requestId: RequestId): Promise<boolean> {
  const row = await db
    .selectFrom('notification')
    .select('id')
    .where('request_id', '=', requestId)
    .where((where) => where.or([where('recipient', '=', 'subject'), where('recipient', 'like', 'recipient:%')]))
    .where('wake_at', 'is not', null)
    .limit(1)
    .executeTakeFirst();
  return row !== undefined;
}

/** When the person of this request was first written to, in milliseconds since the epoch. */
export async function subjectTold(db: Db, requestId: RequestId): Promise<number | undefined> {
  const row = await db
    .selectFrom('notification')
    .select('sent_at')
    .where('request_id', '=', requestId)
    .where('recipient', '=', 'subject')
    .where('sent_at', 'is not', null)
    .orderBy('sent_at')
    .limit(1)
    .executeTakeFirst();
  return row?.sent_at?.getTime();
}

/** Makes every notification that somebody holds due at once: for a server that is alone on its database and starts after a crash. */
export async function freeClaims(db: Db): Promise<void> {
  await db.updateTable('notification').set({ wake_at: after(0) }).where('wake_at', 'is not', null).execute();
}
