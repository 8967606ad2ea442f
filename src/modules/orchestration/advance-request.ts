import type { RequestId } from '../../contract/ids.ts';
import { copyRights, restrictingRights } from '../../contract/outcomes.ts';
import { backoffMs } from '../../platform/backoff.ts';
import { isoTime } from '../../platform/clock.ts';
import { tablesOf } from '../../platform/db/database.ts';
import { Failure, isFailure } from '../../platform/failure.ts';
import { endedStatuses, executingStatuses, findRequest, lockRequest, moveRequest, notUnderWayStatuses, openAmong, outsideId, requestAdvance, updateRequest, wakeRequest, type RequestCore, type RequestTables } from '../requests/index.ts';
import { closeRequest, lookAfterEnded, restrict } from './close-request.ts';
import type { OpenVault } from '../identity/index.ts';
import type { OrchestrationDeps } from './deps.ts';
import { taskRun } from './jobs.ts';
import { openManualTask, settleRequestTasks } from './manual-tasks.ts';
import { patienceMs, resolveRequest } from './resolve-request.ts';
import { erasingAmong, letsBegin, tasksOf, wakeWaiting, type TaskRow } from './task-store.ts';
import type { OrchestrationTables } from './tables.ts';

/** When an open request is looked at again even if nothing woke it. */
const openLookMs = 600_000;
/** How long before the latest safe start of a task that has not begun they hear of it. */
const safeStartSoonMs = 24 * 3_600_000;
/** Bugs of our own are tried this often before a person is asked. */
const internalAttemptsMax = 6;
/** How soon to look again at a request that was moved on by somebody else. */
const movedLookMs = 1000;
/** How soon after the end of the request it repeats a duplicate is looked at. */
const duplicateLookMs = 60_000;

/** Looks at a request and does what its state asks for next. Safe to call at any time, any number of times. */
export type AdvanceRequest = (id: RequestId) => Promise<void>;

/** Makes the function that moves requests along. */
export function createAdvanceRequest(deps: OrchestrationDeps): AdvanceRequest {
  const step = async (request: RequestCore): Promise<void> => {
    const { id } = request;
    switch (request.status) {
      case 'received':
      case 'verifying':
        await expireUnverified(deps, request);
        return;
      case 'verified':
        if (await startResolving(deps, request)) await advance(id);
        return;
      case 'resolving':
        if (await resolveOrWait(deps, request)) await advance(id);
        return;
      case 'planned':
        await startExecuting(deps, request);
        return;
      case 'awaiting_approval':
        await warnOfLateStart(deps, request);
        return;
      case 'executing':
      case 'confirming':
      case 'escalated':
        await followTasks(deps, request);
        return;
      case 'closed':
      case 'rejected':
      case 'withdrawn':
      case 'expired':
        if (request.wake_at !== null) await lookAfterEnded(deps, request);
        return;
    }
  };
  const advance: AdvanceRequest = async (id) => {
    const request = await findRequest(deps.database.read<RequestTables>(), id);
    if (request === undefined) return;
    try {
      await step(request);
    } catch (error) {
      await comeBack(deps, request, error);
    }
  };
  return advance;
}

/** What throws is looked at again later and later, by one job: a job that failed would be tried beside those that the sweep sends. */
async function comeBack(deps: OrchestrationDeps, request: RequestCore, error: unknown): Promise<void> {
  deps.log.error({ request_id: outsideId(request.id), status: request.status, err: error }, 'a request could not be moved along');
  await deps.database.transaction(async (tx) => {
    const current = await lockRequest(tablesOf<RequestTables>(tx), request.id);
    if (current === undefined || current.wake_at === null) return;
    if (current.version !== request.version) {
      // Somebody else moved it on meanwhile, and may have counted on this look.
      await deps.jobs.send(tx, requestAdvance, { request_id: request.id }, { delayMs: movedLookMs });
      return;
    }
    const waitMs = backoffMs(current.attempt + 3, deps.random.fraction());
    await updateRequest(tablesOf<RequestTables>(tx), request.id, { attempt: current.attempt + 1, wake_at: new Date(deps.clock.now() + waitMs) });
    await deps.jobs.send(tx, requestAdvance, { request_id: request.id }, { delayMs: waitMs });
    const isAtKeys = isFailure(error) && error.retry === 'operator';
    if (current.attempt + 1 === internalAttemptsMax || (isAtKeys && current.attempt === 0)) {
      await openManualTask(deps, tx, { requestId: request.id, taskId: null, code: isFailure(error) ? error.code : 'INTERNAL' });
    }
  });
}

