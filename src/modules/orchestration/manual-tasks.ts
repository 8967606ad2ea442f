import type { ErrorCode } from '../../contract/errors.ts';
import type { ManualTaskId, RequestId, TaskId } from '../../contract/ids.ts';
import { isoTime } from '../../platform/clock.ts';
import { tablesOf, type Database, type Tx } from '../../platform/db/database.ts';
import { newId } from '../../platform/ids.ts';
import type { OrchestrationDeps } from './deps.ts';
import type { OrchestrationTables } from './tables.ts';
import { aboutTask, type NamedTask } from './about-task.ts';

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

/** Codes of messages that did not go out. */
const messageCodes: readonly ErrorCode[] = ['EXPORT_NOT_DELIVERED', 'RECIPIENT_NOT_TOLD'];

/** Whether a manual task is about a message that did not go out: a person can have it sent again, say that they told by hand, or why nobody is told. */
export const isAboutMessage = (manual: Pick<ManualTask, 'reason_code'>): boolean => messageCodes.includes(manual.reason_code);

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

/** Settles what was open about a request, once its own move has answered it: an approval, and its being opened again, what is about it as a whole; its end everything. */
export async function settleRequestTasks(deps: Pick<OrchestrationDeps, 'clock'>, tx: Tx, requestId: RequestId, how: 'approved' | 'ended' | 'reopened'): Promise<void> {
  const open = tablesOf<OrchestrationTables>(tx)
    .updateTable('manual_task')
    .set({ settled_at: new Date(deps.clock.now()), settled_how: how, remind_at: null })
    .where('request_id', '=', requestId)
    .where('settled_at', 'is', null);
  // What became of a package or a message is not answered by a plan that was approved, nor by the end of the request while the storage still has it, or a recipient was not told.
  const kept: readonly ErrorCode[] = how === 'ended' ? ['EXPORT_NOT_DELETED', 'RECIPIENT_NOT_TOLD'] : ['EXPORT_FAILED', 'EXPORT_NOT_DELETED', ...messageCodes];
  const answered = open.where('reason_code', 'not in', kept);
  await (how === 'ended' ? answered : answered.where('task_id', 'is', null)).execute();
}

/** Settles that a person could not be told where their copy is: they have it, or an operator has it for them. */
export async function settleDelivery(deps: Pick<OrchestrationDeps, 'clock'>, tx: Tx, requestId: RequestId, operator: string | null): Promise<void> {
  await tablesOf<OrchestrationTables>(tx)
    .updateTable('manual_task')
    .set({ settled_at: new Date(deps.clock.now()), settled_by: operator, settled_how: 'delivered', remind_at: null })
    .where('request_id', '=', requestId)
    .where('reason_code', '=', 'EXPORT_NOT_DELIVERED')
    .where('settled_at', 'is', null)
    .execute();
}

/** Whether a recipient of a request's data is still to be told by a person, for which that person must be known. */
export async function recipientWaits(database: Database, requestId: RequestId): Promise<boolean> {
  const open = database.read<OrchestrationTables>().selectFrom('manual_task').select('id').where('request_id', '=', requestId).where('reason_code', '=', 'RECIPIENT_NOT_TOLD').where('settled_at', 'is', null);
  return (await open.executeTakeFirst()) !== undefined;
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
