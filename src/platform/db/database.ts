import { AsyncLocalStorage } from 'node:async_hooks';
import { Kysely, type KyselyPlugin, type Transaction } from 'kysely';
import type { IDatabase } from './job-database.ts';

declare const txBrand: unique symbol;

/**
 * An open transaction, as modules hand it to one another.
 * A module turns it into a handle on its own tables with `tablesOf`, so that no module can reach another's tables by type.
 */
export interface Tx {
  readonly [txBrand]: true;
}

/** Gives a transaction as a handle on one module's tables. Locks and writes of several statements take this type. */
export function tablesOf<Tables>(tx: Tx): Transaction<Tables> {
  return tx as unknown as Transaction<Tables>;
}

/** A session-level lock that one process holds; it is lost when its connection is. */
export interface ExclusiveLock {
  /** False once the connection that held the lock broke. */
  readonly held: () => boolean;
  readonly release: () => Promise<void>;
}

/** One of the two databases, embedded or not. */
export interface Database {
  readonly kind: 'embedded' | 'postgres';
  /** A handle for single statements outside any transaction. Using it inside a transaction's callback throws. */
  readonly read: <Tables>() => Kysely<Tables>;
  /**
   * Runs `work` in one transaction and commits, or rolls back when it throws.
   * `work` may run again after a serialization failure or a deadlock, so it must do nothing but database work.
   */
  readonly transaction: <Result>(work: (tx: Tx) => Promise<Result>) => Promise<Result>;
  /** Runs SQL text of several statements, for migrations. */
  readonly execute: (sql: string) => Promise<void>;
  /** Takes a session-level advisory lock if nobody holds it, or answers undefined. */
  readonly tryLock: (key: bigint) => Promise<ExclusiveLock | undefined>;
  /** This database as pg-boss wants it, outside any transaction. */
  readonly jobs: IDatabase;
  readonly close: () => Promise<void>;
}

/** How many times a transaction is tried again after the database chose it as the victim of a conflict. */
const conflictRetries = 8;
/** serialization_failure and deadlock_detected: PostgreSQL's documentation, appendix A. */
const conflictCodes = new Set(['40001', '40P01']);

/** What a dialect gives for `assembleDatabase`. */
export interface DatabaseParts {
  readonly kind: Database['kind'];
  readonly kysely: Kysely<unknown>;
  readonly jobs: IDatabase;
  readonly execute: Database['execute'];
  readonly tryLock: Database['tryLock'];
  readonly close: Database['close'];
}

/**
 * Makes a `Database` of a dialect's parts, with the guard that makes one deadlock impossible: on the embedded database a statement
 * outside an open transaction would wait, for ever, for the transaction that waits for it. Here it throws, on both databases.
 */
export function assembleDatabase(parts: DatabaseParts): Database {
  const open = new AsyncLocalStorage<true>();
  const refuseInside = (): void => {
    if (open.getStore() === true) {
      throw new Error('A statement was sent outside the transaction that is open in this call; pass the transaction down instead');
    }
  };
  const guard: KyselyPlugin = {
    transformQuery: (args) => {
      refuseInside();
      return args.node;
    },
    transformResult: async (args) => args.result,
  };
  const guarded = parts.kysely.withPlugin(guard);
  const transaction: Database['transaction'] = async (work) => {
    refuseInside();
    for (let attempt = 0; ; attempt += 1) {
      try {
        return await parts.kysely
          .transaction()
          .execute((trx) => open.run(true, () => work(trx as unknown as Tx)));
      } catch (error) {
        const code = (error as { code?: unknown }).code;
        if (attempt >= conflictRetries || typeof code !== 'string' || !conflictCodes.has(code)) throw error;
      }
    }
  };
  return {
    kind: parts.kind,
    read: <Tables>() => guarded as unknown as Kysely<Tables>,
    transaction,
    execute: async (sql) => {
      refuseInside();
      await parts.execute(sql);
    },
    tryLock: parts.tryLock,
    jobs: {
      ...parts.jobs,
      executeSql: async (text, values) => {
        refuseInside();
        return parts.jobs.executeSql(text, values);
      },
    },
    close: parts.close,
  };
}
