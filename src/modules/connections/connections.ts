import { setTimeout as pause } from 'node:timers/promises';
import { createGuardedFetch, type Capabilities, type Connection, type Connector, type ConnectorContext, type Rehearsal, type Transport } from '../../connector-kit/index.ts';
import type { AuditEntry } from '../../contract/audit-entry.ts';
import type { TaskId } from '../../contract/ids.ts';
import { isoTime, type Clock } from '../../platform/clock.ts';
import type { ConnectionConfig } from '../../platform/config/document.ts';
import { resolveSecrets, type SecretSources } from '../../platform/config/load.ts';
import { tablesOf, type Database, type Tx } from '../../platform/db/database.ts';
import { takePlace } from '../../platform/db/rate-limit.ts';
import { Failure } from '../../platform/failure.ts';
import type { Log } from '../../platform/log.ts';
import * as store from './store.ts';
import type { ConnectionTables } from './tables.ts';

/** A connector bound to what an operator configured. */
export interface ConfiguredConnection {
  readonly name: string;
  readonly connector: string;
  readonly title: string;
  readonly action: 'erase' | 'anonymise';
  readonly after: readonly string[];
  readonly capabilities: Capabilities;
  readonly egress: readonly string[];
  readonly checksAtStart: boolean;
  readonly concurrency: number;
  readonly callsPerSecond: number;
  /** A task not settled by then after its dispatch goes to a person. */
  readonly windowMs: number;
  readonly connection: Connection;
  /** The context for one call of the connection; the caller ends it with `signal`. */
  readonly context: (options: { signal: AbortSignal; stepEndsAt: number }) => ConnectorContext;
}

/** Whether a task may start on a connection now, and otherwise why not and when to ask again. */
export type Admission = { readonly admitted: true } | { readonly admitted: false; readonly reason: 'suspended' | 'circuit_open' | 'busy'; readonly retryAfterMs: number };

/** What an operator sees of a connection. */
export interface ConnectionStatus {
  readonly name: string;
  readonly connector: string;
  readonly title: string;
  readonly state: 'ready' | 'suspended' | 'circuit_open';
  readonly consecutive_failures: number;
  readonly concurrency: number;
  readonly calls_per_second: number;
  readonly egress: readonly string[];
}

/** The configured connections and their health, which holds across processes. */
export interface Connections {
  readonly all: readonly ConfiguredConnection[];
  /** Fails with `NOT_FOUND`. */
  readonly get: (name: string) => ConfiguredConnection;
  /** Takes a place for a task, inside the transaction that records its intent. */
  readonly admit: (tx: Tx, name: string, taskId: TaskId, leaseMs: number) => Promise<Admission>;
  readonly renew: (name: string, taskId: TaskId, leaseMs: number) => Promise<void>;
  readonly release: (tx: Tx, name: string, taskId: TaskId) => Promise<void>;
  /** Tells the circuit how a call went. */
  readonly noteSuccess: (tx: Tx, name: string) => Promise<void>;
  readonly noteFailure: (tx: Tx, name: string) => Promise<void>;
  readonly status: () => Promise<readonly ConnectionStatus[]>;
  readonly check: (name: string) => Promise<void>;
  /** Puts the system to the test with people who do not exist; undefined where its connector has no such test. Fails with `NOT_FOUND`. */
  readonly rehearse: (name: string) => Promise<readonly Rehearsal[] | undefined>;
  readonly suspend: (name: string, operator: string) => Promise<void>;
  readonly resume: (name: string, operator: string) => Promise<void>;
}

/** Failures in a row after which a vendor is left alone for a while. */
const circuitThreshold = 8;
/** How long it is left alone before one call probes it. */
const circuitOpenMs = 30_000;
/** When to look again at a suspended connection; resuming it wakes its tasks through the sweep anyway. */
const suspendedRetryMs = 60_000;
/** When a task that queues for a place asks again although nobody gave one back: about a lease, since only a dead worker does not. */
const busyRetryMs = 15_000;

/** How long a call waits for its turn in the connection's rate limit before the step is put off. */
const patienceMinMs = 1000;

