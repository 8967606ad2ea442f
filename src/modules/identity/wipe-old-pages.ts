import { sql } from 'kysely';
import type { Database } from '../../platform/db/database.ts';
import { dropOldLog, rewriteTable } from '../../platform/db/rewrite-table.ts';
import type { JobKind } from '../../platform/jobs/jobs.ts';
import type { Log } from '../../platform/log.ts';

/** Writes the vault's key table anew. To be scheduled daily; long enough for a mapping of a gibibyte. */
export const vaultWipe: JobKind = { name: 'vault-wipe', concurrency: 1, expireSeconds: 900 };

/**
 * A mapping up to this size, some three million cells, is written anew within seconds, in which resolution waits. A larger one is vacuumed:
 * rows that were deleted stay in its pages until others are written over them.
 */
const mappingBytesMax = 1024 ** 3;

/**
 * Makes the handler of `vaultWipe`. A row that was overwritten or deleted stays readable in the database's files, and the master key that
 * opens it lives on: so the tables whose rows open by a key that is not destroyed, the wrapped data keys and the imported mapping, are
 * written anew. What was sealed under a data key needs no such care once no page holds that key.
 * On PostgreSQL the write-ahead log, replicas and backups are out of its reach: SECURITY.md, "Backups".
 */
export function createVaultWipe(deps: { readonly database: Database; readonly log: Log }): () => Promise<void> {
  const { database, log } = deps;
  const rewrite = async (table: string): Promise<void> => {
    if (!(await rewriteTable(database, table))) log.warn({ table }, 'a table was held all the time and is written anew next time');
  };
  return async () => {
    await rewrite('request_key');
    // A signing key of the log that was retired, and keys as an earlier master key wrapped them.
    await rewrite('system_key');
    // Whom notices were about that belong to no request: sealed under a system key, and few.
    await rewrite('notice_subject');
    const db = database.read<unknown>();
    const mapping = (await sql<{ bytes: number }>`SELECT pg_table_size('identity_mapping')::float8 AS bytes`.execute(db)).rows[0];
    if ((mapping?.bytes ?? 0) <= mappingBytesMax) await rewrite('identity_mapping');
    else await sql`VACUUM identity_mapping`.execute(db);
    await dropOldLog(database);
  };
}
