import { createHash } from 'node:crypto';
import { createConnections, type Connections } from '../../src/modules/connections/index.ts';
import type { Connector, EraseContext } from '../../src/connector-kit/index.ts';
import type { Identifier } from '../../src/contract/identifiers.ts';
import type { RequestId, TaskId } from '../../src/contract/ids.ts';
import { recordAuditEntry } from '../../src/modules/audit/record-audit-entry.ts';
import { createVault } from '../../src/modules/identity/index.ts';
import { createAdvanceRequest, createCarryOutAnew, createRunTask, lookAtJob, takeCallback, wakeConnection, type OrchestrationDeps } from '../../src/modules/orchestration/index.ts';
import { createClockActions, createLawClocks, createOpenRequest, createRequestActions, type RequestActions } from '../../src/modules/requests/index.ts';
import { createLocalKeyProvider } from '../../src/platform/crypto/key-provider.ts';
import { loadSystemKeys } from '../../src/platform/crypto/system-keys.ts';
import type { ConnectionConfig } from '../../src/platform/config/document.ts';
import type { Database } from '../../src/platform/db/database.ts';
import { newId } from '../../src/platform/ids.ts';
import type { Jobs } from '../../src/platform/jobs/jobs.ts';
import { createLog } from '../../src/platform/log.ts';
import { createScriptedConnector, jobName, newTruth, type Style, type VendorTruth } from './scripted-vendors.ts';
import type { SimDatabase } from './sim-database.ts';
import type { History, Stepping } from './stepping.ts';

const clocks = createLawClocks({ target_hours: { access: 48, erasure: 72, other: 72 }, without_delay_days: 15, also: [], confirmed_drafts: [] }, 'gdpr');

/** A job on its way. */
export interface PendingJob {
  readonly kind: string;
  readonly id: string;
  readonly readyAt: number;
}

/** A process that stands still in the middle of a job. */
export interface StandingProcess {
  readonly job: PendingJob;
  readonly history: History;
}

/** Everything outside of the database that the explorer must be able to go back to. */
export interface Outside {
  now: number;
  jobs: PendingJob[];
  truths: Record<string, VendorTruth>;
  standing: StandingProcess[];
  /** How much may still go wrong. */
  budget: number;
  /** Connections that were taken out of the configuration. */
  unconfigured: string[];
  /** Whether an appeal was granted: a law gives one. */
  appealed: boolean;
  /** A person's retries, by task. */
  retries: Record<string, number>;
}

/** What is explored. */
export interface Scenario {
  readonly name: string;
  /** Connections and which come first. */
  readonly connections: Readonly<Record<string, { readonly style: Style; readonly after?: readonly string[]; readonly isTooYoung?: true }>>;
  readonly emails: readonly string[];
  /** Those of them that may be somebody else's: a person decides on what is planned for them. */
  readonly doubtful?: readonly string[];
  readonly isVerified: boolean;
  readonly needsApproval: boolean;
  /** True where what comes after the plan may run is explored elsewhere. */
  readonly endsBeforeExecution?: true;
  /** How many things may go wrong in one life. */
  readonly faultsMax: number;
  /** True where the vendors do nothing wrong, so that more of the rest can. */
  readonly vendorsBehave?: true;
  /** Where processes stand still, if not everywhere. */
  readonly pausesOnlyAt?: 'call';
  /** What may go wrong besides the vendors. */
  readonly faults: readonly Fault[];
  /** A bug put in on purpose, to see that it is found. */
  readonly planted?: 'no_fence' | 'new_key_each_attempt' | 'no_sweep';
}

/** Kinds of things that go wrong or that people do out of turn; each costs one. */
export type Fault = 'pause' | 'twice' | 'early' | 'late' | 'jobs_lost' | 'window' | 'operator_ends' | 'suspend' | 'unconfigure' | 'certificate_waits' | 'appeal';

/** What a life has come to outside of the database, and how its choices are made. */
interface Play {
  readonly scenario: Scenario;
  outside: Outside;
  /** Answers a choice; the explorer sets it before each action. */
  choose: (what: string, options: readonly string[]) => string;
  /** What the vendors saw that must not be. */
  readonly wrong: string[];
}

