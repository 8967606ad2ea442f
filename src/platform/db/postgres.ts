import { Kysely, PostgresDialect } from 'kysely';
import pg from 'pg';
import { assembleDatabase, type Database, type ExclusiveLock } from './database.ts';
import { PreparingClient } from './preparing-client.ts';

/** int8 as a number: counts and sequence numbers stay far under 2^53. */
const int8 = 20;

/** Connections per process: enough for a worker's parallel steps, few enough for dozens of processes on one server. */
const poolMax = 16;

/**
 * How long a transaction may stand idle: a process that hangs in the middle of one, or whose machine vanished, would else hold its rows and its
 * connection's places for all others. Shorter than a task's lease, so that nobody waits longer for the locks than for the tasks.
 */
const idleInTransactionMs = 20_000;

/** Opens a PostgreSQL database by its URL. `onError` hears of connections that break while no statement waits on them. */
export function openPostgres(url: string, onError: (error: Error) => void): Database {
  const types: pg.CustomTypesConfig = {
    getTypeParser: ((id: number, format: 'text' | 'binary') =>
      id === int8 ? Number : pg.types.getTypeParser(id, format)) as pg.CustomTypesConfig['getTypeParser'],
  };
  const pool = new pg.Pool({
    Client: PreparingClient,
    connectionString: url,
    max: poolMax,
    types,
    application_name: 'quittance',
    keepAlive: true,
    idle_in_transaction_session_timeout: idleInTransactionMs,
  });
  // A connection that is cut while a transaction holds it, between two statements, has nobody else to hear it, and would end the process.
  pool.on('connect', (client) => client.on('error', onError));
  // What an idle connection says is heard above; the pool repeats it, and must have a listener.
  pool.on('error', () => undefined);
  return assembleDatabase({
    kind: 'postgres',
    kysely: new Kysely<unknown>({ dialect: new PostgresDialect({ pool }) }),
    jobs: {
      executeSql: async (text, values) => {
        const result = (await pool.query(text, values as unknown[])) as pg.QueryResult | pg.QueryResult[];
        // Text of several statements answers one result each; pg-boss wants the rows of whichever had some.
        return Array.isArray(result) ? { rows: result.flatMap((each) => each.rows as unknown[]) } : result;
      },
      listen: (channel, onNotification, onReconnect) => listen(url, channel, onNotification, onReconnect, onError),
    },
    execute: async (sql) => {
      await pool.query(sql);
    },
    tryLock: (key) => tryLock(url, key, onError),
    close: async () => {
      await pool.end();
    },
  });
}

/** How often who holds a lock tells the server that it lives. */
const lockPingMs = 5000;
/** After so long without hearing it the server gives the lock free: a machine that vanished, and a process that hangs, whose machine still answers for it. */
const lockSilenceMs = 20_000;

async function tryLock(url: string, key: bigint, onError: (error: Error) => void): Promise<ExclusiveLock | undefined> {
  const client = new pg.Client({ connectionString: url, application_name: 'quittance-lock', keepAlive: true, query_timeout: lockSilenceMs });
  let held = true;
  let ping: NodeJS.Timeout | undefined;
  const lost = (): void => {
    held = false;
    clearInterval(ping);
  };
  client.on('error', (error) => {
    lost();
    onError(error);
  });
  client.on('end', lost);
  let locked = false;
  try {
    await client.connect();
    await client.query(`SET idle_session_timeout = ${lockSilenceMs}`);
    const answer = await client.query<{ locked: boolean }>('SELECT pg_try_advisory_lock($1) AS locked', [String(key)]);
    locked = answer.rows[0]?.locked === true;
  } finally {
    if (!locked) await client.end();
  }
  if (!locked) return undefined;
  if (held) {
    ping = setInterval(() => {
      client.query('SELECT').catch((error: unknown) => {
        if (!held) return;
        lost();
        onError(error as Error);
      });
    }, lockPingMs);
  }
  const release = async (): Promise<void> => {
    lost();
    await client.end();
  };
  return { held: () => held, release };
}

/** How long to wait before connecting again when the listening connection broke. */
const reconnectMs = 500;

async function listen(
  url: string,
  channel: string,
  onNotification: (payload: string) => void,
  onReconnect: () => void,
  onError: (error: Error) => void,
): Promise<{ close: () => Promise<void> }> {
  let closed = false;
  let client: pg.Client | undefined;
  let timer: NodeJS.Timeout | undefined;
  const again = (): void => {
    if (closed || timer !== undefined) return;
    timer = setTimeout(() => {
      timer = undefined;
      connect().catch((error: unknown) => {
        onError(error as Error);
        again();
      });
    }, reconnectMs);
  };
  const connect = async (): Promise<void> => {
    const next = new pg.Client({ connectionString: url, application_name: 'quittance-listen', keepAlive: true });
    next.on('error', (error) => {
      onError(error);
      again();
    });
    next.on('end', again);
    next.on('notification', (message) => {
      onNotification(message.payload ?? '');
    });
    await next.connect();
    // Closed while it connected: nobody would end it any more.
    if (closed) {
      await next.end();
      return;
    }
    await next.query(`LISTEN ${next.escapeIdentifier(channel)}`);
    client = next;
    onReconnect();
  };
  await connect();
  return {
    close: async () => {
      closed = true;
      clearTimeout(timer);
      await client?.end();
    },
  };
}
