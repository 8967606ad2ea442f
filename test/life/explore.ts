import { settleManualTask } from '../../src/modules/orchestration/settle-manual-task.ts';
import { reconcileVendorJobs, sweepDue } from '../../src/modules/orchestration/index.ts';
import type { ManualTaskId } from '../../src/contract/ids.ts';
import { claimedEpoch, hasEnded, see, stateText, whatIsWrong, wrongEntries, type Seen } from './seen-state.ts';
import type { SimDatabase } from './sim-database.ts';
import { copyOutside, createWorld, type Fault, type Outside, type PendingJob, type Scenario, type World } from './world.ts';

/** What was found. */
export interface Explored {
  readonly states: number;
  readonly transitions: number;
  /** Moves that were seen, as `task: waiting -> running`. */
  readonly moves: ReadonlySet<string>;
  /** What happened, by kind, with counts: a kind that never happens is not explored. */
  readonly actions: Readonly<Record<string, number>>;
  readonly violations: readonly Violation[];
}

/** Something wrong, and the way to it. */
export interface Violation {
  readonly what: string;
  readonly path: readonly string[];
}

/** Something that may happen in a state. */
interface Action {
  readonly name: string;
  readonly cost: number;
  readonly run: () => Promise<void>;
  /** The task that it must not change. */
  readonly leaves?: string;
}

interface Node {
  readonly text: string;
  readonly isEnd: boolean;
  /** The state that follows when everything behaves; undefined until it is known. */
  next: string | undefined;
  path: readonly string[];
  budget: number;
}

/** How long after a worker was last heard of its job is given to another: the queue's heartbeat. */
const heartbeatMs = 15_000;
/** How often a person tries one task again before doing something else. */
const retriesMax = 2;
/** After this many violations the rest is left unexplored. */
const violationsMax = 3;

/** Walks through everything that can happen to one request, with at most `faultsMax` things going wrong in each life. Leaves the database as it was. */
export async function explore(db: SimDatabase, scenario: Scenario): Promise<Explored> {
  await db.mark(0);
  const found = await walk(await createWorld(db, scenario));
  await db.back(0);
  return found;
}

async function walk(world: World): Promise<Explored> {
  const nodes = new Map<string, Node>();
  const moves = new Set<string>();
  const actions: Record<string, number> = {};
  const violations: Violation[] = [];
  let transitions = 0;

  const look = async (path: readonly string[]): Promise<{ readonly seen: Seen; readonly text: string }> => {
    const seen = await see(world);
    for (const move of seen.moves) moves.add(`${move.what === 'task' ? 'task' : 'request'}: ${move.was ?? '[*]'} -> ${move.is}`);
    for (const what of [...whatIsWrong(world, seen), ...wrongEntries(world, seen)]) violations.push({ what, path });
    return { seen, text: stateText(world, seen) };
  };

  const visit = async (seen: Seen, text: string, depth: number, path: readonly string[]): Promise<void> => {
    const node: Node = nodes.get(text) ?? { text, isEnd: hasEnded(seen) || (world.scenario.endsBeforeExecution === true && seen.request.status === 'executing'), next: undefined, path, budget: -1 };
    nodes.set(text, node);
    node.budget = world.outside.budget;
    if (node.isEnd && (world.outside.standing.length === 0 || !hasEnded(seen))) return;
    const before = copyOutside(world.outside);
    await world.db.mark(depth);
    const possible = actionsOf(world, seen);
    const fair = possible.find((action) => action.cost === 0);
    for (const action of possible) {
      if (action.cost > before.budget) continue;
      // Each choice that the code and the vendors come to is made in every way: the first run takes the first option everywhere.
      const ways: number[][] = [[]];
      for (let way = ways.pop(); way !== undefined; way = ways.pop()) {
        if (violations.length >= violationsMax) return;
        world.outside = copyOutside(before);
        world.outside.budget -= action.cost;
        const taken = await act(world, action, way);
        for (let at = way.length; at < taken.length; at += 1) {
          const options = taken[at]?.options ?? 1;
          for (let other = 1; other < options; other += 1) ways.push([...taken.slice(0, at).map((each) => each.option), other]);
        }
        transitions += 1;
        for (const kind of [action.name.split(':', 1)[0] ?? '', ...taken.filter((each) => each.option > 0).map((each) => each.name)]) actions[kind] = (actions[kind] ?? 0) + 1;
        const to = [...path, [action.name, ...taken.filter((each) => each.option > 0).map((each) => each.name)].join(' / ')];
        const next = await look(to);
        if (action.leaves !== undefined && rowOf(next.seen, action.leaves) !== rowOf(seen, action.leaves)) violations.push({ what: 'a process changed a task that another had taken over', path: to });
        if (action === fair && way.length === 0) node.next = next.text;
        const known = nodes.get(next.text);
        if (known === undefined || known.budget < world.outside.budget) await visit(next.seen, next.text, depth + 1, to);
        await world.db.back(depth);
      }
    }
    await world.db.drop(depth);
  };

  const first = await look([]);
  await visit(first.seen, first.text, 1, []);
  if (violations.length === 0) violations.push(...withoutEnd(nodes));
  return { states: nodes.size, transitions, moves, actions, violations };
}