/** What connections are made of. */
export interface ConnectionsDeps {
  readonly database: Database;
  readonly clock: Clock;
  readonly secrets: SecretSources;
  readonly connectors: Readonly<Record<string, Connector>>;
  /** Carries the calls; the network when absent. */
  readonly transport?: Transport;
  readonly record: (tx: Tx, entry: AuditEntry) => Promise<void>;
  /** Wakes what waited for a connection, when it is resumed. */
  readonly onResumed: (tx: Tx, name: string) => Promise<void>;
  /** The window of connections that have none of their own, in hours. */
  readonly windowHours: number;
}

/**
 * Binds every configured connection to its connector. Fails with `CONFIG_INVALID`, naming the place and never the value, when a connector is
 * unknown, its configuration does not fit, a dependency does not exist, or dependencies form a circle.
 */
export async function createConnections(deps: ConnectionsDeps, config: Readonly<Record<string, ConnectionConfig>>): Promise<Connections> {
  const all = Object.entries(config).map(([name, each]) => bind(deps, name, each));
  const byName = new Map(all.map((each) => [each.name, each]));
  refuseBadOrder(byName);
  const db = deps.database.read<ConnectionTables>();
  await store.insertConnections(db, [...byName.keys()]);
  const get = (name: string): ConfiguredConnection => {
    const found = byName.get(name);
    if (found === undefined) throw new Failure('NOT_FOUND', 'There is no such connection');
    return found;
  };
  const setSuspended = async (name: string, reason: string | null, operator: string): Promise<void> => {
    get(name);
    await deps.database.transaction(async (tx) => {
      if (!(await store.setSuspended(tablesOf<ConnectionTables>(tx), name, reason))) return;
      const type = reason === null ? 'connection.resumed' : 'connection.suspended';
      await deps.record(tx, { type, at: isoTime(deps.clock.now()), actor: { role: 'operator', id: operator }, system: name });
      if (reason === null) await deps.onResumed(tx, name);
    });
  };
  return {
    all,
    get,
    admit: async (tx, name, taskId, leaseMs) => {
      const trx = tablesOf<ConnectionTables>(tx);
      const connection = get(name);
      // Before the health is read: who waits behind a probe that fails must see that it has failed, or would probe too.
      await store.lockPlaces(trx, name);
      const [health] = await store.readHealth(trx, name);
      if (health?.suspended === true) return { admitted: false, reason: 'suspended', retryAfterMs: suspendedRetryMs };
      if (health !== undefined && health.open_for_ms > 0) return { admitted: false, reason: 'circuit_open', retryAfterMs: Math.ceil(health.open_for_ms) };
      // After the circuit was open one task probes; the others wait for what it finds.
      const places = health !== undefined && health.consecutive_failures >= circuitThreshold ? 1 : connection.concurrency;
      const taken = await store.takeLease(trx, name, taskId, places, leaseMs);
      return taken ? { admitted: true } : { admitted: false, reason: 'busy', retryAfterMs: busyRetryMs };
    },
    renew: (name, taskId, leaseMs) => store.renewLease(db, name, taskId, leaseMs),
    release: (tx, name, taskId) => store.dropLease(tablesOf<ConnectionTables>(tx), name, taskId),
    noteSuccess: (tx, name) => store.noteSuccess(tablesOf<ConnectionTables>(tx), name),
    noteFailure: (tx, name) => store.noteFailure(tablesOf<ConnectionTables>(tx), name, circuitThreshold, circuitOpenMs),
    status: async () => {
      const health = new Map((await store.readHealth(db)).map((each) => [each.name, each]));
      return all.map((each) => {
        const row = health.get(each.name);
        return {
          name: each.name,
          connector: each.connector,
          title: each.title,
          state: row?.suspended === true ? 'suspended' : (row?.open_for_ms ?? 0) > 0 ? 'circuit_open' : 'ready',
          consecutive_failures: row?.consecutive_failures ?? 0,
          concurrency: each.concurrency,
          calls_per_second: each.callsPerSecond,
          egress: each.egress,
        };
      });
    },
    check: async (name) => {
      const connection = get(name);
      const signal = AbortSignal.timeout(60_000);
      await connection.connection.check(connection.context({ signal, stepEndsAt: deps.clock.now() + 60_000 }));
    },
    rehearse: async (name) => {
      const connection = get(name);
      const signal = AbortSignal.timeout(90_000);
      return connection.connection.rehearse?.(connection.context({ signal, stepEndsAt: deps.clock.now() + 60_000 }));
    },
    suspend: (name, operator) => setSuspended(name, 'by_operator', operator),
    resume: (name, operator) => setSuspended(name, null, operator),
  };
}

