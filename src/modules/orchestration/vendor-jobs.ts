import { sql } from 'kysely';
import type { Callback, JobState } from '../../connector-kit/index.ts';
import { formatId, type TaskId } from '../../contract/ids.ts';
import { tablesOf, type Tx } from '../../platform/db/database.ts';
import { isFailure } from '../../platform/failure.ts';
import type { JobKind } from '../../platform/jobs/jobs.ts';
import { aboutTask } from './about-task.ts';
import { advanceSoon } from './advance-soon.ts';
import type { OrchestrationDeps } from './deps.ts';
import { taskRun } from './jobs.ts';
import { lockTask, updateTask, type TaskRow } from './task-store.ts';
import type { OrchestrationTables } from './tables.ts';

/** Asks the vendors for their jobs that nobody has heard of. Carries nothing. */
export const vendorJobsReconcile: JobKind = { name: 'vendor-jobs-reconcile', concurrency: 1, expireSeconds: 600 };
/** Asks a vendor for the job of one task. Carries `task_id`. */
export const vendorJobLook: JobKind = { name: 'vendor-job-look', concurrency: 2 };

/** A task that is looked at within this time anyway is left to that look. */
const soonMs = 60_000;
/** How long the vendor's word for a settled task is checked. */
const settledMs = 24 * 3_600_000;
/** How often it is checked in that time. */
const settledEveryMs = 6 * 3_600_000;
/** Jobs of one connection that one run asks for; those not asked for longest come first, so that the next run goes on behind them. */
const runMax = 200;
/** How long asking for one job may take. */
const askMs = 60_000;

/** What a reconciliation came to. */
export interface Reconciled {
  readonly asked: number;
  /** Tasks that had not heard of the end of their job, and now go on. */
  readonly woken: number;
  /** Settled tasks whose vendor says by now that their job failed, or is still at work. */
  readonly contradicted: number;
}

/**
 * Takes a vendor's callback: checks its signature, and has the tasks of the jobs that it names ask the vendor now. Whatever it says is only a
 * reason to ask, so one that is late, repeated, out of order or about nothing changes nothing. Fails with `NOT_FOUND`, `SIGNATURE_INVALID`,
 * `SIGNATURE_STALE` or `BODY_MALFORMED`.
 */
export async function takeCallback(deps: OrchestrationDeps, name: string, callback: Callback): Promise<void> {
  const { connection } = deps.connections.get(name);
  const { jobs } = connection.readCallback?.(callback) ?? { jobs: [] };
  if (jobs.length === 0) return;
  const rows = await deps.database.read<OrchestrationTables>().selectFrom('task').select(['id', 'status']).where('connection', '=', name).where('vendor_job', 'in', jobs).limit(100).execute();
  for (const { id, status } of rows) {
    if (status === 'manual') await deps.jobs.poke(vendorJobLook, { task_id: id });
    else if (status !== 'settled') await deps.database.transaction((tx) => wake(deps, tx, id, 'called_back'));
  }
}

/** Has a task that waits for its vendor ask it now; answers false when it does not wait, or somebody is at it. */
async function wake(deps: OrchestrationDeps, tx: Tx, id: TaskId, why: 'called_back' | 'reconciled'): Promise<boolean> {
  const trx = tablesOf<OrchestrationTables>(tx);
  const task = await lockTask(trx, id);
  const now = deps.clock.now();
  if (task === undefined || task.leased || (task.status !== 'erasing' && task.status !== 'confirming')) return false;
  if (task.wake_at === null || task.wake_at.getTime() <= now) return false;
  await updateTask(trx, task, { wake_at: new Date(now) });
  await deps.jobs.send(tx, taskRun, { task_id: id });
  await deps.record(tx, { ...aboutTask(task, now), type: why === 'called_back' ? 'task.called_back' : 'task.reconciled' });
  return true;
}

/**
 * Asks the vendors for every job that is not settled and not about to be asked for, those with a person because their window passed included, and
 * for what was started in the last 24 hours. It finds the ends whose callback was lost, and those that came when nobody waited any more.
 */
export async function reconcileVendorJobs(deps: OrchestrationDeps): Promise<Reconciled> {
  const sum = { asked: 0, woken: 0, contradicted: 0 };
  const states = new Map((await deps.connections.status()).map((each) => [each.name, each.state]));
  for (const { name, connection } of deps.connections.all) {
    if (connection.jobState === undefined || states.get(name) !== 'ready') continue;
    for (const id of await toAsk(deps, name)) {
      const found = await lookAtJob(deps, id);
      if (found === 'vendor_unavailable') break;
      sum.asked += 1;
      if (found === 'woken') sum.woken += 1;
      if (found === 'contradicted') sum.contradicted += 1;
    }
  }
  if (sum.woken + sum.contradicted > 0) deps.log.warn(sum, "vendors' jobs had ended without being heard of");
  return sum;
}

