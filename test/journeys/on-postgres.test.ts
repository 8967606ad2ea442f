import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { sql } from 'kysely';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { Database } from '../../src/platform/db/database.ts';
import { openPostgres } from '../../src/platform/db/postgres.ts';
import { startSandbox, type Sandbox } from '../../src/sandbox/index.ts';
import { verifyCertificate } from '../../src/verify/index.ts';
import { startPostgres, type TestPostgres } from '../support/postgres.ts';
import { call, eventually, sendWebhook, testConfigText, testEnvironment, untilStatus } from '../support/quittance.ts';

interface Process {
  readonly url: string;
  readonly ended: Promise<{ readonly code: number | null; readonly signal: NodeJS.Signals | null }>;
  readonly kill: (signal: NodeJS.Signals) => void;
  readonly output: () => string;
}

const entry = fileURLToPath(new URL('../../src/main.ts', import.meta.url));
const companyPhone = '+12025550190';

let server: TestPostgres;
let sandbox: Sandbox;
let folder: string;
let main: Database;
let audit: Database;
let environment: Record<string, string>;
/** Every process that was started, whether or not it came up. */
const processes: Pick<Process, 'ended' | 'kill' | 'output'>[] = [];
let url: string;
let workerOne: Process;
let workerTwo: Process;

/** Starts `quittance serve` with these services in a process of its own, and answers when it says that it has started. */
async function start(services: string): Promise<Process> {
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
  const spawned = { ended, kill: (signal: NodeJS.Signals) => void child.kill(signal), output: () => output };
  processes.push(spawned);
  return { ...spawned, url: await Promise.race([listening.promise, died]) };
}

beforeAll(async () => {
  [server, sandbox] = await Promise.all([startPostgres(), startSandbox({ ports: { stripe: 0, twilio: 0, segment: 0, mail: 0, smtp: 0 } })]);
  folder = mkdtempSync(join(tmpdir(), 'quittance-journey-'));
  const slow = { timeout_seconds: 20 };
  writeFileSync(join(folder, 'quittance.yaml'), testConfigText(sandbox, { connections: { twilio: slow } }));
  const [mainUrl, auditUrl] = [await server.createDatabase(), await server.createDatabase()];
  environment = {
    ...testEnvironment(sandbox),
    QUITTANCE_CONFIG: join(folder, 'quittance.yaml'),
    QUITTANCE_DATA_DIR: folder,
    QUITTANCE_DATABASE_URL: mainUrl,
    QUITTANCE_AUDIT_DATABASE_URL: auditUrl,
    QUITTANCE_MASTER_KEY: randomBytes(32).toString('base64'),
    QUITTANCE_PORT: '0',
  };
  main = openPostgres(mainUrl, () => undefined);
  audit = openPostgres(server.asSuperuser(auditUrl), () => undefined);
  // All at once, on empty databases: nobody has to migrate first.
  const [http, one, two] = await Promise.all([start('http'), start('worker'), start('worker'), start('scheduler')]);
  url = http.url;
  workerOne = one;
  workerTwo = two;
});
afterAll(async () => {
  for (const each of processes) each.kill('SIGKILL');
  await Promise.all(processes.map(async (each) => each.ended));
  await main.close();
  await audit.close();
  await sandbox.close();
  await server.stop();
  rmSync(folder, { recursive: true, force: true });
});
beforeEach(() => {
  for (const simulator of [sandbox.stripe, sandbox.twilio, sandbox.segment]) simulator.reset();
  sandbox.stripe.seed({ account: { requests_per_second: 1000 } });
  sandbox.segment.seed({ account: { polls_per_stage: 1 } });
});

interface Person {
  readonly email: string;
  readonly phone: string;
  readonly customer: string;
}

/** Plants people in all three systems. */
function plant(numbers: readonly number[]): readonly Person[] {
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

async function request(people: readonly Person[]): Promise<readonly string[]> {
  return Promise.all(
    people.map(async ({ email, phone, customer }) => {
      const accepted = await sendWebhook(url, { email, phone, stripe_customer_id: customer });
      expect(accepted).toMatchObject({ status: 202 });
      return String(accepted.body['id']);
    }),
  );
}

/** Waits until every request is closed and its key destroyed, and sees that each has its certificate and that the log is whole. */
async function allAreProven(ids: readonly string[], withinMs: number): Promise<void> {
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
function effects(): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const { type } of [...sandbox.stripe.effects, ...sandbox.twilio.effects, ...sandbox.segment.effects]) counts[type] = (counts[type] ?? 0) + 1;
  return counts;
}

