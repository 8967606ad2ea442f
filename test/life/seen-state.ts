import { endsOf, mayFollow, requestLife, taskLife, type Life } from '../../src/contract/life.ts';
import type { Confirmation, Outcome, RequestStatus, TaskStatus, Verdict } from '../../src/contract/outcomes.ts';
import type { History } from './stepping.ts';
import type { World } from './world.ts';

/** A task as the explorer sees it; times in milliseconds since the epoch. */
export interface SeenTask {
  readonly id: string;
  readonly connection: string;
  readonly identifier: string;
  readonly status: TaskStatus;
  readonly outcome: Outcome | null;
  readonly confirmation: Confirmation | null;
  readonly cursor: number | null;
  readonly before: boolean;
  readonly error: string | null;
  readonly attempt: number;
  readonly confirms: number;
  readonly epoch: number;
  readonly lease: number | null;
  readonly queued: boolean;
  readonly wake: number | null;
  readonly window: number | null;
  readonly revisit: number | null;
  readonly dispatched: boolean;
  /** The whole row as text, to see that nothing of it changed. */
  readonly row: string;
}

/** Everything in the database that a state consists of. */
export interface Seen {
  readonly request: { readonly status: RequestStatus; readonly verdict: Verdict | null; readonly wake: number | null; readonly attempt: number; readonly verified: boolean; readonly planned: boolean; readonly certified: boolean; readonly closed: number | null; readonly version: number };
  readonly tasks: readonly SeenTask[];
  readonly manual: readonly { readonly id: string; readonly task: string | null; readonly reason: string; readonly remind: number | null }[];
  readonly leases: readonly { readonly connection: string; readonly task: string; readonly until: number }[];
  readonly suspended: readonly string[];
  /** How many audit entries of each type there are, by task. */
  readonly entries: Readonly<Record<string, number>>;
  readonly moves: readonly { readonly what: string; readonly id: string; readonly was: string | null; readonly is: string }[];
  readonly shredded: boolean;
}

const ms = (column: string): string => `floor(extract(epoch FROM ${column}) * 1000)::float8`;
/** Prepared once: planning it takes longer than running it. */
export const prepareSee = `PREPARE see AS SELECT json_build_object(
  'request', (SELECT json_build_object('status', status, 'verdict', verdict, 'wake', ${ms('wake_at')}, 'attempt', attempt, 'verified', verified_at IS NOT NULL, 'planned', planned_at IS NOT NULL, 'certified', certificate IS NOT NULL, 'closed', ${ms('closed_at')}, 'version', version) FROM public.privacy_request),
  'tasks', (SELECT coalesce(json_agg(json_build_object('id', id, 'connection', connection, 'identifier', identifier_id, 'status', status, 'outcome', outcome, 'confirmation', confirmation,
     'cursor', octet_length(cursor), 'before', cursor_before IS NOT NULL, 'error', error_code, 'attempt', attempt, 'confirms', confirm_count, 'epoch', epoch, 'lease', ${ms('lease_until')}, 'queued', queued,
     'wake', ${ms('wake_at')}, 'window', ${ms('window_ends_at')}, 'revisit', ${ms('revisit_at')}, 'dispatched', dispatched_at IS NOT NULL, 'row', task::text) ORDER BY connection, id), '[]') FROM public.task),
  'manual', (SELECT coalesce(json_agg(json_build_object('id', id, 'task', task_id, 'reason', reason_code, 'remind', ${ms('remind_at')}) ORDER BY id), '[]') FROM public.manual_task WHERE settled_at IS NULL),
  'leases', (SELECT coalesce(json_agg(json_build_object('connection', connection, 'task', task_id, 'until', ${ms('expires_at')}) ORDER BY connection), '[]') FROM public.connection_lease),
  'suspended', (SELECT coalesce(json_agg(name ORDER BY name), '[]') FROM public.connection_state WHERE suspended_at IS NOT NULL),
  'entries', (SELECT coalesce(json_object_agg(name, n), '{}') FROM (SELECT (entry->>'type') || ' ' || coalesce(entry->>'system', '') AS name, count(*) AS n FROM public.audit_outbox GROUP BY 1) AS counted),
  'moves', (SELECT coalesce(json_agg(json_build_object('what', what, 'id', id, 'was', was, 'is', is_now)), '[]') FROM sim.move),
  'shredded', (SELECT destroyed_at IS NOT NULL FROM public.request_key)) AS seen`;

/** Looks at everything. */
export async function see(world: World): Promise<Seen> {
  const [row] = await world.db.look<{ seen: Seen }>('EXECUTE see');
  if (row === undefined) throw new Error('Nothing is seen');
  return row.seen;
}

/** How far off a time is, in steps within which nothing tells two times apart. */
function farOff(at: number | null, now: number): string {
  if (at === null) return '-';
  const bounds: readonly (readonly [number, string])[] = [[0, 'due'], [2000, '2s'], [36_000, '36s'], [70_000, '1m'], [660_000, '11m'], [4_000_000, '1h'], [300_000_000, '3d']];
  return bounds.find(([bound]) => at - now <= bound)?.[1] ?? 'far';
}