const commonKeys = ['connector', 'after', 'action', 'concurrency', 'calls_per_second', 'timeout_seconds', 'window_hours', 'holds'];

/**
 * Refuses what `createConnections` would refuse, without a database and without a call: for who checks a configuration before a start.
 * Answers what is allowed and leaves data behind, as sentences that name the place. Fails with `CONFIG_INVALID`.
 */
export function checkConnections(deps: Pick<ConnectionsDeps, 'connectors' | 'secrets'>, config: Readonly<Record<string, ConnectionConfig>>): readonly string[] {
  const findings = Object.entries(config).flatMap(([name, each]) => {
    const { connector, parsed } = readConfig(deps, name, each);
    return (connector.findings?.(parsed) ?? []).map((finding) => `/connections/${name}: ${finding}`);
  });
  refuseBadOrder(new Map(Object.entries(config)));
  return findings;
}

/**
 * Checks, in the background of a start, the connections of connectors whose missing permissions would only show as silence later. What is wrong is
 * logged in plain words and keeps nothing from starting: a vendor that is down is not a mistake of ours.
 */
export async function checkAtStart(connections: Connections, log: Log): Promise<void> {
  for (const each of connections.all.filter(({ checksAtStart }) => checksAtStart)) {
    await connections.check(each.name).catch((error: unknown) => {
      log.error({ system: each.name, err: error }, 'a connection does not work as it is configured');
    });
  }
}

/** The settings of a connection that are its connector's, with secrets still by reference. Fails with `CONFIG_INVALID` where one is written out. */
export function ownSettings(name: string, config: ConnectionConfig): Readonly<Record<string, unknown>> {
  const own = Object.fromEntries(Object.entries(config).filter(([key]) => !commonKeys.includes(key)));
  refuseWrittenSecrets(own, `/connections/${name}`);
  return own;
}

/** Finds a connection's connector and parses what it wants. */
function readConfig(deps: Pick<ConnectionsDeps, 'connectors' | 'secrets'>, name: string, config: ConnectionConfig): { readonly connector: Connector; readonly parsed: unknown; readonly capabilities: Capabilities } {
  const at = `/connections/${name}`;
  const connector = deps.connectors[config.connector];
  if (connector === undefined) {
    throw new Failure('CONFIG_INVALID', `${at}/connector: there is no connector of that name; known: ${Object.keys(deps.connectors).join(', ')}`);
  }
  const own = ownSettings(name, config);
  const parsed = connector.config.safeParse(resolveSecrets(own, at, deps.secrets));
  if (!parsed.success) {
    throw new Failure('CONFIG_INVALID', parsed.error.issues.map((issue) => `${at}/${issue.path.map(String).join('/')}: ${issue.message}`).join('; '));
  }
  const capabilities = connector.capabilities(parsed.data);
  if (!capabilities.actions.includes(config.action)) {
    throw new Failure('CONFIG_INVALID', `${at}/action: this connector can only ${capabilities.actions.join(' or ')}`);
  }
  return { connector, parsed: parsed.data, capabilities };
}

/** Settings with such names hold secrets, in every connector; what a template fills in later, such as an idempotency key, is none yet. */
const secretName = /(?:^|_)(?:key|token|secret|password)$/u;
/** Headers and parameters of a call that hold one, in whatever spelling: `X-Api-Key`, `access_token`. A parameter that is only called `key` may be anything. */
const secretHeader = /(?:^|[-_])(?:authorization|cookie|(?:api|access|auth|private|secret)[-_]?key|token|secret|password)$/iu;
/** What only fills in a value, with or without a word in front such as `Bearer`. */
const isReference = /^\$\{(?:env|file):[^}]+\}$/u;
const isTemplate = /^(?:[A-Za-z]+ )?\{\{[^{}]+\}\}$/u;
/** A URL with a password in it: `postgres://app:secret@db.example.com/app`. */
const urlWithPassword = /^[a-z][a-z0-9+.-]*:\/\/[^/@\s]*:[^/@\s]+@/iu;
/** Below these, names are those that a system gave: a call's body, a database's tables and columns. */
const namesOfOthers: readonly string[] = ['body', 'subject', 'tables', 'rectify'];