const effectsOf = (people: number): Record<string, number> => ({
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
async function writers(): Promise<{ readonly holding: number; readonly claims: number }> {
  const holding = await sql<{ count: number }>`
    SELECT count(*) AS count FROM pg_locks JOIN pg_stat_activity USING (pid)
    WHERE locktype = 'advisory' AND granted AND application_name = 'quittance-lock' AND datname = current_database()`.execute(audit.read());
  const claims = await sql<{ epoch: number }>`SELECT epoch FROM audit.log`.execute(audit.read());
  return { holding: holding.rows[0]?.count ?? 0, claims: claims.rows.reduce((sum, row) => sum + row.epoch, 0) };
}

interface Held {
  readonly id: string;
  readonly epoch: number;
}

/** The tasks that some worker is in the middle of. */
async function heldTasks(connection: string): Promise<readonly Held[]> {
  return (await sql<Held>`SELECT id, epoch FROM task WHERE connection = ${connection} AND lease_until > clock_timestamp()`.execute(main.read())).rows;
}

/** Lines that report an error or worse. */
const complaints = (of: Pick<Process, 'output'>): readonly string[] => of.output().split('\n').filter((line) => line.startsWith('{') && (JSON.parse(line) as { level: number }).level >= 50);

// One story in three chapters, on the same processes.
describe('several processes on PostgreSQL', () => {
  test('six people at once are each erased once, proven, and forgotten, and one worker alone writes the log', { timeout: 60_000 }, async () => {
    const people = plant([10, 11, 12, 13, 14, 15]);
    const ids = await request(people);
    await allAreProven(ids, 50_000);
    expect(effects()).toEqual(effectsOf(6));
    expect(await writers()).toEqual({ holding: 1, claims: 1 });
    for (const each of processes) expect(complaints(each)).toEqual([]);
    const said = processes.map((each) => each.output()).join('');
    for (const { email, phone } of people) expect([said.includes(email), said.includes(phone)]).toEqual([false, false]);
  });

  test('a worker that is told to stop under load gives back what it holds, ends with 0, and the other goes on', { timeout: 60_000 }, async () => {
    const people = plant([20, 21, 22, 23]);
    sandbox.twilio.fault({ kind: 'delay', method: 'DELETE', delayMs: 300, times: 20 });
    const ids = await request(people);
    await eventually('The first deletion', async () => (sandbox.twilio.effects.length > 0 ? true : undefined));
    workerOne.kill('SIGTERM');
    expect(await workerOne.ended).toEqual({ code: 0, signal: null });
    expect(workerOne.output()).toContain('"msg":"stopped"');
    expect(complaints(workerOne)).toEqual([]);
    await allAreProven(ids, 50_000);
    expect(effects()).toEqual(effectsOf(4));
    expect((await writers()).holding).toBe(1);
  });

  test('a worker killed in the middle of its calls is replaced by another within its lease, and nothing is done twice', { timeout: 120_000 }, async () => {
    const people = plant([30, 31, 32]);
    const before = await writers();
    sandbox.twilio.fault({ kind: 'delay', method: 'DELETE', delayMs: 4000, times: 100 });
    const ids = await request(people);
    await eventually('The first deletion', async () => (sandbox.twilio.effects.length > 0 ? true : undefined));
    const held = await heldTasks('twilio');
    const other = await start('worker');
    // What was held before the other one was there is the first one's still: no step was started anew.
    const stillHeld = await heldTasks('twilio');
    expect(stillHeld.filter((each) => held.some((earlier) => earlier.id === each.id && earlier.epoch === each.epoch))).not.toEqual([]);
    workerTwo.kill('SIGKILL');
    expect((await workerTwo.ended).signal).toBe('SIGKILL');
    sandbox.twilio.clearFaults();
    const killedAt = Date.now();
    await allAreProven(ids, 100_000);
    expect(Date.now() - killedAt, 'a lease, a look at it, and the rest of the work').toBeLessThan(60_000);
    expect(effects()).toEqual(effectsOf(3));
    expect(await writers()).toEqual({ holding: 1, claims: before.claims + 1 });
    expect(complaints(other)).toEqual([]);
  });
});
