import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { sql } from 'kysely';
import { afterAll, beforeAll, beforeEach, expect } from 'vitest';
import type { Database } from '../../src/platform/db/database.ts';
import { openPostgres } from '../../src/platform/db/postgres.ts';
import { startSandbox, type Sandbox } from '../../src/sandbox/index.ts';
import { verifyCertificate } from '../../src/verify/index.ts';
import { sharedPostgres } from './databases.ts';
import { startPostgres, type TestPostgres } from './postgres.ts';
import type { PostgresDatabases } from './postgres-databases.ts';
import { call, eventually, sendWebhook, testConfigText, testEnvironment, untilStatus, type ConfigChanges } from './quittance.ts';

/** A process of `quittance serve`. */
export interface ServerProcess {
  /** Empty without the service `http`. */
  readonly url: string;
  readonly pid: number;
  readonly ended: Promise<{ readonly code: number | null; readonly signal: NodeJS.Signals | null }>;
  readonly kill: (signal: NodeJS.Signals) => void;
  readonly output: () => string;
}

/** A task that some worker is in the middle of. */
export interface HeldTask {
  readonly id: string;
  readonly epoch: number;
}

/** A person whom `plant` put into all three systems. */
export interface PlantedPerson {
  readonly email: string;
  readonly phone: string;
  readonly customer: string;
}

/** Several processes on PostgreSQL, simulators of the vendors, and a look into both databases. */
export interface Installation {
  readonly sandbox: Sandbox;
  readonly main: Database;
  /** The audit database as its superuser. */
  readonly audit: Database;
  /** Every process that was started, whether or not it came up. */
  readonly processes: readonly Omit<ServerProcess, 'url'>[];
  /** Starts a process with these services, and answers when it says that it has started. */
  readonly start: (services: string) => Promise<ServerProcess>;
}

const entry = fileURLToPath(new URL('../../src/main.ts', import.meta.url));

async function startProcess(services: string, environment: Readonly<Record<string, string>>, processes: Omit<ServerProcess, 'url'>[]): Promise<ServerProcess> {
  const child = spawn(process.execPath, [entry, `--services=${services}`], { env: { PATH: process.env['PATH'] ?? '', ...environment }, stdio: ['ignore', 'ignore', 'pipe'] });
  const ended = once(child, 'exit').then(([code, signal]) => ({ code: code as number | null, signal: signal as NodeJS.Signals | null }));
  let output = '';
  const listening = Promise.withResolvers<string>();
  child.stderr.on('data', (part: Buffer) => {
    output += part.toString('utf8');
    const line = output.split('\n').find((each) => each.includes('"msg":"started"'));
    if (line !== undefined) listening.resolve((JSON.parse(line) as { url?: string }).url ?? '');
  });
  const died = ended.then(() => {
    throw new Error(`The process for ${services} did not start: ${output}`);
  });
  died.catch(() => undefined);
  const spawned = { pid: child.pid ?? 0, ended, kill: (signal: NodeJS.Signals) => void child.kill(signal), output: () => output };
  processes.push(spawned);
  return { ...spawned, url: await Promise.race([listening.promise, died]) };
}

/** Gives a test file an installation: `own` on a server of its own, which can be stopped, or on clones in the one that the run shares. */
export function useInstallation(options: { readonly changes?: ConfigChanges; readonly own?: boolean } = {}): () => Installation & { readonly server: TestPostgres | undefined } {
  const { changes = {}, own = false } = options;
  let made: (Installation & { readonly server: TestPostgres | undefined; readonly close: () => Promise<void> }) | undefined;
  const current = (): Installation & { readonly server: TestPostgres | undefined } => {
    if (made === undefined) throw new Error('The installation is made before all tests');
    return made;
  };
  beforeAll(async () => {
    made = await makeInstallation(changes, own);
  });
  afterAll(async () => made?.close());
  beforeEach(() => {
    const { sandbox } = current();
    for (const simulator of [sandbox.stripe, sandbox.twilio, sandbox.segment]) simulator.reset();
    sandbox.stripe.seed({ account: { requests_per_second: 1000 } });
    sandbox.segment.seed({ account: { polls_per_stage: 1 } });
  });
  return current;
}

