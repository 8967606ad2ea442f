import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { EmbeddedPostgres, freePort } from './embedded-postgres.ts';
import { asAdmin, databasesAt, type PostgresDatabases } from './postgres-databases.ts';

/** How a server goes down: `fast` cuts its sessions and writes everything out; `immediate` is as if it had crashed, and recovers from its log. */
export type StopMode = 'fast' | 'immediate';

/** A PostgreSQL server of a test's own. */
export interface TestPostgres extends PostgresDatabases {
  readonly port: number;
  /** Takes the server down; who works with it finds nobody there until `up`. */
  readonly down: (mode: StopMode) => Promise<void>;
  readonly up: () => Promise<void>;
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
  const pidOf = (): number => Number(readFileSync(join(folder, 'postmaster.pid'), 'utf8').split('\n')[0]);
  const endWithProcess = (): void => {
    if (existsSync(join(folder, 'postmaster.pid'))) process.kill(pidOf(), 'SIGQUIT');
  };
  process.once('exit', endWithProcess);
  const down = async (mode: StopMode): Promise<void> => {
    // PostgreSQL's documentation, "Shutting Down the Server". What `stop` sends is SIGINT, the fast one, which comes too late after the other.
    if (mode === 'immediate') process.kill(pidOf(), 'SIGQUIT');
    await server.stop();
  };
  return {
    ...databasesAt(port),
    port,
    down,
    up: () => server.start(),
    stop: async () => {
      await down('fast');
      process.off('exit', endWithProcess);
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
