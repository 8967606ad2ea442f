import type { ConfirmResult, EraseResult, Json, RectifyConfirmation } from '../../connector-kit/index.ts';
import { formatId } from '../../contract/ids.ts';
import type { Identifier, IdentifierKind } from '../../contract/identifiers.ts';
import { tablesOf, type Tx } from '../../platform/db/database.ts';
import { oneAtATime } from '../../platform/db/one-at-a-time.ts';
import type { Failure } from '../../platform/failure.ts';
import type { NewIdentifier, OpenVault } from '../identity/index.ts';
import { aboutTask } from './about-task.ts';
import { advanceSoon } from './advance-soon.ts';
import type { ClaimedStep } from './claim-step.ts';
import type { OrchestrationDeps } from './deps.ts';
import { contactKinds, doubtful } from './domain/doubt.ts';
import { afterAct, afterConfirm, afterFailure, afterRectifyConfirm, type Verdict } from './domain/erasure-outcome.ts';
import { retryWaitMs } from './domain/retry-wait.ts';
import { taskRun } from './jobs.ts';
import { escalateTask } from './manual-tasks.ts';
import { addPlannedTasks } from './plan-request.ts';
import { provenOf } from './resolve-request.ts';
import { cursorContextOf } from './step-context.ts';
import { finishAttempt, lockTask, markSeen, nextQueued, tasksOf, updateTask, type TaskRow } from './task-store.ts';
import type { OrchestrationTables } from './tables.ts';

/** What a step answered. */
export type StepResult =
  | { readonly step: 'act'; readonly value: EraseResult }
  | { readonly step: 'confirm'; readonly value: ConfirmResult }
  | { readonly step: 'confirm_rectified'; readonly value: RectifyConfirmation }
  | { readonly step: 'locate'; readonly value: readonly NewIdentifier[] };

type TaskChange = Parameters<typeof updateTask>[2];

/** Records what a step answered, unless another worker has taken the task over in the meantime. */
export async function recordResult(deps: OrchestrationDeps, claimed: ClaimedStep, vault: OpenVault, result: StepResult): Promise<void> {
  await ifStillHeld(deps, claimed, async (tx, task) => {
    const now = deps.clock.now();
    await finishAttempt(tablesOf<OrchestrationTables>(tx), task.id, claimed.number, new Date(now), result.step === 'locate' ? 'located' : result.value.state, null);
    await deps.connections.noteSuccess(tx, task.connection);
    if (result.step === 'act') await recordAct(deps, tx, task, vault, result.value);
    else if (result.step === 'confirm') await recordConfirm(deps, tx, task, vault, result.value);
    else if (result.step === 'confirm_rectified') await recordRectified(deps, tx, task, result.value);
    else await recordLocate(deps, tx, task, vault, result.value);
  });
}

/** Records that a step failed, and when it is tried again or who must look. */
export async function recordFailure(deps: OrchestrationDeps, claimed: ClaimedStep, failure: Failure): Promise<void> {
  await ifStillHeld(deps, claimed, async (tx, task) => {
    const now = deps.clock.now();
    const trx = tablesOf<OrchestrationTables>(tx);
    await finishAttempt(trx, task.id, claimed.number, new Date(now), 'failed', failure.code);
    if (failure.code === 'VENDOR_TIMEOUT' || failure.code === 'VENDOR_UNAVAILABLE') await deps.connections.noteFailure(tx, task.connection);
    const verdict = afterFailure(failure, {
      status: claimed.step === 'act' ? 'running' : 'confirming',
      attempt: task.attempt,
      windowPassed: windowPassed(task, now),
      waitMs: retryWaitMs(task.attempt, deps.random.fraction(), failure.retryAfterMs),
    });
    await deps.record(tx, { ...aboutTask(task, now), type: 'task.attempt_failed', error_code: failure.code, attempt: claimed.number });
    await apply(deps, tx, task, verdict, { error_code: failure.code });
  });
  const { task } = claimed;
  deps.log.warn({ request_id: formatId('request', task.request_id), task_id: formatId('task', task.id), system: task.connection, step: claimed.step, attempt: claimed.number, err: failure }, 'a step failed');
}

