import { readdirSync } from 'node:fs';
import { sql } from 'kysely';
import { describe, expect, it } from 'vitest';
import { createDatabase, databaseKinds } from '../../../test/support/databases.ts';
import type { Database } from './database.ts';
import { migrate, type MigrationSet } from './migrate.ts';

const namesOf = (set: MigrationSet): string[] => readdirSync(new URL(`../../../migrations/${set}/`, import.meta.url)).toSorted();

describe.each(databaseKinds)('migrations on the database of kind $kind', ({ kind }) => {
  const onEmpty = async (work: (one: Database, two: Database) => Promise<void>): Promise<void> => {
    const shared = await createDatabase(kind, 'empty');
    try {
      await work(shared.open(), shared.open());
    } finally {
      await shared.close();
    }
  };
  const tablesIn = async (database: Database): Promise<number> => {
    const result = await sql<{ count: number }>`SELECT count(*)::int AS count FROM information_schema.tables WHERE table_schema IN ('public', 'audit')`.execute(database.read());
    return result.rows[0]?.count ?? 0;
  };

  it.each(['main', 'audit'] as const)('each of %s is applied once, in order, however often they are run', async (set) => {
    await onEmpty(async (database) => {
      expect(await migrate(database, set)).toEqual(namesOf(set));
      const tables = await tablesIn(database);
      expect(tables).toBeGreaterThan(2);
      expect(await migrate(database, set)).toEqual([]);
      expect(await tablesIn(database)).toBe(tables);
    });
  });

  it('several processes that start at once apply each migration once between them', async () => {
    await onEmpty(async (one, two) => {
      const applied = await Promise.all([one, two, one, two].map(async (each) => migrate(each, 'main')));
      expect(applied.flat().toSorted()).toEqual(namesOf('main'));
      expect(await migrate(one, 'main')).toEqual([]);
    });
  });

  it('one that was changed after it was applied is refused, and nothing after it is applied', async () => {
    await onEmpty(async (database) => {
      await migrate(database, 'main');
      const [first = ''] = namesOf('main');
      await sql`UPDATE schema_migration SET sha256 = 'of another text' WHERE name = ${first}`.execute(database.read());
      await sql`DELETE FROM schema_migration WHERE name <> ${first}`.execute(database.read());
      await expect(migrate(database, 'main')).rejects.toThrow(`Migration main/${first} was changed after it was applied`);
      const rows = await sql<{ name: string }>`SELECT name FROM schema_migration`.execute(database.read());
      expect(rows.rows).toEqual([{ name: first }]);
    });
  });

  it('one that fails in the middle leaves nothing, and is applied once what it fell over is gone', async () => {
    await onEmpty(async (database) => {
      await database.execute('CREATE TABLE task (id integer)');
      await expect(migrate(database, 'main')).rejects.toThrow(/already exists/u);
      expect(await tablesIn(database), 'the table in the way').toBe(1);
      await database.execute('DROP TABLE task');
      expect(await migrate(database, 'main')).toEqual(namesOf('main'));
    });
  });
});
