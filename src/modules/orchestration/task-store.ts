import { sql, type Insertable, type Kysely, type Selectable, type Transaction, type Updateable } from 'kysely';
import type { IdentifierId, RequestId, TaskId } from '../../contract/ids.ts';
import { mayFollow, taskLife } from '../../contract/life.ts';
import { erasingActions, type TaskStatus } from '../../contract/outcomes.ts';
import { Failure } from '../../platform/failure.ts';
import type { OrchestrationTables } from './tables.ts';

/** Of a task that begins anew: nothing of the vendor's job that it had. */
export const noVendorJob = { vendor_job: null, vendor_job_open: false, reconciled_at: null, reconciled_state: null } as const;

/** A task's row. */
export type TaskRow = Selectable<OrchestrationTables['task']>;

/** What changes of a task that is done anew: what it erased and is still seen is erased again, under keys of its own, since only that can change what is seen. */
export const againFrom = (task: Pick<TaskRow, 'cursor'>, now: Date) =>
  ({ status: 'running', outcome: null, confirmation: null, settled_at: null, error_code: null, attempt: 0, confirm_count: 0, cursor: null, cursor_before: task.cursor, wake_at: now, window_ends_at: null, dispatched_at: null, ...noVendorJob }) as const;

/** Adds the tasks that are not there yet; answers the ids of those added. */
export async function insertTasks(trx: Transaction<OrchestrationTables>, tasks: readonly Insertable<OrchestrationTables['task']>[]): Promise<readonly TaskId[]> {
  if (tasks.length === 0) return [];
  const rows = await trx
    .insertInto('task')
    .values([...tasks])
    .onConflict((conflict) => conflict.columns(['request_id', 'connection', 'identifier_id', 'action']).doNothing())
    .returning('id')
    .execute();
  return rows.map((row) => row.id);
}

/** Which of these requests have begun to erase something. */
export async function erasingAmong(db: Kysely<OrchestrationTables>, requests: readonly RequestId[]): Promise<ReadonlySet<RequestId>> {
  if (requests.length === 0) return new Set();
  const rows = await db.selectFrom('task').select('request_id').distinct().where('request_id', 'in', requests).where('action', 'in', [...erasingActions]).where('dispatched_at', 'is not', null).execute();
  return new Set(rows.map((row) => row.request_id));
}

/** Takes back what a plan said of systems that could not be asked, now that they can. */
export async function removeNotApplicable(trx: Transaction<OrchestrationTables>, requestId: RequestId, connections: readonly string[]): Promise<void> {
  if (connections.length === 0) return;
  await trx.deleteFrom('task').where('request_id', '=', requestId).where('decision', '=', 'not_applicable').where('connection', 'in', connections).execute();
}

/** Takes tasks out of a plan that have not begun. */
export async function removeWaiting(trx: Transaction<OrchestrationTables>, ids: readonly TaskId[]): Promise<void> {
  if (ids.length === 0) return;
  await trx.deleteFrom('task').where('id', 'in', ids).where('status', '=', 'waiting').where('dispatched_at', 'is', null).execute();
}

/** All tasks of a request, in the order in which they were planned. */
export async function tasksOf(db: Kysely<OrchestrationTables>, requestId: RequestId): Promise<readonly TaskRow[]> {
  return db.selectFrom('task').selectAll().where('request_id', '=', requestId).orderBy('created_at').orderBy('id').execute();
}

/** One task, locked until the transaction ends, and whether somebody holds it now by the database's clock. */
export async function lockTask(trx: Transaction<OrchestrationTables>, id: TaskId): Promise<(TaskRow & { leased: boolean }) | undefined> {
  return trx
    .selectFrom('task')
    .selectAll()
    .select(sql<boolean>`coalesce(lease_until > clock_timestamp(), false)`.as('leased'))
    .where('id', '=', id)
    .forUpdate()
    .executeTakeFirst();
}

function mustFollow(from: TaskStatus, to: TaskStatus): void {
  if (!mayFollow(taskLife, from, to)) throw new Failure('CONFLICT', `A task that is ${from} cannot become ${to}`);
}

