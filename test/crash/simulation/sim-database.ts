import { CompiledQuery, Kysely, PostgresAdapter, PostgresIntrospector, PostgresQueryCompiler, type DatabaseConnection, type Dialect, type Driver } from 'kysely';
import { assembleDatabase, type Database } from '../../../src/platform/db/database.ts';
import { migrate, type MigrationSet } from '../../../src/platform/db/migrate.ts';
import type { SimPGlite } from './sim-pglite.ts';
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
  /** Empties all tables, for the next round: each is as its migration made it. */
  readonly reset: () => Promise<void>;
  /** Has something done when, and only when, the open transaction commits; at once when none is open. */
  readonly afterCommit: (work: () => void) => void;
}

/** A connection that broke, as PostgreSQL says it: terminated by the administrator. */
const cut = (): Error => Object.assign(new Error('terminating connection due to administrator command'), { code: '57P01' });
/** A transaction that the database chose as a victim. */
const conflict = (): Error => Object.assign(new Error('could not serialize access'), { code: '40001' });

/** Puts a set of migrations on a database in memory that is empty; `fateOf` decides what each statement and commit of a process meets. */
export async function createSimStore(time: VirtualTime, pglite: SimPGlite, set: MigrationSet, fateOf: (point: 'statement' | 'commit' | 'committed') => DatabaseFate): Promise<SimStore> {
  const locks = new Map<bigint, SimProcess>();
  let openTransaction: { readonly jobs: (() => void)[] } | undefined;

  const send = async (text: string, values: readonly unknown[] = []): Promise<{ rows: unknown[]; affectedRows?: number }> => {
    // A statement that is prepared already is answered sooner; that must not change who goes on first, or a round would depend on those before it.
    const answered = nextTurn();
    // What the database does with its own time is no process's matter.
    const ask = async () => {
      try {
        return await pglite.query(text, values);
      } finally {
        await answered;
      }
    };
    return time.busy(owners.run(timeless, ask));
  };

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
  const watch = open(undefined, 'embedded');
  await migrate(watch, set);
  const emptying = await emptyingOf(pglite);
  return {
    open,
    watch,
    reset: async () => {
      locks.clear();
      openTransaction = undefined;
      await owners.run(timeless, () => pglite.exec(`ROLLBACK; ${emptying}`));
    },
    afterCommit: (work) => {
      if (openTransaction === undefined) work();
      else openTransaction.jobs.push(work);
    },
  };
}

/** Waits for the next turn of the event loop, whichever time it is in the simulation. */
const nextTurn = (): Promise<void> => new Promise((resolve) => void setImmediate(resolve));

/**
 * The text that empties all tables, also those that nothing is ever taken out of, and has their numbers begin anew. It replaces what the tables are kept in, so that their
 * statements are planned anew, too. What the migrations themselves filled would be lost, so nothing but their own list may be.
 */
async function emptyingOf(pglite: SimPGlite): Promise<string> {
  const { rows } = await pglite.query<{ name: string }>(
    "SELECT format('%I.%I', schemaname, tablename) AS name FROM pg_tables WHERE schemaname NOT IN ('pg_catalog', 'information_schema') AND tablename <> 'schema_migration' ORDER BY 1",
  );
  for (const { name } of rows) {
    const { rows: filled } = await pglite.query(`SELECT FROM ${name} LIMIT 1`);
    if (filled.length > 0) throw new Error(`A migration fills ${name}, which the simulation empties`);
  }
  const { rows: guards } = await pglite.query<{ off: string; on: string }>(
    `SELECT format('ALTER TABLE %s DISABLE TRIGGER %I;', tgrelid::regclass, tgname) AS off,
      format('ALTER TABLE %s ENABLE %s TRIGGER %I;', tgrelid::regclass, CASE tgenabled WHEN 'A' THEN 'ALWAYS' ELSE '' END, tgname) AS on
    FROM pg_trigger WHERE NOT tgisinternal AND tgtype & 32 <> 0 ORDER BY tgrelid, tgname`,
  );
  return `BEGIN; ${guards.map(({ off }) => off).join(' ')} TRUNCATE ${rows.map(({ name }) => name).join(', ')} RESTART IDENTITY; ${guards.map(({ on }) => on).join(' ')} COMMIT;`;
}
