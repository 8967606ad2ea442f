import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestProject } from 'vitest/node';
import { openEmbedded } from '../../src/platform/db/embedded.ts';
import { migrate } from '../../src/platform/db/migrate.ts';
import { openPostgres } from '../../src/platform/db/postgres.ts';
import { keepAsTemplate, startPostgres, type TestPostgres } from './postgres.ts';

declare module 'vitest' {
  interface ProvidedContext {
    /** A folder with both embedded databases, migrated: each test copies it, which takes a tenth of making it. */
    databaseTemplate: string;
    /** Where the PostgreSQL server of the whole run listens; it holds both migrated databases as templates. */
    postgresPort: number;
  }
}

async function makeEmbeddedTemplates(folder: string): Promise<void> {
  for (const set of ['main', 'audit'] as const) {
    const database = await openEmbedded(join(folder, set));
    await migrate(database, set);
    await database.close();
  }
}

async function makePostgresTemplates(server: TestPostgres): Promise<void> {
  for (const set of ['main', 'audit'] as const) {
    const url = await server.createDatabase();
    const database = openPostgres(url, () => undefined);
    await migrate(database, set);
    await database.close();
    await keepAsTemplate(server.port, set, url);
  }
}

/** Makes the migrated databases that every test file starts from, of both kinds, and starts the PostgreSQL server that all files share. */
export async function setup(project: TestProject): Promise<() => Promise<void>> {
  const folder = mkdtempSync(join(tmpdir(), 'quittance-template-'));
  const starting = startPostgres();
  await Promise.all([makeEmbeddedTemplates(folder), starting.then(makePostgresTemplates)]);
  const server = await starting;
  project.provide('databaseTemplate', folder);
  project.provide('postgresPort', server.port);
  return async () => {
    await server.stop();
    rmSync(folder, { recursive: true, force: true });
  };
}
