import { sql, type Kysely } from 'kysely';
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { databaseKinds, sharedPostgres, useDatabase } from '../../../test/support/databases.ts';
import { tablesOf, type Database } from './database.ts';
import { openPostgres } from './postgres.ts';

interface Tables {
  counter: { name: string; value: number };
}

const outside = /outside the transaction/u;
const valueOf = async (db: Kysely<Tables>, name: string): Promise<number | undefined> => (await db.selectFrom('counter').select('value').where('name', '=', name).executeTakeFirst())?.value;

describe.each(databaseKinds)('a database of kind $kind', ({ kind }) => {
  const shared = useDatabase(kind, 'empty');
  let one: Database;
  let two: Database;

  beforeAll(async () => {
    one = shared.open();
    two = shared.open();
    await one.execute('CREATE TABLE counter (name text PRIMARY KEY, value integer NOT NULL); CREATE TABLE spare (id integer)');
  });
  beforeEach(async () => {
    await one.execute("TRUNCATE counter; INSERT INTO counter VALUES ('a', 0), ('b', 0)");
  });

  it('commits a transaction that returns, and leaves nothing of one that throws', async () => {
    const increment = (fails: boolean): Promise<string> =>
      one.transaction(async (tx) => {
        await tablesOf<Tables>(tx).updateTable('counter').set({ value: sql`value + 1` }).where('name', '=', 'a').execute();
        if (fails) throw new Error('changed my mind');
        return 'done';
      });
    expect(await increment(false)).toBe('done');
    await expect(increment(true)).rejects.toThrow('changed my mind');
    expect(await valueOf(two.read<Tables>(), 'a')).toBe(1);
  });

  it('refuses a statement outside the transaction that is open, in every way of sending one, and allows the same afterwards', async () => {
    const ways: readonly (readonly [string, () => Promise<unknown>])[] = [
      ['a read', () => valueOf(one.read<Tables>(), 'a')],
      ['raw SQL', () => sql`SELECT 1`.execute(one.read())],
      ['a second transaction', () => one.transaction(async () => undefined)],
      ['a script', () => one.execute('SELECT 1')],
      ['a statement of the job queue', () => one.jobs.executeSql('SELECT 1', [])],
    ];
    for (const [name, send] of ways) {
      await expect(one.transaction(send), name).rejects.toThrow(outside);
      await expect(one.transaction(() => Promise.resolve().then(send)), `${name}, later in the same call`).rejects.toThrow(outside);
      await send();
    }
    await one.transaction(async (tx) => {
      expect(await valueOf(tablesOf<Tables>(tx), 'a')).toBe(0);
    });
  });

  it.each(['40001', '40P01'])('runs a transaction again that the database chose as the victim of a conflict (%s), and keeps only what the last try did', async (code) => {
    let tries = 0;
    await one.transaction(async (tx) => {
      tries += 1;
      await tablesOf<Tables>(tx).updateTable('counter').set({ value: sql`value + 1` }).where('name', '=', 'a').execute();
      if (tries < 3) await sql.raw(`DO $$ BEGIN RAISE EXCEPTION 'conflict' USING ERRCODE = '${code}'; END $$`).execute(tablesOf(tx));
    });
    expect(tries).toBe(3);
    expect(await valueOf(one.read<Tables>(), 'a')).toBe(1);
  });

  it('gives up on a conflict that does not end', async () => {
    let tries = 0;
    const stubborn = one.transaction(async (tx) => {
      tries += 1;
      await sql.raw("DO $$ BEGIN RAISE EXCEPTION 'conflict' USING ERRCODE = '40001'; END $$").execute(tablesOf(tx));
    });
    await expect(stubborn).rejects.toMatchObject({ code: '40001' });
    expect(tries).toBe(9);
  });

  it('does not run a transaction again for any other error', async () => {
    let tries = 0;
    const taken = one.transaction(async (tx) => {
      tries += 1;
      await tablesOf<Tables>(tx).insertInto('counter').values({ name: 'a', value: 5 }).execute();
    });
    await expect(taken).rejects.toMatchObject({ code: '23505' });
    expect(tries).toBe(1);
  });

  it('gives a lock to one holder at a time, and to the next when it is released', async () => {
    const locks = await Promise.all([one, two, one, two].map(async (each) => each.tryLock(7n)));
    const held = locks.filter((each) => each !== undefined);
    expect(held).toHaveLength(1);
    expect(held[0]?.held()).toBe(true);
    const other = await two.tryLock(8n);
    expect(other?.held()).toBe(true);
    await other?.release();
    await held[0]?.release();
    const next = await two.tryLock(7n);
    expect(next?.held()).toBe(true);
    expect(await one.tryLock(7n)).toBeUndefined();
    await next?.release();
    expect(next?.held()).toBe(false);
  });
});