/** Lets one action happen, with these choices and the first option in all later ones. Answers the choices there were. */
async function act(world: World, action: Action, way: readonly number[]): Promise<readonly { readonly name: string; readonly option: number; readonly options: number }[]> {
  const taken: { name: string; option: number; options: number }[] = [];
  world.choose = (what, all) => {
    const options = all.filter((option) => !option.endsWith('!') || world.outside.budget > 0);
    const option = way[taken.length] ?? 0;
    const chosen = options[option];
    if (chosen === undefined) throw new Error(`There is no option ${option} of ${what}`);
    if (chosen.endsWith('!')) world.outside.budget -= 1;
    taken.push({ name: `${what}: ${chosen}`, option, options: options.length });
    return chosen;
  };
  world.wrong.length = 0;
  await world.db.setNow(world.outside.now);
  await action.run();
  return taken;
}

/** Everything that may happen in a state. The first is what happens when everything behaves. */
function actionsOf(world: World, seen: Seen): readonly Action[] {
  const { outside, scenario } = world;
  const may = (fault: Fault): boolean => scenario.faults.includes(fault);
  const due = outside.jobs.filter((job) => job.readyAt <= outside.now).toSorted((a, b) => a.kind.localeCompare(b.kind) || a.id.localeCompare(b.id));
  const nameOf = (job: PendingJob): string => {
    const task = seen.tasks.find((each) => each.id === job.id);
    return `${job.kind} ${task === undefined ? '' : world.taskName(task.identifier, task.connection)}`.trim();
  };
  const actions: Action[] = due.map((job) => ({ name: `job: ${nameOf(job)}`, cost: 0, run: () => deliver(world, job, true) }));
  const isLate = (wake: number | null): boolean => wake !== null && wake <= outside.now;
  const unseen = [...(isLate(seen.request.wake) ? [world.requestId as string] : []), ...seen.tasks.flatMap((task) => (isLate(task.wake) ? [task.id] : []))].filter((id) => !due.some((job) => job.id === id));
  if (unseen.length > 0 && scenario.planted !== 'no_sweep') actions.push({ name: 'sweep', cost: 0, run: () => ended(world, () => sweepDue(world.deps, { lateMs: 0 })) });
  actions.push(...inTurn(world, seen));
  const nextAt = nextInstant(outside, seen);
  if (nextAt !== undefined && (due.length === 0 || may('late'))) actions.push({ name: 'time passes', cost: due.length === 0 ? 0 : 1, run: () => moveClock(world, nextAt) });
  for (const process of outside.standing) {
    const task = seen.tasks.find((each) => each.id === process.job.id);
    const isFenced = task !== undefined && claimedEpoch(process.history) !== task.epoch;
    actions.push({ name: `goes on: ${nameOf(process.job)}${isFenced ? ', fenced' : ''}`, cost: 0, run: () => resume(world, outside.standing.indexOf(process)), ...(isFenced ? { leaves: task.id } : {}) });
  }
  actions.push(...outOfTurn(world, seen));
  if (may('twice')) actions.push(...due.map((job): Action => ({ name: `job twice: ${nameOf(job)}`, cost: 1, run: () => deliver(world, job, false) })));
  if (may('jobs_lost') && outside.jobs.length > 0) actions.push({ name: 'jobs lost', cost: 1, run: async () => void (world.outside.jobs = []) });
  const windows = seen.tasks.flatMap((task) => (task.window !== null && task.window > outside.now && task.status !== 'settled' ? [task.window] : []));
  if (may('window') && windows.length > 0) actions.push({ name: 'window passes', cost: 1, run: () => moveClock(world, Math.max(...windows) + 1) });
  if (may('early')) {
    const open = new Set(seen.tasks.filter((task) => task.status !== 'waiting' && (!isLate(task.wake) || task.status === 'manual')).map((task) => task.connection));
    const calling = [...open].filter((system) => scenario.connections[system]?.style === 'asynchronous');
    actions.push(...calling.map((system): Action => ({ name: `callback: ${system}`, cost: 1, run: () => ended(world, () => world.callBack(system)) })));
  }
  // Last: it may change nothing, and what is first here is what is taken where everything behaves.
  const escaped = seen.tasks.some((task) => task.status === 'manual' && task.error === 'TASK_WINDOW_PASSED');
  // What a vendor has said is asked for again while another system is at work.
  const isAskedAgain = may('early') && seen.tasks.some((task) => task.status === 'settled' && task.outcome === 'erased') && seen.tasks.some((task) => task.status !== 'settled');
  if (escaped || may('early')) actions.push({ name: 'reconciliation', cost: escaped || isAskedAgain ? 0 : 1, run: () => ended(world, () => reconcileVendorJobs(world.deps), 'vendors choose') });
  return actions;
}

