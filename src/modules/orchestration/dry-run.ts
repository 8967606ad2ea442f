import type { EraseContext } from '../../connector-kit/index.ts';
import type { ErrorCode } from '../../contract/errors.ts';
import type { RequestId } from '../../contract/ids.ts';
import { erasingActions, type Counts, type Residue } from '../../contract/outcomes.ts';
import { Failure, isFailure } from '../../platform/failure.ts';
import type { RequestCore } from '../requests/index.ts';
import type { OrchestrationDeps } from './deps.ts';
import { contextOf, type StepOf } from './step-context.ts';
import { tasksOf, type TaskRow } from './task-store.ts';
import type { OrchestrationTables } from './tables.ts';

/** What one task of a plan would do; `unknown` where its system cannot tell. */
export interface DryRun {
  readonly task: TaskRow;
  readonly result: { readonly is: 'counted'; readonly counts: Counts; readonly residue: readonly Residue[] } | { readonly is: 'unknown' } | { readonly is: 'failed'; readonly code: ErrorCode };
}

/** How long all systems may take. */
const dryRunMs = 60_000;

/**
 * Says what the erasing tasks of a plan would do now, without doing any of it: a system counts in a transaction that it rolls back, or by looking. What is over already is
 * left out. Fails with `CONFLICT` before there is a plan.
 */
export async function dryRun(deps: OrchestrationDeps, request: RequestCore): Promise<readonly DryRun[]> {
  if (request.planned_at === null) throw new Failure('CONFLICT', 'There is no plan yet; the systems are still being searched');
  const tasks = await plannedErasures(deps, request.id);
  const vault = await deps.vault.unlock(request.id);
  const signal = AbortSignal.timeout(dryRunMs);
  return Promise.all(
    tasks.map(async (task): Promise<DryRun> => {
      const connection = deps.connections.all.find((each) => each.name === task.connection);
      if (connection?.connection.dryRun === undefined) return { task, result: { is: 'unknown' } };
      const step: StepOf = { task, request, connection, earlierJobs: [] };
      const context: EraseContext = { ...contextOf(deps, step, vault, signal), save: nothingKept, worklist: { add: nothingKept, take: nothingKept, settle: nothingKept, defer: nothingKept, summary: nothingKept } };
      try {
        return { task, result: { is: 'counted', ...(await connection.connection.dryRun(context)) } };
      } catch (error) {
        if (!isFailure(error)) throw error;
        return { task, result: { is: 'failed', code: error.code } };
      }
    }),
  );
}

async function plannedErasures(deps: OrchestrationDeps, id: RequestId): Promise<readonly TaskRow[]> {
  const tasks = await tasksOf(deps.database.read<OrchestrationTables>(), id);
  return tasks.filter((task) => erasingActions.includes(task.action) && task.decision === task.action && task.status !== 'settled');
}

async function nothingKept(): Promise<never> {
  throw new Error('A dry run keeps nothing');
}
