import { cpSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, inject } from 'vitest';
import type { Database } from '../../src/platform/db/database.ts';
import { openEmbedded } from '../../src/platform/db/embedded.ts';
import { openPostgres } from '../../src/platform/db/postgres.ts';
import { databasesAt, type DatabaseContent, type PostgresDatabases } from './postgres-databases.ts';

/** One of the two kinds of database. */
export type DatabaseKind = Database['kind'];

/** Both kinds of database, for `describe.each`: what holds on one must hold on the other. */
export const databaseKinds: readonly { readonly kind: DatabaseKind }[] = [{ kind: 'embedded' }, { kind: 'postgres' }];

/** The PostgreSQL server of the whole run. */
export function sharedPostgres(): PostgresDatabases {
  return databasesAt(inject('postgresPort'));
}

/** A database and the means to reach it as several processes do. */
export interface TestDatabase {
  /** Another handle on the same database, with connections of its own. On the embedded database, which has one process, always the same handle. */
  readonly open: () => Database;
  /** A handle with every right. On the embedded database the same as the others, for there everybody is a superuser. */
  readonly openAsSuperuser: () => Database;
  /** Closes every handle. */
  readonly close: () => Promise<void>;
}

async function createEmbedded(content: DatabaseContent): Promise<TestDatabase> {
  const folder = content === 'empty' ? undefined : mkdtempSync(join(tmpdir(), 'quittance-database-'));
  if (folder !== undefined) cpSync(join(inject('databaseTemplate'), content), folder, { recursive: true });
  const database = await openEmbedded(folder);
  const close = async (): Promise<void> => {
    await database.close();
    if (folder !== undefined) rmSync(folder, { recursive: true, force: true });
  };
  return { open: () => database, openAsSuperuser: () => database, close };
}

async function createPostgres(content: DatabaseContent): Promise<TestDatabase> {
  const server = sharedPostgres();
  const url = await server.createDatabase(content);
  const handles: Database[] = [];
  const openAt = (at: string): Database => {
    const database = openPostgres(at, () => undefined);
    handles.push(database);
    return database;
  };
  return {
    open: () => openAt(url),
    openAsSuperuser: () => openAt(server.asSuperuser(url)),
    close: async () => void (await Promise.all(handles.map(async (each) => each.close()))),
  };
}

/** Makes a database of a kind; who made it closes it. */
export async function createDatabase(kind: DatabaseKind, content: DatabaseContent): Promise<TestDatabase> {
  return kind === 'embedded' ? createEmbedded(content) : createPostgres(content);
}

/** Gives a suite a database of its own: made before its tests, and before its own `beforeAll`, closed after them. */
export function useDatabase(kind: DatabaseKind, content: DatabaseContent): Pick<TestDatabase, 'open' | 'openAsSuperuser'> {
  let made: TestDatabase | undefined;
  const current = (): TestDatabase => {
    if (made === undefined) throw new Error('The database is made before all tests of the suite');
    return made;
  };
  beforeAll(async () => {
    made = await createDatabase(kind, content);
  });
  afterAll(async () => made?.close());
  return { open: () => current().open(), openAsSuperuser: () => current().openAsSuperuser() };
}
