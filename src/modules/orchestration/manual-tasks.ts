import { z } from 'zod';
import type { ErrorCode } from '../../contract/errors.ts';
import { formatId, type ManualTaskId, type RequestId, type TaskId } from '../../contract/ids.ts';
import { isoTime } from '../../platform/clock.ts';
import { tablesOf, type Database, type Tx } from '../../platform/db/database.ts';
import { Failure } from '../../platform/failure.ts';
import { newId } from '../../platform/ids.ts';
import { findRequest, type RequestTables } from '../requests/index.ts';
import type { OrchestrationDeps } from './deps.ts';
import { taskRun } from './jobs.ts';
import { lockTask, noVendorJob, updateTask } from './task-store.ts';
import type { OrchestrationTables } from './tables.ts';
import { aboutTask, type NamedTask } from './about-task.ts';
import { advanceSoon } from './advance-soon.ts';

const codeSchema = z.string().regex(/^[A-Za-z][A-Za-z0-9_.:/-]{0,99}$/u, 'must be a code or a reference such as ticket:4711, without anything of the person');

/**
 * How a person ends a manual task: the system is tried again, was done by hand, or is left out on purpose. Evidence and reason are codes or
 * references, since the audit log keeps them for ever.
 */
export const settlementSchema = z.discriminatedUnion('how', [
  z.strictObject({ how: z.literal('retry') }),
  z.strictObject({ how: z.literal('done_manually'), evidence: codeSchema.describe('Where it can be seen that it was done: ticket:4711.') }),
  z.strictObject({ how: z.literal('skipped_by_operator'), reason: codeSchema.describe('Why it is left out: test_system.') }),
]);
/** How a person ends a manual task. */
export type ManualSettlement = z.infer<typeof settlementSchema>;

/** A manual task as it is shown. */
export interface ManualTask {
  readonly id: ManualTaskId;
  readonly request_id: RequestId;
  readonly task_id: TaskId | null;
  readonly reason_code: ErrorCode;
  readonly opened_at: Date;
  readonly settled_at: Date | null;
  readonly settled_by: string | null;
  readonly settled_how: string | null;
}

/** How often the data protection officer is reminded of what still waits. */
const remindMs = 24 * 3_600_000;

/** Opens a manual task and alerts the data protection officer, once for each task at a time, in the caller's transaction. */
export async function openManualTask(
  deps: Pick<OrchestrationDeps, 'clock' | 'notify'>,
  tx: Tx,
  about: { readonly requestId: RequestId; readonly taskId: TaskId | null; readonly code: ErrorCode },
): Promise<void> {
  const trx = tablesOf<OrchestrationTables>(tx);
  const now = deps.clock.now();
  const id = newId('manualTask');
  let open = trx.selectFrom('manual_task').select('id').where('request_id', '=', about.requestId).where('settled_at', 'is', null);
  open = about.taskId === null ? open.where('task_id', 'is', null) : open.where('task_id', '=', about.taskId);
  if ((await open.executeTakeFirst()) !== undefined) return;
  await trx
    .insertInto('manual_task')
    .values({
      id,
      request_id: about.requestId,
      task_id: about.taskId,
      reason_code: about.code,
      opened_at: new Date(now),
      remind_at: new Date(now + remindMs),
    })
    .execute();
  await deps.notify(tx, { requestId: about.requestId, template: 'dpo_manual_task', recipient: 'dpo', occasion: id });
}

/** Gives a task that stands as `manual` to a person, with its audit entry, in the caller's transaction. */
export async function escalateTask(deps: OrchestrationDeps, tx: Tx, task: NamedTask, code: ErrorCode): Promise<void> {
  await deps.record(tx, { ...aboutTask(task, deps.clock.now()), type: 'task.escalated', error_code: code });
  await openManualTask(deps, tx, { requestId: task.request_id, taskId: task.id, code });
}

/** Settles what was open about a request, once its own move has answered it: an approval what is about it as a whole, its end everything. */
export async function settleRequestTasks(deps: Pick<OrchestrationDeps, 'clock'>, tx: Tx, requestId: RequestId, how: 'approved' | 'ended'): Promise<void> {
  const open = tablesOf<OrchestrationTables>(tx)
    .updateTable('manual_task')
    .set({ settled_at: new Date(deps.clock.now()), settled_how: how, remind_at: null })
    .where('request_id', '=', requestId)
    .where('settled_at', 'is', null);
  // What became of a package is not answered by a plan that was approved, nor by the end of the request while the storage still has it.
  const kept: readonly ErrorCode[] = how === 'ended' ? ['EXPORT_NOT_DELETED'] : ['EXPORT_FAILED', 'EXPORT_NOT_DELETED', 'EXPORT_NOT_DELIVERED'];
  const answered = open.where('reason_code', 'not in', kept);
  await (how === 'ended' ? answered : answered.where('task_id', 'is', null)).execute();
}

