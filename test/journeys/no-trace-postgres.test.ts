import { spawn, type ChildProcess } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { EmbeddedPostgres, freePort } from '../support/embedded-postgres.ts';
import { sql } from 'kysely';
import { PgBoss } from 'pg-boss';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Database } from '../../src/platform/db/database.ts';
import { openPostgres } from '../../src/platform/db/postgres.ts';
import { rewriteTable } from '../../src/platform/db/rewrite-table.ts';
import { startSandbox, type Sandbox } from '../../src/sandbox/index.ts';
import { dumpOf, filesOf, findMarks, searchPlaces, secretForms, type MarkForms, type Place } from '../support/marks.ts';
import { apiAnswers, marks, marksInOfficersMail, person, plantMarked } from '../support/marked-person.ts';
import { apiKey, call, eventually, testConfigText, testEnvironment, untilStatus } from '../support/quittance.ts';
import { certificateOf, untilShredded } from '../support/running.ts';

const serverEntry = fileURLToPath(new URL('../../src/main.ts', import.meta.url));
const cliEntry = fileURLToPath(new URL('../../src/cli/main.ts', import.meta.url));

let folder: string;
/** The server's own, which runs as another user when this is root. */
let serverFolder: string;
let postgres: InstanceType<typeof EmbeddedPostgres>;
const serverLog: string[] = [];
let sandbox: Sandbox;
let environment: Record<string, string>;
let main: Database;
let audit: Database;
const processes: { readonly child: ChildProcess; readonly ended: Promise<unknown>; readonly output: () => string }[] = [];
/** What anybody on the machine can read of a process, and what its own user can. */
const shown: Place[] = [];
let url = '';

const urlOf = (port: number, name: string, who = 'quittance'): string => `postgres://${who}:${who}@127.0.0.1:${port}/${name}`;

/** A server that logs every statement with its parameters, how long it took, and what it was about when it failed. */
async function startTalkativePostgres(): Promise<number> {
  const port = await freePort();
  const flags = { log_statement: 'all', log_min_duration_statement: '0', log_parameter_max_length: '-1', log_parameter_max_length_on_error: '-1', log_error_verbosity: 'verbose', shared_preload_libraries: 'pg_stat_statements', track_activity_query_size: '65536', max_connections: '200' };
  const keep = (line: unknown): void => void serverLog.push(String(line));
  postgres = new EmbeddedPostgres({
    databaseDir: serverFolder,
    port,
    user: 'postgres',
    password: 'postgres',
    persistent: false,
    createPostgresUser: process.getuid?.() === 0,
    postgresFlags: Object.entries(flags).flatMap(([name, value]) => ['-c', `${name}=${value}`]),
    onLog: keep,
    onError: keep,
  });
  await postgres.initialise();
  await postgres.start();
  const admin = postgres.getPgClient();
  await admin.connect();
  await admin.query("CREATE ROLE quittance LOGIN CREATEROLE PASSWORD 'quittance'");
  for (const name of ['quittance_main', 'quittance_audit']) {
    await admin.query(`CREATE DATABASE ${name}`);
    await admin.query(`GRANT CREATE ON DATABASE ${name} TO quittance`);
    const inside = postgres.getPgClient(name);
    await inside.connect();
    await inside.query('GRANT CREATE ON SCHEMA public TO quittance; CREATE EXTENSION pg_stat_statements');
    await inside.end();
  }
  await admin.end();
  return port;
}

/** Keeps what the machine shows of a process; Linux alone has these files. */
function look(child: ChildProcess): void {
  for (const file of ['cmdline', 'environ']) {
    const path = `/proc/${child.pid}/${file}`;
    if (existsSync(path)) shown.push({ where: file, content: readFileSync(path) });
  }
}

function run(entry: string, args: readonly string[]): { readonly child: ChildProcess; readonly ended: Promise<{ readonly code: number | null; readonly output: string }>; readonly output: () => string } {
  const child = spawn(process.execPath, [entry, ...args], { cwd: join(folder, 'work'), env: { PATH: process.env['PATH'] ?? '', ...environment }, stdio: ['pipe', 'pipe', 'pipe'] });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) stream?.on('data', (part: Buffer) => void (output += part.toString('utf8')));
  const ended = once(child, 'close').then(([code]) => ({ code: code as number | null, output }));
  processes.push({ child, ended, output: () => output });
  return { child, ended, output: () => output };
}