describe('on PostgreSQL, where processes really meet', () => {
  let url: string;
  let one: Database;
  let two: Database;
  let broken: Error[];

  beforeAll(async () => {
    url = await sharedPostgres().createDatabase();
    one = openPostgres(url, (error) => broken.push(error));
    two = openPostgres(url, (error) => broken.push(error));
    await one.execute("CREATE TABLE counter (name text PRIMARY KEY, value integer NOT NULL); INSERT INTO counter VALUES ('a', 0), ('b', 0)");
  });
  beforeEach(() => {
    broken = [];
  });
  afterAll(async () => {
    await one.close();
    await two.close();
  });

  // But for the session that says so, which would otherwise end before it has told every other.
  const terminate = (application: string): Promise<unknown> => sql`SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND application_name = ${application} AND pid <> pg_backend_pid()`.execute(two.read());

  it('two transactions that wait for each other both commit', async () => {
    const met = Promise.withResolvers<undefined>();
    let arrived = 0;
    const both = (database: Database, first: string, second: string): Promise<void> =>
      database.transaction(async (tx) => {
        const trx = tablesOf<Tables>(tx);
        const add = (name: string): Promise<unknown> => trx.updateTable('counter').set({ value: sql`value + 1` }).where('name', '=', name).execute();
        await add(first);
        arrived += 1;
        if (arrived === 2) met.resolve(undefined);
        await met.promise;
        await add(second);
      });
    await Promise.all([both(one, 'a', 'b'), both(two, 'b', 'a')]);
    expect(arrived, 'the database had to choose a victim').toBe(3);
    expect([await valueOf(one.read<Tables>(), 'a'), await valueOf(one.read<Tables>(), 'b')]).toEqual([2, 2]);
  });

  it('a lock whose connection died is no longer held, is known not to be, and can be taken by another', async () => {
    const lock = await one.tryLock(7n);
    expect(lock?.held()).toBe(true);
    await terminate('quittance-lock');
    await vi.waitFor(() => expect(lock?.held()).toBe(false), { timeout: 10_000, interval: 10 });
    expect(broken).not.toHaveLength(0);
    const next = await two.tryLock(7n);
    expect(next?.held()).toBe(true);
    await lock?.release();
    expect(next?.held(), 'what the former holder does no longer matters').toBe(true);
    expect(await one.tryLock(7n)).toBeUndefined();
    await next?.release();
  });

  it('connections that were cut are replaced, and a transaction that was cut left nothing', async () => {
    const cut = one.transaction(async (tx) => {
      await tablesOf<Tables>(tx).updateTable('counter').set({ value: 99 }).where('name', '=', 'a').execute();
      await terminate('quittance').catch(() => undefined);
      // The server takes a moment to end a session that it was told to end.
      await sql`SELECT pg_sleep(10)`.execute(tablesOf<Tables>(tx));
    });
    await expect(cut).rejects.toThrow();
    const survivor = openPostgres(url, () => undefined);
    expect(await valueOf(survivor.read<Tables>(), 'a')).not.toBe(99);
    await survivor.close();
    await vi.waitFor(async () => expect(await valueOf(one.read<Tables>(), 'a')).toBe(2), { timeout: 10_000, interval: 50 });
  });

  it('what was listened for is heard again after the listening connection was cut', async () => {
    const heard: string[] = [];
    let connected = 0;
    const listening = await one.jobs.listen?.('news', (payload) => heard.push(payload), () => (connected += 1));
    await sql`SELECT pg_notify('news', 'first')`.execute(two.read());
    await vi.waitFor(() => expect(heard).toEqual(['first']), { timeout: 10_000, interval: 10 });
    await terminate('quittance-listen');
    await vi.waitFor(() => expect(connected).toBe(2), { timeout: 10_000, interval: 10 });
    await sql`SELECT pg_notify('news', 'second')`.execute(two.read());
    await vi.waitFor(() => expect(heard).toEqual(['first', 'second']), { timeout: 10_000, interval: 10 });
    await listening?.close();
  });

  it('a process that vanished with a transaction open does not hold its rows for longer than twenty seconds', async () => {
    const limit = await sql<{ idle_in_transaction_session_timeout: string }>`SHOW idle_in_transaction_session_timeout`.execute(one.read());
    expect(limit.rows).toEqual([{ idle_in_transaction_session_timeout: '20s' }]);
  });
});