async function makeInstallation(changes: ConfigChanges, own: boolean): Promise<Installation & { readonly server: TestPostgres | undefined; readonly close: () => Promise<void> }> {
  const server = own ? await startPostgres() : undefined;
  const databases: PostgresDatabases = server ?? sharedPostgres();
  const sandbox = await startSandbox({ ports: { stripe: 0, twilio: 0, segment: 0, mail: 0, smtp: 0 } });
  const folder = mkdtempSync(join(tmpdir(), 'quittance-processes-'));
  writeFileSync(join(folder, 'quittance.yaml'), testConfigText(sandbox, changes));
  // On a server of its own they are empty: the processes make everything, roles too, whoever comes first.
  const mainUrl = await databases.createDatabase(own ? 'empty' : 'main');
  const auditUrl = await databases.createDatabase(own ? 'empty' : 'audit');
  const environment = {
    ...testEnvironment(sandbox),
    QUITTANCE_CONFIG: join(folder, 'quittance.yaml'),
    QUITTANCE_DATA_DIR: folder,
    QUITTANCE_DATABASE_URL: mainUrl,
    QUITTANCE_AUDIT_DATABASE_URL: auditUrl,
    QUITTANCE_MASTER_KEY: randomBytes(32).toString('base64'),
    QUITTANCE_PORT: '0',
  };
  const main = openPostgres(mainUrl, () => undefined);
  const audit = openPostgres(databases.asSuperuser(auditUrl), () => undefined);
  const processes: Omit<ServerProcess, 'url'>[] = [];
  return {
    server,
    sandbox,
    main,
    audit,
    processes,
    start: (services) => startProcess(services, environment, processes),
    close: async () => {
      for (const each of processes) each.kill('SIGKILL');
      await Promise.all(processes.map(async (each) => each.ended));
      await main.close();
      await audit.close();
      await sandbox.close();
      await server?.stop();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** Plants people in all three systems. */
export function plant({ sandbox }: Installation, numbers: readonly number[]): readonly PlantedPerson[] {
  const companyPhone = '+12025550190';
  const people = numbers.map((number) => ({ email: `person${number}@example.com`, phone: `+120255501${number}`, customer: `cus_person0000${number}` }));
  for (const { email, phone, customer } of people) {
    sandbox.stripe.seed({ customers: [{ id: customer, email, name: 'Example Person', payment_methods: [{ last4: '4242' }], tax_ids: [{ type: 'eu_vat', value: 'DE123456789' }] }] });
    const messages = [
      { to: phone, from: companyPhone, body: 'hello' },
      { to: companyPhone, from: phone, body: 'hi' },
    ];
    sandbox.twilio.seed({ messages, calls: [{ to: phone, from: companyPhone }] });
    sandbox.segment.seed({ profiles: [{ external_ids: [{ type: 'user_id', id: `user-${customer}` }, { type: 'email', id: email }, { type: 'phone', id: phone }] }] });
  }
  return people;
}

/** Sends a verified deletion request for each person at once, and answers their ids: each was acknowledged. */
export async function request(url: string, people: readonly PlantedPerson[]): Promise<readonly string[]> {
  return Promise.all(
    people.map(async ({ email, phone, customer }) => {
      const accepted = await sendWebhook(url, { email, phone, stripe_customer_id: customer });
      expect(accepted).toMatchObject({ status: 202 });
      return String(accepted.body['id']);
    }),
  );
}

/** Waits until every request is closed and its key destroyed, and sees that each has its certificate and that the log is whole. */
export async function allAreProven({ main }: Installation, url: string, ids: readonly string[], withinMs: number): Promise<void> {
  const closed = await Promise.all(ids.map(async (id) => untilStatus(url, id, ['closed'], withinMs)));
  expect(closed.map((each) => each['verdict'])).toEqual(ids.map(() => 'fulfilled_with_retention'));
  const key = (await (await fetch(`${url}/.well-known/quittance-log-key`)).text()).trim();
  for (const id of ids) {
    const certificate = await eventually(`The certificate of ${id}`, async () => {
      const response = await fetch(`${url}/v1/privacy-requests/${id}/certificate`, { headers: { authorization: 'Bearer test-api-key' } });
      return response.status === 200 ? Buffer.from(await response.arrayBuffer()) : undefined;
    });
    expect(verifyCertificate(certificate, { keys: [key] })).toMatchObject({ ok: true });
  }
  await eventually('The destruction of every key', async () => {
    const left = await sql<{ count: number }>`SELECT count(*) AS count FROM request_key WHERE destroyed_at IS NULL`.execute(main.read());
    return left.rows[0]?.count === 0 ? true : undefined;
  });
  await eventually('The delivery of every entry', async () => {
    const left = await sql<{ count: number }>`SELECT count(*) AS count FROM audit_outbox WHERE delivered_at IS NULL`.execute(main.read());
    return left.rows[0]?.count === 0 ? true : undefined;
  });
  expect((await call(url, '/v1/audit/verification', { method: 'POST', body: '{}' })).body).toMatchObject({ ok: true });
}

/** How often each change was really made at the simulators, by type. */
export function effects({ sandbox }: Installation): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const { type } of [...sandbox.stripe.effects, ...sandbox.twilio.effects, ...sandbox.segment.effects]) counts[type] = (counts[type] ?? 0) + 1;
  return counts;
}

/** The effects of erasing so many planted people, each once. */
export const effectsOf = (people: number): Record<string, number> => ({
  'payment_method.detached': people,
  'tax_id.deleted': people,
  'customer.updated': people,
  'customer.deleted': people,
  'message.deleted': 2 * people,
  'call.deleted': people,
  'regulation.created': people,
  'suppression.added': people,
  'profile.deleted': people,
});

/** How many sessions hold the writer's lock, and how often the log was claimed in all. */
export async function writers({ audit }: Installation): Promise<{ readonly holding: number; readonly claims: number }> {
  const holding = await sql<{ count: number }>`
    SELECT count(*) AS count FROM pg_locks JOIN pg_stat_activity USING (pid)
    WHERE locktype = 'advisory' AND granted AND application_name = 'quittance-lock' AND datname = current_database()`.execute(audit.read());
  const claims = await sql<{ epoch: number }>`SELECT epoch FROM audit.log`.execute(audit.read());
  return { holding: holding.rows[0]?.count ?? 0, claims: claims.rows.reduce((sum, row) => sum + row.epoch, 0) };
}

/** The tasks of a connection that some worker is in the middle of. */
export async function heldTasks({ main }: Installation, connection: string): Promise<readonly HeldTask[]> {
  return (await sql<HeldTask>`SELECT id, epoch FROM task WHERE connection = ${connection} AND lease_until > clock_timestamp()`.execute(main.read())).rows;
}

/** Lines of a process's log that report an error or worse. */
export const complaints = (of: Pick<ServerProcess, 'output'>): readonly string[] =>
  of
    .output()
    .split('\n')
    .filter((line) => line.startsWith('{') && line.endsWith('}') && (JSON.parse(line) as { level: number }).level >= 50);

/** The greatest number of requests that a simulator had under way at once, from now on, of those that match. */
export function watchConcurrency(simulator: Sandbox['stripe'], matches: (method: string, path: string) => boolean): () => number {
  let now = 0;
  let most = 0;
  simulator.app.server.on('request', (message: { method?: string; url?: string }, response: { once: (event: 'close', heard: () => void) => void }) => {
    if (!matches(message.method ?? '', message.url ?? '')) return;
    now += 1;
    most = Math.max(most, now);
    response.once('close', () => (now -= 1));
  });
  return () => most;
}

/** The times at which requests reach a simulator, from now on, in milliseconds. */
export function watchArrivals(simulator: Sandbox['stripe']): readonly number[] {
  const arrivals: number[] = [];
  simulator.app.server.on('request', () => void arrivals.push(Date.now()));
  return arrivals;
}