/**
 * A state as text: what is alike in it behaves alike. Ids, epochs and instants are left out; how far off things are, what is pending, what is
 * true at the vendors and where processes stand is in it. What may still go wrong (`budget`) is not: a state is gone into again with a larger one.
 */
export function stateText(world: World, seen: Seen): string {
  const { outside } = world;
  const off = (at: number | null): string => farOff(at, outside.now);
  const wakeOf = (id: string): number => (seen.tasks.find((task) => task.id === id) ?? seen.request).wake ?? Number.MAX_SAFE_INTEGER;
  const nameOf = (id: string): string => {
    const task = seen.tasks.find((each) => each.id === id);
    return task === undefined ? 'request' : world.taskName(task.identifier, task.connection);
  };
  return JSON.stringify([
    { ...seen.request, version: 0, closed: seen.request.closed !== null && outside.now >= seen.request.closed + world.deps.policy.graceMs, wake: off(seen.request.wake), attempt: Math.min(seen.request.attempt, 2) },
    seen.tasks.map((task) =>
      task.status === 'settled'
        ? // An appeal asks whether it was begun, and whether it was with a person.
          [nameOf(task.id), task.status, task.outcome, task.confirmation, off(task.revisit), ...(world.scenario.faults.includes('appeal') ? [task.error, task.dispatched] : [])]
        : [
            nameOf(task.id), task.status, task.outcome, task.cursor, task.before, task.error, Math.min(task.attempt, 2), task.confirms, off(task.lease), task.queued, off(task.wake),
            task.window !== null && task.window <= outside.now, off(task.revisit), task.dispatched, outside.retries[nameOf(task.id)],
          ],
    ),
    seen.manual.map((each) => [each.task === null ? null : nameOf(each.task), each.reason]),
    seen.leases.map((each) => [each.connection, nameOf(each.task), off(each.until)]),
    seen.suspended,
    outside.unconfigured,
    outside.appealed,
    seen.shredded,
    outside.jobs.map((job) => `${job.kind} ${nameOf(job.id)} ${off(job.readyAt)} ${job.readyAt < wakeOf(job.id) ? 'before' : 'after'}`).toSorted(),
    Object.entries(outside.truths).map(([name, truth]) => {
      // Of a system whose task is over it only counts whether it still holds the person.
      const isOver = seen.tasks.some((task) => task.status === 'settled' && nameOf(task.id) === name);
      return isOver ? [name, truth.isPresent, truth.isTooYoung] : [name, truth.isPresent, Object.values(truth.jobs), truth.keys.length, truth.effects, truth.isTooYoung];
    }),
    outside.standing.map((process) => {
      const claimed = claimedEpoch(process.history);
      const task = seen.tasks.find((each) => each.id === process.job.id);
      const isStale = task !== undefined && task.epoch !== claimed;
      return [process.job.kind, nameOf(process.job.id), process.history.map((each) => each.kind[0]).join(''), isStale, readStatuses(process.history)];
    }),
  ]);
}

/** The epoch under which a process holds a task: what its first transaction answered. */
export function claimedEpoch(history: History): number | undefined {
  return (history.find((each) => each.kind === 'transaction')?.value as { readonly epoch?: number } | undefined)?.epoch;
}

/** The states of the request that a process has read before it stood still. */
function readStatuses(history: readonly { readonly value?: unknown }[]): readonly string[] {
  return history.flatMap(({ value }) => {
    const rows = (value as { readonly rows?: readonly { readonly status?: string }[] } | undefined)?.rows ?? [];
    return rows.flatMap((row) => (row.status === undefined ? [] : [row.status]));
  });
}

const isOver = <State extends string>(life: Life<State>, state: State): boolean => endsOf(life).includes(state);

/** Says whether nothing is left to do: the request has ended, is shredded, and nothing wakes it any more. */
export function hasEnded(seen: Seen): boolean {
  return isOver(requestLife, seen.request.status) && seen.request.wake === null && seen.shredded;
}

/** Everything that is wrong in a state; empty where the promises hold. */
export function whatIsWrong(world: World, seen: Seen): readonly string[] {
  const wrong: string[] = [...world.wrong];
  const { request, tasks, manual } = seen;
  const isEnded = isOver(requestLife, request.status);
  if (!isEnded && request.wake === null) wrong.push(`the request is ${request.status} and nothing wakes it`);
  if (isEnded && request.wake === null && !seen.shredded) wrong.push(`the request is ${request.status}, nothing wakes it, and its data key is still there`);
  if (request.status === 'awaiting_approval' && manual.length === 0) wrong.push('the plan waits for an approval that nobody is asked for');
  for (const task of tasks) wrong.push(...wrongWithTask(world, seen, task));
  if (request.status === 'closed') {
    if (tasks.some((task) => task.status !== 'settled')) wrong.push('the request is closed and a task is not settled');
    const isHeld = Object.values(world.outside.truths).some((truth) => truth.isPresent);
    if ((request.verdict === 'fulfilled' || request.verdict === 'nothing_held') && isHeld) wrong.push(`the verdict is ${request.verdict} and a system still holds the person`);
  }
  for (const move of seen.moves) {
    const life = (move.what === 'task' ? taskLife : requestLife) as Life<string>;
    const isAllowed = move.was === null ? life[move.is]?.begins === true || mayFollow(life, 'received', move.is) : mayFollow(life, move.was, move.is);
    if (!isAllowed) wrong.push(`a ${move.what} went from ${move.was ?? 'nothing'} to ${move.is}, which its life does not have`);
  }
  return wrong;
}

