import type { Insertable } from 'kysely';
import type { ErrorCode } from '../../contract/errors.ts';
import type { RequestId, TaskId } from '../../contract/ids.ts';
import type { Action, Right } from '../../contract/outcomes.ts';
import { tablesOf, type Tx } from '../../platform/db/database.ts';
import { newId } from '../../platform/ids.ts';
import { findRequest, type RequestTables } from '../requests/index.ts';
import type { DescribedIdentifier } from '../identity/index.ts';
import type { OrchestrationDeps } from './deps.ts';
import { escalateTask } from './manual-tasks.ts';
import { planTasks, type PlannedTask, type Search } from './domain/plan.ts';
import { insertTasks, removeNotApplicable, removeWaiting, tasksOf, type TaskRow } from './task-store.ts';
import type { OrchestrationTables } from './tables.ts';

/** When a task that waits is looked at even if nobody woke it: the look at its request does, as soon as its turn has come. */
export const waitingLookMs = 600_000;

/** Plans the tasks for what the vault holds. Pure but for its reading of the configured connections. */
export function planFor(deps: Pick<OrchestrationDeps, 'connections'>, right: Right, identifiers: readonly DescribedIdentifier[], dueAt: number, searches: readonly Search[] = [], systems: readonly string[] | null = null): readonly PlannedTask[] {
  const known = identifiers.map((each) => ({ id: each.id, kind: each.kind, commitment: each.commitment, isDoubtful: each.confidence < 1, seenIn: each.seen_in }));
  return planTasks(right, deps.connections.all, known, dueAt, searches, systems);
}

/**
 * Adds the tasks that the plan has and the request does not, in the caller's transaction. Called for the
 * first plan and again for every identifier that is found late (`isLate`: then approval, where the policy asks for it, was given without it); a task that is there already is left as it is. The look at the request that
 * follows wakes the new tasks whose turn it is.
 */
export async function addPlannedTasks(deps: OrchestrationDeps, tx: Tx, requestId: RequestId, options: { readonly isLate: boolean; readonly searches?: readonly Search[] } = { isLate: false }): Promise<void> {
  const trx = tablesOf<OrchestrationTables>(tx);
  const request = await findRequest(tablesOf<RequestTables>(tx), requestId);
  if (request === undefined) throw new Error('A plan is made for a request that does not exist');
  const described = await deps.vault.describe(requestId, tx);
  const forecast = planFor(deps, request.request_right, described, request.due_at.getTime(), options.searches, request.systems);
  const now = new Date(deps.clock.now());
  const stored = await tasksOf(trx, requestId);
  // A system that is still to be looked into is not one that cannot be asked.
  const planned = forecast.filter((task) => task.decision !== 'not_applicable' || !stored.some((each) => each.connection === task.connection && each.action === 'locate'));
  const superseded = supersededBy(planned, stored);
  const existing = stored.filter((each) => !superseded.includes(each)).filter((each) => each.decision !== 'not_applicable' || planned.some((task) => task.connection === each.connection && task.decision === 'not_applicable'));
  const isNew = (task: PlannedTask): boolean =>
    !existing.some((each) => each.connection === task.connection && each.identifier_id === task.identifierId && each.action === task.action);
  const fresh = withRefreshes(planned.filter((task) => task.action !== 'refresh' && isNew(task)), planned).map((task) => ({ task, id: newId('task') }));
  const all = [
    ...existing.map(({ id, connection, action }) => ({ id, connection, action })),
    ...fresh.map(({ id, task }) => ({ id, connection: task.connection, action: task.action })),
  ];
  const needsPerson = (task: PlannedTask): boolean => isAct(task) && (task.isDoubtful || (options.isLate && deps.policy.approvalRequired));
  const before = (task: PlannedTask, id: TaskId): TaskId[] => {
    const here = all.filter((each) => each.connection === task.connection);
    const acts = here.filter(isAct).map((each) => each.id);
    const own: TaskId[] = { none: [], earlier: acts.slice(0, acts.indexOf(id)), erasures: acts }[task.afterOwn];
    if (isAct(task)) own.unshift(...here.filter((each) => each.action === 'locate').map((each) => each.id));
    return [...all.filter((each) => task.afterConnections.includes(each.connection)).map((each) => each.id), ...own];
  };
  await removeWaiting(trx, superseded.map((each) => each.id));
  await removeNotApplicable(trx, requestId, fresh.flatMap(({ task }) => (task.decision === 'not_applicable' ? [] : [task.connection])));
  await insertTasks(
    trx,
    fresh.map(({ task, id }) => ({
      id,
      request_id: requestId,
      connection: task.connection,
      connector: task.connector,
      identifier_id: task.identifierId,
      identifier_kind: task.identifierKind,
      commitment: task.commitment,
      action: task.action,
      decision: task.decision,
      after: before(task, id),
      seen_here: task.seenHere,
      latest_safe_start: new Date(task.latestSafeStart),
      created_at: now,
      ...standing(task, now, needsPerson(task)),
    })),
  );
  for (const { task, id } of fresh) {
    const code = reasonForPerson(task, needsPerson(task));
    if (code !== undefined) await escalateTask(deps, tx, { id, request_id: requestId, ...task }, code);
  }
}