async function ifStillHeld(deps: OrchestrationDeps, claimed: ClaimedStep, work: (tx: Tx, task: TaskRow) => Promise<void>): Promise<void> {
  await deps.database.transaction(async (tx) => {
    const task = await lockTask(tablesOf<OrchestrationTables>(tx), claimed.task.id);
    if (task === undefined || task.epoch !== claimed.epoch) return;
    await work(tx, task);
    // Last, since it locks the connection's places for all processes until the commit.
    await deps.connections.release(tx, task.connection, task.id);
    const next = await nextQueued(tablesOf<OrchestrationTables>(tx), task.connection, new Date(deps.clock.now()));
    if (next !== undefined) await deps.jobs.send(tx, taskRun, { task_id: next });
  });
}

async function recordAct(deps: OrchestrationDeps, tx: Tx, task: TaskRow, vault: OpenVault, result: EraseResult): Promise<void> {
  const now = deps.clock.now();
  const isUnmatched = result.state === 'done' && result.outcome === 'nothing_matched';
  const verdict = afterAct(result, { seenHere: task.seen_here, isLastHope: isUnmatched && (await isLastHope(deps, tx, task)) });
  const change: TaskChange = { attempt: 0, error_code: null, vendor_job_open: false };
  if ('cursor' in result && result.cursor !== undefined) {
    change.cursor = vault.seal(Buffer.from(JSON.stringify(result.cursor satisfies Json), 'utf8'), cursorContextOf(task));
  }
  switch (result.state) {
    case 'continue':
      if (result.done !== undefined) change.progress_done = result.done;
      if (result.total !== undefined) change.progress_total = result.total;
      break;
    case 'wait':
      change.vendor_job_open = result.vendorJob !== undefined || (task.vendor_job_open && result.reason === 'vendor_job');
      if (result.vendorJob !== undefined && result.vendorJob !== task.vendor_job) {
        change.vendor_job = result.vendorJob;
        change.reconciled_state = null;
        await deps.record(tx, { ...aboutTask(task, now), type: 'task.vendor_job', vendor_job: result.vendorJob });
      }
      if (windowPassed(task, now)) {
        await apply(deps, tx, task, { to: 'manual', code: 'TASK_WINDOW_PASSED' }, change);
        return;
      }
      break;
    case 'operator':
      change.counts = JSON.stringify(result.counts);
      change.residue = JSON.stringify(result.residue);
      break;
    case 'done':
      change.counts = JSON.stringify(result.counts);
      change.residue = JSON.stringify(result.residue);
      change.proof = JSON.stringify(result.proof ?? {});
      if (result.vendorJob !== undefined) change.vendor_job = result.vendorJob;
      if (result.revisitAt !== undefined) change.revisit_at = new Date(result.revisitAt);
      await deps.record(tx, {
        ...aboutTask(task, now),
        type: 'task.reported',
        outcome: result.outcome,
        counts: result.counts,
        residue: [...result.residue],
        ...(result.proof === undefined ? {} : { proof: result.proof }),
      });
      break;
  }
  await apply(deps, tx, task, verdict, change);
}

/** Kinds of ids that a system itself gave, or was given, for the person; an address may be anybody's who never was there. */
const ownNames: readonly IdentifierKind[] = ['external_id', 'user_id'];

/**
 * Whether a task is the last of a system that cannot be searched and that knew the person under nothing so far. Who has an id there is told to be
 * there, so a person looks for the form that it has in that system.
 */
async function isLastHope(deps: OrchestrationDeps, tx: Tx, task: TaskRow): Promise<boolean> {
  if (task.action === 'refresh' || deps.connections.get(task.connection).capabilities.locates.length > 0) return false;
  const trx = tablesOf<OrchestrationTables>(tx);
  // Two that end at once must not each take the other for one that is still to come.
  await oneAtATime(trx, `task:${task.request_id}:${task.connection}`);
  const here = (await tasksOf(trx, task.request_id)).filter((each) => each.connection === task.connection && each.action === task.action);
  const others = here.filter((each) => each.id !== task.id);
  return here.some((each) => ownNames.includes(each.identifier_kind)) && others.every((each) => each.status === 'settled' && each.outcome === 'nothing_matched');
}

/** Look-ups after the plan, over which a person looks at what is found: somebody known under so many names in a chain is likely more than one. */
const searchesMax = 50;

