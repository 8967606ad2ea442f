import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { sql } from 'kysely';
import { tablesOf, type Database } from './database.ts';

/** Which of the two sets of migrations: the operational database's or the audit log's. */
export type MigrationSet = 'main' | 'audit';

interface MigrationTable {
  schema_migration: { name: string; sha256: string };
}

/** "QUIT" as a number, and one more for each set: the advisory lock under which one process migrates at a time. */
const lockKeys: Record<MigrationSet, bigint> = { main: 0x51554954n, audit: 0x51554955n };

const folder = fileURLToPath(new URL('../../../migrations/', import.meta.url));

/**
 * Brings a database up to the newest migration, each in a transaction of its own, and answers the names of those applied.
 * Forward only: a migration that was applied and has changed since is refused.
 */
export async function migrate(database: Database, set: MigrationSet): Promise<readonly string[]> {
  const applied: string[] = [];
  const names = readdirSync(`${folder}${set}`)
    .filter((name) => name.endsWith('.sql'))
    .toSorted();
  for (const name of names) {
    const text = readFileSync(`${folder}${set}/${name}`, 'utf8');
    const sha256 = createHash('sha256').update(text).digest('hex');
    const done = await database.transaction(async (tx) => {
      const trx = tablesOf<MigrationTable>(tx);
      await sql`SELECT pg_advisory_xact_lock(${sql.lit(Number(lockKeys[set]))})`.execute(trx);
      // Under the lock: two processes that create one table at once would otherwise collide in PostgreSQL's catalogue.
      await sql`CREATE TABLE IF NOT EXISTS schema_migration
        (name text PRIMARY KEY, sha256 text NOT NULL, applied_at timestamptz NOT NULL DEFAULT now())`.execute(trx);
      const row = await trx.selectFrom('schema_migration').select('sha256').where('name', '=', name).executeTakeFirst();
      if (row !== undefined) {
        if (row.sha256 !== sha256) throw new Error(`Migration ${set}/${name} was changed after it was applied; add a new one instead`);
        return false;
      }
      for (const statement of splitStatements(text)) await sql.raw(statement).execute(trx);
      await trx.insertInto('schema_migration').values({ name, sha256 }).execute();
      return true;
    });
    if (done) applied.push(name);
  }
  return applied;
}

/** Splits SQL text at the lines that end a statement; a body between `$$` lines is kept whole. */
export function splitStatements(text: string): readonly string[] {
  const statements: string[] = [];
  let current: string[] = [];
  let inBody = false;
  for (const line of text.split('\n')) {
    const code = line.replace(/--.*$/u, '');
    if ((code.split('$$').length - 1) % 2 === 1) inBody = !inBody;
    current.push(line);
    if (!inBody && code.trimEnd().endsWith(';')) {
      statements.push(current.join('\n'));
      current = [];
    }
  }
  if (current.join('').replaceAll(/--.*$/gmu, '').trim() !== '') statements.push(current.join('\n'));
  return statements;
}
