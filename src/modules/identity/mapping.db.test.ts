import { randomBytes } from 'node:crypto';
import { sql } from 'kysely';
import { beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { databaseKinds, useDatabase } from '../../../test/support/databases.ts';
import { createLocalKeyProvider } from '../../platform/crypto/key-provider.ts';
import { loadSystemKeys, type SystemKeys } from '../../platform/crypto/system-keys.ts';
import { tablesOf, type Database } from '../../platform/db/database.ts';
import { createMapping, type Mapping } from './mapping.ts';
import { deleteMapping } from './store.ts';
import { createSuppressionLedger } from './suppression.ts';
import type { IdentityTables } from './tables.ts';

let database: Database;
let systemKeys: SystemKeys;
let mapping: Mapping;

const count = async (): Promise<number> => {
  const { rows } = await sql<{ n: number }>`SELECT count(*)::int AS n FROM identity_mapping`.execute(database.read());
  return rows[0]?.n ?? -1;
};
const names = (found: readonly { kind: string; value: string }[]): string[] => found.map((each) => `${each.kind}:${each.value}`).toSorted();
const shared = (rows: number): string[] => Array.from({ length: rows }, (_, n) => `p${n}@example.com,+12025550100\n`);
const email = (value: string): { kind: 'email'; value: string } => ({ kind: 'email', value });

describe.each(databaseKinds)('on the database of kind $kind', ({ kind }) => {
  const provided = useDatabase(kind, 'main');
  beforeAll(async () => {
    database = provided.open();
    systemKeys = await loadSystemKeys(database, createLocalKeyProvider(randomBytes(32)));
    mapping = createMapping({ database, systemKeys, defaultCountry: 'US' });
  });
  beforeEach(async () => {
    await sql`DELETE FROM identity_mapping`.execute(database.read());
  });

  describe('the mapping', () => {
    it('joins what its rows join, over several rows, and says which rows', async () => {
      const csv = 'email,phone,user_id\nAda@example.com,202-555-0143,\n,+12025550143,u1\nada.l@example.com,,u1\neve@example.com,+12025550199,u2\n';
      expect(await mapping.importCsv([csv])).toEqual({ rows: 4 });
      const closure = await mapping.lookup([email('ada@example.com')]);
      expect(names(closure.identifiers)).toEqual(['email:ada.l@example.com', 'phone:+12025550143', 'user_id:u1']);
      expect(closure.rowIds).toHaveLength(3);
      expect(closure.identifiers.find((each) => each.kind === 'phone')?.raw).toBe('202-555-0143');
      expect(await mapping.lookup([email('nobody@example.com')])).toEqual({ identifiers: [], rowIds: [] });
      expect(await mapping.lookup([])).toEqual({ identifiers: [], rowIds: [] });
    });

    it('is forgotten by its rows', async () => {
      await mapping.importCsv(['email,user_id\nada@example.com,u1\neve@example.com,u2\n']);
      const { rowIds } = await mapping.lookup([email('ada@example.com')]);
      await database.transaction((tx) => deleteMapping(tablesOf<IdentityTables>(tx), rowIds));
      expect((await mapping.lookup([email('ada@example.com')])).identifiers).toEqual([]);
      expect((await mapping.lookup([email('eve@example.com')])).identifiers).toHaveLength(1);
    });

    it('imports a file again without a change, in another order of columns too', async () => {
      await mapping.importCsv(['email,user_id\nada@example.com,u1\n']);
      await mapping.importCsv(['user_id,email\nu1,ADA@example.com\n']);
      expect(await count()).toBe(2);
    });

    it('stores no value in plain', async () => {
      await mapping.importCsv(['email,user_id\nmarked.person@example.com,marked-user\n']);
      const { rows } = await sql`SELECT encode(sealed, 'escape') AS sealed, encode(lookup, 'escape') AS lookup, row_id FROM identity_mapping`.execute(database.read());
      expect(JSON.stringify(rows)).not.toContain('marked');
      expect(rows).toHaveLength(2);
    });

    it('does not open a cell that was moved to another row', async () => {
      await mapping.importCsv(['email,user_id\nada@example.com,u1\neve@example.com,u2\n']);
      await sql`UPDATE identity_mapping m SET sealed = (SELECT o.sealed FROM identity_mapping o WHERE o.kind = 'user_id' AND o.row_id <> m.row_id) WHERE kind = 'user_id'`.execute(database.read());
      await expect(mapping.lookup([email('ada@example.com')])).rejects.toMatchObject({ code: 'KEY_UNAVAILABLE' });
    });

    it.each([
      ['a bad cell', 'email,user_id\nada@example.com,u1\nnot an address,u2\n', 'line 3, column email must have exactly one @'],
      ['a short row', 'email,user_id\nada@example.com\n', 'line 2: has 1 cells and the header 2'],
      ['an unknown column', 'email,name\nada@example.com,Ada\n', 'line 1, column 2: must be one of'],
      ['one column', 'email\nada@example.com\n', 'line 1: the header must name at least two'],
      ['the same column twice', 'email,email\nada@example.com,eve@example.com\n', 'line 1: the header must name at least two'],
      ['nothing', '', 'line 1: the header must name at least two'],
    ])('with %s is refused by line and column, without the value, and nothing of it is stored', async (_what, csv, detail) => {
      const refused = mapping.importCsv([csv]);
      await expect(refused).rejects.toMatchObject({ code: 'VALIDATION_FAILED', detail: expect.stringContaining(detail) as string });
      await expect(refused).rejects.not.toMatchObject({ detail: expect.stringMatching(/ada|not an address|Ada/u) as string });
      expect(await count()).toBe(0);
    });

    it('keeps the whole thousands before a bad line, and goes on from there when the file is mended', async () => {
      const lines = Array.from({ length: 1500 }, (_, n) => `p${n}@example.com,u${n}\n`);
      await expect(mapping.importCsv(['email,user_id\n', ...lines.slice(0, 1400), 'bad,row\n', ...lines.slice(1400)])).rejects.toMatchObject({
        detail: expect.stringContaining('line 1402, column email') as string,
      });
      expect(await count()).toBe(2000);
      expect(await mapping.importCsv(['email,user_id\n', ...lines])).toEqual({ rows: 1500 });
      expect(await count()).toBe(3000);
    });

    it('refuses to call everybody with one telephone number the same person', async () => {
      await mapping.importCsv(['email,phone\n', ...shared(100)]);
      expect((await mapping.lookup([email('p0@example.com')])).rowIds).toHaveLength(100);
      await mapping.importCsv(['email,phone\n', ...shared(101)]);
      await expect(mapping.lookup([email('p0@example.com')])).rejects.toMatchObject({ code: 'SUBJECT_AMBIGUOUS' });
    });
  });

  describe('the suppression ledger', () => {
    it('knows who was erased, in the order asked, and nobody else', async () => {
      const ledger = createSuppressionLedger({ database, systemKeys, clock: { now: () => 0 } });
      const erased = [email('gone@example.com'), { kind: 'phone', value: '+12025550111' } as const];
      await database.transaction((tx) => ledger.add(tx, erased));
      await database.transaction((tx) => ledger.add(tx, erased));
      const asked = [email('here@example.com'), erased[1] ?? email(''), { kind: 'user_id', value: 'gone@example.com' } as const, email('gone@example.com')];
      expect(await ledger.check(asked)).toEqual([false, true, false, true]);
      expect(await ledger.check([])).toEqual([]);
      const { rows } = await sql<{ count: number }>`SELECT count(*)::int AS count FROM suppression`.execute(database.read());
      expect(rows).toEqual([{ count: 2 }]);
    });

    it('answers for thousands at once', async () => {
      const ledger = createSuppressionLedger({ database, systemKeys, clock: { now: () => 0 } });
      const many = Array.from({ length: 2500 }, (_, n) => email(`m${n}@example.com`));
      await database.transaction((tx) => ledger.add(tx, many.slice(0, 1200)));
      const answers = await ledger.check(many);
      expect(answers.filter(Boolean)).toHaveLength(1200);
      expect([answers[1199], answers[1200]]).toEqual([true, false]);
    });
  });
});
