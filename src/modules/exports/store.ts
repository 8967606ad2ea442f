import { sql, type Kysely, type Selectable, type Transaction, type Updateable } from 'kysely';
import type { RequestId, TaskId } from '../../contract/ids.ts';
import type { Counts } from '../../contract/outcomes.ts';
import type { ExportTables } from './tables.ts';

type Db = Kysely<ExportTables>;
type Trx = Transaction<ExportTables>;
/** A package's row. */
export type PackageRow = Selectable<ExportTables['export_package']>;
/** A page's row. */
export type PartRow = Selectable<ExportTables['export_part']>;

/** Notes an object that is about to be written; it goes at `deleteAt` unless it is kept before. */
export async function insertObject(db: Db, row: { name: string; request_id: RequestId; made_at: Date; delete_at: Date }): Promise<void> {
  await db.insertInto('export_object').values(row).execute();
}

/** Keeps an object that was written. Answers false when its time is over: it may be deleted already. */
export async function keepObject(trx: Trx, name: string, now: Date): Promise<boolean> {
  const row = await trx.updateTable('export_object').set({ delete_at: null }).where('name', '=', name).where('delete_at', '>', now).returning('name').executeTakeFirst();
  return row !== undefined;
}

/** Has objects deleted by the next sweep. */
export async function doomObjects(trx: Trx, names: readonly string[], now: Date): Promise<void> {
  if (names.length > 0) await trx.updateTable('export_object').set({ delete_at: now }).where('name', 'in', [...names]).execute();
}

/** Has an object deleted that was to be kept and was not. One that was kept after all, by a commit whose answer was lost, stays. */
export async function abandonObject(db: Db, name: string, now: Date): Promise<void> {
  await db.updateTable('export_object').set({ delete_at: now }).where('name', '=', name).where('delete_at', 'is not', null).execute();
}

/**
 * Has every object of a request deleted by the next sweep, but for those that are being written: they go at their own time, or what is written last
 * would stay behind. Answers how many there are in all.
 */
export async function doomRequest(trx: Trx, requestId: RequestId, now: Date): Promise<number> {
  // Locked first: a page that is being kept right now is kept before the statements below look, or not at all.
  const objects = await trx.selectFrom('export_object').select('name').where('request_id', '=', requestId).orderBy('name').forUpdate().execute();
  await trx.deleteFrom('export_part').where('request_id', '=', requestId).execute();
  await trx.deleteFrom('export_task').where('request_id', '=', requestId).execute();
  await trx.updateTable('export_object').set({ delete_at: now }).where('request_id', '=', requestId).where('delete_at', 'is', null).execute();
  return objects.length;
}

/** Notes that nothing is to be kept for a request any more, where it has no package that says so. */
export async function insertShredded(trx: Trx, requestId: RequestId, now: Date): Promise<void> {
  await trx
    .insertInto('export_package')
    .values({ request_id: requestId, state: 'ended', state_at: now, generated_at: now, ended_why: 'shredded' })
    .onConflict((conflict) => conflict.column('request_id').doNothing())
    .execute();
}

/** Objects whose time is over, longest first. */
export async function dueObjects(db: Db, now: Date, limit: number): Promise<readonly Selectable<ExportTables['export_object']>[]> {
  return db.selectFrom('export_object').selectAll().where('delete_at', '<=', now).orderBy('delete_at').limit(limit).execute();
}

/** Forgets an object that is deleted. */
export async function forgetObject(db: Db, name: string): Promise<void> {
  await db.deleteFrom('export_object').where('name', '=', name).where('delete_at', 'is not', null).execute();
}

/** Notes that a deletion was refused, and when it is tried again. Answers how many objects of the same request were refused as often or more often by now. */
export async function noteRefusal(trx: Trx, name: string, again: Date): Promise<{ readonly refusals: number; readonly alike: number }> {
  const row = await trx.updateTable('export_object').set({ delete_at: again, refusals: sql<number>`refusals + 1` }).where('name', '=', name).returning(['refusals', 'request_id']).executeTakeFirst();
  if (row === undefined) return { refusals: 0, alike: 0 };
  const alike = await trx.selectFrom('export_object').select((select) => select.fn.countAll<string>().as('count')).where('request_id', '=', row.request_id).where('refusals', '>=', row.refusals).executeTakeFirstOrThrow();
  return { refusals: row.refusals, alike: Number(alike.count) };
}

