import { createHmac } from 'node:crypto';
import type { EraseContext, Json } from '../../connector-kit/index.ts';
import { formatId, type RequestId, type TaskId } from '../../contract/ids.ts';
import type { Identifier } from '../../contract/identifiers.ts';
import { backoffMs } from '../../platform/backoff.ts';
import { tablesOf, type Tx } from '../../platform/db/database.ts';
import { Failure, isFailure } from '../../platform/failure.ts';
import type { ConfiguredConnection } from '../connections/index.ts';
import type { OpenVault, VaultIdentifier } from '../identity/index.ts';
import { executingStatuses, findRequest, requestAdvance, type RequestTables } from '../requests/index.ts';
import type { OrchestrationDeps } from './deps.ts';
import { taskRun } from './jobs.ts';
import { checkEraseResult } from './check-result.ts';
import { recordFailure, recordResult, type StepResult } from './record-step.ts';
import { countUnsettled, lockTask, renewTaskLease, saveCursor, startAttempt, updateTask, type TaskRow } from './task-store.ts';
import type { OrchestrationTables } from './tables.ts';
import { createWorklist, FencedOut } from './worklist.ts';

/** How long a step may work before it must hand back its cursor; short, so that a worker can be stopped. */
const stepMs = 20_000;
/** How long a task is held without a sign of life. Renewed at a third of it. */
const leaseMs = 30_000;
/** After this a step is ended from outside: its time, and one call's longest time-out, and some. */
const stepEndMs = 150_000;
/** How early a job may come, by clocks that differ a little, and still count as being in time. */
const earlyMs = 20;
/** When a task that waits for others is looked at again even if nobody woke it. */
const waitingLookMs = 600_000;

/** A step that was taken: what it is of, and the epoch that fences it. */
export interface ClaimedStep {
  readonly task: TaskRow;
  readonly step: 'erase' | 'confirm';
  readonly epoch: number;
  readonly number: number;
  readonly receivedAt: number;
  readonly connection: ConfiguredConnection;
}

/** Runs the next step of a task, if it is due and nobody else does. Safe to call at any time, any number of times. */
export type RunTask = (taskId: TaskId) => Promise<void>;

