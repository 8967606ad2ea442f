import type { EraseContext, EraseResult, ExportContext, RectifyContext } from '../../connector-kit/index.ts';
import type { TaskId } from '../../contract/ids.ts';
import { Failure, isFailure } from '../../platform/failure.ts';
import type { OpenVault } from '../identity/index.ts';
import { checkActResult, checkConfirmResult, checkRectifyConfirmation } from './check-result.ts';
import { claimStep, leaseMs, type ClaimedStep } from './claim-step.ts';
import type { OrchestrationDeps } from './deps.ts';
import { exportPerson } from './export-person.ts';
import { recordFailure, recordResult, type StepResult } from './record-step.ts';
import { readLookUp, searchable, throughMapping } from './resolve-request.ts';
import { contextOf, cursorContextOf } from './step-context.ts';
import { renewTaskLease, saveCursor } from './task-store.ts';
import type { OrchestrationTables } from './tables.ts';
import { createWorklist, FencedOut } from './worklist.ts';

/** After this a step is ended from outside: its time, and one call's longest time-out, and some. */
const stepEndMs = 150_000;
/** Runs the next step of a task, if it is due and nobody else does. Safe to call at any time, any number of times. */
export type RunTask = (taskId: TaskId) => Promise<void>;

/** Makes the runner. */
export function createRunTask(deps: OrchestrationDeps): RunTask {
  return async (taskId) => {
    const claimed = await claimStep(deps, taskId);
    if (claimed === undefined) return;
    deps.boundary('task.claimed');
    let vault: OpenVault;
    try {
      vault = await deps.vault.unlock(claimed.task.request_id);
    } catch (error) {
      await recordFailure(deps, claimed, toFailure(deps, error));
      return;
    }
    const outcome = await call(deps, claimed, vault);
    deps.boundary('task.called');
    if (outcome.kind === 'fenced') return;
    if (outcome.kind === 'failure') await recordFailure(deps, claimed, outcome.failure);
    else await recordResult(deps, claimed, vault, outcome.result);
    deps.boundary('task.recorded');
  };
}

type CallOutcome = { readonly kind: 'result'; readonly result: StepResult } | { readonly kind: 'failure'; readonly failure: Failure } | { readonly kind: 'fenced' };

/** Makes the connector's call with a lease that is kept alive, and ends it when the lease is lost. */
async function call(deps: OrchestrationDeps, claimed: ClaimedStep, vault: OpenVault): Promise<CallOutcome> {
  const { task, epoch, connection } = claimed;
  const ended = new AbortController();
  const renewal = setInterval(() => {
    const keep = async (): Promise<void> => {
      const held = await renewTaskLease(deps.database.read<OrchestrationTables>(), task.id, epoch, leaseMs, new Date(deps.clock.now() + leaseMs));
      if (held) await deps.connections.renew(task.connection, task.id, leaseMs);
      else ended.abort();
    };
    keep().catch((error: unknown) => {
      deps.log.warn({ task_id: task.id, err: error }, 'a lease could not be renewed');
    });
  }, leaseMs / 3);
  const end = setTimeout(() => ended.abort(), stepEndMs);
  try {
    const context: EraseContext = {
      ...contextOf(deps, claimed, vault, ended.signal),
      save: async (cursor) => {
        const sealed = vault.seal(Buffer.from(JSON.stringify(cursor), 'utf8'), cursorContextOf(task));
        if (!(await saveCursor(deps.database.read<OrchestrationTables>(), task.id, epoch, sealed))) throw new FencedOut();
      },
      worklist: createWorklist(deps.database, vault, task.id, epoch, deps.clock.now),
    };
    if (task.action === 'locate') {
      const found = readLookUp(connection, claimed.request, vault, await connection.connection.locate(context, searchable(connection, vault)));
      return { kind: 'result', result: { step: 'locate', value: [...found, ...(await throughMapping(deps, vault, found))] } };
    }
    return { kind: 'result', result: await (claimed.step === 'act' ? act(deps, claimed, vault, context) : readBack(claimed, vault, context)) };
  } catch (error) {
    if (error instanceof FencedOut) return { kind: 'fenced' };
    return { kind: 'failure', failure: toFailure(deps, error) };
  } finally {
    clearInterval(renewal);
    clearTimeout(end);
  }
}

/** Does what the task is for, one step of it. */
async function act(deps: OrchestrationDeps, claimed: ClaimedStep, vault: OpenVault, context: EraseContext): Promise<StepResult> {
  const { task, connection } = claimed;
  const step = async (): Promise<EraseResult> => {
    switch (task.action) {
      case 'erase':
      case 'anonymise':
        return connection.connection.erase(context);
      case 'refresh':
        return refresh(claimed, context);
      case 'export':
        return exportPerson(deps, claimed, vault, exportContext(context));
      case 'rectify':
        if (connection.connection.rectify === undefined) throw new Failure('UNSUPPORTED', 'The system cannot correct what it holds: it has to be done by hand, or left out');
        return connection.connection.rectify(await rectifyContext(context, vault));
      case 'locate':
        throw new Error('A look-up is no act');
    }
  };
  return { step: 'act', value: checkActResult(task.action, await step()) };
}

async function readBack({ task, connection }: ClaimedStep, vault: OpenVault, context: EraseContext): Promise<StepResult> {
  if (task.action !== 'rectify') return { step: 'confirm', value: checkConfirmResult(await connection.connection.confirm(context)) };
  if (connection.connection.confirmRectified === undefined) throw new Error('A connector corrects and cannot be asked whether it did');
  return { step: 'confirm_rectified', value: checkRectifyConfirmation(await connection.connection.confirmRectified(await rectifyContext(context, vault))) };
}

const exportContext = ({ fetch, now, shouldYield, signal, request, identifier, identifiers, proven }: EraseContext): Omit<ExportContext, 'cursor'> => ({ fetch, now, shouldYield, signal, request, identifier, identifiers, proven });

async function rectifyContext(context: EraseContext, vault: OpenVault): Promise<RectifyContext> {
  return { ...context, corrections: await vault.readCorrections() };
}

/** Has the aggregates of a system refreshed, unless nothing was erased there: then there is nothing in them to leave out. */
async function refresh({ connection, hasErased }: ClaimedStep, context: EraseContext): Promise<EraseResult> {
  if (!hasErased) return { state: 'done', outcome: 'nothing_matched', counts: {}, residue: [] };
  if (connection.connection.refresh === undefined) throw new Error('A plan has a refresh for a connector that has none');
  return connection.connection.refresh(context);
}

/** Anything that is not a `Failure` is a bug: it is logged without its message, and counts as `INTERNAL`. */
function toFailure(deps: OrchestrationDeps, error: unknown): Failure {
  if (isFailure(error)) return error;
  deps.log.error({ err: error }, 'a step failed on a bug');
  return new Failure('INTERNAL', 'A step failed on a bug', { cause: error });
}
