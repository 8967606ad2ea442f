import type { Clock } from '../../platform/clock.ts';
import { tablesOf, type Tx } from '../../platform/db/database.ts';
import type { Jobs } from '../../platform/jobs/jobs.ts';
import { taskRun } from './jobs.ts';
import type { OrchestrationTables } from './tables.ts';

/** Has the tasks that waited for a connection looked at, in the transaction in which it is resumed; the sweep brings any beyond 500. */
export async function wakeConnection(deps: { readonly clock: Clock; readonly jobs: Pick<Jobs, 'send'> }, tx: Tx, connection: string): Promise<void> {
  const woken = await tablesOf<OrchestrationTables>(tx)
    .updateTable('task')
    .set({ wake_at: new Date(deps.clock.now()), queued: false })
    .where('connection', '=', connection)
    .where('status', 'not in', ['settled', 'manual'])
    .where('lease_until', 'is', null)
    .returning('id')
    .execute();
  for (const { id } of woken.slice(0, 500)) await deps.jobs.send(tx, taskRun, { task_id: id });
}
