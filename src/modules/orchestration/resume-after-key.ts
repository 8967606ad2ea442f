import { isFailure } from '../../platform/failure.ts';
import type { OrchestrationDeps } from './deps.ts';
import { listManualTasks } from './manual-tasks.ts';
import { settleManualTask } from './settle-manual-task.ts';

/** What one start sends back to work; what is left goes on with the next start, or when a person asks for it. */
const resumedMax = 10_000;

/**
 * Sends back to work what waited for a person only because a master key was missing, wherever the request's key opens again. For the start of a
 * worker, since a key is configured by a restart. Answers how many tasks that were.
 */
export async function resumeAfterKey(deps: OrchestrationDeps): Promise<number> {
  let resumed = 0;
  for (const each of await listManualTasks(deps.database, { openOnly: true, reasonCode: 'KEY_UNAVAILABLE', limit: resumedMax })) {
    try {
      await deps.vault.unlock(each.request_id);
      await settleManualTask(deps, each.id, null, { how: 'retry' });
      resumed += 1;
    } catch (error) {
      // Still without its key, destroyed, or settled by somebody else in this moment: it stays as it is.
      if (!isFailure(error) || !['KEY_UNAVAILABLE', 'KEY_DESTROYED', 'CONFLICT'].includes(error.code)) throw error;
    }
  }
  return resumed;
}
