import { dueRequests, requestAdvance, type RequestTables } from '../requests/index.ts';
import type { OrchestrationDeps } from './deps.ts';
import { taskRun } from './jobs.ts';
import { remindOfManualTasks } from './manual-tasks.ts';
import { dueTasks } from './task-store.ts';
import type { OrchestrationTables } from './tables.ts';

/** How many due things one sweep hands out; what is left is due at the next one. */
const sweepLimit = 500;
/** Things only just due are left to the job that is on its way for them. */
const lateMs = 2000;

/** What a sweep found. */
export interface Swept {
  readonly requests: number;
  readonly tasks: number;
  readonly reminders: number;
}

/**
 * Finds every request and task whose time has come and that no job looked at, and has it looked at: the net under the queue. With
 * `lateMs` of 0 it takes everything that is due, for a start after a crash. Two jobs for one thing are a cheap look too many.
 */
export async function sweepDue(deps: OrchestrationDeps, options: { readonly lateMs: number } = { lateMs }): Promise<Swept> {
  const before = new Date(deps.clock.now() - options.lateMs);
  const requests = await dueRequests(deps.database.read<RequestTables>(), before, sweepLimit);
  for (const id of requests) await deps.jobs.poke(requestAdvance, { request_id: id });
  const tasks = await dueTasks(deps.database.read<OrchestrationTables>(), before, sweepLimit);
  for (const id of tasks) await deps.jobs.poke(taskRun, { task_id: id });
  const reminders = await remindOfManualTasks(deps);
  return { requests: requests.length, tasks: tasks.length, reminders };
}