/** A world in which one request lives. */
export interface World extends Play {
  readonly db: SimDatabase;
  readonly stepping: Stepping;
  readonly deps: OrchestrationDeps;
  readonly actions: RequestActions;
  /** The person appeals against how their request ended, and an operator grants it. */
  readonly grantAppeal: () => Promise<void>;
  readonly requestId: RequestId;
  /** The kind of job's handler. */
  readonly work: (job: PendingJob) => Promise<void>;
  /** The system calls back about every job that it has. */
  readonly callBack: (system: string) => Promise<void>;
  readonly taskName: (identifierId: string, connection: string) => string;
}

const start = Date.parse('2026-11-02T09:00:00Z');
const hourMs = 3_600_000;

/** Copies what is outside of the database, so that it can be gone back to. */
export function copyOutside(outside: Outside): Outside {
  return { ...outside, jobs: [...outside.jobs], truths: structuredClone(outside.truths), standing: [...outside.standing], unconfigured: [...outside.unconfigured], retries: { ...outside.retries } };
}

const none = async (): Promise<never> => {
  throw new Error('An erasure asked for what is of another right');
};

/** Keeps of jobs for the same thing the one that is due and the next one: the same job twice is a choice of the explorer's anyway. */
function tidyJobs(outside: Outside): void {
  const kept = new Map<string, PendingJob>();
  for (const job of outside.jobs.toSorted((a, b) => a.readyAt - b.readyAt)) {
    const key = `${job.kind}/${job.id}/${job.readyAt <= outside.now ? 'due' : 'later'}`;
    if (!kept.has(key)) kept.set(key, job);
  }
  outside.jobs = [...kept.values()];
}

/** Makes the jobs a list: a job sent in a transaction is on it if and only if the transaction is committed. */
function createQueue(play: Play): { readonly jobs: Pick<Jobs, 'send' | 'poke'>; readonly commit: () => void; readonly forget: () => void } {
  let sent: PendingJob[] = [];
  const jobOf = (name: string, data: Readonly<Record<string, string>>, delayMs: number): PendingJob => ({ kind: name, id: Object.values(data)[0] ?? '', readyAt: play.outside.now + delayMs });
  const put = (jobs: readonly PendingJob[]): void => {
    play.outside.jobs.push(...jobs);
    tidyJobs(play.outside);
  };
  return {
    jobs: {
      send: async (_tx, kind, data, options) => void sent.push(jobOf(kind.name, data, options?.delayMs ?? 0)),
      poke: async (kind, data) => put([jobOf(kind.name, data, 0)]),
    },
    commit: () => {
      put(sent);
      sent = [];
    },
    forget: () => {
      sent = [];
    },
  };
}

/** The database as the code gets it, whose commits put what was sent into the queue. */
function withQueue(database: Database, queue: ReturnType<typeof createQueue>): Database {
  return {
    ...database,
    transaction: (work) =>
      database.transaction(async (tx) => {
        queue.forget();
        const value = await work(tx);
        queue.commit();
        return value;
      }),
  };
}

/** Lets processes stand still, and has those that go on see what a planted bug shows them. */
function direct(db: SimDatabase, play: Play): void {
  const { scenario } = play;
  // One process at a time stands still, and two where three things may go wrong: what two do is mostly what each does.
  const standingMax = Math.max(1, scenario.faultsMax - 1);
  const mayStand = (at: string): boolean => scenario.faults.includes('pause') && at === (scenario.pausesOnlyAt ?? at) && play.outside.standing.length < standingMax;
  db.stepping.pauseWhere((at) => mayStand(at) && play.choose(`before the next ${at}`, ['goes on', 'stands still!']) === 'stands still!');
  db.showRows((rows) => {
    const claimed = db.stepping.claimed() as { readonly epoch?: number } | undefined;
    if (scenario.planted !== 'no_fence' || !db.stepping.isResumed() || claimed?.epoch === undefined) return rows;
    return rows.map((row) => ('epoch' in row ? { ...row, epoch: claimed.epoch } : row));
  });
}