/** Changes a locked task. Fails with `CONFLICT` when the table of the task's life does not allow its move. */
export async function updateTask(trx: Transaction<OrchestrationTables>, task: Pick<TaskRow, 'id' | 'status'>, change: Updateable<OrchestrationTables['task']>): Promise<void> {
  if (change.status !== undefined) mustFollow(task.status, change.status);
  await trx.updateTable('task').set(change).where('id', '=', task.id).execute();
}

/** Has a task that waits looked at now; answers whether it still waited. */
export async function wakeWaiting(trx: Transaction<OrchestrationTables>, id: TaskId, now: Date): Promise<boolean> {
  const row = await trx.updateTable('task').set({ wake_at: now }).where('id', '=', id).where('status', '=', 'waiting').returning('id').executeTakeFirst();
  return row !== undefined;
}

/**
 * Where a task that others wait for lets them begin. What is with a person keeps no other system waiting. In its own system a look-up does, since the
 * erasure would take away what it looks for, and an erasure keeps the refresh waiting, which would miss what the person decides.
 */
export function letsBegin(waiting: Pick<TaskRow, 'action' | 'connection'>, before: Pick<TaskRow, 'action' | 'status' | 'connection'>): boolean {
  if (before.status !== 'manual' || before.connection !== waiting.connection) return before.status === 'settled' || before.status === 'manual';
  return waiting.action !== 'refresh' && before.action !== 'locate';
}

/** Whether everything that a task waits for lets it begin. */
export async function mayBegin(trx: Transaction<OrchestrationTables>, task: Pick<TaskRow, 'action' | 'connection' | 'after'>): Promise<boolean> {
  if (task.after.length === 0) return true;
  const before = await trx.selectFrom('task').select(['action', 'status', 'connection']).where('id', 'in', task.after).execute();
  return before.every((each) => letsBegin(task, each));
}

/** Whether a look-up of the same system, which was planned before a task, is not over. */
export async function isBeingSearched(trx: Transaction<OrchestrationTables>, task: Pick<TaskRow, 'after' | 'connection'>): Promise<boolean> {
  if (task.after.length === 0) return false;
  const open = trx.selectFrom('task').select('id').where('id', 'in', task.after).where('connection', '=', task.connection).where('action', '=', 'locate').where('status', '<>', 'settled');
  return (await open.executeTakeFirst()) !== undefined;
}

/** Takes a locked task for one step: the next epoch, a lease by the database's clock, and the attempt's intent. */
export async function startAttempt(
  trx: Transaction<OrchestrationTables>,
  task: TaskRow,
  options: { readonly step: 'act' | 'confirm'; readonly now: Date; readonly leaseMs: number; readonly wakeAt: Date; readonly windowEndsAt: Date },
): Promise<{ readonly epoch: number; readonly number: number }> {
  const epoch = task.epoch + 1;
  const number = task.attempts_total + 1;
  const status = options.step === 'act' ? 'running' : 'confirming';
  mustFollow(task.status, status);
  await trx
    .updateTable('task')
    .set({
      status,
      epoch,
      queued: false,
      attempt: task.attempt + 1,
      attempts_total: number,
      lease_until: sql<Date>`clock_timestamp() + ${options.leaseMs} * interval '1 millisecond'`,
      wake_at: options.wakeAt,
      dispatched_at: task.dispatched_at ?? options.now,
      window_ends_at: task.window_ends_at ?? options.windowEndsAt,
    })
    .where('id', '=', task.id)
    .execute();
  await trx.insertInto('attempt').values({ task_id: task.id, number, step: options.step, epoch, started_at: options.now }).execute();
  return { epoch, number };
}

/** The task that has queued longest for a place on a connection, taken out of the queue and due now. */
export async function nextQueued(trx: Transaction<OrchestrationTables>, connection: string, now: Date): Promise<TaskId | undefined> {
  const row = await trx
    .updateTable('task')
    .set({ queued: false, wake_at: now })
    .where('id', '=', (of) =>
      of.selectFrom('task as next').select('next.id').where('next.connection', '=', connection).where('next.queued', '=', true).where('next.status', 'not in', ['settled', 'manual']).orderBy('next.created_at').orderBy('next.id').limit(1).forUpdate().skipLocked(),
    )
    .returning('id')
    .executeTakeFirst();
  return row?.id;
}

