import { Kysely, PostgresAdapter, PostgresIntrospector, PostgresQueryCompiler, type DatabaseConnection, type Driver, type QueryResult } from 'kysely';
import { assembleDatabase, type Database } from '../../src/platform/db/database.ts';
import { PreparingPGlite } from '../../src/platform/db/preparing-pglite.ts';
import { migrate } from '../../src/platform/db/migrate.ts';
import { prepareSee } from './seen-state.ts';
import { createStepping, type Stepping } from './stepping.ts';

/** A database in memory whose every state can be gone back to, and whose clock is the explorer's. */
export interface SimDatabase {
  readonly stepping: Stepping;
  readonly showRows: (show: RowsSeen) => void;
  /** What the code under test gets. */
  readonly database: Database;
  readonly setNow: (ms: number) => Promise<void>;
  /** Remembers how everything stands, under a number; a number that is used again covers the one before. */
  readonly mark: (number: number) => Promise<void>;
  /** Goes back to a mark, as often as wanted. */
  readonly back: (number: number) => Promise<void>;
  readonly drop: (number: number) => Promise<void>;
  /** Reads past the stepping: for the explorer's own looks. */
  readonly look: <Row>(sql: string, parameters?: readonly unknown[]) => Promise<readonly Row[]>;
  readonly close: () => Promise<void>;
}

/** Every move of a status, as the database saw it, whoever made it; and a clock that the explorer sets, which unqualified calls find first. */
const simSchema = `
CREATE SCHEMA sim;
CREATE FUNCTION sim.clock_timestamp() RETURNS timestamptz LANGUAGE sql VOLATILE AS $$ SELECT to_timestamp(current_setting('sim.now')::float8 / 1000) $$;
CREATE FUNCTION sim.now() RETURNS timestamptz LANGUAGE sql VOLATILE AS $$ SELECT to_timestamp(current_setting('sim.now')::float8 / 1000) $$;
CREATE TABLE sim.move (what text NOT NULL, id uuid NOT NULL, was text, is_now text NOT NULL);
CREATE FUNCTION sim.note_move() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF TG_OP = 'INSERT' THEN INSERT INTO sim.move VALUES (TG_TABLE_NAME, NEW.id, NULL, NEW.status);
  ELSIF NEW.status <> OLD.status THEN INSERT INTO sim.move VALUES (TG_TABLE_NAME, NEW.id, OLD.status, NEW.status);
  END IF;
  RETURN NULL;
END $$;
CREATE TRIGGER note_move AFTER INSERT OR UPDATE OF status ON task FOR EACH ROW EXECUTE FUNCTION sim.note_move();
CREATE TRIGGER note_move AFTER INSERT OR UPDATE OF status ON privacy_request FOR EACH ROW EXECUTE FUNCTION sim.note_move();
SET search_path = sim, pg_catalog, public;
`;

/** What a process sees of the rows that it reads: those rows, but for a bug that is put in on purpose. */
export type RowsSeen = (rows: readonly Record<string, unknown>[]) => readonly Record<string, unknown>[];

/**
 * Opens it, migrated. Everything happens inside one transaction that is never committed: what the code knows as a transaction is a savepoint in
 * it, and so is a mark, which is why going back costs a millisecond and not a copy.
 */
export async function openSimDatabase(): Promise<SimDatabase> {
  const stepping = createStepping();
  let rowsSeen: RowsSeen = (rows) => rows;
  const pglite = new PreparingPGlite();
  await pglite.waitReady;
  const query = async (sql: string, parameters: readonly unknown[]): Promise<QueryResult<unknown>> => {
    const { affectedRows, rows } = await pglite.query(sql, [...parameters], { rowMode: 'object' });
    return { rows: [...rowsSeen(rows as Record<string, unknown>[])], ...(affectedRows === undefined ? {} : { numAffectedRows: BigInt(affectedRows) }) };
  };
  const connection: DatabaseConnection = {
    executeQuery: async <Row>(compiled: { readonly sql: string; readonly parameters: readonly unknown[] }) => {
      const isWrite = /^\s*(?:insert|update|delete)/iu.test(compiled.sql);
      return (await stepping.operation('query', isWrite ? 'write' : undefined, () => query(compiled.sql, compiled.parameters))) as QueryResult<Row>;
    },
    streamQuery: () => {
      throw new Error('Nothing streams here');
    },
  };
  const run = async (sql: string): Promise<void> => void (await pglite.exec(sql));
  const driver: Driver = {
    init: async () => undefined,
    acquireConnection: async () => connection,
    beginTransaction: () => run('SAVEPOINT work'),
    commitTransaction: () => run('RELEASE work'),
    rollbackTransaction: () => run('ROLLBACK TO work; RELEASE work'),
    releaseConnection: async () => undefined,
    destroy: async () => undefined,
  };
  const kysely = new Kysely<unknown>({
    dialect: {
      createAdapter: () => new PostgresAdapter(),
      createDriver: () => driver,
      createIntrospector: (db) => new PostgresIntrospector(db),
      createQueryCompiler: () => new PostgresQueryCompiler(),
    },
  });
  const refuse = (): never => {
    throw new Error('The queue of the simulation is a list');
  };
  const assembled = assembleDatabase({ kind: 'embedded', kysely, jobs: { executeSql: refuse }, execute: run, tryLock: refuse, close: async () => undefined });
  await run('BEGIN');
  await migrate(assembled, 'main');
  await run(simSchema);
  await run(prepareSee);
  return {
    stepping,
    showRows: (show) => {
      rowsSeen = show;
    },
    database: { ...assembled, transaction: (work) => stepping.transaction(() => assembled.transaction(work)) },
    setNow: async (ms) => void (await pglite.query(`SELECT set_config('sim.now', $1, false)`, [String(ms)])),
    mark: (number) => run(`SAVEPOINT mark_${number}`),
    back: (number) => run(`ROLLBACK TO mark_${number}`),
    drop: (number) => run(`RELEASE mark_${number}`),
    look: async <Row>(sql: string, parameters: readonly unknown[] = []) => (await pglite.query<Row>(sql, [...parameters])).rows,
    close: () => pglite.close(),
  };
}
