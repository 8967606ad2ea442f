import { randomUUID } from 'node:crypto';
import { beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { sql } from 'kysely';
import { z } from 'zod';
import { databaseKinds, useDatabase } from '../../../test/support/databases.ts';
import type { Connector } from '../../connector-kit/index.ts';
import type { TaskId } from '../../contract/ids.ts';
import type { Database } from '../../platform/db/database.ts';
import { createConnections, type Admission, type Connections } from './index.ts';

const never = async (): Promise<never> => {
  throw new Error('no call is made here');
};
const connector: Connector = {
  name: 'example',
  title: 'Example',
  config: z.strictObject({}),
  capabilities: () => ({
    erases: ['email'],
    locates: [],
    actions: ['erase'],
    isIdentityMap: false,
    latencyMs: { typical: 1000, worst: 60_000 },
    sanitization: 'purge',
    limits: { concurrency: 3, callsPerSecond: 10, burst: 10 },
  }),
  egress: () => ['api.example.com'],
  connect: () => ({ check: never, locate: never, erase: never, confirm: never }),
};

/** One process of Quittance, as far as its connections go. */
interface Process {
  readonly database: Database;
  readonly connections: Connections;
}

async function startProcess(database: Database): Promise<Process> {
  const deps = { database, clock: { now: () => 0 }, secrets: { environment: {}, readFile: () => '' }, connectors: { example: connector }, record: async () => undefined, onResumed: async () => undefined, windowHours: 1 };
  return { database, connections: await createConnections(deps, { shop: { connector: 'example', after: [], action: 'erase', timeout_seconds: 30 } }) };
}

const leaseMs = 30_000;
const task = (): TaskId => randomUUID() as TaskId;

describe.each(databaseKinds)('connections on the database of kind $kind', ({ kind }) => {
  const shared = useDatabase(kind, 'main');
  let one: Process;
  let two: Process;

  beforeAll(async () => {
    const database = shared.open();
    one = await startProcess(database);
    two = await startProcess(shared.open());
  });
  beforeEach(async () => {
    await one.database.execute('TRUNCATE connection_lease; UPDATE connection_state SET consecutive_failures = 0, open_until = NULL, suspended_at = NULL');
  });

  const processOf = (which: number): Process => (which % 2 === 0 ? one : two);
  const admit = (which: number, taskId = task()): Promise<Admission> => processOf(which).database.transaction((tx) => processOf(which).connections.admit(tx, 'shop', taskId, leaseMs));
  const note = (which: number, how: 'noteSuccess' | 'noteFailure'): Promise<void> => processOf(which).database.transaction((tx) => processOf(which).connections[how](tx, 'shop'));
  const admitMany = async (count: number): Promise<number> => (await Promise.all(Array.from({ length: count }, async (_, index) => admit(index)))).filter((each) => each.admitted).length;
  /** As if so many milliseconds had passed: leases and circuits are by the database's clock, which nobody can move. */
  const pass = (ms: number): Promise<void> =>
    one.database.execute(`UPDATE connection_lease SET expires_at = expires_at - ${ms} * interval '1 millisecond'; UPDATE connection_state SET open_until = open_until - ${ms} * interval '1 millisecond'`);

  it('two processes that admit many tasks at once never admit more than the connection has places', async () => {
    expect(await admitMany(24)).toBe(3);
    expect(await admit(0)).toMatchObject({ admitted: false, reason: 'busy' });
  });

  it('a place given back is taken once', async () => {
    const own = task();
    expect(await admit(0, own)).toEqual({ admitted: true });
    expect(await admitMany(8)).toBe(2);
    await two.database.transaction((tx) => two.connections.release(tx, 'shop', own));
    expect(await admitMany(8)).toBe(1);
  });

  it('a task that holds a place keeps it when it asks again, and takes no second one', async () => {
    const own = task();
    expect(await admit(0, own)).toEqual({ admitted: true });
    expect(await admit(1, own)).toEqual({ admitted: true });
    expect(await admitMany(8)).toBe(2);
    expect(await admit(1, own)).toEqual({ admitted: true });
  });

  it('the place of a process that died is free once its lease has run out, and not before', async () => {
    expect(await admitMany(3)).toBe(3);
    await pass(leaseMs - 10_000);
    expect(await admitMany(4)).toBe(0);
    await pass(10_001);
    expect(await admitMany(8)).toBe(3);
  });

  it('a place that is renewed stays taken', async () => {
    const own = task();
    await admit(0, own);
    await pass(leaseMs - 10_000);
    await two.connections.renew('shop', own, leaseMs);
    await pass(leaseMs - 10_000);
    expect(await admitMany(8)).toBe(2);
  });

  it('the circuit opens after eight failures in a row, whichever process saw them, and not after seven', async () => {
    for (let at = 0; at < 7; at += 1) await note(at, 'noteFailure');
    expect(await admit(0)).toEqual({ admitted: true });
    await note(1, 'noteFailure');
    const refused = await admit(0);
    expect(refused).toMatchObject({ admitted: false, reason: 'circuit_open' });
    expect(refused.admitted ? 0 : refused.retryAfterMs).toBeGreaterThan(20_000);
    expect(await two.connections.status()).toMatchObject([{ name: 'shop', state: 'circuit_open', consecutive_failures: 8 }]);
  });

  it('a success in between begins the count anew', async () => {
    for (let at = 0; at < 7; at += 1) await note(at, 'noteFailure');
    await note(0, 'noteSuccess');
    await note(1, 'noteFailure');
    expect(await admitMany(8)).toBe(3);
  });

  it('eight failures noted at once by two processes are eight', async () => {
    await Promise.all(Array.from({ length: 8 }, async (_, index) => note(index, 'noteFailure')));
    expect(await admit(0)).toMatchObject({ admitted: false, reason: 'circuit_open' });
  });

  it('after the circuit was open one task probes; its failure opens the circuit again, its success closes it', async () => {
    for (let at = 0; at < 8; at += 1) await note(at, 'noteFailure');
    await pass(30_001);
    expect(await admitMany(8)).toBe(1);
    await note(0, 'noteFailure');
    await one.database.execute('TRUNCATE connection_lease');
    expect(await admit(1)).toMatchObject({ admitted: false, reason: 'circuit_open' });
    await pass(30_001);
    expect(await admitMany(8)).toBe(1);
    await note(1, 'noteSuccess');
    expect(await admitMany(8), 'the probe and two more').toBe(2);
  });

  it.runIf(kind === 'postgres')('a task that waits behind a probe while it fails does not probe too', async () => {
    for (let at = 0; at < 8; at += 1) await note(at, 'noteFailure');
    await pass(30_001);
    const probe = task();
    expect(await admit(0, probe)).toEqual({ admitted: true });
    const failed = Promise.withResolvers<undefined>();
    const goOn = Promise.withResolvers<undefined>();
    const failing = one.database.transaction(async (tx) => {
      await one.connections.noteFailure(tx, 'shop');
      await one.connections.release(tx, 'shop', probe);
      failed.resolve(undefined);
      await goOn.promise;
    });
    await failed.promise;
    const waiting = admit(1);
    await vi.waitFor(async () => {
      const { rows } = await sql`SELECT pid FROM pg_locks JOIN pg_stat_activity USING (pid) WHERE datname = current_database() AND NOT granted`.execute(one.database.read());
      expect(rows).toHaveLength(1);
    });
    goOn.resolve(undefined);
    await failing;
    expect(await waiting).toMatchObject({ admitted: false, reason: 'circuit_open' });
  });
});
