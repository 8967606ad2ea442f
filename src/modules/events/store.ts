import { sql, type Kysely, type Selectable, type Transaction } from 'kysely';
import type { RequestId } from '../../contract/ids.ts';
import type { EventTables } from './tables.ts';

type Db = Kysely<EventTables>;
type Trx = Transaction<EventTables>;
/** An event's row. */
export type EventRow = Selectable<EventTables['event']>;
/** A delivery's row. */
export type DeliveryRow = Selectable<EventTables['event_delivery']>;
/** A destination's row. */
export type DestinationRow = Selectable<EventTables['event_destination']>;
/** A replay's row. */
export type ReplayRow = Selectable<EventTables['event_replay']>;

/** A delivery to be made. */
export type NewDelivery = Pick<DeliveryRow, 'id' | 'event_id' | 'seq' | 'lane' | 'rule' | 'target' | 'destination' | 'round' | 'created_at' | 'next_at' | 'needs_acknowledgement'>;

/** A delivery that is due, with its event. */
export type DueDelivery = DeliveryRow & { readonly type: string; readonly request_id: RequestId | null; readonly at: Date; readonly detail: Readonly<Record<string, unknown>> };

/** Stores an event and gives its place in the order. */
export async function insertEvent(trx: Trx, row: { id: string; type: string; request_id: RequestId | null; at: Date; detail: Readonly<Record<string, unknown>> }): Promise<number> {
  const { seq } = await trx
    .insertInto('event')
    .values({ ...row, detail: JSON.stringify(row.detail) })
    .returning('seq')
    .executeTakeFirstOrThrow();
  return seq;
}

/** Stores deliveries; one that is there already stays as it is. Answers how many are new. */
export async function insertDeliveries(trx: Trx, rows: readonly NewDelivery[]): Promise<number> {
  if (rows.length === 0) return 0;
  const made = await trx
    .insertInto('event_delivery')
    .values([...rows])
    .onConflict((conflict) => conflict.columns(['event_id', 'rule', 'target', 'round']).doNothing())
    .returning('id')
    .execute();
  return made.length;
}

/** Makes the rows of destinations that have none. */
export async function insertDestinations(db: Db, names: readonly string[]): Promise<void> {
  if (names.length === 0) return;
  await db.insertInto('event_destination').values(names.map((name) => ({ name }))).onConflict((conflict) => conflict.column('name').doNothing()).execute();
}

/** Takes a destination for `leaseMs`, by the database's clock; undefined where another has it. */
export async function leaseDestination(db: Db, name: string, leaseMs: number): Promise<DestinationRow | undefined> {
  return db
    .updateTable('event_destination')
    .set({ lease_until: sql<Date>`clock_timestamp() + ${leaseMs} * interval '1 millisecond'`, epoch: sql<number>`epoch + 1` })
    .where('name', '=', name)
    .where((where) => where.or([where('lease_until', 'is', null), where('lease_until', '<', sql<Date>`clock_timestamp()`)]))
    .returningAll()
    .executeTakeFirst();
}

/** Locks a destination for who holds it in this epoch, and lengthens the lease; undefined for one that was overtaken. */
export async function holdDestination(trx: Trx, name: string, epoch: number, leaseMs: number): Promise<DestinationRow | undefined> {
  return trx
    .updateTable('event_destination')
    .set({ lease_until: sql<Date>`clock_timestamp() + ${leaseMs} * interval '1 millisecond'` })
    .where('name', '=', name)
    .where('epoch', '=', epoch)
    .returningAll()
    .executeTakeFirst();
}

/** Gives a destination back. */
export async function releaseDestination(db: Db, name: string, epoch: number): Promise<void> {
  await db.updateTable('event_destination').set({ lease_until: null }).where('name', '=', name).where('epoch', '=', epoch).execute();
}

/** Gives every destination back. */
export async function freeDestinations(db: Db): Promise<void> {
  await db.updateTable('event_destination').set({ lease_until: null }).where('lease_until', 'is not', null).execute();
}

/** Notes how a destination fares. */
export async function markDestination(db: Db, name: string, change: Partial<Pick<DestinationRow, 'failures' | 'paused_until' | 'disabled_at' | 'disabled_code'>>): Promise<number> {
  const rows = await db.updateTable('event_destination').set(change).where('name', '=', name).returning('name').execute();
  return rows.length;
}

/**
 * The deliveries of a destination that are due, in order, at most `limit`; none before whom of the same lane another waits that is not due.
 * With `onePerLane` only the first of each lane.
 */
