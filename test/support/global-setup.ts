import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestProject } from 'vitest/node';
import { openEmbedded } from '../../src/platform/db/embedded.ts';
import { migrate } from '../../src/platform/db/migrate.ts';

declare module 'vitest' {
  interface ProvidedContext {
    /** A folder with both embedded databases, migrated: each test copies it, which takes a tenth of making it. */
    databaseTemplate: string;
  }
}

/** Makes the migrated databases that every test file starts from. */
export async function setup(project: TestProject): Promise<() => void> {
  const folder = mkdtempSync(join(tmpdir(), 'quittance-template-'));
  for (const set of ['main', 'audit'] as const) {
    const database = await openEmbedded(join(folder, set));
    await migrate(database, set);
    await database.close();
  }
  project.provide('databaseTemplate', folder);
  return () => rmSync(folder, { recursive: true, force: true });
}