function connectorOf(db: SimDatabase, play: Play): Connector {
  const { scenario } = play;
  const connector = createScriptedConnector({
    stepping: db.stepping,
    truthOf: (system, identifier: Identifier) => {
      const truth = play.outside.truths[`${system}/${identifier.value}`];
      if (truth === undefined) throw new Error('A vendor was asked for somebody else');
      return truth;
    },
    truthOfJob: (system, job) => Object.entries(play.outside.truths).find(([name, truth]) => name.startsWith(`${system}/`) && Object.keys(truth.jobs).some((key) => jobName(key) === job))?.[1],
    choose: (what, options) => play.choose(what, scenario.vendorsBehave === true ? options.filter((option) => !option.endsWith('!')) : options),
    onErase: async (system) => {
      // Attempts are forgotten with the vault: a worker that goes on after that finds none of its own.
      const [row] = await db.look<{ started: boolean; running: boolean }>(
        `SELECT EXISTS (SELECT FROM public.audit_outbox WHERE entry->>'type' = 'task.started' AND entry->>'system' = $1) AS started,
          EXISTS (SELECT FROM public.attempt JOIN public.task ON id = task_id WHERE connection = $1) OR EXISTS (SELECT FROM public.request_key WHERE destroyed_at IS NOT NULL) AS running`,
        [system],
      );
      if (row?.started !== true || !row.running) play.wrong.push(`${system} was called to erase before the intent was recorded`);
    },
    keyOf: (context: EraseContext, generation) => context.idempotencyKey('erase', scenario.planted === 'new_key_each_attempt' ? generation * 100 + context.attempt : generation),
  });
  return connector as Connector;
}

/** Everything that the orchestration needs: its own vault, connections and audit entries, and stand-ins for notices, mapping and certificates. */
async function createDeps(db: SimDatabase, play: Play): Promise<OrchestrationDeps> {
  const { scenario } = play;
  const queue = createQueue(play);
  const database = withQueue(db.database, queue);
  const { jobs } = queue;
  const clock = { now: () => db.stepping.clock(() => play.outside.now) };
  const random = { bytes: (size: number) => createHash('sha512').update('the same each time').digest().subarray(0, size), fraction: () => 0.5, digits: (count: number) => '0'.repeat(count) };
  const keyProvider = createLocalKeyProvider(Buffer.alloc(32, 7));
  const record: OrchestrationDeps['record'] = async (tx, entry) => void (await recordAuditEntry(tx, entry));
  const configured = Object.entries(scenario.connections).map(([name, each]): [string, ConnectionConfig] => [
    name,
    { connector: 'scripted', after: [...(each.after ?? [])], action: 'erase', timeout_seconds: 30, concurrency: 1, system: name, style: each.style },
  ]);
  const connections: Connections = await createConnections(
    {
      database,
      clock,
      secrets: { environment: {}, readFile: () => '' },
      connectors: { scripted: connectorOf(db, play) },
      record,
      onResumed: (tx, name) => wakeConnection({ clock, jobs }, tx, name),
      windowHours: 72,
    },
    Object.fromEntries(configured),
  );
  return {
    database,
    clock,
    random,
    log: createLog('silent'),
    jobs,
    vault: createVault({ database, keyProvider, systemKeys: await loadSystemKeys(database, keyProvider), clock }),
    connections: {
      ...connections,
      get all() {
        return connections.all.filter((each) => !play.outside.unconfigured.includes(each.name));
      },
    },
    record,
    notify: async () => undefined,
    noticesWait: async () => false,
    lookupMapping: async () => ({ identifiers: [], rowIds: [] }),
    addSuppressions: async () => undefined,
    // Every request here is one of erasure: nothing is exported, nobody restricted.
    exports: { addPage: none, dropPages: none, make: none, stateOf: none, expiresAt: async () => undefined, discard: async () => undefined },
    restrictions: { enter: none, noteTold: none },
    recipients: { of: () => ({ mailed: [], undeclared: [] }) },
    sayAgain: none,
    certificates: {
      request: async () => undefined,
      build: () =>
        db.stepping.operation('vendor', undefined, async () => {
          const waits = scenario.faults.includes('certificate_waits') && play.choose('the certificate', ['is built', 'waits for a checkpoint!']) !== 'is built';
          return waits ? undefined : Buffer.from('a certificate');
        }),
    },
    boundary: () => undefined,
    policy: { approvalRequired: scenario.needsApproval, graceMs: scenario.faults.includes('appeal') ? hourMs : 0, windowMs: 72 * hourMs, confirmAttemptsMax: 2, controller: { name: 'Example Company', contact: 'privacy@example.com' } },
  };
}