export async function dueDeliveries(db: Db, destination: string, now: Date, limit: number, onePerLane: boolean): Promise<readonly DueDelivery[]> {
  return db
    .selectFrom('event_delivery as d')
    .innerJoin('event as e', 'e.id', 'd.event_id')
    .selectAll('d')
    .select(['e.type', 'e.request_id', 'e.at', 'e.detail'])
    .where('d.destination', '=', destination)
    .where('d.status', '=', 'waiting')
    .where('d.next_at', '<=', now)
    .where((where) =>
      where.not(
        where.exists(
          where
            .selectFrom('event_delivery as b')
            .select('b.id')
            .whereRef('b.destination', '=', 'd.destination')
            .where('b.status', '=', 'waiting')
            .whereRef('b.lane', '=', 'd.lane')
            .where((before) => (onePerLane ? sql<boolean>`(b.seq, b.id) < (d.seq, d.id)` : before.and([sql<boolean>`(b.seq, b.id) < (d.seq, d.id)`, before('b.next_at', '>', now)]))),
        ),
      ),
    )
    .orderBy('d.seq')
    .orderBy('d.id')
    .limit(limit)
    .execute();
}

/** When the next waiting delivery of a destination is due; undefined when none waits. */
export async function nextDue(db: Db, destination: string): Promise<Date | undefined> {
  const row = await db.selectFrom('event_delivery').select('next_at').where('destination', '=', destination).where('status', '=', 'waiting').orderBy('next_at').limit(1).executeTakeFirst();
  return row?.next_at;
}

/** Destinations that have something due. */
export async function dueDestinations(db: Db, names: readonly string[], now: Date): Promise<readonly string[]> {
  if (names.length === 0) return [];
  const { rows } = await sql<{ name: string }>`
    SELECT n.name FROM unnest(${[...names]}::text[]) AS n (name)
    WHERE EXISTS (SELECT 1 FROM event_delivery d WHERE d.destination = n.name AND d.status = 'waiting' AND d.next_at <= ${now})`.execute(db);
  return rows.map(({ name }) => name);
}

/** Whether a request has deliveries on their way by any of these rules, made since a time and to destinations that want them. */
export async function isOnItsWay(db: Db, requestId: RequestId, rules: readonly string[], since: Date): Promise<boolean> {
  if (rules.length === 0) return false;
  const row = await db
    .selectFrom('event_delivery as d')
    .innerJoin('event_destination as t', 't.name', 'd.destination')
    .select('d.id')
    .where('d.lane', '=', requestId)
    .where('d.status', '=', 'waiting')
    .where('d.rule', 'in', [...rules])
    .where('d.created_at', '>', since)
    .where('t.disabled_at', 'is', null)
    .limit(1)
    .executeTakeFirst();
  return row !== undefined;
}

/** Writes what became of a try. */
export async function markDelivery(trx: Trx, id: string, change: Partial<Pick<DeliveryRow, 'status' | 'attempts' | 'next_at' | 'ended_at' | 'code' | 'reference'>>): Promise<void> {
  await trx.updateTable('event_delivery').set(change).where('id', '=', id).where('status', '=', 'waiting').execute();
}

/** Notes deliveries as made. */
export async function markDelivered(trx: Trx, made: readonly { readonly id: string; readonly attempts: number; readonly reference: string | null }[], at: Date): Promise<void> {
  if (made.length === 0) return;
  await sql`
    UPDATE event_delivery AS d SET status = 'delivered', attempts = m.attempts, reference = m.reference, ended_at = ${at}, code = NULL
    FROM unnest(${made.map(({ id }) => id)}::uuid[], ${made.map(({ attempts }) => attempts)}::int[], ${made.map(({ reference }) => reference)}::text[]) AS m (id, attempts, reference)
    WHERE d.id = m.id AND d.status = 'waiting'`.execute(trx);
}

/** Has what waits for a destination that failed be tried now. */
export async function bringForward(trx: Trx, destination: string, now: Date): Promise<void> {
  await trx.updateTable('event_delivery').set({ next_at: now }).where('destination', '=', destination).where('status', '=', 'waiting').where('next_at', '>', now).where('attempts', '>', 0).execute();
}

/** Every destination that something waits for, each found by one look into the index. */
export async function waitingDestinations(db: Db): Promise<readonly string[]> {
  const { rows } = await sql<{ name: string }>`
    WITH RECURSIVE found AS (
      (SELECT destination AS name FROM event_delivery WHERE status = 'waiting' ORDER BY destination LIMIT 1)
      UNION ALL
      SELECT (SELECT d.destination FROM event_delivery d WHERE d.status = 'waiting' AND d.destination > found.name ORDER BY d.destination LIMIT 1) FROM found WHERE found.name IS NOT NULL
    ) SELECT name FROM found WHERE name IS NOT NULL`.execute(db);
  return rows.map(({ name }) => name);
}