/** Ends an attempt with what came of it. */
export async function finishAttempt(trx: Transaction<OrchestrationTables>, taskId: TaskId, number: number, now: Date, result: string, errorCode: string | null): Promise<void> {
  await trx.updateTable('attempt').set({ finished_at: now, result, error_code: errorCode }).where('task_id', '=', taskId).where('number', '=', number).execute();
}

/** Holds a task for longer, unless another took it: answers whether it is still held. */
export async function renewTaskLease(db: Kysely<OrchestrationTables>, id: TaskId, epoch: number, leaseMs: number, wakeAt: Date): Promise<boolean> {
  const row = await db
    .updateTable('task')
    .set({ lease_until: sql<Date>`clock_timestamp() + ${leaseMs} * interval '1 millisecond'`, wake_at: wakeAt })
    .where('id', '=', id)
    .where('epoch', '=', epoch)
    // Not after the step has given it back: a renewal that came late would take it again for nobody.
    .where('lease_until', 'is not', null)
    .returning('id')
    .executeTakeFirst();
  return row !== undefined;
}

/** Keeps a cursor in the middle of a step, and how far it is, if the step still holds the task. */
export async function saveCursor(db: Kysely<OrchestrationTables>, id: TaskId, epoch: number, cursor: Buffer): Promise<boolean> {
  const row = await db.updateTable('task').set({ cursor }).where('id', '=', id).where('epoch', '=', epoch).returning('id').executeTakeFirst();
  return row !== undefined;
}

/** Tasks whose time has come, longest waiting first. */
export async function dueTasks(db: Kysely<OrchestrationTables>, now: Date, limit: number): Promise<readonly TaskId[]> {
  const rows = await db.selectFrom('task').select('id').where('wake_at', '<=', now).orderBy('wake_at').limit(limit).execute();
  return rows.map((row) => row.id);
}

/**
 * Frees what a process that died held, so that nothing waits for leases to run out. Only for a server that is alone on its database: the
 * embedded one, which holds the data folder's lock.
 */
export async function freeLeases(db: Kysely<OrchestrationTables>, now: Date): Promise<void> {
  await db.updateTable('task').set({ lease_until: null, wake_at: now }).where('lease_until', 'is not', null).execute();
  await sql`DELETE FROM connection_lease`.execute(db);
}

/** What came of the tasks that a task waited for: their vendors' jobs, in the order of the plan, and whether they erased anything in its own system. */
export async function earlierThan(
  trx: Transaction<OrchestrationTables>,
  task: Pick<TaskRow, 'after' | 'connection'>,
): Promise<{ readonly earlierJobs: readonly { readonly connection: string; readonly job: string }[]; readonly hasErased: boolean }> {
  if (task.after.length === 0) return { earlierJobs: [], hasErased: false };
  const rows = await trx.selectFrom('task').select(['connection', 'vendor_job', 'outcome']).where('id', 'in', task.after).orderBy('created_at').orderBy('id').execute();
  return {
    earlierJobs: rows.flatMap((row) => (row.vendor_job === null ? [] : [{ connection: row.connection, job: row.vendor_job }])),
    hasErased: rows.some((row) => row.connection === task.connection && (row.outcome === 'erased' || row.outcome === 'anonymised' || row.outcome === 'done_manually')),
  };
}

/** Marks what is not over of a task's connection as seen there, where it is about one of these identifiers. */
export async function markSeen(trx: Transaction<OrchestrationTables>, task: Pick<TaskRow, 'request_id' | 'connection'>, identifiers: readonly IdentifierId[]): Promise<void> {
  if (identifiers.length === 0) return;
  await trx
    .updateTable('task')
    .set({ seen_here: true })
    .where('request_id', '=', task.request_id)
    .where('connection', '=', task.connection)
    .where('identifier_id', 'in', identifiers)
    .where('status', '<>', 'settled')
    .execute();
}