async function startService(service: string): Promise<string> {
  const { child, output } = run(serverEntry, [`--services=${service}`]);
  return eventually(`The start of ${service}`, async () => {
    const line = output().split('\n').find((each) => each.includes('"msg":"started"'));
    if (line === undefined) return undefined;
    look(child);
    return (JSON.parse(line) as { url?: string }).url ?? '';
  }, 60_000);
}

/** Runs a command with something on its standard input, and looks at the process while it waits for it. */
async function command(args: readonly string[], input: string): Promise<{ readonly code: number | null; readonly output: string }> {
  const { child, ended } = run(cliEntry, args);
  child.stdin?.write(input);
  look(child);
  child.stdin?.end();
  return ended;
}

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'quittance-no-trace-'));
  serverFolder = mkdtempSync(join(tmpdir(), 'quittance-postgres-'));
  for (const each of ['work', 'temporary', 'home']) mkdirSync(join(folder, each));
  const [port, started] = await Promise.all([startTalkativePostgres(), startSandbox({ ports: { stripe: 0, twilio: 0, segment: 0, mail: 0, smtp: 0 } })]);
  sandbox = started;
  sandbox.stripe.seed({ account: { requests_per_second: 1000 } });
  sandbox.segment.seed({ account: { polls_per_stage: 1 } });
  writeFileSync(join(folder, 'work', 'quittance.yaml'), testConfigText(sandbox, { requests: { approval: 'required' } }));
  environment = {
    ...testEnvironment(sandbox),
    HOME: join(folder, 'home'),
    TMPDIR: join(folder, 'temporary'),
    QUITTANCE_CONFIG: 'quittance.yaml',
    QUITTANCE_DATABASE_URL: urlOf(port, 'quittance_main'),
    QUITTANCE_AUDIT_DATABASE_URL: urlOf(port, 'quittance_audit'),
    QUITTANCE_MASTER_KEY: randomBytes(32).toString('base64'),
    QUITTANCE_LOG_LEVEL: 'trace',
    QUITTANCE_PORT: '0',
  };
  main = openPostgres(urlOf(port, 'quittance_main', 'postgres'), () => undefined);
  audit = openPostgres(urlOf(port, 'quittance_audit', 'postgres'), () => undefined);
  [url = ''] = await Promise.all(['http', 'worker', 'scheduler'].map(startService));
  environment = { ...environment, QUITTANCE_URL: url, QUITTANCE_API_KEY: apiKey };
}, 300_000);
afterAll(async () => {
  for (const { child } of processes) child.kill('SIGKILL');
  await Promise.all(processes.map(async (each) => each.ended));
  await Promise.all([main.close(), audit.close(), sandbox.close()]);
  await postgres.stop();
  for (const each of [folder, serverFolder]) rmSync(each, { recursive: true, force: true });
});

/** Everything that there is at this instant: both databases, the server's log, every process, its files and what it said. */
async function everything(): Promise<readonly Place[]> {
  return [
    ...(await dumpOf(main)),
    ...(await dumpOf(audit)),
    { where: 'log of PostgreSQL', content: serverLog.join('') },
    ...processes.map((each) => ({ where: 'log of a process', content: each.output() })),
    ...shown,
    ...filesOf(folder),
  ];
}

async function secretsNow(): Promise<readonly MarkForms[]> {
  const one = async (query: string): Promise<Buffer> => {
    const { rows } = await sql<{ secret: Uint8Array }>`${sql.raw(query)}`.execute(main.read());
    if (rows[0] === undefined) throw new Error('The vault is empty');
    return Buffer.from(rows[0].secret);
  };
  return [secretForms('wrapped key', await one('SELECT wrapped AS secret FROM request_key ORDER BY request_id')), secretForms('mapping cell', await one("SELECT sealed AS secret FROM identity_mapping WHERE kind = 'email'"))];
}

