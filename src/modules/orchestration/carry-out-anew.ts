import { tablesOf, type Tx } from '../../platform/db/database.ts';
import type { RequestCore } from '../requests/index.ts';
import type { OrchestrationDeps } from './deps.ts';
import { afterAppeal } from './domain/after-appeal.ts';
import { escalateTask, settleRequestTasks } from './manual-tasks.ts';
import { addPlannedTasks, waitingLookMs } from './plan-request.ts';
import { againFrom, lockTask, tasksOf, updateTask } from './task-store.ts';
import type { OrchestrationTables } from './tables.ts';

/** Has what a request left undone done anew, in the transaction that opens it again on an appeal. The request is as it was before that. */
export type CarryOutAnew = (tx: Tx, request: RequestCore) => Promise<void>;

/**
 * Makes the use case. Of a request that was closed, every system that can be searched is searched once more, and its tasks that did not come to what was asked wait for that. Of one that was refused, the tasks stand
 * where they stood; its resolution looks for more.
 */
export function createCarryOutAnew(deps: OrchestrationDeps): CarryOutAnew {
  return async (tx, request) => {
    const trx = tablesOf<OrchestrationTables>(tx);
    const before = await tasksOf(trx, request.id);
    await settleRequestTasks(deps, tx, request.id, 'reopened');
    if (request.status === 'closed') {
      const searches = deps.connections.all.filter((each) => each.capabilities.locates.length > 0).map((each) => ({ connection: each.name }));
      await addPlannedTasks(deps, tx, request.id, { isLate: true, searches });
    }
    const now = new Date(deps.clock.now());
    // The look at the request that follows wakes those whose turn it is.
    const lookAt = new Date(now.getTime() + waitingLookMs);
    const lookUps = (await tasksOf(trx, request.id)).filter((each) => each.action === 'locate');
    for (const { id } of before) {
      const task = await lockTask(trx, id);
      // What a plan said of a system that could not be asked is gone where it can be now.
      if (task === undefined || task.status !== 'settled') continue;
      const here = lookUps.filter((each) => each.connection === task.connection && each.id !== id && task.action !== 'locate').map((each) => each.id);
      const after = [...new Set([...task.after, ...here])];
      const wasWithPerson = task.outcome === 'done_manually' || (task.outcome === 'skipped_by_operator' && task.error_code !== null);
      switch (afterAppeal({ ...task, wasBegun: task.dispatched_at !== null }, wasWithPerson)) {
        case 'stays':
          break;
        case 'waits':
          await updateTask(trx, task, { status: 'waiting', outcome: null, settled_at: null, after, wake_at: lookAt });
          break;
        case 'person': {
          const code = task.error_code ?? 'MANUAL_STEP';
          await updateTask(trx, task, { status: 'manual', outcome: null, confirmation: null, settled_at: null, error_code: code, after, wake_at: null });
          await escalateTask(deps, tx, task, code);
          break;
        }
        case 'again':
          await updateTask(trx, task, { ...againFrom(task, now), status: 'waiting', revisit_at: null, counts: '{}', residue: '[]', after, wake_at: lookAt });
          break;
      }
    }
  };
}
