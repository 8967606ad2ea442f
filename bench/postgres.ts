import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { EmbeddedPostgres, freePort } from '../test/support/embedded-postgres.ts';
import type { DatabaseUrls } from './server.ts';

/** A PostgreSQL server of its own, which writes to the disk as one in production does. */
export interface BenchPostgres {
  /** Two empty databases, with the rights that docs/guides/postgresql.md names and no more. */
  readonly createDatabases: () => Promise<DatabaseUrls>;
  /** The same database as the server's superuser, for planting and for looking from outside. */
  readonly asSuperuser: (url: string) => string;
  /** Transactions committed in these databases so far, single statements included; a second or so late. */
  readonly commits: () => Promise<number>;
  readonly stop: () => Promise<void>;
}

/** Starts PostgreSQL as it comes, fsync and all, but for the number of connections and memory for a million requests. */
export async function startPostgres(): Promise<BenchPostgres> {
  const folder = mkdtempSync(join(tmpdir(), 'quittance-bench-postgres-'));
  const port = await freePort();
  const server = new EmbeddedPostgres({
    databaseDir: folder,
    port,
    user: 'postgres',
    password: 'postgres',
    persistent: false,
    createPostgresUser: process.getuid?.() === 0,
    postgresFlags: ['-c', 'max_connections=200', '-c', 'shared_buffers=512MB', '-c', 'max_wal_size=4GB'],
    onLog: () => undefined,
  });
  await server.initialise();
  await server.start();
  const admin = server.getPgClient();
  await admin.connect();
  await admin.query("CREATE ROLE quittance LOGIN CREATEROLE PASSWORD 'quittance'");
  let count = 0;
  const createDatabase = async (): Promise<string> => {
    count += 1;
    const name = `quittance_${count}`;
    await admin.query(`CREATE DATABASE ${name}`);
    await admin.query(`GRANT CREATE ON DATABASE ${name} TO quittance`);
    const inside = server.getPgClient(name);
    await inside.connect();
    await inside.query('GRANT CREATE ON SCHEMA public TO quittance');
    await inside.end();
    return `postgres://quittance:quittance@127.0.0.1:${port}/${name}`;
  };
  return {
    createDatabases: async () => ({ main: await createDatabase(), audit: await createDatabase() }),
    asSuperuser: (url) => url.replace('quittance:quittance@', 'postgres:postgres@'),
    commits: async () => {
      const { rows } = await admin.query("SELECT coalesce(sum(xact_commit), 0)::float8 AS commits FROM pg_stat_database WHERE datname LIKE 'quittance%'");
      return (rows[0] as { readonly commits: number }).commits;
    },
    stop: async () => {
      await admin.end();
      await server.stop();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
