import { createHash } from 'node:crypto';
import { createConnections, type Connections } from '../../src/modules/connections/index.ts';
import type { Connector, EraseContext } from '../../src/connector-kit/index.ts';
import type { Identifier } from '../../src/contract/identifiers.ts';
import type { RequestId } from '../../src/contract/ids.ts';
import { recordAuditEntry } from '../../src/modules/audit/record-audit-entry.ts';
import { createVault } from '../../src/modules/identity/index.ts';
import { createAdvanceRequest, createRunTask, wakeConnection, type OrchestrationDeps } from '../../src/modules/orchestration/index.ts';
import { createOpenRequest, createRequestActions, type RequestActions } from '../../src/modules/requests/index.ts';
import { createLocalKeyProvider } from '../../src/platform/crypto/key-provider.ts';
import { loadSystemKeys } from '../../src/platform/crypto/system-keys.ts';
import { newId } from '../../src/platform/ids.ts';
import type { Jobs } from '../../src/platform/jobs/jobs.ts';
import { createLog } from '../../src/platform/log.ts';
import { createScriptedConnector, newTruth, type Style, type VendorTruth } from './scripted-vendors.ts';
import type { SimDatabase } from './sim-database.ts';
import type { History, Stepping } from './stepping.ts';

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
  /** What may go wrong besides the vendors, with which everything may. */
  readonly faults: readonly Fault[];
  /** A bug put in on purpose, to see that it is found. */
  readonly planted?: 'no_fence' | 'new_key_each_attempt' | 'no_sweep';
}

/** Kinds of things that go wrong or that people do out of turn; each costs one. */
export type Fault = 'pause' | 'twice' | 'early' | 'late' | 'jobs_lost' | 'window' | 'operator_ends' | 'suspend' | 'unconfigure' | 'certificate_waits';

/** A world in which one request lives. */
export interface World {
  readonly scenario: Scenario;
  readonly db: SimDatabase;
  readonly stepping: Stepping;
  readonly deps: OrchestrationDeps;
  readonly connections: Connections;
  readonly actions: RequestActions;
  readonly requestId: RequestId;
  /** The kind of job's handler. */
  readonly work: (job: PendingJob) => Promise<void>;
  /** Has a system's tasks looked at early, as a vendor's callback will. */
  readonly callBack: (system: string) => Promise<void>;
  outside: Outside;
  /** Answers a choice; the explorer sets it before each action. */
  choose: (what: string, options: readonly string[]) => string;
  /** What the vendors saw that must not be. */
  readonly wrong: string[];
  readonly taskName: (identifierId: string, connection: string) => string;
}

const start = Date.parse('2026-11-02T09:00:00Z');
const hourMs = 3_600_000;

/** Copies what is outside of the database, so that it can be gone back to. */
export function copyOutside(outside: Outside): Outside {
  return { ...outside, jobs: [...outside.jobs], truths: structuredClone(outside.truths), standing: [...outside.standing], unconfigured: [...outside.unconfigured], retries: { ...outside.retries } };
}

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
function createJobs(outside: () => Outside): { readonly jobs: Pick<Jobs, 'send' | 'poke'>; readonly commit: () => void; readonly forget: () => void } {
  let sent: PendingJob[] = [];
  const jobOf = (name: string, data: Readonly<Record<string, string>>, delayMs: number): PendingJob => ({ kind: name, id: Object.values(data)[0] ?? '', readyAt: outside().now + delayMs });
  return {
    jobs: {
      send: async (_tx, kind, data, options) => void sent.push(jobOf(kind.name, data, options?.delayMs ?? 0)),
      poke: async (kind, data) => {
        outside().jobs.push(jobOf(kind.name, data, 0));
        tidyJobs(outside());
      },
    },
    commit: () => {
      outside().jobs.push(...sent);
      sent = [];
      tidyJobs(outside());
    },
    forget: () => {
      sent = [];
    },
  };
}

