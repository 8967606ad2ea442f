import { randomUUID } from 'node:crypto';
import { sql } from 'kysely';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { databaseKinds, sharedPostgres, useDatabase } from '../../../test/support/databases.ts';
import type { Database } from '../db/database.ts';
import { openPostgres } from '../db/postgres.ts';
import { createLog } from '../log.ts';
import { startJobs, type JobData, type JobKind, type Jobs } from './jobs.ts';

const look: JobKind = { name: 'look', concurrency: 4 };
const log = createLog('silent');
const all = { schedules: true, supervises: true };

/** Waits for what the queue does by itself; it looks every half second. */
const eventually = (expectation: () => void, timeout = 20_000): Promise<void> => vi.waitFor(expectation, { timeout, interval: 20 });

describe.each(databaseKinds)('jobs on the database of kind $kind', ({ kind }) => {
  const shared = useDatabase(kind, 'empty');
  let database: Database;
  let jobs: Jobs;
  let seen: string[];

  const startOn = async (on: Database, kinds: readonly JobKind[] = [look]): Promise<Jobs> => startJobs(on, kinds, log, all);
  const note = async (data: JobData): Promise<void> => {
    seen.push(data['id'] ?? '');
  };
  const send = (id: string, delayMs = 0): Promise<void> => database.transaction((tx) => jobs.send(tx, look, { id }, { delayMs }));

  beforeAll(async () => {
    database = shared.open();
  });
  beforeEach(async () => {
    seen = [];
    jobs = await startOn(database);
  });
  afterEach(async () => {
    await jobs.stop(5000);
    await database.execute("DELETE FROM jobs.job WHERE name = 'look'");
  });

  it('one of a transaction that commits runs once, with its data; one of a transaction that rolls back never does', async () => {
    await jobs.work(look, note);
    const rolledBack = database.transaction(async (tx) => {
      await jobs.send(tx, look, { id: 'rolled back' });
      throw new Error('changed my mind');
    });
    await expect(rolledBack).rejects.toThrow('changed my mind');
    await send('committed');
    await jobs.poke(look, { id: 'poked' });
    await eventually(() => expect(seen.toSorted()).toEqual(['committed', 'poked']));
    // The queue is first in, first out: one sent after them has run, so what was to run before has.
    await send('last');
    await eventually(() => expect(seen).toContain('last'));
    expect(seen.toSorted()).toEqual(['committed', 'last', 'poked']);
  });

  it('one that throws is given back and runs again, and does not keep others from running', async () => {
    let tries = 0;
    await jobs.work(look, async (data) => {
      if (data['id'] === 'fails twice') {
        tries += 1;
        if (tries < 3) throw new Error('not yet');
      }
      await note(data);
    });
    await send('fails twice');
    await send('other');
    await eventually(() => expect(seen).toEqual(['other', 'fails twice']), 30_000);
    expect(tries).toBe(3);
  });

  it('one that is delayed does not run before its time', async () => {
    await jobs.work(look, note);
    const sentAt = Date.now();
    let ranAt = 0;
    await send('delayed', 1500);
    await send('at once');
    await eventually(() => expect(seen).toContain('at once'));
    expect(seen).toEqual(['at once']);
    await eventually(() => {
      expect(seen).toEqual(['at once', 'delayed']);
      ranAt ||= Date.now();
    });
    expect(ranAt - sentAt).toBeGreaterThanOrEqual(1500);
  });

  it('one that nobody worked before the process stopped is worked by the next', async () => {
    await send('kept');
    await jobs.stop(5000);
    jobs = await startOn(database);
    await jobs.work(look, note);
    await eventually(() => expect(seen).toEqual(['kept']));
  });

  it('stopping waits for the one that is being worked, and takes no other', async () => {
    const slow: JobKind = { name: look.name, concurrency: 1 };
    const started = Promise.withResolvers<undefined>();
    const release = Promise.withResolvers<undefined>();
    await jobs.work(slow, async (data) => {
      started.resolve(undefined);
      await release.promise;
      await note(data);
    });
    await send('first');
    await started.promise;
    const stopped = jobs.stop(10_000);
    await send('second').catch(() => undefined);
    release.resolve(undefined);
    await stopped;
    expect(seen).toEqual(['first']);
  });

  it('many sent at once each run once', async () => {
    await jobs.work(look, note);
    const ids = Array.from({ length: 60 }, () => randomUUID());
    await Promise.all(ids.map(async (id) => send(id)));
    await eventually(() => expect(seen.toSorted()).toEqual(ids.toSorted()));
  });
});

describe('jobs of several processes on one PostgreSQL', () => {
  let one: Database;
  let two: Database;
  beforeAll(async () => {
    const url = await sharedPostgres().createDatabase();
    one = openPostgres(url, () => undefined);
    two = openPostgres(url, () => undefined);
  });
  afterAll(async () => {
    await one.close();
    await two.close();
  });

  it('many processes that start at once on an empty database all start', async () => {
    const url = await sharedPostgres().createDatabase();
    const handles = Array.from({ length: 6 }, () => openPostgres(url, () => undefined));
    const started = await Promise.all(handles.map(async (each) => startJobs(each, [look], log, { schedules: false, supervises: false })));
    // A first send inside a transaction, on a process that works nothing, as one that only serves HTTP does.
    await Promise.all(handles.map(async (each, index) => each.transaction(async (tx) => started[index]?.send(tx, look, { id: String(index) }))));
    const queued = await sql<{ count: number }>`SELECT count(*) AS count FROM jobs.job WHERE name = 'look'`.execute(handles[0]?.read() ?? one.read());
    expect(queued.rows).toEqual([{ count: 6 }]);
    await Promise.all(started.map(async (each) => each.stop(1000)));
    await Promise.all(handles.map(async (each) => each.close()));
  });

  it('processes that start at once share the queue, and each job runs on one of them', async () => {
    const [first, second] = await Promise.all([startJobs(one, [look], log, all), startJobs(two, [look], log, { schedules: false, supervises: false })]);
    const seen: Record<'first' | 'second', string[]> = { first: [], second: [] };
    await first.work(look, async (data) => void seen.first.push(data['id'] ?? ''));
    await second.work(look, async (data) => void seen.second.push(data['id'] ?? ''));
    const ids = Array.from({ length: 100 }, () => randomUUID());
    await Promise.all(ids.map(async (id, index) => (index % 2 === 0 ? one : two).transaction((tx) => (index % 2 === 0 ? first : second).send(tx, look, { id }))));
    await eventually(() => expect([...seen.first, ...seen.second].toSorted()).toEqual(ids.toSorted()));
    await Promise.all([first.stop(5000), second.stop(5000)]);
  });

  it('jobs go on after every connection was cut', async () => {
    const jobs = await startJobs(one, [look], log, all);
    const seen: string[] = [];
    await jobs.work(look, async (data) => void seen.push(data['id'] ?? ''));
    await one.transaction((tx) => jobs.send(tx, look, { id: 'before' }));
    await eventually(() => expect(seen).toEqual(['before']));
    await sql`SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()`.execute(two.read());
    await vi.waitFor(() => one.transaction((tx) => jobs.send(tx, look, { id: 'after' })), { timeout: 10_000, interval: 50 });
    await eventually(() => expect(seen).toContain('after'));
    await jobs.stop(5000);
  });
});
