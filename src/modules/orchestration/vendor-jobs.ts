import { sql } from 'kysely';
import type { Callback, JobState } from '../../connector-kit/index.ts';
import type { ErrorCode } from '../../contract/errors.ts';
import { formatId, type TaskId } from '../../contract/ids.ts';
import { tablesOf, type Tx } from '../../platform/db/database.ts';
import { Failure, isFailure } from '../../platform/failure.ts';
import type { JobKind } from '../../platform/jobs/jobs.ts';
import { executingStatuses, lockRequest, type RequestTables } from '../requests/index.ts';
import { aboutTask } from './about-task.ts';
import { advanceSoon } from './advance-soon.ts';
import type { OrchestrationDeps } from './deps.ts';
import { taskRun } from './jobs.ts';
import { escalateTask } from './manual-tasks.ts';
import { lockTask, updateTask, type TaskRow } from './task-store.ts';
import type { OrchestrationTables } from './tables.ts';

/** Asks the vendors for their jobs that nobody has heard of. Carries nothing. */
export const vendorJobsReconcile: JobKind = { name: 'vendor-jobs-reconcile', concurrency: 1, expireSeconds: 600 };
/** Asks a vendor for the job of one task. Carries `task_id`. */
export const vendorJobLook: JobKind = { name: 'vendor-job-look', concurrency: 2 };

/** A task that is looked at within this time anyway is left to that look. */
const soonMs = 60_000;
/** How long after it was settled the vendor's word for a task is checked. */
const settledMs = 24 * 3_600_000;
/** How often it is checked in that time. */
const settledEveryMs = 6 * 3_600_000;
/** Jobs of one connection and kind that one run asks for; those not asked for longest come first, so that the next run goes on behind them. */
const runMax = 200;
/** Repetitions of a callback within this time are passed over. */
const repeatMs = 15_000;
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
 * reason to ask, so one that is late, repeated, out of order or about nothing changes nothing. Fails with `SIGNATURE_INVALID`, also where there is no
 * such connection, `SIGNATURE_STALE` or `BODY_MALFORMED`.
 */
export async function takeCallback(deps: OrchestrationDeps, name: string, callback: Callback): Promise<void> {
  const connection = deps.connections.all.find((each) => each.name === name)?.connection;
  // A connection that does not exist answers as a bad signature: strangers are not told which there are.
  if (connection?.readCallback === undefined) throw new Failure('SIGNATURE_INVALID', 'The signature is not valid');
  await hearOfJobs(deps, name, connection.readCallback(callback).jobs);
}

/** Has the tasks of some of a connection's jobs ask for them now: something was heard of them. Heard twice, late, or about nothing, it changes nothing. */
export async function hearOfJobs(deps: OrchestrationDeps, connection: string, jobs: readonly string[]): Promise<void> {
  if (jobs.length === 0) return;
  const rows = await deps.database
    .read<OrchestrationTables>()
    .selectFrom('task')
    .select(['id', 'status'])
    .where('connection', '=', connection)
    .where('vendor_job', 'in', [...jobs])
    .where('vendor_job_open', '=', true)
    // One callback, however often it is repeated, costs the vendor no more than its polling does.
    .where((of) => of.or([of('reconciled_at', 'is', null), of('reconciled_at', '<', new Date(deps.clock.now() - repeatMs))]))
    .limit(100)
    .execute();
  for (const { id, status } of rows) {
    if (status === 'manual') await deps.jobs.poke(vendorJobLook, { task_id: id });
    else await deps.database.transaction(async (tx) => wake(deps, tx, await lockTask(tablesOf<OrchestrationTables>(tx), id), 'task.called_back'));
  }
}

/** Has a locked task that waits for its vendor ask it now; answers false when it does not wait, or somebody is at it. */
async function wake(deps: OrchestrationDeps, tx: Tx, task: Awaited<ReturnType<typeof lockTask>>, type: 'task.called_back' | 'task.reconciled'): Promise<boolean> {
  const now = deps.clock.now();
  if (task === undefined || task.leased || (task.status !== 'running' && task.status !== 'confirming')) return false;
  if (task.wake_at === null || task.wake_at.getTime() <= now) return false;
  await updateTask(tablesOf<OrchestrationTables>(tx), task, { wake_at: new Date(now), reconciled_at: new Date(now) });
  await deps.jobs.send(tx, taskRun, { task_id: task.id });
  await deps.record(tx, { ...aboutTask(task, now), type });
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
      const found = await lookAtJob(deps, id).catch((error: unknown) => {
        deps.log.error({ task_id: formatId('task', id), system: name, err: error }, 'a vendor’s job could not be looked at, on a bug');
        return 'nothing' as const;
      });
      if (found === 'vendor_unavailable') break;
      sum.asked += 1;
      if (found === 'woken') sum.woken += 1;
      if (found === 'contradicted') sum.contradicted += 1;
    }
  }
  if (sum.woken + sum.contradicted > 0) deps.log.warn(sum, "vendors' jobs had ended without being heard of");
  return sum;
}

