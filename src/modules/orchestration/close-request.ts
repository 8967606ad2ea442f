import { formatId, type TaskId } from '../../contract/ids.ts';
import { copyRights, restrictingRights, type Verdict } from '../../contract/outcomes.ts';
import { isoTime } from '../../platform/clock.ts';
import { tablesOf, type Tx } from '../../platform/db/database.ts';
import { isFailure } from '../../platform/failure.ts';
import type { OpenVault, VaultIdentifier } from '../identity/index.ts';
import { appealWaits, lockRequest, moveRequest, outsideId, readCertificate, requestAdvance, updateRequest, wakeDuplicates, wakeRequest, type RequestCore, type RequestTables } from '../requests/index.ts';
import type { OrchestrationDeps } from './deps.ts';
import { requestVerdict } from './domain/request-verdict.ts';
import { taskRun } from './jobs.ts';
import { recipientWaits, settleRequestTasks } from './manual-tasks.ts';
import { aboutTask } from './about-task.ts';
import { advanceSoon } from './advance-soon.ts';
import { dealtWithOf, restrictedOf } from './of-the-person.ts';
import { makeStatement } from './statement.ts';
import { lockTask, noVendorJob, tasksOf, updateTask } from './task-store.ts';
import { tellRecipients } from './tell-recipients.ts';
import type { OrchestrationTables } from './tables.ts';

/** How soon to look again for the checkpoint that a certificate waits for, and for notices on their way; twice as long each time. */
const lookMs = 500;
const lookMaxMs = 600_000;

/**
 * Closes a request whose tasks are all settled: verdict, suppression entries, the notice to the person and the order for the certificate, in
 * one transaction. Does nothing when something changed in the meantime.
 */
export async function closeRequest(deps: OrchestrationDeps, request: RequestCore): Promise<void> {
  const vault = await deps.vault.unlock(request.id);
  deps.boundary('request.closing');
  await deps.database.transaction(async (tx) => {
    const trx = tablesOf<OrchestrationTables>(tx);
    const current = await lockRequest(tablesOf<RequestTables>(tx), request.id);
    if (current === undefined || current.status === 'closed') return;
    const tasks = await tasksOf(trx, request.id);
    if (tasks.some((task) => task.status !== 'settled')) return;
    const settled = tasks.map((task) => {
      if (task.outcome === null) throw new Error('A settled task has no outcome');
      return { outcome: task.outcome, confirmation: task.confirmation, residue: task.residue };
    });
    const { request_right: right } = current;
    const verdict = await verdictOf(deps, tx, current, vault, settled);
    const now = deps.clock.now();
    await moveRequest(tx, deps, current, {
      to: 'closed',
      at: now,
      type: 'request.closed',
      entry: { verdict, counts: { tasks: tasks.length } },
      change: { verdict, closed_at: new Date(now), wake_at: new Date(now), attempt: 0 },
    });
    // Who is forgotten by some systems may come back to the others.
    if (right === 'erasure' && current.systems === null) await suppress(deps, tx, current, dealtWithOf(vault, tasks), now);
    if (restrictingRights.includes(right)) await restrict(deps, tx, current, vault, now);
    await tellRecipients(deps, tx, current, vault, tasks);
    await deps.certificates.request(tx, request.id, makeStatement(current, tasks, verdict, new Date(now), { policy: deps.policy, connections: deps.connections.all }));
    await advanceSoon(deps, tx, request.id);
  });
  deps.boundary('request.closed');
}

async function verdictOf(deps: OrchestrationDeps, tx: Tx, request: RequestCore, vault: OpenVault, settled: Parameters<typeof requestVerdict>[0]): Promise<Verdict> {
  const { request_right: right } = request;
  if (restrictingRights.includes(right)) {
    // Nobody to hold it for, or a system that was not looked into: then it does not hold as far as it should.
    const isWhole = restrictedOf(request, vault).length > 0 && settled.every((task) => task.outcome === 'located');
    return isWhole ? 'fulfilled' : 'partially_fulfilled';
  }
  const verdict = requestVerdict(settled);
  const isRevoked = copyRights.includes(right) && (await deps.exports.stateOf(tx, request.id)).state === 'revoked';
  return isRevoked ? 'partially_fulfilled' : verdict;
}

/** Enters whom the right holds for into the register. Idempotent: as soon as the person is verified, and again when resolution has found more. */
export async function restrict(deps: OrchestrationDeps, tx: Tx, request: RequestCore, vault: OpenVault, now: number): Promise<void> {
  const identifiers = restrictedOf(request, vault);
  if (identifiers.length === 0) return;
  await deps.restrictions.enter(tx, request.request_right, identifiers);
  await deps.record(tx, {
    type: 'restriction.entered',
    at: isoTime(now),
    actor: { role: 'system' },
    request_id: outsideId(request.id),
    right: request.request_right,
    identifiers: identifiers.slice(0, 200).map(({ kind, commitment }) => ({ kind, commitment })),
  });
}