async function toAsk(deps: OrchestrationDeps, connection: string): Promise<readonly TaskId[]> {
  const now = deps.clock.now();
  const rows = await deps.database
    .read<OrchestrationTables>()
    .selectFrom('task')
    .select('id')
    .where('connection', '=', connection)
    .where('vendor_job', 'is not', null)
    .where((of) =>
      of.or([
        of.and([of('status', 'in', ['erasing', 'confirming']), of('wake_at', '>', new Date(now + soonMs))]),
        of.and([of('status', '=', 'manual'), of('error_code', '=', 'TASK_WINDOW_PASSED')]),
        of.and([of('status', '=', 'settled'), of('dispatched_at', '>', new Date(now - settledMs)), of.or([of('reconciled_at', 'is', null), of('reconciled_at', '<', new Date(now - settledEveryMs))])]),
      ]),
    )
    .orderBy(sql`reconciled_at NULLS FIRST`)
    .limit(runMax)
    .execute();
  return rows.map((row) => row.id);
}

/** Asks a vendor for the job of one task, and does what the answer asks for. */
export async function lookAtJob(deps: OrchestrationDeps, id: TaskId): Promise<'nothing' | 'woken' | 'contradicted' | 'vendor_unavailable'> {
  const db = deps.database.read<OrchestrationTables>();
  const task = await db.selectFrom('task').selectAll().where('id', '=', id).executeTakeFirst();
  if (task === undefined || task.vendor_job === null) return 'nothing';
  const configured = deps.connections.get(task.connection);
  let state: JobState | undefined;
  try {
    const signal = AbortSignal.timeout(askMs);
    state = await configured.connection.jobState?.(configured.context({ signal, stepEndsAt: deps.clock.now() + askMs }), task.vendor_job);
  } catch (error) {
    if (!isFailure(error)) throw error;
    // The next run asks again; a vendor that is down is not asked for the rest of its jobs now.
    deps.log.warn({ task_id: formatId('task', id), system: task.connection, err: error }, 'a vendor could not be asked for its job');
    return 'vendor_unavailable';
  }
  await db.updateTable('task').set({ reconciled_at: new Date(deps.clock.now()) }).where('id', '=', id).execute();
  return deps.database.transaction(async (tx) => {
    if (task.status === 'settled') return (await contradict(deps, tx, task, state)) ? 'contradicted' : 'nothing';
    if (state !== 'finished' && state !== 'failed') return 'nothing';
    if (task.status === 'manual') return state === 'finished' && (await resume(deps, tx, id)) ? 'woken' : 'nothing';
    return (await wake(deps, tx, id, 'reconciled')) ? 'woken' : 'nothing';
  });
}

/** Takes a task back from a person whom it was given to because its window had passed: its vendor has finished after all, and is asked by it. */
async function resume(deps: OrchestrationDeps, tx: Tx, id: TaskId): Promise<boolean> {
  const trx = tablesOf<OrchestrationTables>(tx);
  const task = await lockTask(trx, id);
  if (task === undefined || task.status !== 'manual' || task.error_code !== 'TASK_WINDOW_PASSED') return false;
  const now = deps.clock.now();
  await trx.updateTable('manual_task').set({ settled_at: new Date(now), settled_how: 'finished_late', remind_at: null }).where('task_id', '=', id).where('settled_at', 'is', null).execute();
  // With its cursor: it stands where it stood, and has a window of its own for what is left.
  await updateTask(trx, task, { status: 'erasing', error_code: null, attempt: 0, wake_at: new Date(now), window_ends_at: null });
  await deps.jobs.send(tx, taskRun, { task_id: id });
  await deps.record(tx, { ...aboutTask(task, now), type: 'task.resumed', reason_code: 'finished_late' });
  await advanceSoon(deps, tx, task.request_id);
  return true;
}

/** Says, once, that a vendor takes back what a task was settled by. What was certified stays as it was observed; a person looks. */
async function contradict(deps: OrchestrationDeps, tx: Tx, task: TaskRow, state: JobState | undefined): Promise<boolean> {
  const claimed = task.outcome === 'erased' || task.outcome === 'anonymised';
  if (!claimed || (state !== 'failed' && state !== 'running') || task.reconciled_state === state) return false;
  const now = deps.clock.now();
  await tablesOf<OrchestrationTables>(tx).updateTable('task').set({ reconciled_state: state }).where('id', '=', task.id).execute();
  await deps.record(tx, { ...aboutTask(task, now), type: 'task.contradicted', reason_code: state });
  await deps.notify(tx, { requestId: task.request_id, template: 'dpo_contradicted', recipient: 'dpo', occasion: task.id });
  return true;
}