async function expireUnverified(deps: OrchestrationDeps, request: RequestCore): Promise<void> {
  await deps.database.transaction(async (tx) => {
    const current = await lockRequest(tablesOf<RequestTables>(tx), request.id);
    const now = deps.clock.now();
    if (current === undefined || current.status !== 'verifying' || current.wake_at === null || current.wake_at.getTime() > now) return;
    await moveRequest(tx, deps, current, { to: 'expired', at: now, change: { closed_at: new Date(now), wake_at: new Date(now) } });
    await deps.jobs.send(tx, requestAdvance, { request_id: request.id });
  });
}

/**
 * Starts the look-ups for a verified person. Where an earlier open request is of the same person, this one is linked to it and waits until that one has ended; then it runs by itself, so that
 * neither can block or cancel the other. A right that only restricts is in force at once, for what is proven, and waits for nothing.
 */
async function startResolving(deps: OrchestrationDeps, request: RequestCore): Promise<boolean> {
  const vault = await deps.vault.unlock(request.id);
  const isRestricting = restrictingRights.includes(request.request_right);
  const earlier = isRestricting ? undefined : await earlierOf(deps, request, vault);
  return deps.database.transaction(async (tx) => {
    const trx = tablesOf<RequestTables>(tx);
    const current = await lockRequest(trx, request.id);
    if (current === undefined || current.status !== 'verified') return false;
    const now = deps.clock.now();
    if (earlier !== undefined) {
      const isTooLate = copyRights.includes(current.request_right) && earlier.request_right === 'erasure';
      if (current.duplicate_of !== earlier.id) {
        await deps.record(tx, { type: 'request.duplicate', at: isoTime(now), actor: { role: 'system' }, request_id: outsideId(current.id), reason_code: isTooLate ? 'erasure_has_begun' : 'same_person' });
        if (isTooLate) await deps.notify(tx, { requestId: current.id, template: 'dpo_clock', recipient: 'dpo', occasion: 'copy_after_erasure' });
      }
      await updateRequest(trx, request.id, { duplicate_of: earlier.id, ...(isTooLate ? { erased_under: earlier.id } : {}), wake_at: new Date(now + duplicateLookMs) });
      return false;
    }
    if (isRestricting) await restrict(deps, tx, current, vault, now);
    await moveRequest(tx, deps, current, { to: 'resolving', at: now, change: { wake_at: new Date(now + openLookMs), attempt: 0 } });
    return true;
  });
}

/**
 * The earlier open request that a request waits for: one of the same right that was given all that this one was, or one of another right that shares anything proven. A copy does not wait for an erasure that
 * has not begun: the erasure waits for it (`claim-step.ts`).
 */
async function earlierOf(deps: OrchestrationDeps, request: RequestCore, vault: OpenVault): Promise<RequestCore | undefined> {
  const same = await deps.vault.findOpenRequests(vault.identifiers.filter((each) => each.foundBy === 'given'));
  const sharing = await deps.vault.findSharing(request.id);
  const others = [...new Set([...same, ...sharing])].filter((each) => each !== request.id);
  const open = await openAmong(deps.database.read<RequestTables>(), others, notUnderWayStatuses);
  const begun = await erasingAmong(deps.database.read<OrchestrationTables>(), open.map((each) => each.id));
  const isEarlier = (each: RequestCore): boolean => each.received_at < request.received_at || (each.received_at.getTime() === request.received_at.getTime() && each.id < request.id);
  const isWaitedFor = (each: RequestCore): boolean => {
    // One that asks some systems only, and waits for a person, holds up none that asks all.
    if (each.systems !== null && request.systems === null && each.status === 'escalated') return false;
    if (each.request_right === request.request_right) return same.includes(each.id);
    // A copy waits for nothing else than an erasure that has begun, and that one for no copy: so nobody waits in a circle.
    if (copyRights.includes(request.request_right)) return begun.has(each.id);
    return !restrictingRights.includes(each.request_right);
  };
  return open.find((each) => isEarlier(each) && isWaitedFor(each));
}