/** One thing that a person does, in one transaction. */
function byPerson(world: World, name: string, cost: number, work: () => Promise<unknown>): Action {
  return { name: `operator: ${name}`, cost, run: () => ended(world, work) };
}

/** What people do because all waits for them. */
function inTurn(world: World, seen: Seen): readonly Action[] {
  const { actions, requestId, deps } = world;
  const made: Action[] = [];
  if (seen.request.status === 'verifying') made.push(byPerson(world, 'verifies', 0, () => actions.verifyByOperator(requestId, 'dpo', 'called_back')));
  if (seen.request.status === 'awaiting_approval') made.push(byPerson(world, 'approves', 0, () => actions.approve(requestId, 'dpo')));
  for (const manual of seen.manual) {
    const task = seen.tasks.find((each) => each.id === manual.task);
    const settle = (settlement: Parameters<typeof settleManualTask>[3]) => (): Promise<void> => settleManualTask(deps, manual.id as ManualTaskId, 'dpo', settlement);
    if (task === undefined) {
      if (manual.reason !== 'APPROVAL_NEEDED') made.push(byPerson(world, 'has it resolved again', 0, settle({ how: 'retry' })));
      continue;
    }
    const name = world.taskName(task.identifier, task.connection);
    const retries = world.outside.retries[name] ?? 0;
    const retry = async (): Promise<void> => {
      await settle({ how: 'retry' })();
      world.outside.retries[name] = retries + 1;
    };
    if (retries < retriesMax) made.push(byPerson(world, `retries ${name}`, 0, retry));
    made.push(byPerson(world, `leaves out ${name}`, 0, settle({ how: 'skipped_by_operator', reason: 'test_system' })), byPerson(world, `did by hand ${name}`, 0, settle({ how: 'done_manually', evidence: 'ticket:1' })));
  }
  for (const system of seen.suspended) made.push(byPerson(world, `resumes ${system}`, 0, () => world.deps.connections.resume(system, 'dpo')));
  return made;
}

/** What people may do at any time. */
function outOfTurn(world: World, seen: Seen): readonly Action[] {
  const { actions, requestId, scenario, outside } = world;
  const may = (fault: Fault): boolean => scenario.faults.includes(fault);
  const { status } = seen.request;
  const made: Action[] = [];
  if (may('suspend')) {
    for (const system of Object.keys(scenario.connections)) if (!seen.suspended.includes(system)) made.push(byPerson(world, `suspends ${system}`, 1, () => world.deps.connections.suspend(system, 'dpo')));
  }
  const waiting = new Set(seen.tasks.filter((task) => task.status === 'waiting' && !outside.unconfigured.includes(task.connection)).map((task) => task.connection));
  if (may('unconfigure')) for (const system of waiting) made.push(byPerson(world, `takes ${system} out of the configuration`, 1, async () => void world.outside.unconfigured.push(system)));
  const hasEndedSoFar = (status === 'closed' || status === 'rejected') && seen.request.wake !== null;
  if (may('appeal') && hasEndedSoFar && !outside.appealed) made.push(byPerson(world, 'grants an appeal', 1, world.grantAppeal));
  const isUntouched = ['verifying', 'verified', 'resolving', 'planned', 'awaiting_approval'].includes(status) || (status === 'escalated' && !seen.request.planned);
  // Where nothing else is looked at, it is done in every state, whatever else goes wrong in it.
  const cost = scenario.endsBeforeExecution === true ? 0 : 1;
  if (may('operator_ends') && isUntouched) {
    made.push(byPerson(world, 'withdraws', cost, () => actions.withdraw(requestId, 'dpo')), byPerson(world, 'rejects', cost, () => actions.reject(requestId, 'dpo', 'process_excessive')));
  }
  return made;
}