/**
 * What was planned of a system that had to be searched by an address, has not begun, and is not in the plan any more, now that the system's own id of the person is known: both would erase the same.
 */
function supersededBy(planned: readonly PlannedTask[], stored: readonly TaskRow[]): readonly TaskRow[] {
  const acts = planned.filter((task) => isAct(task) && task.decision !== 'not_applicable');
  return stored.filter(
    (each) =>
      each.status === 'waiting' &&
      each.dispatched_at === null &&
      isAct(each) &&
      acts.some((task) => task.connection === each.connection) &&
      !acts.some((task) => task.connection === each.connection && task.identifierId === each.identifier_id && task.action === each.action),
  );
}

/** What is done with the person's data, and not for it: neither a look-up nor the refreshing of what was derived. */
const isAct = ({ action }: { readonly action: Action }): boolean => action !== 'refresh' && action !== 'locate';

/**
 * The new erasures, and behind those of each connection whose aggregates are derived a task that refreshes them. Erasures that are found late
 * bring one of their own, about the first of them: what was refreshed before still counted what they erase.
 */
function withRefreshes(erasures: readonly PlannedTask[], planned: readonly PlannedTask[]): readonly PlannedTask[] {
  const refreshes = planned.filter((task) => task.action === 'refresh').flatMap((refresh) => {
    const first = erasures.find((task) => task.connection === refresh.connection && isAct(task));
    return first === undefined ? [] : [{ ...refresh, identifierId: first.identifierId, identifierKind: first.identifierKind, commitment: first.commitment }];
  });
  return [...erasures, ...refreshes];
}

/** Why a new task begins with a person: the system cannot do what is asked, so that somebody must by hand; or it may be about somebody else. */
function reasonForPerson(task: PlannedTask, needsPerson: boolean): ErrorCode | undefined {
  if (task.decision === 'not_applicable') return undefined;
  if (task.decision === 'unsupported') return 'UNSUPPORTED';
  return needsPerson ? 'SUBJECT_AMBIGUOUS' : undefined;
}

/** Where a new task stands: before its first step, with a person, or over, since the system cannot be asked. */
function standing(task: PlannedTask, now: Date, needsPerson: boolean): Pick<Insertable<OrchestrationTables['task']>, 'status' | 'wake_at' | 'outcome' | 'settled_at' | 'residue' | 'error_code'> {
  if (task.decision === 'not_applicable') {
    const [outcome, why] = task.isOutside === true ? (['not_asked', 'not_requested'] as const) : (['unsupported', 'unsupported'] as const);
    return { status: 'settled', outcome, settled_at: now, wake_at: null, residue: JSON.stringify([{ what: 'system_not_asked', why }]) };
  }
  const code = reasonForPerson(task, needsPerson);
  if (code !== undefined) return { status: 'manual', error_code: code, wake_at: null };
  return { status: 'waiting', wake_at: new Date(now.getTime() + waitingLookMs) };
}
