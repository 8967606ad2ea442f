import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { Kysely, PGliteDialect } from 'kysely';
import { fromPglite } from 'pg-boss';
import { assembleDatabase, type Database } from './database.ts';
import { PreparingPGlite } from './preparing-pglite.ts';

/**
 * Opens the embedded PostgreSQL (PGlite) in a folder, or in memory when no folder is given.
 * One process only: the caller holds the data folder's lock.
 */
export async function openEmbedded(folder?: string): Promise<Database> {
  if (folder !== undefined) {
    mkdirSync(folder, { recursive: true });
    // One that died between making this file and writing into it left it empty, and would never be opened again. That nobody else is at the folder
    // is seen to by the caller's lock, and not by this file.
    rmSync(join(folder, 'postmaster.pid'), { force: true });
  }
  const pglite = new PreparingPGlite(folder === undefined ? {} : { dataDir: folder });
  await pglite.waitReady;
  // A segment of the write-ahead log that is kept for use again keeps what it held, wrapped keys that were destroyed since among it.
  await pglite.exec('SET wal_recycle = off');
  const locks = new Set<bigint>();
  return assembleDatabase({
    kind: 'embedded',
    kysely: new Kysely<unknown>({ dialect: new PGliteDialect({ pglite }) }),
    jobs: fromPglite(pglite),
    execute: async (sql) => {
      await pglite.exec(sql);
      await pglite.forgetPrepared();
    },
    // One process, one connection: a set in memory is the whole of it.
    tryLock: async (key) => {
      if (locks.has(key)) return undefined;
      locks.add(key);
      return {
        held: () => locks.has(key),
        release: async () => {
          locks.delete(key);
        },
      };
    },
    close: async () => {
      if (!pglite.closed) await pglite.close();
    },
  });
}