/** Reminds the data protection officer of what has waited for another day; answers how many were reminded of. */
export async function remindOfManualTasks(deps: OrchestrationDeps): Promise<number> {
  return deps.database.transaction(async (tx) => {
    const trx = tablesOf<OrchestrationTables>(tx);
    const now = deps.clock.now();
    const due = await trx
      .selectFrom('manual_task')
      .select(['id', 'request_id'])
      .where('settled_at', 'is', null)
      .where('remind_at', '<=', new Date(now))
      .limit(100)
      .forUpdate()
      .skipLocked()
      .execute();
    for (const each of due) {
      const occasion = `${each.id}:${isoTime(now).slice(0, 10)}`;
      await deps.notify(tx, { requestId: each.request_id, template: 'dpo_manual_task', recipient: 'dpo', occasion });
      await trx.updateTable('manual_task').set({ remind_at: new Date(now + remindMs) }).where('id', '=', each.id).execute();
    }
    return due.length;
  });
}

/** Manual tasks, the oldest open ones first; of one request, or with one reason, where it is given. */
export async function listManualTasks(database: Database, options: { readonly requestId?: RequestId; readonly reasonCode?: ErrorCode; readonly openOnly: boolean; readonly limit: number }): Promise<readonly ManualTask[]> {
  let query = database
    .read<OrchestrationTables>()
    .selectFrom('manual_task')
    .select(['id', 'request_id', 'task_id', 'reason_code', 'opened_at', 'settled_at', 'settled_by', 'settled_how'])
    .orderBy('opened_at')
    .limit(options.limit);
  if (options.requestId !== undefined) query = query.where('request_id', '=', options.requestId);
  if (options.reasonCode !== undefined) query = query.where('reason_code', '=', options.reasonCode);
  if (options.openOnly) query = query.where('settled_at', 'is', null);
  return query.execute();
}

/**
 * Settles a manual task by a person's decision, audited under their name; null is Quittance itself, where what it waited for is there again. `retry` sends the task back to where it stood. A hand-made erasure
 * stays `unconfirmed`: Quittance did not see it. Fails with `NOT_FOUND`, or with `CONFLICT` when it was settled before.
 */
export async function settleManualTask(deps: OrchestrationDeps, id: ManualTaskId, operator: string | null, settlement: ManualSettlement): Promise<void> {
  const { how } = settlement;
  await deps.database.transaction(async (tx) => {
    const trx = tablesOf<OrchestrationTables>(tx);
    const now = deps.clock.now();
    const manual = await trx.selectFrom('manual_task').selectAll().where('id', '=', id).forUpdate().executeTakeFirst();
    if (manual === undefined) throw new Failure('NOT_FOUND', 'There is no such manual task');
    if (manual.settled_at !== null) throw new Failure('CONFLICT', 'The manual task was settled before');
    if (manual.task_id === null && how !== 'retry') throw new Failure('CONFLICT', 'This concerns the whole request; only retry is possible, or reject the request');
    const request = await findRequest(tablesOf<RequestTables>(tx), manual.request_id);
    if (manual.task_id === null && request?.status === 'awaiting_approval') throw new Failure('CONFLICT', 'The plan waits for approval: approve the request, or reject it');
    await trx.updateTable('manual_task').set({ settled_at: new Date(now), settled_by: operator, settled_how: how, remind_at: null }).where('id', '=', id).execute();
    const about = { at: isoTime(now), actor: operator === null ? { role: 'system' as const } : { role: 'operator' as const, id: operator }, request_id: formatId('request', manual.request_id) };
    if (manual.task_id === null) {
      await deps.record(tx, { ...about, type: 'task.retried', reason_code: manual.reason_code });
    } else {
      const task = await lockTask(trx, manual.task_id);
      if (task === undefined || task.status !== 'manual') throw new Failure('CONFLICT', 'The task does not wait for a person any more');
      const entry = { ...about, task_id: formatId('task', task.id), system: task.connection };
      if (how === 'retry') {
        // What was erased and then still seen is erased again: only a new erasure can change what is seen.
        await updateTask(trx, task, { status: 'running', outcome: null, confirmation: null, error_code: null, attempt: 0, confirm_count: 0, cursor: null, cursor_before: task.cursor, wake_at: new Date(now), window_ends_at: null, dispatched_at: null, ...noVendorJob });
        await deps.jobs.send(tx, taskRun, { task_id: task.id });
        await deps.record(tx, { ...entry, type: 'task.retried' });
      } else {
        await updateTask(trx, task, { status: 'settled', outcome: how, confirmation: how === 'done_manually' ? 'unconfirmed' : null, settled_at: new Date(now), wake_at: null });
        await deps.record(tx, { ...entry, type: 'task.settled_manually', outcome: how, reason_code: settlement.how === 'done_manually' ? settlement.evidence : settlement.reason });
      }
    }
    await advanceSoon(deps, tx, manual.request_id);
  });
}

/** Sends every task of a request that waits for a person back to work, but for those of which it is in doubt whose they are: each of them is decided by itself. Answers how many there were. */
export async function retryRequest(deps: OrchestrationDeps, requestId: RequestId, operator: string): Promise<number> {
  const open = (await listManualTasks(deps.database, { requestId, openOnly: true, limit: 1000 })).filter((each) => each.reason_code !== 'APPROVAL_NEEDED' && (each.task_id === null || each.reason_code !== 'SUBJECT_AMBIGUOUS'));
  for (const each of open) await settleManualTask(deps, each.id, operator, { how: 'retry' });
  return open.length;
}
