import { fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { TestProject } from 'vitest/node';
import { openEmbedded } from '../../src/platform/db/embedded.ts';
import { migrate } from '../../src/platform/db/migrate.ts';

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

/** Starts the server in a process of its own, which stops it when this one ends, however it ends. */
async function startServer(): Promise<{ readonly port: number; readonly stop: () => Promise<void> }> {
  const child = fork(fileURLToPath(new URL('postgres-process.ts', import.meta.url)), { stdio: ['ignore', 'ignore', 'inherit', 'ipc'] });
  const ended = once(child, 'exit');
  const port = await Promise.race([
    once(child, 'message').then(([said]) => said as number),
    ended.then(() => {
      throw new Error('The PostgreSQL server of the test run did not start');
    }),
  ]);
  const stop = async (): Promise<void> => {
    child.disconnect();
    await ended;
  };
  return { port, stop };
}

/** Makes the migrated databases that every test file starts from, of both kinds, and starts the PostgreSQL server that all files share. */
export async function setup(project: TestProject): Promise<() => Promise<void>> {
  const folder = mkdtempSync(join(tmpdir(), 'quittance-template-'));
  const [server] = await Promise.all([startServer(), makeEmbeddedTemplates(folder)]);
  project.provide('databaseTemplate', folder);
  project.provide('postgresPort', server.port);
  return async () => {
    await server.stop();
    rmSync(folder, { recursive: true, force: true });
  };
}