/** The next instant at which something happens by itself. */
function nextInstant(outside: Outside, seen: Seen): number | undefined {
  const times = [...outside.jobs.map((job) => job.readyAt), seen.request.wake, ...seen.tasks.flatMap((task) => [task.wake, task.lease])];
  const later = times.filter((at): at is number => at !== null && at > outside.now);
  return later.length === 0 ? undefined : Math.min(...later);
}

async function moveClock(world: World, to: number): Promise<void> {
  world.outside.now = Math.ceil(to);
  await world.db.setNow(world.outside.now);
}

/** Something that runs to its end, in a process of its own. */
async function ended(world: World, work: () => Promise<unknown>, by: 'nobody chooses' | 'vendors choose' = 'nobody chooses'): Promise<void> {
  const paused = world.choose;
  // People and the sweep do one thing in one transaction: there is nothing in the middle of it to stand still at.
  world.choose = (what, options) => (by === 'vendors choose' && !what.startsWith('before the next') ? paused(what, options) : (options[0] ?? ''));
  const end = await world.stepping.run(async () => void (await work()), []);
  world.choose = paused;
  if (end.how === 'threw') world.wrong.push(`an action threw ${String(end.error)}`);
}

/** A worker takes a job. Where it stands still in the middle, it is heard of no more and the job goes to another. */
async function deliver(world: World, job: PendingJob, isTaken: boolean): Promise<void> {
  if (isTaken) world.outside.jobs = world.outside.jobs.filter((each) => each !== job && !(each.kind === job.kind && each.id === job.id && each.readyAt === job.readyAt));
  const end = await world.stepping.run(() => world.work(job), []);
  settleRun(world, job, end);
}

function settleRun(world: World, job: PendingJob, end: Awaited<ReturnType<World['stepping']['run']>>): void {
  if (end.how === 'threw') world.wrong.push(`a job threw ${String(end.error)}`);
  if (end.how !== 'stopped') return;
  world.outside.standing.push({ job, history: end.history });
  world.outside.jobs.push({ ...job, readyAt: world.outside.now + heartbeatMs });
}

/** A process that stood still goes on, however late. */
async function resume(world: World, at: number): Promise<void> {
  const process = world.outside.standing[at];
  if (process === undefined) throw new Error('No such process stands still');
  world.outside.standing = world.outside.standing.filter((each) => each !== process);
  const end = await world.stepping.run(() => world.work(process.job), process.history);
  settleRun(world, process.job, end);
}

const rowOf = (seen: Seen, id: string): string | undefined => seen.tasks.find((task) => task.id === id)?.row;

/** States from which, when everything behaves from there on, the end is not reached. */
function withoutEnd(nodes: ReadonlyMap<string, Node>): readonly Violation[] {
  const ends = new Set<string>();
  const stuck: Violation[] = [];
  for (const node of nodes.values()) {
    const way: Node[] = [];
    const onWay = new Set<string>();
    let at: Node | undefined = node;
    while (at !== undefined && !at.isEnd && !ends.has(at.text) && !onWay.has(at.text)) {
      way.push(at);
      onWay.add(at.text);
      at = at.next === undefined ? undefined : nodes.get(at.next);
    }
    if (at !== undefined && (at.isEnd || ends.has(at.text))) {
      for (const each of way) ends.add(each.text);
      ends.add(at.text);
    } else {
      stuck.push({ what: at === undefined ? 'nothing can happen any more, and the request has not ended' : 'it goes round in a circle, though everything behaves', path: [...node.path, `… ${way.at(-1)?.text ?? ''}`] });
      if (stuck.length >= violationsMax) return stuck;
    }
  }
  return stuck;
}