/** The tasks whose jobs a run asks for, of each kind those not asked for longest: what waits for a vendor, what is with a person, what is settled. */
async function toAsk(deps: OrchestrationDeps, connection: string): Promise<readonly TaskId[]> {
  const now = deps.clock.now();
  const jobs = deps.database.read<OrchestrationTables>().selectFrom('task').select('id').where('connection', '=', connection).where('vendor_job', 'is not', null).orderBy(sql`reconciled_at NULLS FIRST`).limit(runMax);
  const kinds = [
    jobs.where('status', 'in', ['running', 'confirming']).where('vendor_job_open', '=', true).where('wake_at', '>', new Date(now + soonMs)),
    jobs.where('status', '=', 'manual').where('error_code', '=', 'TASK_WINDOW_PASSED').where('vendor_job_open', '=', true).where('reconciled_state', 'is', null),
    jobs
      .where('status', '=', 'settled')
      .where('settled_at', '>', new Date(now - settledMs))
      .where('reconciled_state', 'is', null)
      .where((of) => of.or([of('reconciled_at', 'is', null), of('reconciled_at', '<', new Date(now - settledEveryMs))])),
  ];
  const found: TaskId[] = [];
  for (const kind of kinds) found.push(...(await kind.execute()).map((row) => row.id));
  return found;
}

/** Failures that say of the vendor, and not of the one job, that nothing can be asked now. */
const vendorAway: readonly ErrorCode[] = ['VENDOR_TIMEOUT', 'VENDOR_UNAVAILABLE', 'VENDOR_RATE_LIMITED', 'CONNECTION_AUTH', 'CONNECTION_REFUSED'];

/** Asks a vendor for the job of one task, and does what the answer asks for. */
export async function lookAtJob(deps: OrchestrationDeps, id: TaskId): Promise<'nothing' | 'woken' | 'contradicted' | 'vendor_unavailable'> {
  const db = deps.database.read<OrchestrationTables>();
  // Before it is asked for: one that cannot be read goes behind the others, and keeps none of them from being asked for.
  const task = await db.updateTable('task').set({ reconciled_at: new Date(deps.clock.now()) }).where('id', '=', id).where('vendor_job', 'is not', null).returningAll().executeTakeFirst();
  if (task === undefined || task.vendor_job === null) return 'nothing';
  const configured = deps.connections.get(task.connection);
  let state: JobState | undefined;
  try {
    const signal = AbortSignal.timeout(askMs);
    state = await configured.connection.jobState?.(configured.context({ signal, stepEndsAt: deps.clock.now() + askMs }), task.vendor_job);
  } catch (error) {
    if (!isFailure(error)) throw error;
    deps.log.warn({ task_id: formatId('task', id), system: task.connection, err: error }, 'a vendor could not be asked for its job');
    return vendorAway.includes(error.code) ? 'vendor_unavailable' : 'nothing';
  }
  return deps.database.transaction(async (tx) => {
    const current = await lockTask(tablesOf<OrchestrationTables>(tx), id);
    // It went on meanwhile, with another job perhaps: then this answer is about nothing any more.
    if (current === undefined || current.status !== task.status || current.vendor_job !== task.vendor_job) return 'nothing';
    if (current.status === 'settled') return (await contradict(deps, tx, current, state)) ? 'contradicted' : 'nothing';
    if (state !== 'finished' && state !== 'failed') return 'nothing';
    if (current.status === 'manual') return state === 'finished' && (await resume(deps, tx, current)) ? 'woken' : 'nothing';
    return (await wake(deps, tx, current, 'task.reconciled')) ? 'woken' : 'nothing';
  });
}

/**
 * Takes a task back from a person whom it was given to because its window had passed while it waited for this very job: the vendor has finished it
 * after all, and is asked by the task. Once for each job, so that a person keeps what it does not settle.
 */
async function resume(deps: OrchestrationDeps, tx: Tx, task: TaskRow): Promise<boolean> {
  if (task.error_code !== 'TASK_WINDOW_PASSED' || !task.vendor_job_open || task.reconciled_state !== null) return false;
  const trx = tablesOf<OrchestrationTables>(tx);
  const now = deps.clock.now();
  await trx.updateTable('manual_task').set({ settled_at: new Date(now), settled_how: 'finished_late', remind_at: null }).where('task_id', '=', task.id).where('settled_at', 'is', null).execute();
  // With its cursor: it stands where it stood, and has a window of its own for what is left.
  await updateTask(trx, task, { status: 'running', error_code: null, attempt: 0, wake_at: new Date(now), window_ends_at: null, reconciled_state: 'finished' });
  await deps.jobs.send(tx, taskRun, { task_id: task.id });
  await deps.record(tx, { ...aboutTask(task, now), type: 'task.resumed', reason_code: 'finished_late' });
  await advanceSoon(deps, tx, task.request_id);
  return true;
}

/**
 * A vendor takes back what a task was settled by. While the request is open, a person decides on the task; where it is closed, what was certified
 * stays as it was observed, and the data protection officer is told.
 */
async function contradict(deps: OrchestrationDeps, tx: Tx, task: TaskRow, state: JobState | undefined): Promise<boolean> {
  const claimed = task.outcome === 'erased' || task.outcome === 'anonymised';
  if (!claimed || (state !== 'failed' && state !== 'running') || task.reconciled_state !== null) return false;
  const trx = tablesOf<OrchestrationTables>(tx);
  const now = deps.clock.now();
  await deps.record(tx, { ...aboutTask(task, now), type: 'task.contradicted', reason_code: state });
  const request = await lockRequest(tablesOf<RequestTables>(tx), task.request_id);
  if (request !== undefined && executingStatuses.includes(request.status)) {
    await updateTask(trx, task, { status: 'manual', outcome: null, confirmation: null, settled_at: null, error_code: 'VENDOR_INCONSISTENT', reconciled_state: state });
    await escalateTask(deps, tx, task, 'VENDOR_INCONSISTENT');
    await advanceSoon(deps, tx, task.request_id);
  } else {
    await updateTask(trx, task, { reconciled_state: state });
    await deps.notify(tx, { requestId: task.request_id, template: 'dpo_contradicted', recipient: 'dpo', occasion: task.id });
  }
  return true;
}
