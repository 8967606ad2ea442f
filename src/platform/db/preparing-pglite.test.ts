import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { sql } from 'kysely';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openEmbedded } from './embedded.ts';
import { PreparingPGlite } from './preparing-pglite.ts';

let db: PreparingPGlite;
beforeAll(async () => {
  db = new PreparingPGlite();
  await db.exec(`CREATE TABLE thing (id integer PRIMARY KEY, text text, list uuid[], at timestamptz, document jsonb, bytes bytea, big bigint, flag boolean, ratio real);
    CREATE TABLE part (thing integer REFERENCES thing (id))`);
});
afterAll(async () => {
  await db.close();
});

const values = ['a', ['018f0000-0000-7000-8000-000000000001'], new Date('2026-11-21T10:00:00Z'), { k: [1, null] }, Buffer.from('x'), 12_345_678_901, true, 0.5];
const insert = 'INSERT INTO thing VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) RETURNING *';
const prepared = async (): Promise<number> => (await db.query<{ count: number }>('SELECT count(*) AS count FROM pg_prepared_statements')).rows[0]?.count ?? 0;

describe('a statement that is kept', () => {
  test('answers the second time what it answered the first, of every type', async () => {
    const [first, second] = [await db.query(insert, [1, ...values]), await db.query(insert, [2, ...values])];
    const row = { text: 'a', list: values[1], at: values[2], document: values[3], bytes: new Uint8Array([120]), big: values[5], flag: true, ratio: 0.5 };
    expect(first.rows).toEqual([{ id: 1, ...row }]);
    expect(second.rows).toEqual([{ id: 2, ...row }]);
    expect([first.affectedRows, second.affectedRows]).toEqual([1, 1]);
    expect((await db.query('UPDATE thing SET text = $1', [null])).affectedRows).toBe(2);
    expect((await db.query('SELECT id, text FROM thing WHERE text = $1', ['a'])).rows).toEqual([]);
  });

  test('is planned once: the server keeps one for each text, and no more than five hundred', async () => {
    await db.query('SELECT 1 AS one');
    const before = await prepared();
    for (let at = 0; at < 5; at += 1) await db.query('SELECT 1 AS one');
    expect(await prepared()).toBe(before);
    for (let at = 0; at < 600; at += 1) await db.query(`SELECT ${at} AS n`);
    expect(await prepared()).toBeLessThanOrEqual(500);
    expect((await db.query('SELECT 1 AS one')).rows).toEqual([{ one: 1 }]);
  });

  test('that fails says so as the database does, each time, and leaves the next one whole', async () => {
    for (let twice = 0; twice < 2; twice += 1) {
      await expect(db.query('INSERT INTO thing (id) VALUES ($1)', [1])).rejects.toMatchObject({ code: '23505', constraint: 'thing_pkey' });
      await expect(db.query('SELECT nothing FROM nowhere')).rejects.toMatchObject({ code: '42P01' });
      await expect(db.query('SELECT $1::integer', ['x'])).rejects.toMatchObject({ code: '22P02' });
      expect((await db.query('SELECT 1 AS one')).rows).toEqual([{ one: 1 }]);
    }
  });

  test('works in transactions, which are rolled back as a whole, and which nobody else comes between', async () => {
    const failing = db.transaction(async (tx) => {
      await tx.query('INSERT INTO thing (id) VALUES ($1)', [10]);
      await tx.query('INSERT INTO part VALUES ($1)', [999]);
    });
    const beside = db.query<{ count: number }>('SELECT count(*)::int AS count FROM thing WHERE id = 10');
    await expect(failing).rejects.toMatchObject({ code: '23503' });
    expect((await beside).rows).toEqual([{ count: 0 }]);
    expect(await db.transaction(async (tx) => (await tx.query('INSERT INTO thing (id) VALUES ($1) RETURNING id', [11])).rows)).toEqual([{ id: 11 }]);
    let kept: { query: (text: string) => Promise<unknown> } | undefined;
    await db.transaction(async (tx) => void (kept = tx));
    await expect(kept?.query('SELECT 1')).rejects.toThrow();
  });

  test('is prepared anew after its table has got another column, at the latest by the second try', async () => {
    expect(Object.keys((await db.query('SELECT * FROM part LIMIT 1')).rows[0] ?? {})).toEqual([]);
    await db.exec('ALTER TABLE part ADD COLUMN name text');
    await expect(db.query('SELECT * FROM part LIMIT 1')).rejects.toMatchObject({ code: '0A000' });
    await db.query("INSERT INTO part VALUES (1, 'x')");
    expect((await db.query('SELECT * FROM part LIMIT 1')).rows).toEqual([{ thing: 1, name: 'x' }]);
    await db.exec('ALTER TABLE part ADD COLUMN more text');
    await db.forgetPrepared();
    expect((await db.query('SELECT * FROM part LIMIT 1')).rows).toEqual([{ thing: 1, name: 'x', more: null }]);
  });
});

test('a database whose process died while it took the lock file opens again', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'quittance-embedded-'));
  await (await openEmbedded(folder)).close();
  writeFileSync(join(folder, 'postmaster.pid'), '');
  const again = await openEmbedded(folder);
  expect((await sql<{ one: number }>`SELECT 1 AS one`.execute(again.read())).rows).toEqual([{ one: 1 }]);
  await again.close();
  rmSync(folder, { recursive: true });
});