/** Makes a world in an empty database and opens its request; nothing has looked at the request yet. */
export async function createWorld(db: SimDatabase, scenario: Scenario): Promise<World> {
  const { emails } = scenario;
  const { stepping } = db;
  let world: World | undefined;
  const the = (): World => {
    if (world === undefined) throw new Error('The world is not made yet');
    return world;
  };
  const truths = Object.fromEntries(Object.entries(scenario.connections).flatMap(([name, each]) => emails.map((email) => [`${name}/${email}`, newTruth(each.isTooYoung === true)])));
  const outside: Outside = { now: start, jobs: [], truths, standing: [], budget: scenario.faultsMax, unconfigured: [], retries: {} };
  const now = (): number => (world?.outside ?? outside).now;
  // One process at a time stands still, and two where three things may go wrong: what two do is mostly what each does.
  const standingMax = Math.max(1, scenario.faultsMax - 1);
  stepping.pauseWhere((at) => scenario.faults.includes('pause') && the().outside.standing.length < standingMax && the().choose(`before the next ${at}`, ['goes on', 'stands still!']) === 'stands still!');
  db.showRows((rows) => {
    const claimed = stepping.claimed() as { readonly epoch?: number } | undefined;
    if (scenario.planted !== 'no_fence' || !stepping.isResumed() || claimed?.epoch === undefined) return rows;
    return rows.map((row) => ('epoch' in row ? { ...row, epoch: claimed.epoch } : row));
  });
  await db.setNow(start);
  const queue = createJobs(() => world?.outside ?? outside);
  const database = {
    ...db.database,
    transaction: async <Value>(work: Parameters<typeof db.database.transaction<Value>>[0]): Promise<Value> =>
      db.database.transaction(async (tx) => {
        queue.forget();
        const value = await work(tx);
        queue.commit();
        return value;
      }),
  };
  const clock = { now: () => stepping.clock(now) };
  const random = { bytes: (size: number) => createHash('sha512').update('the same each time').digest().subarray(0, size), fraction: () => 0.5, digits: (count: number) => '0'.repeat(count) };
  const keyProvider = createLocalKeyProvider(Buffer.alloc(32, 7));
  const systemKeys = await loadSystemKeys(database, keyProvider);
  const record: OrchestrationDeps['record'] = async (tx, entry) => void (await recordAuditEntry(tx, entry));
  const connector = createScriptedConnector({
    stepping,
    truthOf: (system, identifier: Identifier) => {
      const truth = the().outside.truths[`${system}/${identifier.value}`];
      if (truth === undefined) throw new Error('A vendor was asked for somebody else');
      return truth;
    },
    choose: (what, options) => the().choose(what, options),
    onErase: async (system) => {
      const [row] = await db.look<{ started: boolean; running: boolean }>(
        `SELECT EXISTS (SELECT FROM public.audit_outbox WHERE entry->>'type' = 'task.started' AND entry->>'system' = $1) AS started,
          EXISTS (SELECT FROM public.attempt JOIN public.task ON id = task_id WHERE connection = $1) AS running`,
        [system],
      );
      if (row?.started !== true || !row.running) the().wrong.push(`${system} was called to erase before the intent was recorded`);
    },
    keyOf: (context: EraseContext, generation) => context.idempotencyKey('erase', scenario.planted === 'new_key_each_attempt' ? generation * 100 + context.attempt : generation),
  });
  const vault = createVault({ database, keyProvider, systemKeys, clock });
  const connections: Connections = await createConnections(
    { database, clock, secrets: { environment: {}, readFile: () => '' }, connectors: { scripted: connector as Connector }, record, onResumed: (tx, name) => wakeConnection({ clock, jobs: queue.jobs }, tx, name), windowHours: 72 },
    Object.fromEntries(Object.entries(scenario.connections).map(([name, each]) => [name, { connector: 'scripted', after: [...(each.after ?? [])], action: 'erase' as const, timeout_seconds: 30, concurrency: 1, system: name, style: each.style }])),
  );
  const deps: OrchestrationDeps = {
    database,
    clock,
    random,
    log: createLog('silent'),
    jobs: queue.jobs,
    vault,
    connections: {
      ...connections,
      get all() {
        return connections.all.filter((each) => !the().outside.unconfigured.includes(each.name));
      },
    },
    record,
    notify: async () => undefined,
    noticesWait: async () => false,
    lookupMapping: async () => ({ identifiers: [], rowIds: [] }),
    addSuppressions: async () => undefined,
    certificates: {
      request: async () => undefined,
      build: () =>
        stepping.operation('vendor', undefined, async () => {
          const waits = scenario.faults.includes('certificate_waits') && the().choose('the certificate', ['is built', 'waits for a checkpoint!']) !== 'is built';
          return waits ? undefined : Buffer.from('a certificate');
        }),
    },
    boundary: () => undefined,
    policy: { approvalRequired: scenario.needsApproval, graceMs: 0, windowMs: 72 * hourMs, confirmAttemptsMax: 2, controller: { name: 'Example Company', contact: 'privacy@example.com' } },
  };
  const open = createOpenRequest({ clock, random, jobs: queue.jobs, vault, record, startVerification: async () => undefined, beforeCommit: () => undefined, defaultLaw: 'gdpr', unverifiedDays: 14 });
  const requestId = newId('request');
  const prepared = await vault.prepare(requestId);
  const identifiers = emails.map((value) => ({ kind: 'email' as const, value, foundBy: 'given', confidence: scenario.doubtful?.includes(value) === true ? 0.5 : 1 }));
  await database.transaction((tx) => open(tx, { source: 'crm', sourceId: 'a', payloadHash: Buffer.alloc(32), right: 'erasure', jurisdiction: 'DE', identifiers, subjectVerified: scenario.isVerified }, prepared));
  const names = new Map((await vault.unlock(requestId)).identifiers.map((each) => [each.id as string, each.value]));
  const advance = createAdvanceRequest(deps);
  const runTask = createRunTask(deps);
  world = {
    scenario,
    db,
    stepping,
    deps,
    connections,
    actions: createRequestActions({ database, clock, jobs: queue.jobs, record }),
    requestId,
    work: (job) => (job.kind === 'task-run' ? runTask(job.id as Parameters<typeof runTask>[0]) : advance(job.id as RequestId)),
    callBack: (system) => database.transaction((tx) => wakeConnection({ clock, jobs: queue.jobs }, tx, system)),
    outside,
    choose: (_what, options) => options[0] ?? '',
    wrong: [],
    taskName: (identifierId, connection) => `${connection}/${names.get(identifierId) ?? '?'}`,
  };
  return world;
}