async function suppress(deps: OrchestrationDeps, tx: Parameters<OrchestrationDeps['notify']>[0], request: RequestCore, identifiers: readonly VaultIdentifier[], now: number): Promise<void> {
  await deps.addSuppressions(tx, identifiers);
  await deps.record(tx, {
    type: 'suppression.added',
    at: isoTime(now),
    actor: { role: 'system' },
    request_id: outsideId(request.id),
    counts: { identifiers: identifiers.length },
  });
}

/**
 * Looks after a request that has ended: builds its certificate once a checkpoint covers it, tells the person, opens it again when something
 * has come of age, and destroys the data key when the grace period is over and nothing needs it any more.
 */
export async function lookAfterEnded(deps: OrchestrationDeps, request: RequestCore): Promise<void> {
  const now = deps.clock.now();
  await deps.database.transaction(async (tx) => {
    for (const id of await wakeDuplicates(tablesOf<RequestTables>(tx), request.id, new Date(now))) await advanceSoon(deps, tx, id);
  });
  if (request.status !== 'closed') await leaveOut(deps, request, now);
  if (request.status === 'closed' && (await certify(deps, request)) === 'waiting') {
    await lookAgain(deps, request, now);
    return;
  }
  const revisits = (await tasksOf(deps.database.read<OrchestrationTables>(), request.id)).flatMap((task) => (task.revisit_at === null ? [] : [{ id: task.id, at: task.revisit_at.getTime() }]));
  const due = revisits.filter((each) => each.at <= now);
  if (request.status === 'closed' && due.length > 0) {
    await reopen(deps, request, due.map((each) => each.id));
    return;
  }
  const endedAt = request.closed_at?.getTime() ?? now;
  // What the person can still fetch needs the key.
  const fetchableUntil = copyRights.includes(request.request_right) ? await deps.exports.expiresAt(request.id) : undefined;
  const graceEnds = Math.max(endedAt + deps.policy.graceMs, fetchableUntil ?? 0);
  const nextRevisit = revisits.length === 0 ? undefined : Math.min(...revisits.map((each) => each.at));
  const wakeAt = nextRevisit === undefined ? graceEnds : Math.max(now, nextRevisit);
  const noticesPending = (await deps.noticesWait(request.id)) || (await recipientWaits(deps.database, request.id));
  if (noticesPending && wakeAt <= now) {
    await lookAgain(deps, request, now);
    return;
  }
  if (nextRevisit !== undefined || now < graceEnds) {
    await deps.database.transaction(async (tx) => {
      if (!(await standsAsRead(tx, request))) return;
      await wakeRequest(tx, request.id, wakeAt);
      await deps.jobs.send(tx, requestAdvance, { request_id: request.id }, { delayMs: wakeAt - now });
    });
    return;
  }
  await shred(deps, request);
}

/** Settles what was planned of a request that was refused or taken back: it is left out, and nothing looks at it again. */
async function leaveOut(deps: OrchestrationDeps, request: RequestCore, now: number): Promise<void> {
  await deps.database.transaction(async (tx) => {
    const trx = tablesOf<OrchestrationTables>(tx);
    // An appeal may have been granted since it was read.
    if (!(await standsAsRead(tx, request))) return;
    for (const task of await tasksOf(trx, request.id)) {
      if (task.status === 'settled') continue;
      await updateTask(trx, task, { status: 'settled', outcome: 'skipped_by_operator', settled_at: new Date(now), wake_at: null, queued: false });
      await deps.record(tx, { ...aboutTask(task, now), type: 'task.settled', outcome: 'skipped_by_operator' });
    }
    await settleRequestTasks(deps, tx, request.id, 'ended');
  });
}

/** Locks a request that has ended, and says whether it was neither opened again nor shredded since it was read. */
async function standsAsRead(tx: Tx, request: RequestCore): Promise<boolean> {
  const current = await lockRequest(tablesOf<RequestTables>(tx), request.id);
  return current?.status === request.status && current.wake_at !== null && current.closed_at?.getTime() === request.closed_at?.getTime();
}

/** Comes back soon, and less soon each time. */
async function lookAgain(deps: OrchestrationDeps, request: RequestCore, now: number): Promise<void> {
  const delayMs = Math.min(lookMaxMs, lookMs * 2 ** Math.min(request.attempt, 20));
  await deps.database.transaction(async (tx) => {
    if (!(await standsAsRead(tx, request))) return;
    await updateRequest(tablesOf<RequestTables>(tx), request.id, { attempt: request.attempt + 1, wake_at: new Date(now + delayMs) });
    await deps.jobs.send(tx, requestAdvance, { request_id: request.id }, { delayMs });
  });
}

