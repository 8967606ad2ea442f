import type { EarlierJob } from '../../connector-kit/index.ts';
import type { ErrorCode } from '../../contract/errors.ts';
import type { TaskId } from '../../contract/ids.ts';
import { copyRights, erasingActions } from '../../contract/outcomes.ts';
import { tablesOf, type Tx } from '../../platform/db/database.ts';
import type { ConfiguredConnection } from '../connections/index.ts';
import { executingStatuses, findRequest, notUnderWayStatuses, openAmong, type RequestCore, type RequestTables } from '../requests/index.ts';
import { aboutTask } from './about-task.ts';
import { advanceSoon } from './advance-soon.ts';
import type { OrchestrationDeps } from './deps.ts';
import { taskRun } from './jobs.ts';
import { escalateTask } from './manual-tasks.ts';
import { waitingLookMs } from './plan-request.ts';
import { earlierThan, erasingAmong, isBeingSearched, lockTask, mayBegin, startAttempt, updateTask, type TaskRow } from './task-store.ts';
import type { OrchestrationTables } from './tables.ts';

/** How long a task is held without a sign of life. Renewed at a third of it. */
export const leaseMs = 30_000;
/** How early a job may come, by clocks that differ a little, and still count as being in time. */
const earlyMs = 20;
/** How long after the end of somebody's lease a task is looked at. */
const leaseLookMs = 1000;
/** How soon to look again at an erasure whose system is being searched. */
const searchLookMs = 15_000;
/** How far ahead another clock may be for its jobs to be sent again for the rest of the time; beyond it the sweep brings them. */
const skewMs = 10_000;

/** A step that was taken: what it is of, and the epoch that fences it. */
export interface ClaimedStep {
  readonly task: TaskRow;
  readonly step: 'act' | 'confirm';
  readonly epoch: number;
  readonly number: number;
  readonly request: RequestCore;
  readonly earlierJobs: readonly EarlierJob[];
  /** Whether any of the tasks that came before has erased something in this system. */
  readonly hasErased: boolean;
  readonly connection: ConfiguredConnection;
}

/** Takes a task: its dependencies, its connection's places, its lease, and the recorded intent, in one transaction. */
export async function claimStep(deps: OrchestrationDeps, taskId: TaskId): Promise<ClaimedStep | undefined> {
  return deps.database.transaction(async (tx) => {
    const trx = tablesOf<OrchestrationTables>(tx);
    const task = await lockTask(trx, taskId);
    const now = deps.clock.now();
    if (task === undefined || task.status === 'manual') return undefined;
    if (task.leased) {
      // Whoever holds it may have died, and this job be what its death gave back: it is looked at again when the lease ends.
      const endsMs = Math.max(0, (task.wake_at?.getTime() ?? now) - now);
      await deps.jobs.send(tx, taskRun, { task_id: task.id }, { delayMs: endsMs + leaseLookMs });
      return undefined;
    }
    if (task.wake_at === null) return undefined;
    const earlyByMs = task.wake_at.getTime() - now;
    if (earlyByMs > earlyMs) {
      // The job came by another clock, which is a little ahead.
      if (earlyByMs < skewMs) await deps.jobs.send(tx, taskRun, { task_id: taskId }, { delayMs: earlyByMs });
      return undefined;
    }
    if (task.status === 'settled') return undefined;
    const request = await findRequest(tablesOf<RequestTables>(tx), task.request_id);
    if (request === undefined || !executingStatuses.includes(request.status)) {
      // A request that is opened again wakes its tasks itself.
      await wake(deps, tx, task, waitingLookMs, false);
      return undefined;
    }
    if (task.status === 'waiting' && !(await mayBegin(trx, task))) {
      await wake(deps, tx, task, waitingLookMs, false);
      return undefined;
    }
    if (task.status === 'waiting' && erasingActions.includes(task.action) && (await copyGoesFirst(deps, tx, request))) {
      await wake(deps, tx, task, searchLookMs, true);
      return undefined;
    }
    // One that a person tries again waits for nothing but the look-up of its own system, which it would take the ground from.
    if (task.status === 'running' && task.dispatched_at === null && (await isBeingSearched(trx, task))) {
      await wake(deps, tx, task, searchLookMs, true);
      return undefined;
    }
    const connection = deps.connections.all.find((each) => each.name === task.connection);
    const isOver = task.window_ends_at !== null && task.window_ends_at.getTime() <= now;
    if (connection === undefined || isOver) {
      // A connection that was taken out of the configuration, or a window that passed while its connection was shut: a person decides.
      await handToPerson(deps, tx, task, connection === undefined ? 'CONFIG_INVALID' : 'TASK_WINDOW_PASSED');
      return undefined;
    }
    const admission = await deps.connections.admit(tx, task.connection, taskId, leaseMs);
    if (!admission.admitted) {
      // Whoever gives a place back wakes the one that queues longest; the time is only for when nobody does. A connection that is shut is no queue:
      // whoever could begin and is kept out has its window run, so that a person hears of it.
      await updateTask(trx, task, { queued: true, ...(admission.reason === 'busy' ? {} : { window_ends_at: task.window_ends_at ?? new Date(now + connection.windowMs) }) });
      await wake(deps, tx, task, admission.retryAfterMs * (1 + deps.random.fraction()), true);
      return undefined;
    }
    const step = task.status === 'confirming' ? 'confirm' : 'act';
    const windowEndsAt = new Date(now + connection.windowMs);
    const started = await startAttempt(trx, task, { step, now: new Date(now), leaseMs, wakeAt: new Date(now + leaseMs), windowEndsAt });
    if (step === 'act' && task.dispatched_at === null) {
      await deps.record(tx, {
        ...aboutTask(task, now),
        type: 'task.started',
        identifiers: [{ kind: task.identifier_kind, commitment: task.commitment }],
      });
    }
    return {
      task: { ...task, attempt: task.attempt + 1, window_ends_at: task.window_ends_at ?? windowEndsAt },
      step,
      ...started,
      request,
      ...(await earlierThan(trx, task)),
      connection,
    };
  });
}

/** Whether the person has asked for a copy that is not made yet: what is erased before that can be given to nobody any more. */
async function copyGoesFirst(deps: OrchestrationDeps, tx: Tx, request: RequestCore): Promise<boolean> {
  const sharing = await deps.vault.findSharing(request.id, tx);
  const open = await openAmong(tablesOf<RequestTables>(tx), sharing, notUnderWayStatuses);
  if (!open.some((each) => copyRights.includes(each.request_right))) return false;
  // Once something is erased, copies wait for the erasure.
  return !(await erasingAmong(tablesOf<OrchestrationTables>(tx), [request.id])).has(request.id);
}

async function wake(deps: OrchestrationDeps, tx: Tx, task: TaskRow, delayMs: number, byJob: boolean): Promise<void> {
  await updateTask(tablesOf<OrchestrationTables>(tx), task, { wake_at: new Date(deps.clock.now() + delayMs) });
  if (byJob) await deps.jobs.send(tx, taskRun, { task_id: task.id }, { delayMs });
}

async function handToPerson(deps: OrchestrationDeps, tx: Tx, task: TaskRow, code: ErrorCode): Promise<void> {
  await updateTask(tablesOf<OrchestrationTables>(tx), task, { status: 'manual', outcome: null, error_code: code, wake_at: null, queued: false });
  await escalateTask(deps, tx, task, code);
  await advanceSoon(deps, tx, task.request_id);
}