/** Takes a task for the worker of this epoch, until the transaction ends; answers false when one of a higher epoch had it: this one was overtaken. */
export async function fenceTask(trx: Trx, row: { readonly task_id: TaskId; readonly request_id: RequestId; readonly epoch: number }): Promise<boolean> {
  const held = await trx
    .insertInto('export_task')
    .values(row)
    .onConflict((conflict) => conflict.column('task_id').doUpdateSet({ epoch: row.epoch }).where('export_task.epoch', '<=', row.epoch))
    .returning('task_id')
    .executeTakeFirst();
  return held !== undefined;
}

/** Puts a page into the index in place of the one that was there; answers the name of that one's object. */
export async function putPart(trx: Trx, row: Omit<PartRow, 'counts'> & { counts: Counts }): Promise<string | undefined> {
  const before = await trx.selectFrom('export_part').select('object_name').where('task_id', '=', row.task_id).where('ordinal', '=', row.ordinal).forUpdate().executeTakeFirst();
  await trx
    .insertInto('export_part')
    .values({ ...row, counts: JSON.stringify(row.counts) })
    .onConflict((conflict) => conflict.columns(['task_id', 'ordinal']).doUpdateSet({ object_name: row.object_name, counts: JSON.stringify(row.counts), connection: row.connection, request_id: row.request_id }))
    .execute();
  return before?.object_name;
}

/** Takes a task's pages from `from` on out of the index; answers the names of their objects. */
export async function takeParts(trx: Trx, taskId: TaskId, from: number): Promise<readonly string[]> {
  const rows = await trx.deleteFrom('export_part').where('task_id', '=', taskId).where('ordinal', '>=', from).returning('object_name').execute();
  return rows.map((row) => row.object_name);
}

/** Takes the pages of a request's other tasks out of the index; answers the names of their objects. */
export async function takePartsOfOthers(trx: Trx, requestId: RequestId, tasks: readonly TaskId[]): Promise<readonly string[]> {
  const others = trx.deleteFrom('export_part').where('request_id', '=', requestId);
  const rows = await (tasks.length === 0 ? others : others.where('task_id', 'not in', [...tasks])).returning('object_name').execute();
  return rows.map((row) => row.object_name);
}

/** A place in the list of a request's pages. */
export type PartPlace = Pick<PartRow, 'connection' | 'task_id' | 'ordinal'>;

/** The pages of these tasks of a request, in their one order, behind a place. */
export async function partsAfter(db: Db, requestId: RequestId, tasks: readonly TaskId[], after: PartPlace | undefined, limit: number): Promise<readonly PartRow[]> {
  if (tasks.length === 0) return [];
  let query = db.selectFrom('export_part').selectAll().where('request_id', '=', requestId).where('task_id', 'in', [...tasks]).orderBy('connection').orderBy('task_id').orderBy('ordinal').limit(limit);
  if (after !== undefined) query = query.where(sql<boolean>`(connection, task_id, ordinal) > (${after.connection}, ${after.task_id}::uuid, ${after.ordinal})`);
  return query.execute();
}

/** The systems that more than one of these tasks read, for another of the person's identifiers each. */
export async function connectionsReadTwice(db: Db, requestId: RequestId, tasks: readonly TaskId[]): Promise<ReadonlySet<string>> {
  if (tasks.length === 0) return new Set();
  const rows = await db
    .selectFrom('export_part')
    .select('connection')
    .where('request_id', '=', requestId)
    .where('task_id', 'in', [...tasks])
    .groupBy('connection')
    .having((having) => having.fn.count('task_id').distinct(), '>', 1)
    .execute();
  return new Set(rows.map((row) => row.connection));
}

/** One package. */
export async function findPackage(db: Db, requestId: RequestId): Promise<PackageRow | undefined> {
  return db.selectFrom('export_package').selectAll().where('request_id', '=', requestId).executeTakeFirst();
}

/** One package, locked until the transaction ends. */
export async function lockPackage(trx: Trx, requestId: RequestId): Promise<PackageRow | undefined> {
  return trx.selectFrom('export_package').selectAll().where('request_id', '=', requestId).forUpdate().executeTakeFirst();
}

/** The package that a link leads to. */
export async function findByToken(db: Db, tokenHash: Buffer): Promise<PackageRow | undefined> {
  return db.selectFrom('export_package').selectAll().where('token_hash', '=', tokenHash).executeTakeFirst();
}