/**
 * Refuses secrets that are written out: the configuration is kept where many can read it. A call's body and a database's tables are left alone, since
 * their fields have the names that the system gave them: `{key: email}`.
 */
function refuseWrittenSecrets(value: unknown, at: string, names: RegExp = secretName): void {
  if (typeof value !== 'object' || value === null) return;
  for (const [name, each] of Object.entries(value)) {
    const holdsSecret = (text: string): boolean => (names.test(name) && !isReference.test(text) && !isTemplate.test(text)) || urlWithPassword.test(text);
    if (typeof each === 'string' && holdsSecret(each)) {
      throw new Failure('CONFIG_INVALID', `${at}/${name}: must be a reference, \${env:NAME} or \${file:/path}; secrets are not written into the configuration`);
    }
    if (namesOfOthers.includes(name)) continue;
    refuseWrittenSecrets(each, `${at}/${name}`, name === 'headers' || name === 'query' ? secretHeader : secretName);
  }
}

function bind(deps: ConnectionsDeps, name: string, config: ConnectionConfig): ConfiguredConnection {
  const { connector, parsed, capabilities } = readConfig(deps, name, config);
  const egress = connector.egress(parsed);
  const network = connector.network?.(parsed);
  const callsPerSecond = config.calls_per_second ?? capabilities.limits.callsPerSecond;
  const limit = { perSecond: callsPerSecond, burst: Math.max(1, Math.min(capabilities.limits.burst, Math.ceil(callsPerSecond))) };
  const concurrency = config.concurrency ?? capabilities.limits.concurrency;
  // A call waits its turn among the tasks of the connection rather than give its step up: a step that needs more calls than the burst would
  // else start over for ever.
  const patienceMs = Math.max(patienceMinMs, (2 * concurrency * 1000) / callsPerSecond);
  const hourMs = 3_600_000;
  return {
    name,
    connector: connector.name,
    title: connector.title,
    action: config.action,
    after: config.after,
    capabilities,
    egress,
    checksAtStart: connector.checksAtStart === true,
    concurrency,
    callsPerSecond,
    windowMs: config.window_hours === undefined ? Math.max(deps.windowHours * hourMs, capabilities.latencyMs.worst) : config.window_hours * hourMs,
    connection: connector.connect(parsed),
    context: ({ signal, stepEndsAt }) => ({
      signal,
      now: deps.clock.now,
      shouldYield: () => deps.clock.now() >= stepEndsAt,
      fetch: createGuardedFetch({
        egress,
        timeoutMs: config.timeout_seconds * 1000,
        signal,
        ...(network === undefined ? {} : { network }),
        ...(deps.transport === undefined ? {} : { transport: deps.transport }),
        acquire: async () => {
          const decision = await takePlace(deps.database, `connection:${name}`, limit, patienceMs);
          if (!decision.allowed) {
            throw new Failure('VENDOR_RATE_LIMITED', `The connection's own limit of ${callsPerSecond} calls a second is reached`, { retryAfterMs: decision.retryAfterMs });
          }
          if (decision.waitMs === 0) return;
          await pause(decision.waitMs, undefined, { signal }).catch((error: unknown) => {
            throw new Failure('VENDOR_TIMEOUT', 'The step ended while a call waited for its turn', { cause: error });
          });
        },
      }),
    }),
  };
}

/** Refuses `after` that names nothing or runs in a circle, which would wait for ever. */
function refuseBadOrder(byName: ReadonlyMap<string, { readonly after: readonly string[] }>): void {
  const visit = (name: string, path: readonly string[]): void => {
    if (path.includes(name)) throw new Failure('CONFIG_INVALID', `/connections/${name}/after: the connections ${[...path, name].join(' → ')} wait for each other`);
    for (const before of byName.get(name)?.after ?? []) {
      if (!byName.has(before)) throw new Failure('CONFIG_INVALID', `/connections/${name}/after: there is no connection ${before}`);
      visit(before, [...path, name]);
    }
  };
  for (const name of byName.keys()) visit(name, []);
}