/** Opens the request as intake does. */
async function openRequest(deps: OrchestrationDeps, scenario: Scenario): Promise<RequestId> {
  const open = createOpenRequest({ ...deps, startVerification: async () => undefined, beforeCommit: () => undefined, notify: async () => undefined, clocks, unverifiedDays: 14 });
  const requestId = newId('request');
  const prepared = await deps.vault.prepare(requestId);
  const identifiers = scenario.emails.map((value) => ({ kind: 'email' as const, value, foundBy: 'given', confidence: scenario.doubtful?.includes(value) === true ? 0.5 : 1 }));
  const incoming = { source: 'crm', sourceId: 'a', payloadHash: Buffer.alloc(32), right: 'erasure', jurisdiction: scenario.faults.includes('appeal') ? 'US-VA' : 'DE', identifiers, verification: scenario.isVerified ? 'source' : 'email_code' } as const;
  await deps.database.transaction((tx) => open(tx, incoming, prepared));
  return requestId;
}

/** Makes a world in an empty database and opens its request; nothing has looked at the request yet. */
export async function createWorld(db: SimDatabase, scenario: Scenario): Promise<World> {
  const truths = Object.fromEntries(Object.entries(scenario.connections).flatMap(([name, each]) => scenario.emails.map((email) => [`${name}/${email}`, newTruth(each.isTooYoung === true)])));
  const play: Play = {
    scenario,
    outside: { now: start, jobs: [], truths, standing: [], budget: scenario.faultsMax, unconfigured: [], appealed: false, retries: {} },
    choose: (_what, options) => options[0] ?? '',
    wrong: [],
  };
  direct(db, play);
  await db.setNow(start);
  const deps = await createDeps(db, play);
  const requestId = await openRequest(deps, scenario);
  const names = new Map((await deps.vault.unlock(requestId)).identifiers.map((each) => [each.id as string, each.value]));
  const advance = createAdvanceRequest(deps);
  const runTask = createRunTask(deps);
  return Object.assign(play, {
    db,
    stepping: db.stepping,
    deps,
    actions: createRequestActions({ ...deps, clocks, notify: async () => undefined }),
    grantAppeal: async () => {
      const appeals = createClockActions({ ...deps, clocks, notify: async () => undefined, acknowledgedAt: async () => undefined, unverifiedDays: 14, carryOutAnew: createCarryOutAnew(deps) });
      await appeals.appeal(requestId, 'dpo');
      await appeals.decide(requestId, 'dpo', { decision: 'granted' });
      play.outside.appealed = true;
      // Each of its tasks may be begun anew, as if a person had it tried again.
      for (const name of Object.keys(play.outside.truths)) play.outside.retries[name] = (play.outside.retries[name] ?? 0) + 1;
    },
    requestId,
    work: async (job: PendingJob) => {
      if (job.kind === 'task-run') return runTask(job.id as TaskId);
      if (job.kind === 'vendor-job-look') return void (await lookAtJob(deps, job.id as TaskId));
      return advance(job.id as RequestId);
    },
    callBack: (system: string) => {
      const jobs = Object.entries(play.outside.truths).flatMap(([name, truth]) => (name.startsWith(`${system}/`) ? Object.keys(truth.jobs).map(jobName) : []));
      return takeCallback(deps, system, { headers: {}, body: Buffer.from(jobs.join(' ')), now: deps.clock.now() });
    },
    taskName: (identifierId: string, connection: string) => `${connection}/${names.get(identifierId) ?? '?'}`,
  });
}
