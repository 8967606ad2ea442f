import { setTimeout as pause } from 'node:timers/promises';
import { sql } from 'kysely';
import type { Database } from './database.ts';

/** Statements hold a table for milliseconds, so a moment between two of them comes; a backup holds it for hours, and is not waited for. */
const triesMax = 40;
const betweenTriesMs = 50;

/**
 * Writes a table anew, live rows only: what was deleted or overwritten is in its file no more, where vacuuming alone leaves the bytes in
 * pages until something else is written over them. Waits for no lock, since everybody else would wait behind it, and locks the table for as
 * long as the writing takes (about a second for a million short rows). Answers false when the table was held by others all the time, for
 * two seconds. `table` is the name of a table of this database, as the code knows it.
 */
export async function rewriteTable(database: Database, table: string): Promise<boolean> {
  const db = database.read<unknown>();
  const fileOf = async (): Promise<string | undefined> =>
    (await sql<{ file: string }>`SELECT pg_relation_filenode(${table}::regclass)::text AS file`.execute(db)).rows[0]?.file;
  const before = await fileOf();
  for (let tries = 0; tries < triesMax; tries += 1) {
    if (tries > 0) await pause(betweenTriesMs);
    // It warns and does nothing where it may not wait: that it did something shows by the table's new file.
    await sql`VACUUM (FULL, SKIP_LOCKED) ${sql.table(table)}`.execute(db);
    if ((await fileOf()) !== before) return true;
  }
  return false;
}

/**
 * Has the embedded database let go of its old write-ahead log and of the files of tables that were written anew; they are deleted, not
 * overwritten. On a server both are the server's own affair: this does nothing there.
 */
export async function dropOldLog(database: Database): Promise<void> {
  if (database.kind !== 'embedded') return;
  const db = database.read<unknown>();
  await sql`SELECT pg_switch_wal()`.execute(db);
  await sql`CHECKPOINT`.execute(db);
}