/** Gives up what has waited for a destination since before a time, at most `limit`. Answers how many. */
export async function buryDeliveries(trx: Trx, destination: string, code: string, before: Date, now: Date, limit: number): Promise<number> {
  const { rows } = await sql`
    UPDATE event_delivery SET status = 'dead', code = ${code}, ended_at = ${now}
    WHERE id IN (SELECT id FROM event_delivery WHERE status = 'waiting' AND destination = ${destination} AND created_at < ${before} ORDER BY seq, id LIMIT ${limit}) AND status = 'waiting'
    RETURNING id`.execute(trx);
  return rows.length;
}

/** Has everything that waits for a destination begin anew, now. */
export async function renewDeliveries(db: Db, destination: string, now: Date): Promise<void> {
  await db.updateTable('event_delivery').set({ created_at: now, next_at: now, attempts: 0 }).where('destination', '=', destination).where('status', '=', 'waiting').execute();
}

/** Reads an event. */
export async function findEvent(db: Db, id: string): Promise<EventRow | undefined> {
  return db.selectFrom('event').selectAll().where('id', '=', id).executeTakeFirst();
}

/** Events after a place in the order, oldest first, of a time. */
export async function eventsBetween(db: Db, range: { readonly from: Date; readonly to: Date; readonly afterSeq: number }, limit: number): Promise<readonly EventRow[]> {
  return db.selectFrom('event').selectAll().where('at', '>=', range.from).where('at', '<', range.to).where('seq', '>', range.afterSeq).orderBy('seq').limit(limit).execute();
}

/** Events newest first, before a place in the order. */
export async function newestEvents(db: Db, filter: { readonly type?: string | undefined; readonly requestId?: RequestId | undefined; readonly beforeSeq?: number | undefined }, limit: number): Promise<readonly EventRow[]> {
  return db
    .selectFrom('event')
    .selectAll()
    .$if(filter.type !== undefined, (query) => query.where('type', '=', filter.type ?? ''))
    .$if(filter.requestId !== undefined, (query) => query.where('request_id', '=', filter.requestId ?? null))
    .$if(filter.beforeSeq !== undefined, (query) => query.where('seq', '<', filter.beforeSeq ?? 0))
    .orderBy('seq', 'desc')
    .limit(limit)
    .execute();
}

/** The deliveries of an event, in the order in which they were made. */
export async function deliveriesOf(db: Db, eventId: string): Promise<readonly DeliveryRow[]> {
  return db.selectFrom('event_delivery').selectAll().where('event_id', '=', eventId).orderBy('round').orderBy('rule').orderBy('target').execute();
}

/** Deliveries newest first, before another one. */
export async function newestDeliveries(
  db: Db,
  filter: { readonly status?: DeliveryRow['status'] | undefined; readonly destination?: string | undefined; readonly rule?: string | undefined; readonly unacknowledged?: boolean | undefined; readonly beforeId?: string | undefined },
  limit: number,
): Promise<readonly DeliveryRow[]> {
  return db
    .selectFrom('event_delivery')
    .selectAll()
    .$if(filter.status !== undefined, (query) => query.where('status', '=', filter.status ?? 'dead'))
    .$if(filter.destination !== undefined, (query) => query.where('destination', '=', filter.destination ?? ''))
    .$if(filter.rule !== undefined, (query) => query.where('rule', '=', filter.rule ?? ''))
    .$if(filter.unacknowledged === true, (query) => query.where('needs_acknowledgement', '=', true).where('acknowledged_at', 'is', null))
    .$if(filter.beforeId !== undefined, (query) => query.where('id', '<', filter.beforeId ?? ''))
    .orderBy('id', 'desc')
    .limit(limit)
    .execute();
}