/** What a look-up found that could not be made before the plan: it gets tasks of its own, and the look-up is over. */
async function recordLocate(deps: OrchestrationDeps, tx: Tx, task: TaskRow, vault: OpenVault, found: readonly NewIdentifier[]): Promise<void> {
  const added = await deps.vault.add(tx, vault, found);
  const described = await deps.vault.describe(task.request_id, tx);
  const news = described.filter((each) => added.includes(each.id) && each.confidence >= 1);
  // What is new and proven is looked for in the other systems as well, each in a task of its own, as resolution would have done.
  const searches = deps.connections.all.flatMap((each) => {
    const by = news.find((identifier) => each.capabilities.locates.includes(identifier.kind));
    return each.name === task.connection || by === undefined ? [] : [{ connection: each.name, by: by.id }];
  });
  const searched = (await tasksOf(tablesOf<OrchestrationTables>(tx), task.request_id)).filter((each) => each.action === 'locate').length;
  if (searches.length > 0 && searched >= searchesMax) {
    await addPlannedTasks(deps, tx, task.request_id, { isLate: true });
    await apply(deps, tx, task, { to: 'manual', code: 'SUBJECT_AMBIGUOUS' }, { attempt: 0 });
    return;
  }
  await addPlannedTasks(deps, tx, task.request_id, { isLate: true, searches });
  const seen = described.filter((each) => each.seen_in.includes(task.connection)).map((each) => each.id);
  await markSeen(tablesOf<OrchestrationTables>(tx), task, seen);
  await apply(deps, tx, task, { to: 'settled', outcome: 'located', confirmation: null }, { attempt: 0, error_code: null });
}

async function recordConfirm(deps: OrchestrationDeps, tx: Tx, task: TaskRow, vault: OpenVault, result: ConfirmResult): Promise<void> {
  if (task.outcome === null) throw new Error('A task is confirmed before it has an outcome');
  // What nobody knew gets a task of its own, here and now; after that every found identifier is known.
  const found = result.state === 'present' ? result.found : [];
  await addLate(deps, tx, task, vault, found);
  const others = await underWay(deps, tx, task, vault, found);
  const verdict = afterConfirm(result, {
    outcome: task.outcome,
    isOthers: (each) => others.some((other) => other.kind === each.kind && other.value === each.value),
    confirmCount: task.confirm_count,
    confirmAttemptsMax: deps.policy.confirmAttemptsMax,
    revisitAt: task.revisit_at?.getTime(),
  });
  await applyReadBack(deps, tx, task, verdict, result.state === 'present');
}

async function recordRectified(deps: OrchestrationDeps, tx: Tx, task: TaskRow, result: RectifyConfirmation): Promise<void> {
  if (task.outcome === null) throw new Error('A task is confirmed before it has an outcome');
  const verdict = afterRectifyConfirm(result, { outcome: task.outcome, confirmCount: task.confirm_count, confirmAttemptsMax: deps.policy.confirmAttemptsMax });
  await applyReadBack(deps, tx, task, verdict, result.state === 'otherwise');
}

/** Records what was seen by a read-back, and carries out what follows; nothing is read back for longer than the task's window. */
async function applyReadBack(deps: OrchestrationDeps, tx: Tx, task: TaskRow, seen: Verdict, isStillThere: boolean): Promise<void> {
  const now = deps.clock.now();
  const verdict: Verdict = seen.to === 'confirming' && windowPassed(task, now) ? { to: 'manual', code: 'TASK_WINDOW_PASSED', confirmation: 'unconfirmed' } : seen;
  if (isStillThere) {
    await deps.record(tx, { ...aboutTask(task, now), type: 'task.still_present', attempt: task.confirm_count + 1 });
  } else if (verdict.to === 'settled') {
    await deps.record(tx, { ...aboutTask(task, now), type: 'task.confirmed', ...(verdict.confirmation === null ? {} : { confirmation: verdict.confirmation }) });
  }
  const change: TaskChange = { attempt: 0, error_code: null };
  if (verdict.to === 'confirming' && verdict.countsConfirm === true) change.confirm_count = task.confirm_count + 1;
  // What the system counted is not so: whatever a person decides, it is not repeated in the certificate.
  if (verdict.to === 'manual' && isStillThere) change.counts = '{}';
  await apply(deps, tx, task, verdict, change);
}

/**
 * An identifier that a read-back found and nobody knew reopens the plan. A person looks at it first where approval is required, and where the
 * vendor does not tie it to the person alone: an address that its record merely carries, or one of several holders of a shared one.
 */
