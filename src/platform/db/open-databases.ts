import { join } from 'node:path';
import type { Settings } from '../config/settings.ts';
import type { Log } from '../log.ts';
import { lockDataFolder } from './data-folder.ts';
import type { Database } from './database.ts';
import { openEmbedded } from './embedded.ts';
import { openPostgres } from './postgres.ts';

/** The two databases of a process. */
export interface Databases {
  readonly main: Database;
  readonly audit: Database;
  readonly close: () => Promise<void>;
}

/** Opens both databases, on PostgreSQL where the settings name one, else embedded in the data folder, which is locked until they are closed. */
export async function openDatabases(settings: Settings, log: Log): Promise<Databases> {
  const onError = (error: Error): void => log.warn({ err: error }, 'a database connection broke');
  if (settings.databaseUrl !== undefined && settings.auditDatabaseUrl !== undefined) {
    const main = openPostgres(settings.databaseUrl.reveal(), onError);
    const audit = openPostgres(settings.auditDatabaseUrl.reveal(), onError);
    return { main, audit, close: async () => void (await Promise.all([main.close(), audit.close()])) };
  }
  const unlock = lockDataFolder(settings.dataDir);
  const main = await openEmbedded(join(settings.dataDir, 'main'));
  const audit = await openEmbedded(join(settings.dataDir, 'audit'));
  return {
    main,
    audit,
    close: async () => {
      await main.close();
      await audit.close();
      unlock();
    },
  };
}