/** Resolves; what fails is tried again with backoff, or given to a person when only a person can help. Answers whether it is planned. */
async function resolveOrWait(deps: OrchestrationDeps, request: RequestCore): Promise<boolean> {
  deps.boundary('request.resolving');
  try {
    await resolveRequest(deps, request);
    return true;
  } catch (error) {
    const failure = isFailure(error) ? error : new Failure('INTERNAL', 'Resolution failed on a bug', { cause: error });
    deps.log.warn({ request_id: outsideId(request.id), err: failure }, 'resolution failed');
    await deps.database.transaction(async (tx) => {
      const trx = tablesOf<RequestTables>(tx);
      const current = await lockRequest(trx, request.id);
      if (current === undefined || current.status !== 'resolving') return;
      const now = deps.clock.now();
      const isTired = now - current.moved_at.getTime() > deps.policy.windowMs || (failure.code === 'INTERNAL' && current.attempt >= internalAttemptsMax);
      if (failure.retry === 'later' && !isTired) {
        // However long a system asks to be left alone, the others wait for it only so long.
        const patienceLeftMs = current.moved_at.getTime() + patienceMs - now;
        const backMs = backoffMs(current.attempt + 1, deps.random.fraction(), failure.retryAfterMs);
        const waitMs = patienceLeftMs > 0 ? Math.min(backMs, patienceLeftMs) : backMs;
        await updateRequest(trx, request.id, { attempt: current.attempt + 1, wake_at: new Date(now + waitMs) });
        await deps.jobs.send(tx, requestAdvance, { request_id: request.id }, { delayMs: waitMs });
        return;
      }
      await moveRequest(tx, deps, current, { to: 'escalated', at: now, type: 'request.escalated', entry: { error_code: failure.code }, change: { wake_at: new Date(now + openLookMs) } });
      await openManualTask(deps, tx, { requestId: request.id, taskId: null, code: failure.code });
    });
    return false;
  }
}

/**
 * Lets the plan run, or has a person approve it first where the policy says so. What is planned for an identifier that may be somebody else's
 * stands with a person already: a code proves the address that it was sent to, not the number or the customer id beside it.
 */
async function startExecuting(deps: OrchestrationDeps, request: RequestCore): Promise<void> {
  await deps.database.transaction(async (tx) => {
    const current = await lockRequest(tablesOf<RequestTables>(tx), request.id);
    if (current === undefined || current.status !== 'planned') return;
    const now = deps.clock.now();
    const to = deps.policy.approvalRequired ? 'awaiting_approval' : 'executing';
    await moveRequest(tx, deps, current, { to, at: now, change: { wake_at: new Date(now + openLookMs) } });
    if (to === 'awaiting_approval') await openManualTask(deps, tx, { requestId: request.id, taskId: null, code: 'APPROVAL_NEEDED' });
    await deps.jobs.send(tx, requestAdvance, { request_id: request.id });
  });
}

/** Tells the data protection officer, once, that the latest safe start of a task that has not begun is near. The clock's own dates are told of by its reminders. */
async function warnOfLateStart(deps: OrchestrationDeps, request: RequestCore): Promise<void> {
  await deps.database.transaction(async (tx) => {
    const current = await lockRequest(tablesOf<RequestTables>(tx), request.id);
    // It may have ended since it was read: nothing is late then, and nothing is to wake it.
    if (current === undefined || endedStatuses.includes(current.status)) return;
    const now = deps.clock.now();
    const tasks = await tasksOf(tablesOf<OrchestrationTables>(tx), request.id);
    if (tasks.some((task) => task.status === 'waiting' && isStartLate(task, now))) {
      await deps.notify(tx, { requestId: request.id, template: 'dpo_deadline', recipient: 'dpo', occasion: 'latest_safe_start' });
    }
    await wakeRequest(tx, request.id, now + openLookMs);
  });
}

/** Whether a task has to begin soon. Where there was never a day to spare, it is said when the time is over, and not of every request. */
function isStartLate(task: TaskRow, now: number): boolean {
  const latest = task.latest_safe_start.getTime();
  const aheadMs = latest - task.created_at.getTime() > safeStartSoonMs ? safeStartSoonMs : 0;
  return latest - now <= aheadMs;
}