/** Makes the runner. */
export function createRunTask(deps: OrchestrationDeps): RunTask {
  return async (taskId) => {
    const claimed = await claim(deps, taskId);
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

/** Takes a task: its dependencies, its connection's places, its lease, and the recorded intent, in one transaction. */
async function claim(deps: OrchestrationDeps, taskId: TaskId): Promise<ClaimedStep | undefined> {
  return deps.database.transaction(async (tx) => {
    const trx = tablesOf<OrchestrationTables>(tx);
    const task = await lockTask(trx, taskId);
    const now = deps.clock.now();
    if (task === undefined || task.leased || task.status === 'manual') return undefined;
    if (task.wake_at === null || task.wake_at.getTime() > now + earlyMs) return undefined;
    const request = await findRequest(tablesOf<RequestTables>(tx), task.request_id);
    if (request === undefined || !executingStatuses.includes(request.status)) {
      // A request that is opened again wakes its tasks itself.
      await wake(deps, tx, task, waitingLookMs, false);
      return undefined;
    }
    if (task.status === 'settled') return undefined;
    if (task.status === 'waiting' && (await countUnsettled(trx, task.after)) > 0) {
      await wake(deps, tx, task, waitingLookMs, false);
      return undefined;
    }
    const connection = deps.connections.get(task.connection);
    const admission = await deps.connections.admit(tx, task.connection, taskId, leaseMs);
    if (!admission.admitted) {
      // Spread those that wait for one place, so that they do not come back all at once.
      await wake(deps, tx, task, admission.retryAfterMs * (1 + deps.random.fraction()), true);
      return undefined;
    }
    const step = task.status === 'confirming' ? 'confirm' : 'erase';
    const windowEndsAt = new Date(now + connection.windowMs);
    const started = await startAttempt(trx, task, { step, now: new Date(now), leaseMs, wakeAt: new Date(now + leaseMs), windowEndsAt });
    if (step === 'erase' && task.dispatched_at === null) {
      await deps.record(tx, {
        type: 'task.started',
        at: new Date(now).toISOString(),
        actor: { role: 'system' },
        request_id: formatId('request', task.request_id),
        task_id: formatId('task', task.id),
        system: task.connection,
        connector: task.connector,
        action: task.action,
        identifiers: [{ kind: task.identifier_kind, commitment: task.commitment }],
      });
    }
    return {
      task: { ...task, attempt: task.attempt + 1, window_ends_at: task.window_ends_at ?? windowEndsAt },
      step,
      ...started,
      receivedAt: request.received_at.getTime(),
      connection,
    };
  });
}

async function wake(deps: OrchestrationDeps, tx: Tx, task: TaskRow, delayMs: number, byJob: boolean): Promise<void> {
  await updateTask(tablesOf<OrchestrationTables>(tx), task.id, { wake_at: new Date(deps.clock.now() + delayMs) });
  if (byJob) await deps.jobs.send(tx, taskRun, { task_id: task.id }, { delayMs });
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
    const identifier = vault.identifiers.find((each) => each.id === task.identifier_id);
    if (identifier === undefined) throw new Error('A task names an identifier that the vault does not hold');
    const context = eraseContext(deps, claimed, vault, identifier, ended.signal);
    const result: StepResult =
      claimed.step === 'erase'
        ? { step: 'erase', value: checkEraseResult(await connection.connection.erase(context)) }
        : { step: 'confirm', value: await connection.connection.confirm(context) };
    return { kind: 'result', result };
  } catch (error) {
    if (error instanceof FencedOut) return { kind: 'fenced' };
    return { kind: 'failure', failure: toFailure(deps, error) };
  } finally {
    clearInterval(renewal);
    clearTimeout(end);
  }
}

function eraseContext(deps: OrchestrationDeps, claimed: ClaimedStep, vault: OpenVault, identifier: VaultIdentifier, signal: AbortSignal): EraseContext {
  const { task, epoch, connection } = claimed;
  const cursorContext = `cursor:${task.id}`;
  return {
    ...connection.context({ signal, stepEndsAt: deps.clock.now() + stepMs }),
    identifier: plainIdentifier(identifier),
    identifiers: vault.identifiers.map((each) => plainIdentifier(each)),
    action: task.action,
    seenHere: task.seen_here,
    attempt: task.attempt,
    receivedAt: claimed.receivedAt,
    cursor: task.cursor === null ? null : (JSON.parse(vault.open(task.cursor, cursorContext).toString('utf8')) as Json),
    save: async (cursor) => {
      const sealed = vault.seal(Buffer.from(JSON.stringify(cursor), 'utf8'), cursorContext);
      if (!(await saveCursor(deps.database.read<OrchestrationTables>(), task.id, epoch, sealed))) throw new FencedOut();
    },
    worklist: createWorklist(deps.database, vault, task.id, epoch, deps.clock.now),
    // Keyed by the nonce, so that the key tells the vendor nothing and dies with the data key.
    idempotencyKey: (part, generation = 0) => createHmac('sha256', vault.nonce).update(`${task.id}:${part}:${generation}`, 'utf8').digest('hex'),
  };
}

/** An identifier as a connector gets it: what it is called, and nothing of how it was found. */
export function plainIdentifier({ kind, value, raw }: VaultIdentifier): Identifier {
  return { kind, value, ...(raw === undefined ? {} : { raw }) };
}

/** Anything that is not a `Failure` is a bug: it is logged without its message, and counts as `INTERNAL`. */
function toFailure(deps: OrchestrationDeps, error: unknown): Failure {
  if (isFailure(error)) return error;
  deps.log.error({ err: error }, 'a step failed on a bug');
  return new Failure('INTERNAL', 'A step failed on a bug', { cause: error });
}

/** The wait before the next attempt, in milliseconds. What somebody asked for is kept, with a tenth of it as jitter. */
export function retryWaitMs(deps: Pick<OrchestrationDeps, 'random'>, attempt: number, failure: Failure): number {
  const fraction = deps.random.fraction();
  if (failure.retryAfterMs !== undefined) return Math.ceil(failure.retryAfterMs * (1 + fraction / 10));
  return backoffMs(attempt, fraction);
}

/** Asks for a look at a request, in the transaction in which something of it changed. */
export async function advanceSoon(deps: Pick<OrchestrationDeps, 'jobs'>, tx: Tx, requestId: RequestId): Promise<void> {
  await deps.jobs.send(tx, requestAdvance, { request_id: requestId });
}