function wrongWithTask(world: World, seen: Seen, task: SeenTask): readonly string[] {
  const wrong: string[] = [];
  const name = world.taskName(task.identifier, task.connection);
  const truth = world.outside.truths[name];
  const retries = world.outside.retries[name] ?? 0;
  if (truth === undefined) return [`${name} is a task for nobody`];
  const isOpen = !isOver(taskLife, task.status) && task.status !== 'manual';
  if (isOpen && task.wake === null) wrong.push(`${name} is ${task.status} and nothing wakes it`);
  if (!isOpen && task.wake !== null) wrong.push(`${name} is ${task.status} and is woken for ever`);
  const isAsked = seen.manual.some((each) => each.task === task.id);
  if ((task.status === 'manual') !== isAsked && !isOver(requestLife, seen.request.status)) wrong.push(`${name} is ${task.status} and ${isAsked ? 'a person is asked' : 'nobody is asked'}`);
  if (task.status === 'settled' && task.outcome === null) wrong.push(`${name} is settled without an outcome`);
  // One effect for each task, and one more for each time that a person asked for another; lies have none.
  if (truth.keys.length > 1 + retries + (task.revisit === null ? 0 : 1)) wrong.push(`${name} had ${truth.keys.length} effects under different keys, and ${retries} retries by a person`);
  if (truth.effects > 1 + retries) wrong.push(`${name} had ${truth.effects} effects, and ${retries} retries by a person`);
  if (task.status === 'settled' && task.confirmation === 'verified_absent' && truth.isPresent) wrong.push(`${name} is verified absent, and the system holds the person`);
  if (task.status === 'settled' && (task.outcome === 'erased' || task.outcome === 'already_absent') && task.confirmation !== 'verified_absent') wrong.push(`${name} counts as ${task.outcome} and was not read back`);
  if (task.status !== 'settled' && task.confirmation === 'verified_absent') wrong.push(`${name} is ${task.status} and counts as verified absent`);
  if (task.outcome === 'done_manually' && task.confirmation !== 'unconfirmed') wrong.push(`${name} was done by hand, and counts as ${task.confirmation ?? 'nothing'}`);
  return wrong;
}

/** Compares the audit entries with what happened: each settling has one, and nothing was done to a system without the intent. */
export function wrongEntries(world: World, seen: Seen): readonly string[] {
  const wrong: string[] = [];
  for (const connection of Object.keys(world.scenario.connections)) {
    const tasks = seen.tasks.filter((task) => task.connection === connection);
    const count = (type: string): number => seen.entries[`${type} ${connection}`] ?? 0;
    const moves = seen.moves.filter((move) => move.what === 'task' && tasks.some((task) => task.id === move.id));
    const settlings = moves.filter((move) => move.is === 'settled' && move.was !== null).length;
    if (count('task.settled') + count('task.settled_manually') !== settlings) wrong.push(`${connection} was settled ${settlings} times, and there are ${count('task.settled')} and ${count('task.settled_manually')} entries`);
    const escalations = moves.filter((move) => move.is === 'manual').length;
    if (count('task.escalated') !== escalations) wrong.push(`${connection} went to a person ${escalations} times, and there are ${count('task.escalated')} entries`);
    const starts = tasks.reduce((sum, task) => sum + 1 + (world.outside.retries[world.taskName(task.identifier, connection)] ?? 0), 0);
    if (count('task.started') > starts) wrong.push(`${connection} was started ${count('task.started')} times`);
  }
  const moved = seen.moves.filter((move) => move.what === 'privacy_request' && move.was !== null).length;
  const types = ['request.status_changed', 'request.verified', 'request.planned', 'request.approved', 'request.rejected', 'request.withdrawn', 'request.escalated', 'request.closed', 'request.reopened'];
  const born = world.scenario.isVerified ? 1 : 0;
  const told = types.reduce((sum, type) => sum + (seen.entries[`${type} `] ?? 0), 0) - born;
  if (moved !== told) wrong.push(`the request moved ${moved} times, and there are ${told} entries`);
  if (seen.shredded !== ((seen.entries['request.shredded '] ?? 0) === 1)) wrong.push('the destruction of the key and its entry do not agree');
  return wrong;
}
