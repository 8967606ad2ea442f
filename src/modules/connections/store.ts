import { sql, type Kysely, type Transaction } from 'kysely';
import type { TaskId } from '../../contract/ids.ts';
import { oneAtATime } from '../../platform/db/one-at-a-time.ts';
import type { ConnectionTables } from './tables.ts';

/** What is stored of a connection's health, by the database's clock. */
export interface ConnectionHealth {
  readonly name: string;
  readonly suspended: boolean;
  readonly suspended_reason: string | null;
  readonly consecutive_failures: number;
  /** Milliseconds until the circuit closes for a probe; 0 when it is closed. */
  readonly open_for_ms: number;
}

/** Makes the rows of configured connections that have none yet. */
export async function insertConnections(db: Kysely<ConnectionTables>, names: readonly string[]): Promise<void> {
  if (names.length === 0) return;
  await db
    .insertInto('connection_state')
    .values(names.map((name) => ({ name })))
    .onConflict((conflict) => conflict.column('name').doNothing())
    .execute();
}

/** The health of some or all connections. */
export async function readHealth(db: Kysely<ConnectionTables>, name?: string): Promise<readonly ConnectionHealth[]> {
  const result = await sql<ConnectionHealth>`
    SELECT name, suspended_at IS NOT NULL AS suspended, suspended_reason, consecutive_failures,
      greatest(0, coalesce(extract(epoch FROM open_until - clock_timestamp()) * 1000, 0))::float8 AS open_for_ms
    FROM connection_state WHERE ${name === undefined ? sql`true` : sql`name = ${name}`} ORDER BY name`.execute(db);
  return result.rows;
}

/** Has all processes take, give back and judge a connection's places one after the other, until the transaction ends. */
export async function lockPlaces(trx: Transaction<ConnectionTables>, connection: string): Promise<void> {
  await oneAtATime(trx, `connection:${connection}`);
}

/** Takes one of a connection's places for a task, or says there is none. The caller holds `lockPlaces`, which makes counting and taking one step. */
export async function takeLease(trx: Transaction<ConnectionTables>, connection: string, taskId: TaskId, places: number, leaseMs: number): Promise<boolean> {
  const held = await sql<{ held: number }>`
    SELECT count(*)::int AS held FROM connection_lease
    WHERE connection = ${connection} AND task_id <> ${taskId} AND expires_at > clock_timestamp()`.execute(trx);
  if ((held.rows[0]?.held ?? 0) >= places) return false;
  await sql`
    INSERT INTO connection_lease (connection, task_id, expires_at) VALUES (${connection}, ${taskId}, clock_timestamp() + ${leaseMs} * interval '1 millisecond')
    ON CONFLICT (connection, task_id) DO UPDATE SET expires_at = excluded.expires_at`.execute(trx);
  return true;
}

/** Holds a place for longer. */
export async function renewLease(db: Kysely<ConnectionTables>, connection: string, taskId: TaskId, leaseMs: number): Promise<void> {
  await sql`
    UPDATE connection_lease SET expires_at = clock_timestamp() + ${leaseMs} * interval '1 millisecond'
    WHERE connection = ${connection} AND task_id = ${taskId}`.execute(db);
}

/** Gives a place back, after whoever is just being refused one has said so: it would else queue for a place that nobody gives back any more. */
export async function dropLease(trx: Transaction<ConnectionTables>, connection: string, taskId: TaskId): Promise<void> {
  await lockPlaces(trx, connection);
  await trx.deleteFrom('connection_lease').where('connection', '=', connection).where('task_id', '=', taskId).execute();
}

/** Notes that a call worked: the circuit closes. Writes only when something had failed. */
export async function noteSuccess(trx: Transaction<ConnectionTables>, name: string): Promise<void> {
  await trx
    .updateTable('connection_state')
    .set({ consecutive_failures: 0, open_until: null })
    .where('name', '=', name)
    .where('consecutive_failures', '>', 0)
    .execute();
}

/** Notes that a call failed by the vendor's fault; from `threshold` failures in a row on, the circuit opens for `openMs`. */
export async function noteFailure(trx: Transaction<ConnectionTables>, name: string, threshold: number, openMs: number): Promise<void> {
  await sql`
    UPDATE connection_state SET consecutive_failures = consecutive_failures + 1,
      open_until = CASE WHEN consecutive_failures + 1 >= ${threshold} THEN clock_timestamp() + ${openMs} * interval '1 millisecond' ELSE open_until END
    WHERE name = ${name}`.execute(trx);
}

/** Suspends a connection or resumes it; answers whether that changed anything. */
export async function setSuspended(trx: Transaction<ConnectionTables>, name: string, reason: string | null): Promise<boolean> {
  const result = await trx
    .updateTable('connection_state')
    .set(reason === null ? { suspended_at: null, suspended_reason: null, consecutive_failures: 0, open_until: null } : { suspended_at: sql<Date>`clock_timestamp()`, suspended_reason: reason })
    .where('name', '=', name)
    .where('suspended_at', reason === null ? 'is not' : 'is', null)
    .returning('name')
    .executeTakeFirst();
  return result !== undefined;
}
