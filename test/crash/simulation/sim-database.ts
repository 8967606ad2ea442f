import { CompiledQuery, Kysely, PostgresAdapter, PostgresIntrospector, PostgresQueryCompiler, type DatabaseConnection, type Dialect, type Driver } from 'kysely';
import { assembleDatabase, type Database } from '../../../src/platform/db/database.ts';
import { PreparingPGlite } from '../../../src/platform/db/preparing-pglite.ts';
import type { SimProcess } from './sim-process.ts';
import { owners, timeless, type VirtualTime } from './virtual-time.ts';

/** What a database does to a process's statement or commit, besides what the process itself suffers. */
export type DatabaseFate = 'well' | 'cut' | 'conflict';

/** One database that all simulated processes share. It survives every one of them. */
export interface SimStore {
  /** A process's handle on it. */
  readonly open: (process: SimProcess, kind: Database['kind']) => Database;
  /** The world's own handle, which nothing happens to. */
  readonly watch: Database;
  /** Empties it, for the next round. */
  readonly reset: (work: (exec: (text: string) => Promise<void>) => Promise<void>) => Promise<void>;
  /** Has something done when, and only when, the open transaction commits; at once when none is open. */
  readonly afterCommit: (work: () => void) => void;
}

/** A connection that broke, as PostgreSQL says it: terminated by the administrator. */
const cut = (): Error => Object.assign(new Error('terminating connection due to administrator command'), { code: '57P01' });
/** A transaction that the database chose as a victim. */
const conflict = (): Error => Object.assign(new Error('could not serialize access'), { code: '40001' });

/** Makes a database in memory; `fateOf` decides what each statement and commit of a process meets. */
export async function createSimStore(time: VirtualTime, fateOf: (point: 'statement' | 'commit' | 'committed') => DatabaseFate): Promise<SimStore> {
  const pglite = await owners.run(timeless, async () => {
    const opened = new PreparingPGlite();
    await opened.waitReady;
    // Nothing here outlives the process; what survives a crash of the database is the other layer's matter.
    await opened.exec('SET synchronous_commit = off');
    return opened;
  });
  const locks = new Map<bigint, SimProcess>();
  let openTransaction: { readonly jobs: (() => void)[] } | undefined;

  const send = async (text: string, values: readonly unknown[] = []): Promise<{ rows: unknown[]; affectedRows?: number }> =>
    // What the database does with its own time is no process's matter.
    time.busy(owners.run(timeless, () => pglite.query(text, [...values])));

  const connect = (process: SimProcess | undefined): DatabaseConnection => ({
    executeQuery: async (query: CompiledQuery) => {
      process?.point('statement');
      if (process !== undefined && fateOf('statement') === 'cut') throw cut();
      const result = await send(query.sql, query.parameters);
      return {
        rows: result.rows as never[],
        ...(result.affectedRows === undefined ? {} : { numAffectedRows: BigInt(result.affectedRows) }),
      };
    },
    // eslint-disable-next-line require-yield
    streamQuery: async function* () {
      throw new Error('The simulation has no streaming statements');
    },
  });

  const driverFor = (process: SimProcess | undefined): Driver => ({
    init: async () => undefined,
    acquireConnection: async () => {
      await process?.turn();
      return connect(process);
    },
    beginTransaction: async () => {
      if (openTransaction !== undefined) throw new Error('A simulated process waits for something inside of a transaction');
      openTransaction = { jobs: [] };
      await send('BEGIN');
    },
    commitTransaction: async () => {
      process?.point('commit');
      const fate = process === undefined ? 'well' : fateOf('commit');
      if (fate === 'cut') throw cut();
      if (fate === 'conflict') throw conflict();
      await send('COMMIT');
      const { jobs } = openTransaction ?? { jobs: [] };
      openTransaction = undefined;
      for (const job of jobs) job();
      process?.point('committed');
      // Committed, and nobody heard of it.
      if (process !== undefined && fateOf('committed') === 'cut') throw cut();
    },
    rollbackTransaction: async () => {
      if (openTransaction === undefined) return;
      openTransaction = undefined;
      await send('ROLLBACK');
    },
    releaseConnection: async () => undefined,
    destroy: async () => undefined,
  });
  const dialectFor = (process: SimProcess | undefined): Dialect => ({
    createAdapter: () => new PostgresAdapter(),
    createDriver: () => driverFor(process),
    createIntrospector: (db) => new PostgresIntrospector(db),
    createQueryCompiler: () => new PostgresQueryCompiler(),
  });

  const open = (process: SimProcess | undefined, kind: Database['kind']): Database =>
    assembleDatabase({
      kind,
      kysely: new Kysely<unknown>({ dialect: dialectFor(process) }),
      jobs: { executeSql: async () => Promise.reject(new Error('The simulation has a queue of its own')) },
      execute: async (text) => {
        await process?.turn();
        process?.point('statement');
        await time.busy(owners.run(timeless, () => pglite.exec(text)));
      },
      tryLock: async (key) => {
        await process?.turn();
        const holder = locks.get(key);
        if (holder !== undefined && !holder.dead) return undefined;
        if (process === undefined) throw new Error('The world takes no locks');
        locks.set(key, process);
        const isHeld = (): boolean => locks.get(key) === process;
        // The session that holds a lock can break like any other.
        return {
          held: () => {
            if (isHeld() && fateOf('statement') === 'cut') locks.delete(key);
            return isHeld();
          },
          release: async () => {
            if (isHeld()) locks.delete(key);
          },
        };
      },
      close: async () => undefined,
    });
  return {
    open,
    watch: open(undefined, 'embedded'),
    reset: async (work) => {
      locks.clear();
      await owners.run(timeless, () => pglite.exec('ROLLBACK'));
      openTransaction = undefined;
      await work(async (text) => void (await owners.run(timeless, () => pglite.exec(text))));
      // A round plays the same way whichever came before it: a statement that is prepared already takes another time.
      await owners.run(timeless, () => pglite.forgetPrepared());
    },
    afterCommit: (work) => {
      if (openTransaction === undefined) work();
      else openTransaction.jobs.push(work);
    },
  };
}