/** Follows the tasks of a running request: wakes those whose turn has come, and says where the request stands. */
async function followTasks(deps: OrchestrationDeps, request: RequestCore): Promise<void> {
  const state = await deps.database.transaction(async (tx) => {
    const trx = tablesOf<OrchestrationTables>(tx);
    const current = await lockRequest(tablesOf<RequestTables>(tx), request.id);
    // Not only where it stood when it was read: another worker may have moved it since, without having seen what this look was asked for.
    if (current === undefined || !executingStatuses.includes(current.status)) return 'changed' as const;
    const now = deps.clock.now();
    const tasks = await tasksOf(trx, request.id);
    if (current.planned_at === null) return resumeResolution(deps, tx, current, now);
    await settleRequestTasks(deps, tx, request.id, 'approved');
    const isWorking = (task: TaskRow | undefined): boolean => task?.status === 'running' || task?.status === 'confirming';
    const byId = new Map(tasks.map((task) => [task.id, task]));
    const isFree = (task: TaskRow): boolean => task.after.flatMap((id) => byId.get(id) ?? []).every((before) => letsBegin(task, before));
    for (const task of tasks) {
      // One that is due already has its job; one that queues for its connection is woken by it.
      const isWoken = task.queued || (task.wake_at !== null && task.wake_at.getTime() <= now);
      if (task.status !== 'waiting' || isWoken || !isFree(task)) continue;
      if (await wakeWaiting(trx, task.id, new Date(now))) await deps.jobs.send(tx, taskRun, { task_id: task.id });
    }
    if (tasks.every((task) => task.status === 'settled')) return 'settled' as const;
    // What waits for a person's decision on another is not at work.
    const working = tasks.filter((task) => task.status !== 'settled' && task.status !== 'manual' && (task.status !== 'waiting' || isFree(task) || task.after.some((id) => isWorking(byId.get(id)))));
    const to = working.length === 0 ? 'escalated' : working.some((task) => task.status !== 'confirming') ? 'executing' : 'confirming';
    if (to === current.status) {
      await wakeRequest(tx, request.id, now + openLookMs);
    } else {
      const type = to === 'escalated' ? 'request.escalated' : 'request.status_changed';
      await moveRequest(tx, deps, current, { to, at: now, type, change: { wake_at: new Date(now + openLookMs) } });
    }
    return 'open' as const;
  });
  if (state === 'settled' && (await hasItsPackage(deps, request))) await closeRequest(deps, request);
  if (state === 'open') await warnOfLateStart(deps, request);
}

/** Whether a request needs no package, or has it. One that cannot be made goes to a person, whose retry has it made again. */
async function hasItsPackage(deps: OrchestrationDeps, request: RequestCore): Promise<boolean> {
  if (!copyRights.includes(request.request_right)) return true;
  return deps.database.transaction(async (tx) => {
    const trx = tablesOf<OrchestrationTables>(tx);
    const current = await lockRequest(tablesOf<RequestTables>(tx), request.id);
    if (current === undefined || !executingStatuses.includes(current.status)) return false;
    const tasks = await tasksOf(trx, request.id);
    if (!tasks.every((task) => task.status === 'settled')) return false;
    // Nothing to give: then that is what the person is told.
    if (!tasks.some((task) => task.outcome === 'exported')) return true;
    const { state, at } = await deps.exports.stateOf(tx, request.id);
    // What an operator has revoked is not made again: the person is told that they get nothing.
    if (state === 'ready' || state === 'revoked') return true;
    const asked = await trx.selectFrom('manual_task').select('settled_at').where('request_id', '=', request.id).where('task_id', 'is', null).where('opened_at', '>=', at).executeTakeFirst();
    const isGivenUp = state === 'failed' && (asked === undefined || asked.settled_at === null);
    if (!isGivenUp) await deps.exports.make(tx, request.id);
    else if (asked === undefined) await openManualTask(deps, tx, { requestId: request.id, taskId: null, code: 'EXPORT_FAILED' });
    const to = isGivenUp ? 'escalated' : 'confirming';
    const now = deps.clock.now();
    if (to === current.status) await wakeRequest(tx, request.id, now + openLookMs);
    else await moveRequest(tx, deps, current, { to, at: now, ...(isGivenUp ? { type: 'request.escalated', entry: { error_code: 'EXPORT_FAILED' } } : {}), change: { wake_at: new Date(now + openLookMs) } });
    return false;
  });
}

/** A request that was escalated before it had a plan goes back to resolution once its manual task is settled. */
async function resumeResolution(deps: OrchestrationDeps, tx: Parameters<typeof wakeRequest>[0], request: RequestCore, now: number): Promise<'changed'> {
  const open = await tablesOf<OrchestrationTables>(tx).selectFrom('manual_task').select('id').where('request_id', '=', request.id).where('settled_at', 'is', null).executeTakeFirst();
  if (open !== undefined) {
    await wakeRequest(tx, request.id, now + openLookMs);
    return 'changed';
  }
  await moveRequest(tx, deps, request, { to: 'resolving', at: now, change: { attempt: 0, wake_at: new Date(now) } });
  await deps.jobs.send(tx, requestAdvance, { request_id: request.id });
  return 'changed';
}
