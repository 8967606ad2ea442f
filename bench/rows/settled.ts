import { learnScript, playAll, type Script } from '../bare.ts';
import { inTurns, rowOf, sized, type BenchContext, type BenchRow, type RowHead } from '../measure.ts';
import { plantPeople, type Planted } from '../people.ts';
import { startPostgres } from '../postgres.ts';
import type { Goal, Pair, Row } from '../result.ts';
import { makeInstallation } from '../server.ts';
import { settleAll } from '../settle.ts';
import { answerMs, startVendors, type Vendors } from '../vendors.ts';

/** Requests under way at once: enough that nobody waits for a vendor while there is something to do. */
const atOnce = 32;
const runs = 3;
/** Thrown away: the first requests of a process run in code that is not compiled yet. */
const warmUp = 16;

const bareText = `\`bench/bare.ts\`: the same calls, ${atOnce} people at once, nothing kept`;

/** Requests a second of the bare script, for so many people. */
async function bareRate(vendors: Vendors, script: Script, size: number): Promise<number> {
  const people = await plantPeople(vendors, size);
  return (size * 1000) / (await playAll(script, people, atOnce));
}

/** The vendors, and the calls that one person takes there. */
export async function startLearntVendors(): Promise<{ readonly vendors: Vendors; readonly script: Script }> {
  const vendors = await startVendors();
  await vendors.reset();
  const [first] = await plantPeople(vendors, 1);
  if (first === undefined) throw new Error('Nobody was planted');
  const script = await learnScript(vendors, first);
  await vendors.delay(answerMs);
  return { vendors, script };
}

const callsOf = (script: Script): number => script.phases.flat(3).length;

/** Requests a second from the first sent to the last closed, and how many calls each took. */
async function settledRate(vendors: Vendors, url: string, people: readonly Planted[]): Promise<{ readonly rate: number; readonly calls: number }> {
  const before = await vendors.count();
  const elapsedMs = await settleAll(url, people, atOnce);
  const after = await vendors.count();
  return { rate: (people.length * 1000) / elapsedMs, calls: (after.calls - before.calls) / people.length };
}

interface World {
  readonly vendors: Vendors;
  readonly script: Script;
  /** Transactions that the database has committed so far, where it counts them. */
  readonly commits?: () => Promise<number>;
}

async function measureOn(context: BenchContext, head: RowHead, world: World, url: string): Promise<Row> {
  const { vendors, script } = world;
  await settleAll(url, await plantPeople(vendors, warmUp), atOnce);
  await bareRate(vendors, script, warmUp);
  const calls: number[] = [];
  const commits: number[] = [];
  const pairs = await inTurns(context, head.name, runs, {
    reference: () => bareRate(vendors, script, head.size),
    measured: async () => {
      const people = await plantPeople(vendors, head.size);
      const before = await world.commits?.();
      const seen = await settledRate(vendors, url, people);
      const after = await world.commits?.();
      calls.push(seen.calls);
      if (before !== undefined && after !== undefined) commits.push((after - before) / head.size);
      return seen.rate;
    },
  });
  return rowOf(head, pairs, {
    'vendor calls for each request': calls,
    'vendor calls for each person in the bare script': [callsOf(script)],
    'transactions committed for each request, single statements and the looks of idle workers included': commits,
  });
}

const headOf = (name: string, what: string, against: string, size: number, goal: Goal): RowHead => ({ name, what, against, unit: 'requests/s', size, goal });

const embedded: BenchRow = {
  name: 'settled-embedded',
  run: async (context) => {
    const world = await startLearntVendors();
    const installation = makeInstallation(world.vendors);
    try {
      const server = await installation.start();
      const goal = { how: 'at_least', factor: 0.25, plus: 0 } as const;
      const head = headOf(embedded.name, 'erasure requests accepted and settled, durable and audited, embedded database, one process', bareText, sized(context, 60, 4), goal);
      return [await measureOn(context, head, world, server.url)];
    } finally {
      await installation.remove();
      await world.vendors.stop();
    }
  },
};

const postgres: BenchRow = {
  name: 'settled-postgres',
  run: async (context) => {
    const world = await startLearntVendors();
    const server = await startPostgres();
    const installation = makeInstallation(world.vendors, await server.createDatabases());
    try {
      const http = await installation.start('http');
      await installation.start('scheduler');
      await installation.start('worker');
      const size = sized(context, 80, 4);
      const goal = { how: 'at_least', factor: 0.5, plus: 0 } as const;
      const one = await measureOn(context, headOf(postgres.name, 'the same on PostgreSQL with fsync, one worker process', bareText, size, goal), { ...world, commits: server.commits }, http.url);
      return [one, await addWorker(context, world.vendors, http.url, size, installation.start)];
    } finally {
      await installation.remove();
      await server.stop();
      await world.vendors.stop();
    }
  },
};

/** With a second worker against without it: the second one is started and stopped in turns. */
async function addWorker(context: BenchContext, vendors: Vendors, url: string, size: number, start: (services: string) => Promise<{ readonly stop: () => Promise<void> }>): Promise<Row> {
  const name = 'settled-postgres-two';
  const pairs: readonly Pair[] = await inTurns(context, name, runs, {
    reference: async () => (await settledRate(vendors, url, await plantPeople(vendors, size))).rate,
    measured: async () => {
      const second = await start('worker');
      try {
        await settleAll(url, await plantPeople(vendors, warmUp), atOnce);
        return (await settledRate(vendors, url, await plantPeople(vendors, size))).rate;
      } finally {
        await second.stop();
      }
    },
  });
  return rowOf(headOf(name, 'the same with two worker processes', 'one worker process', size, { how: 'at_least', factor: 1, plus: 0 }), pairs);
}

/** Throughput of whole requests, on both databases. */
export const settledRows: readonly BenchRow[] = [embedded, postgres];