test('real processes on PostgreSQL leave a person in no table, log, statement, argument or file, and their wrapped key in no file of a table', { timeout: 300_000 }, async () => {
  plantMarked(sandbox);
  const csv = join(folder, 'people.csv');
  writeFileSync(csv, `email,user_id\n${person.email},${person.userId}\n`);
  expect((await command(['mapping', 'import', csv], '')).code).toBe(0);
  rmSync(csv);
  const created = await command(['request', 'create', '--stdin', '--json', '--idempotency-key', 'a-key-of-no-person'], JSON.stringify({ email: person.email, phone: person.phone, stripe_customer_id: person.customer }));
  expect(created.code, created.output).toBe(0);
  const id = (JSON.parse(created.output) as { id: string }).id;
  const other = await call(url, '/v1/privacy-requests', { method: 'POST', body: JSON.stringify({ email: 'somebody.else@example.com' }) });
  await untilStatus(url, id, ['awaiting_approval']);
  await untilStatus(url, String(other.body['id']), ['awaiting_approval']);
  await sql`ANALYZE`.execute(main.read());
  const secrets = await secretsNow();
  const open = await everything();
  expect(searchPlaces(marks, open)).toEqual([]);
  expect(findMarks(marks, 'API', await apiAnswers(url, id))).toEqual([]);
  // The search looked where it had to: at a log of statements with their parameters, at statistics, jobs, arguments; and it finds what is there.
  const sealedIn = ['log of PostgreSQL: mapping cell', 'log of PostgreSQL: wrapped key', 'public.identity_mapping.sealed: mapping cell', 'public.request_key.wrapped: wrapped key'];
  expect(new Set(searchPlaces(secrets, open).map((each) => each.split(' (')[0]))).toEqual(new Set(sealedIn));
  const looked = new Set(open.map((each) => each.where));
  for (const where of ['pg_catalog.pg_statistic.row', 'public.pg_stat_statements.row', 'jobs.job_common.name', 'audit.log_row.entry']) expect([...looked], where).toContain(where);
  if (process.platform === 'linux') for (const where of ['cmdline', 'environ']) expect(looked).toContain(where);

  sandbox.stripe.fault({ kind: 'status', status: 500, method: 'POST', path: '^/v1/customers/' });
  sandbox.twilio.fault({ kind: 'lost', method: 'DELETE' });
  sandbox.segment.fault({ kind: 'malformed', method: 'POST' });
  expect((await call(url, `/v1/privacy-requests/${id}/approve`, { method: 'POST' })).status).toBe(200);
  await untilStatus(url, id, ['closed'], 120_000);
  expect(findMarks(marks, 'certificate', await certificateOf(url, id))).toEqual([]);
  await untilShredded(url, id);
  // The command for restores finds the person, whom only its own input and answer name.
  const checked = await command(['suppression', 'check'], `${person.email}\n`);
  expect(checked).toMatchObject({ code: 3, output: expect.stringContaining(person.email) });
  processes.pop();

  const boss = new PgBoss({ connectionString: environment['QUITTANCE_DATABASE_URL'] ?? '', schema: 'jobs', supervise: false, schedule: false, migrate: false });
  const before = (await sql<{ file: string }>`SELECT pg_relation_filenode('request_key')::text AS file`.execute(main.read())).rows[0]?.file;
  await boss.start();
  await boss.send('vault-wipe', {});
  await boss.stop({ graceful: false });
  await eventually('The writing anew', async () => ((await sql<{ file: string }>`SELECT pg_relation_filenode('request_key')::text AS file`.execute(main.read())).rows[0]?.file === before ? undefined : true));
  await eventually('The end of it', async () => ((await sql`SELECT 1 FROM jobs.job WHERE name = 'vault-wipe' AND state <> 'completed'`.execute(main.read())).rows.length === 0 ? true : undefined));
  await sql`CHECKPOINT`.execute(main.read());

  const after = await everything();
  expect(searchPlaces(marks, after)).toEqual([]);
  expect(searchPlaces(secrets, after.filter((each) => each.where !== 'log of PostgreSQL'))).toEqual([]);
  const pages = filesOf(serverFolder);
  expect(pages.some((each) => each.where.startsWith('pg_wal/'))).toBe(true);
  expect(searchPlaces(marks, pages)).toEqual([]);
  // The write-ahead log is the server's; SECURITY.md says so.
  expect(searchPlaces(secrets, pages.filter((each) => !each.where.startsWith('pg_wal/')))).toEqual([]);
  expect(marksInOfficersMail(sandbox).found).toEqual([]);
  // Nobody else's key went with it.
  expect(after.filter((each) => each.where === 'public.request_key.wrapped').length).toBe(1);
});

test('a table that a backup holds is not waited for, so that nobody waits behind it, and is written anew once it is free', async () => {
  const backup = postgres.getPgClient('quittance_main');
  await backup.connect();
  await backup.query('BEGIN; LOCK TABLE request_key IN ACCESS SHARE MODE');
  try {
    const tried = rewriteTable(main, 'request_key');
    expect((await call(url, '/v1/privacy-requests', { method: 'POST', body: JSON.stringify({ email: 'somebody.new@example.com' }) })).status).toBe(202);
    expect(await tried).toBe(false);
  } finally {
    await backup.end();
  }
  expect(await rewriteTable(main, 'request_key')).toBe(true);
});
