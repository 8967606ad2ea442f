import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import pg from 'pg';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { sharedPostgres } from '../support/databases.ts';
import { apiKey, call, eventually } from '../support/quittance.ts';

const records = 1_000_000;
const peakMbMax = 256;
/** As docs/guides/exports.md says for small machines: V8 otherwise lets both its generations grow for as long as there is memory, before it looks what of them is needed. */
const flags = ['--max-semi-space-size=2', '--max-old-space-size=112'];
const entry = fileURLToPath(new URL('../../src/main.ts', import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'quittance-million-serve-'));
/** The company's own database: one user and all that it has of them. */
let shop = '';

beforeAll(async () => {
  shop = await sharedPostgres().createDatabase('empty');
  const client = new pg.Client({ connectionString: shop });
  await client.connect();
  await client.query('CREATE TABLE users (id text PRIMARY KEY, email text)');
  await client.query('CREATE TABLE orders (id bigint PRIMARY KEY, user_id text NOT NULL REFERENCES users (id), at timestamptz NOT NULL, note text NOT NULL, cents int NOT NULL)');
  await client.query("INSERT INTO users VALUES ('u-1', 'ada@example.com')");
  await client.query("INSERT INTO orders SELECT n, 'u-1', timestamptz '2026-01-01' + n * interval '1 second', 'order ' || n || ' of Ada, left at the door', n % 997 FROM generate_series(1, $1::bigint) n", [records - 1]);
  await client.query('CREATE INDEX ON orders (user_id, id)');
  await client.query('ANALYZE');
  await client.end();
  writeFileSync(
    join(folder, 'quittance.yaml'),
    JSON.stringify({
      version: 1,
      controller: { name: 'Example Company', contact: 'privacy@example.com' },
      requests: { grace_days: 0 },
      access: { api_keys: [{ name: 'tester', key: '${env:API_KEY}' }] },
      connections: {
        shop: {
          connector: 'database',
          url: '${env:SHOP_URL}',
          subject: { table: 'users', key: 'id', identifiers: { user_id: 'id' } },
          tables: { users: { key: ['id'], erase: 'delete' }, orders: { key: ['id'], link: { user_id: 'users.id' }, erase: 'delete' } },
        },
      },
    }),
  );
}, 300_000);
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** The most memory that a process had at once, in MB. */
const peakMb = (pid: number): number => Math.round(Number(/VmHWM:\s+(\d+) kB/u.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? 0) / 1024);

/** Has a whole `quittance serve` answer one request of access, and says how many records its package has and what memory it took. */
async function measure(environment: Readonly<Record<string, string>>): Promise<{ readonly peakMb: number; readonly records: number }> {
  const settings = { QUITTANCE_CONFIG: join(folder, 'quittance.yaml'), QUITTANCE_DATA_DIR: mkdtempSync(join(folder, 'data-')), QUITTANCE_PORT: '0', API_KEY: apiKey, SHOP_URL: shop, ...environment };
  const child = spawn(process.execPath, [...flags, entry], { env: { PATH: process.env['PATH'] ?? '', ...settings }, stdio: ['ignore', 'ignore', 'pipe'] });
  const ended = once(child, 'exit');
  let output = '';
  child.stderr.on('data', (part: Buffer) => (output += part.toString('utf8')));
  try {
    const url = await eventually(`a start (${output.slice(-500)})`, async () => {
      const line = output.split('\n').find((each) => each.includes('"msg":"started"'));
      return Promise.resolve(line === undefined ? undefined : String((JSON.parse(line) as { url?: string }).url));
    }, 60_000);
    const opened = await call(url, '/v1/privacy-requests', { method: 'POST', body: JSON.stringify({ right: 'access', subject: { identifiers: [{ kind: 'user_id', value: 'u-1' }] } }) });
    const status = await eventually('a package', async () => {
      const { body } = await call(url, `/v1/privacy-requests/${String(opened.body['id'])}/export`);
      return (body['state'] as string | undefined) === 'ready' ? body : undefined;
    }, 900_000);
    return { peakMb: peakMb(child.pid ?? 0), records: Number(status['records']) };
  } finally {
    child.kill('SIGTERM');
    await ended;
  }
}

it('a whole server on PostgreSQL answers a request of a million records under 256 MB', { timeout: 1_000_000 }, async () => {
  const server = sharedPostgres();
  const measured = await measure({
    QUITTANCE_DATABASE_URL: await server.createDatabase('main'),
    QUITTANCE_AUDIT_DATABASE_URL: await server.createDatabase('audit'),
    QUITTANCE_MASTER_KEY: randomBytes(32).toString('base64'),
  });
  expect(measured.records).toBe(records);
  // What is not measured would be under any limit.
  expect(measured.peakMb).toBeGreaterThan(100);
  expect(measured.peakMb).toBeLessThan(peakMbMax);
});