/** Stores that a package is to be made; does nothing when there is a row. */
export async function insertPackage(trx: Trx, requestId: RequestId, now: Date, wakeAt: Date): Promise<void> {
  await trx
    .insertInto('export_package')
    .values({ request_id: requestId, state: 'making', state_at: now, generated_at: now, wake_at: wakeAt })
    .onConflict((conflict) => conflict.column('request_id').doNothing())
    .execute();
}

/** Changes a package. */
export async function updatePackage(trx: Db, requestId: RequestId, change: Updateable<ExportTables['export_package']>): Promise<void> {
  await trx.updateTable('export_package').set(change).where('request_id', '=', requestId).execute();
}

/** Has a package made anew when it is asked for next, since its pages are others now; one that is being made is not finished. */
export async function outdatePackage(trx: Trx, requestId: RequestId, now: Date): Promise<void> {
  await trx
    .updateTable('export_package')
    .set({ state: 'stale', state_at: now, wake_at: null, lease_until: null })
    .where('request_id', '=', requestId)
    .where('state', 'in', ['ready', 'making'])
    .execute();
}

/** Takes the making of a package for so long; answers its row, or undefined when there is nothing to make or somebody else is at it. */
export async function claimMaking(db: Db, requestId: RequestId, leaseMs: number): Promise<PackageRow | undefined> {
  return db
    .updateTable('export_package')
    .set({ epoch: sql<number>`epoch + 1`, attempts: sql<number>`attempts + 1`, lease_until: sql<Date>`clock_timestamp() + ${leaseMs} * interval '1 millisecond'` })
    .where('request_id', '=', requestId)
    .where('state', '=', 'making')
    .where((where) => where.or([where('lease_until', 'is', null), where('lease_until', '<', sql<Date>`clock_timestamp()`)]))
    .returningAll()
    .executeTakeFirst();
}

/** Goes on holding the making; answers false when another one took it, or it is over. */
export async function renewMaking(db: Db, requestId: RequestId, epoch: number, leaseMs: number): Promise<boolean> {
  const row = await db
    .updateTable('export_package')
    .set({ lease_until: sql<Date>`clock_timestamp() + ${leaseMs} * interval '1 millisecond'` })
    .where('request_id', '=', requestId)
    .where('epoch', '=', epoch)
    .where('state', '=', 'making')
    .returning('epoch')
    .executeTakeFirst();
  return row !== undefined;
}

/** Lets go of every lease: after a crash of a server that is alone on its database. */
export async function freeMakings(db: Db, now: Date): Promise<void> {
  await db.updateTable('export_package').set({ lease_until: null, wake_at: now }).where('state', '=', 'making').execute();
}

/** Packages that are to be made and that nobody is known to make. */
export async function dueMakings(db: Db, now: Date, limit: number): Promise<readonly RequestId[]> {
  const rows = await db.selectFrom('export_package').select('request_id').where('wake_at', '<=', now).orderBy('wake_at').limit(limit).execute();
  return rows.map((row) => row.request_id);
}

/** Packages whose time is over. */
export async function expiredPackages(db: Db, now: Date, limit: number): Promise<readonly RequestId[]> {
  const rows = await db.selectFrom('export_package').select('request_id').where('expires_at', '<=', now).where('state', '<>', 'ended').orderBy('expires_at').limit(limit).execute();
  return rows.map((row) => row.request_id);
}

/** How many copies each of these was given since; the largest of them. */
export async function copiesSince(db: Db, hashes: readonly Buffer[], since: Date): Promise<number> {
  if (hashes.length === 0) return 0;
  const rows = await db
    .selectFrom('export_copy')
    .select((select) => select.fn.countAll<string>().as('count'))
    .where('hash', 'in', [...hashes])
    .where('made_at', '>=', since)
    .groupBy('hash')
    .execute();
  return Math.max(0, ...rows.map((row) => Number(row.count)));
}

/** Notes a copy for each of the hashes. */
export async function insertCopies(trx: Trx, hashes: readonly Buffer[], at: Date): Promise<void> {
  if (hashes.length === 0) return;
  await trx.insertInto('export_copy').values(hashes.map((hash) => ({ hash, made_at: at }))).onConflict((conflict) => conflict.doNothing()).execute();
}

/** Forgets copies from before. */
export async function forgetCopies(db: Db, before: Date): Promise<void> {
  await db.deleteFrom('export_copy').where('made_at', '<', before).execute();
}
