import { z } from 'zod';
import type { AuditEntry } from '../../contract/audit-entry.ts';
import { formatId, type ManualTaskId, type RequestId } from '../../contract/ids.ts';
import { isoTime } from '../../platform/clock.ts';
import { tablesOf, type Tx } from '../../platform/db/database.ts';
import { Failure } from '../../platform/failure.ts';
import { findRequest, type RequestTables } from '../requests/index.ts';
import { advanceSoon } from './advance-soon.ts';
import type { OrchestrationDeps } from './deps.ts';
import { taskRun } from './jobs.ts';
import { isAboutMessage, listManualTasks, type ManualTask } from './manual-tasks.ts';
import type { OrchestrationTables } from './tables.ts';
import { againFrom, lockTask, tasksOf, updateTask } from './task-store.ts';
import { tellRecipients } from './tell-recipients.ts';

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

/** What every entry of a settlement has. */
type About = Pick<AuditEntry, 'at' | 'actor' | 'request_id'>;

/**
 * Settles a manual task by a person's decision, audited under their name; null is Quittance itself, where what it waited for is there again. `retry` sends the task back to where it stood, and a message that
 * was not sent on its way again. A hand-made erasure stays `unconfirmed`: Quittance did not see it. Fails with `NOT_FOUND`, or with `CONFLICT` when it was settled before.
 */
export async function settleManualTask(deps: OrchestrationDeps, id: ManualTaskId, operator: string | null, settlement: ManualSettlement): Promise<void> {
  const tellAgain = await prepareTelling(deps, id, settlement);
  await deps.database.transaction(async (tx) => {
    const trx = tablesOf<OrchestrationTables>(tx);
    const now = deps.clock.now();
    const manual = await trx.selectFrom('manual_task').selectAll().where('id', '=', id).forUpdate().executeTakeFirst();
    if (manual === undefined) throw new Failure('NOT_FOUND', 'There is no such manual task');
    if (manual.settled_at !== null) throw new Failure('CONFLICT', 'The manual task was settled before');
    if (manual.task_id === null) await mustConcernWhole(tx, manual, settlement);
    await trx.updateTable('manual_task').set({ settled_at: new Date(now), settled_by: operator, settled_how: settlement.how, remind_at: null }).where('id', '=', id).execute();
    const about: About = { at: isoTime(now), actor: operator === null ? { role: 'system' } : { role: 'operator', id: operator }, request_id: formatId('request', manual.request_id) };
    await (manual.task_id === null ? settleWhole(deps, tx, manual, settlement, about, tellAgain) : settleOfTask(deps, tx, manual, settlement, about));
    await advanceSoon(deps, tx, manual.request_id);
  });
}

/** What concerns a whole request is tried again; only a message can be sent by hand, or be left unsent on purpose. */
async function mustConcernWhole(tx: Tx, manual: ManualTask, { how }: ManualSettlement): Promise<void> {
  if (how !== 'retry' && !isAboutMessage(manual)) throw new Failure('CONFLICT', 'This concerns the whole request; only retry is possible, or reject the request');
  const request = await findRequest(tablesOf<RequestTables>(tx), manual.request_id);
  if (request?.status === 'awaiting_approval') throw new Failure('CONFLICT', 'The plan waits for approval: approve the request, or reject it');
}

async function settleWhole(deps: OrchestrationDeps, tx: Tx, manual: ManualTask, settlement: ManualSettlement, about: About, tellAgain: (tx: Tx) => Promise<void>): Promise<void> {
  if (settlement.how !== 'retry') {
    const reason = settlement.how === 'done_manually' ? settlement.evidence : settlement.reason;
    await deps.record(tx, { ...about, type: 'notification.settled_manually', outcome: settlement.how, error_code: manual.reason_code, reason_code: reason });
    return;
  }
  await deps.record(tx, { ...about, type: 'task.retried', reason_code: manual.reason_code });
  if (isAboutMessage(manual)) await deps.sayAgain(tx, manual.request_id, manual.reason_code === 'EXPORT_NOT_DELIVERED' ? 'ready' : 'recipient');
  await tellAgain(tx);
}

async function settleOfTask(deps: OrchestrationDeps, tx: Tx, manual: ManualTask, settlement: ManualSettlement, about: About): Promise<void> {
  const trx = tablesOf<OrchestrationTables>(tx);
  const now = new Date(deps.clock.now());
  const task = manual.task_id === null ? undefined : await lockTask(trx, manual.task_id);
  if (task === undefined || task.status !== 'manual') throw new Failure('CONFLICT', 'The task does not wait for a person any more');
  const entry = { ...about, task_id: formatId('task', task.id), system: task.connection };
  const { how } = settlement;
  if (how === 'retry') {
    await updateTask(trx, task, againFrom(task, now));
    await deps.jobs.send(tx, taskRun, { task_id: task.id });
    await deps.record(tx, { ...entry, type: 'task.retried' });
  } else {
    await updateTask(trx, task, { status: 'settled', outcome: how, confirmation: how === 'done_manually' ? 'unconfirmed' : null, settled_at: now, wake_at: null });
    await deps.record(tx, { ...entry, type: 'task.settled_manually', outcome: how, reason_code: settlement.how === 'done_manually' ? settlement.evidence : settlement.reason });
  }
}

/** Of a retry to tell recipients: has those told who are declared by now. The vault is opened before the transaction, since that may call a key service. */
async function prepareTelling(deps: OrchestrationDeps, id: ManualTaskId, { how }: ManualSettlement): Promise<(tx: Tx) => Promise<void>> {
  const row = how === 'retry' ? await deps.database.read<OrchestrationTables>().selectFrom('manual_task').select('request_id').where('id', '=', id).where('reason_code', '=', 'RECIPIENT_NOT_TOLD').executeTakeFirst() : undefined;
  if (row === undefined) return async () => undefined;
  const vault = await deps.vault.unlock(row.request_id);
  return async (tx) => {
    const request = await findRequest(tablesOf<RequestTables>(tx), row.request_id);
    if (request?.status === 'closed') await tellRecipients(deps, tx, request, vault, await tasksOf(tablesOf<OrchestrationTables>(tx), row.request_id));
  };
}

/** Sends every task of a request that waits for a person back to work, but for those of which it is in doubt whose they are: each of them is decided by itself. Answers how many there were. */
export async function retryRequest(deps: OrchestrationDeps, requestId: RequestId, operator: string): Promise<number> {
  const open = (await listManualTasks(deps.database, { requestId, openOnly: true, limit: 1000 })).filter((each) => each.reason_code !== 'APPROVAL_NEEDED' && (each.task_id === null || each.reason_code !== 'SUBJECT_AMBIGUOUS'));
  for (const each of open) await settleManualTask(deps, each.id, operator, { how: 'retry' });
  return open.length;
}