async function addLate(deps: OrchestrationDeps, tx: Tx, task: TaskRow, vault: OpenVault, found: readonly Identifier[]): Promise<void> {
  const unknown = found.filter((each) => !isKnown(vault, each));
  if (unknown.length === 0) return;
  // A read-back searches by everything, and does not say by what it found: where anything is in doubt, it may be somebody else's.
  const isSure = (each: Identifier): boolean => provenOf(vault).length === vault.identifiers.length && !contactKinds.includes(each.kind) && unknown.filter((other) => other.kind === each.kind).length === 1;
  const late = unknown.map((each): NewIdentifier => ({
    kind: each.kind,
    value: each.value,
    foundBy: `connection:${task.connection}`,
    via: task.identifier_id,
    confidence: isSure(each) ? 1 : doubtful,
    seenIn: [task.connection],
  }));
  await deps.vault.add(tx, vault, late);
  await addPlannedTasks(deps, tx, task.request_id, { isLate: true });
}

function isKnown(vault: OpenVault, identifier: Identifier): boolean {
  return vault.identifiers.some((known) => known.kind === identifier.kind && known.value === identifier.value);
}

/** Which of the found identifiers are the matter of another task of the same system that is not over yet. */
async function underWay(deps: OrchestrationDeps, tx: Tx, task: TaskRow, vault: OpenVault, found: readonly Identifier[]): Promise<readonly Identifier[]> {
  if (found.length === 0) return [];
  const tasks = await tasksOf(tablesOf<OrchestrationTables>(tx), task.request_id);
  const open = new Set(tasks.filter((each) => each.connection === task.connection && each.id !== task.id && each.status !== 'settled').map((each) => each.identifier_id));
  // What was added just now is not in the vault as it was opened; it has a task exactly where the plan gave it one.
  const { erases } = deps.connections.get(task.connection).capabilities;
  return found.filter((each) => {
    const known = vault.identifiers.find((other) => other.kind === each.kind && other.value === each.value);
    return known === undefined ? erases.includes(each.kind) : open.has(known.id);
  });
}

/** Carries out a verdict on a task whose lease ends here. */
async function apply(deps: OrchestrationDeps, tx: Tx, task: TaskRow, verdict: Verdict, change: TaskChange): Promise<void> {
  const now = deps.clock.now();
  const trx = tablesOf<OrchestrationTables>(tx);
  // However long somebody asks to be left alone, the end of the window is not slept through.
  const windowMs = task.window_ends_at === null ? Number.POSITIVE_INFINITY : Math.max(0, task.window_ends_at.getTime() - now);
  const inWindow = (ms: number): number => Math.min(ms, windowMs);
  // A look after its lease ended may have put it in the queue of its connection: whoever is over must not be called from there.
  const released: TaskChange = { ...change, lease_until: null, queued: false };
  switch (verdict.to) {
    case 'running':
    case 'confirming':
      await updateTask(trx, task, {
        ...released,
        status: verdict.to,
        wake_at: new Date(now + inWindow(verdict.wakeInMs)),
        ...(verdict.outcome === undefined ? {} : { outcome: verdict.outcome }),
      });
      await deps.jobs.send(tx, taskRun, { task_id: task.id }, { delayMs: inWindow(verdict.wakeInMs) });
      if (verdict.to !== task.status) await advanceSoon(deps, tx, task.request_id);
      return;
    case 'settled': {
      const revisitAt = verdict.revisitAt ?? change.revisit_at;
      await updateTask(trx, task, {
        ...released,
        status: 'settled',
        outcome: verdict.outcome,
        confirmation: verdict.confirmation,
        settled_at: new Date(now),
        wake_at: null,
        ...(revisitAt === undefined || revisitAt === null ? {} : { revisit_at: new Date(revisitAt) }),
      });
      await deps.record(tx, {
        ...aboutTask(task, now),
        type: 'task.settled',
        outcome: verdict.outcome,
        ...(verdict.confirmation === null ? {} : { confirmation: verdict.confirmation }),
      });
      break;
    }
    case 'manual':
      await updateTask(trx, task, {
        ...released,
        status: 'manual',
        // What a system said and nobody saw is no outcome.
        outcome: null,
        error_code: verdict.code,
        wake_at: null,
        ...(verdict.confirmation === undefined ? {} : { confirmation: verdict.confirmation }),
      });
      await escalateTask(deps, tx, task, verdict.code);
      break;
  }
  await advanceSoon(deps, tx, task.request_id);
}

function windowPassed(task: TaskRow, now: number): boolean {
  return task.window_ends_at !== null && task.window_ends_at.getTime() <= now;
}
