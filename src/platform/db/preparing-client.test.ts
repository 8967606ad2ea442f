import pg from 'pg';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { sharedPostgres } from '../../../test/support/databases.ts';
import { PreparingClient } from './preparing-client.ts';

let client: pg.Client;
let pool: pg.Pool;
beforeAll(async () => {
  const url = await sharedPostgres().createDatabase();
  client = new PreparingClient({ connectionString: url });
  await client.connect();
  pool = new pg.Pool({ connectionString: url, Client: PreparingClient, max: 1 });
  await pool.query('CREATE TABLE thing (id integer PRIMARY KEY, text text)');
});
afterAll(async () => {
  await client.end();
  await pool.end();
});

const kept = async (): Promise<number> => Number((await client.query<{ n: string }>('SELECT count(*) AS n FROM pg_prepared_statements')).rows[0]?.n);

test('a statement with parameters is planned once for a connection, and answers the same each time', async () => {
  for (let id = 0; id < 4; id += 1) expect((await client.query<{ id: number }>('INSERT INTO thing VALUES ($1, $2) RETURNING id', [id, 'a'])).rows).toEqual([{ id }]);
  expect(await kept()).toBe(1);
  await client.query('SELECT 1');
  expect(await kept()).toBe(1);
  for (let at = 0; at < 520; at += 1) await client.query(`SELECT ${at}::integer + $1::integer AS n`, [1]);
  expect(await kept()).toBe(500);
});

test('one that fails says so as the server does, and a pool takes it as any other', async () => {
  for (let twice = 0; twice < 2; twice += 1) {
    await expect(client.query('INSERT INTO thing VALUES ($1, $2)', [0, 'a'])).rejects.toMatchObject({ code: '23505' });
    await expect(pool.query('INSERT INTO thing VALUES ($1, $2)', [0, 'a'])).rejects.toMatchObject({ code: '23505' });
    expect((await pool.query<{ n: number }>('SELECT count(*)::int AS n FROM thing WHERE id >= $1', [0])).rows).toEqual([{ n: 4 }]);
  }
});

test('what is outdated by another column is prepared anew at the next try', async () => {
  const other: pg.Client = new PreparingClient({ connectionString: pool.options.connectionString });
  await other.connect();
  const read = async (): Promise<readonly unknown[]> => (await other.query('SELECT * FROM thing WHERE id = $1', [1])).rows as readonly unknown[];
  expect(await read()).toEqual([{ id: 1, text: 'a' }]);
  await pool.query('ALTER TABLE thing ADD COLUMN more text');
  await expect(read()).rejects.toMatchObject({ code: '0A000' });
  expect(await read()).toEqual([{ id: 1, text: 'a', more: null }]);
  await other.end();
});