/** How each destination fares: what waits, since when, what is dead. */
export async function destinationStates(db: Db): Promise<readonly (DestinationRow & { readonly waiting: number; readonly dead: number; readonly oldest: Date | null })[]> {
  const rows = await db
    .selectFrom('event_destination as t')
    .selectAll('t')
    .select((select) => [
      select.selectFrom('event_delivery as d').select((inner) => inner.fn.countAll<string>().as('count')).whereRef('d.destination', '=', 't.name').where('d.status', '=', 'waiting').as('waiting'),
      select.selectFrom('event_delivery as d').select((inner) => inner.fn.countAll<string>().as('count')).whereRef('d.destination', '=', 't.name').where('d.status', '=', 'dead').as('dead'),
      select.selectFrom('event_delivery as d').select((inner) => inner.fn.min('d.created_at').as('at')).whereRef('d.destination', '=', 't.name').where('d.status', '=', 'waiting').as('oldest'),
    ])
    .orderBy('t.name')
    .execute();
  return rows.map((row) => ({ ...row, waiting: Number(row.waiting), dead: Number(row.dead), oldest: row.oldest }));
}

/** Notes an acknowledgement of every delivery of an event by a destination that asked for one and has none. Answers the targets it was noted for. */
export async function acknowledge(trx: Trx, eventId: string, destination: string, change: { readonly at: Date; readonly by: string; readonly as: string }): Promise<readonly DeliveryRow[]> {
  return trx
    .updateTable('event_delivery')
    .set({ acknowledged_at: change.at, acknowledged_by: change.by, acknowledged_as: change.as })
    .where('event_id', '=', eventId)
    .where('destination', '=', destination)
    .where('needs_acknowledgement', '=', true)
    .where('acknowledged_at', 'is', null)
    .returningAll()
    .execute();
}

/** Has what is dead wait again, of a rule and a time. Answers how many. */
export async function reviveDead(trx: Trx, eventIds: readonly string[], rule: string, target: string | null, now: Date): Promise<readonly string[]> {
  if (eventIds.length === 0) return [];
  const rows = await trx
    .updateTable('event_delivery')
    .set({ status: 'waiting', attempts: 0, created_at: now, next_at: now, ended_at: null, code: null })
    .where('event_id', 'in', [...eventIds])
    .where('rule', '=', rule)
    .$if(target !== null, (query) => query.where('target', '=', target ?? ''))
    .where('status', '=', 'dead')
    .returning('destination')
    .execute();
  return rows.map(({ destination }) => destination);
}

/** The highest round of each event's deliveries for one target of a rule. */
export async function roundsOf(trx: Trx, eventIds: readonly string[], rule: string): Promise<ReadonlyMap<string, number>> {
  if (eventIds.length === 0) return new Map();
  const rows = await trx.selectFrom('event_delivery').select(['event_id', (select) => select.fn.max('round').as('round')]).where('event_id', 'in', [...eventIds]).where('rule', '=', rule).groupBy('event_id').execute();
  return new Map(rows.map((row) => [row.event_id, row.round]));
}

/** Stores a replay. */
export async function insertReplay(trx: Trx, row: Pick<ReplayRow, 'id' | 'rule' | 'target' | 'only_dead' | 'from_at' | 'to_at' | 'requested_by' | 'requested_at'>): Promise<void> {
  await trx.insertInto('event_replay').values(row).execute();
}

/** Locks a replay. */
export async function lockReplay(trx: Trx, id: string): Promise<ReplayRow | undefined> {
  return trx.selectFrom('event_replay').selectAll().where('id', '=', id).forUpdate().executeTakeFirst();
}

/** Reads a replay. */
export async function findReplay(db: Db, id: string): Promise<ReplayRow | undefined> {
  return db.selectFrom('event_replay').selectAll().where('id', '=', id).executeTakeFirst();
}

/** Replays that are not done. */
export async function openReplays(db: Db): Promise<readonly string[]> {
  const rows = await db.selectFrom('event_replay').select('id').where('done_at', 'is', null).execute();
  return rows.map(({ id }) => id);
}

/** Notes how far a replay is. */
export async function markReplay(trx: Trx, id: string, change: Partial<Pick<ReplayRow, 'after_seq' | 'looked_at' | 'sent' | 'done_at'>>): Promise<void> {
  await trx.updateTable('event_replay').set(change).where('id', '=', id).execute();
}

/** Deletes events older than a time of which nothing waits, at most `limit`, with their deliveries. Answers how many. */
export async function pruneEvents(db: Db, before: Date, limit: number): Promise<number> {
  const { rows } = await sql<{ id: string }>`
    DELETE FROM event WHERE id IN (
      SELECT e.id FROM event e WHERE e.at < ${before}
        AND NOT EXISTS (SELECT 1 FROM event_delivery d WHERE d.event_id = e.id AND (d.status = 'waiting' OR (d.needs_acknowledgement AND d.acknowledged_at IS NULL AND d.status = 'delivered' AND d.created_at > ${before})))
      ORDER BY e.at LIMIT ${limit})
    RETURNING id`.execute(db);
  return rows.length;
}