/** Builds and stores the certificate, and then tells the person: the notice says that it is there. */
async function certify(deps: OrchestrationDeps, request: RequestCore): Promise<'issued' | 'waiting'> {
  const existing = await readCertificate(deps.database.read<RequestTables>(), request.id);
  if (existing !== undefined) return 'issued';
  const certificate = await deps.certificates.build(request.id);
  if (certificate === undefined) return 'waiting';
  deps.boundary('certificate.requested');
  await deps.database.transaction(async (tx) => {
    const trx = tablesOf<RequestTables>(tx);
    const current = await lockRequest(trx, request.id);
    if (current === undefined || current.status !== 'closed' || current.closed_at?.getTime() !== request.closed_at?.getTime()) return;
    await updateRequest(trx, request.id, { certificate, attempt: 0 });
    const occasion = `closed:${request.closed_at?.toISOString() ?? ''}`;
    // Of a part that one system asked of others the person has not asked, and heard nothing when it came in.
    if (request.systems === null) await deps.notify(tx, { requestId: request.id, template: 'closed', recipient: 'subject', occasion });
    if (request.request_right === 'erasure') await deps.notify(tx, { requestId: request.id, template: 'dpo_erasure', recipient: 'dpo', occasion });
    if (copyRights.includes(request.request_right)) await deps.notify(tx, { requestId: request.id, template: 'ready', recipient: 'subject', occasion });
  });
  deps.boundary('certificate.issued');
  return 'issued';
}

/** Opens a closed request again for the tasks whose objects can be erased now. */
async function reopen(deps: OrchestrationDeps, request: RequestCore, tasks: readonly TaskId[]): Promise<void> {
  await deps.database.transaction(async (tx) => {
    const current = await lockRequest(tablesOf<RequestTables>(tx), request.id);
    if (current === undefined || current.status !== 'closed') return;
    const now = deps.clock.now();
    await moveRequest(tx, deps, current, {
      to: 'executing',
      at: now,
      type: 'request.reopened',
      entry: { reason_code: 'come_of_age', counts: { tasks: tasks.length } },
      change: { wake_at: new Date(now), certificate: null, verdict: null, closed_at: null },
    });
    const trx = tablesOf<OrchestrationTables>(tx);
    for (const id of tasks) {
      const task = await lockTask(trx, id);
      if (task === undefined) throw new Error('A task that has come of age is gone');
      const again = { status: 'running' as const, outcome: null, confirmation: null, settled_at: null, revisit_at: null, cursor: null, cursor_before: null, attempt: 0, confirm_count: 0, window_ends_at: null, wake_at: new Date(now), ...noVendorJob };
      await updateTask(trx, task, again);
      await deps.jobs.send(tx, taskRun, { task_id: id });
    }
  });
}

/** Destroys the data key and everything sealed under it; what is left are ids, times, codes, hashes and proofs. */
async function shred(deps: OrchestrationDeps, request: RequestCore): Promise<void> {
  let rowIds: readonly string[] = [];
  try {
    const vault = await deps.vault.unlock(request.id);
    if (request.status === 'closed' && request.request_right === 'erasure' && request.systems === null) {
      const tasks = await tasksOf(deps.database.read<OrchestrationTables>(), request.id);
      ({ rowIds } = await deps.lookupMapping(dealtWithOf(vault, tasks)));
    }
  } catch (error) {
    // Destroyed already by a run that died before it said so.
    if (!isFailure(error) || error.code !== 'KEY_DESTROYED') throw error;
  }
  await deps.database.transaction(async (tx) => {
    const trx = tablesOf<OrchestrationTables>(tx);
    const current = await lockRequest(tablesOf<RequestTables>(tx), request.id);
    // An appeal may have come since it was looked at: until that is decided the person must be reachable.
    if (current === undefined || current.wake_at === null || current.status !== request.status || (await appealWaits(tx, request.id))) return;
    await settleRequestTasks(deps, tx, request.id, 'ended');
    const taskIds = (await tasksOf(trx, request.id)).map((task) => task.id);
    if (taskIds.length > 0) {
      await trx.deleteFrom('work_item').where('task_id', 'in', taskIds).execute();
      await trx.deleteFrom('attempt').where('task_id', 'in', taskIds).execute();
      await trx.updateTable('task').set({ cursor: null, cursor_before: null, vendor_job: null }).where('id', 'in', taskIds).execute();
    }
    await deps.exports.discard(tx, request.id);
    await deps.vault.shred(tx, request.id, rowIds);
    // A short body can be guessed: a hash of it, keyed or not, must not lead from a guess to what is left of the request.
    await updateRequest(tablesOf<RequestTables>(tx), request.id, { payload_hash: deps.random.bytes(32) });
    await deps.record(tx, { type: 'request.shredded', at: isoTime(deps.clock.now()), actor: { role: 'system' }, request_id: formatId('request', request.id) });
    await wakeRequest(tx, request.id, null);
  });
  deps.boundary('request.shredded');
}
