import { sql, type Kysely, type Transaction } from 'kysely';
import type { IntakeTables } from './tables.ts';

/** Keeps where a message is that can never be accepted, and why; answers false when that is known. */
export async function insertRefusal(trx: Transaction<IntakeTables>, row: IntakeTables['bus_refusal']): Promise<boolean> {
  const inserted = await trx
    .insertInto('bus_refusal')
    .values(row)
    .onConflict((conflict) => conflict.columns(['source', 'place']).doNothing())
    .returning('source')
    .executeTakeFirst();
  return inserted !== undefined;
}

/** Forgets refusals from before an instant. */
export async function forgetRefusals(db: Kysely<IntakeTables>, before: Date): Promise<void> {
  await db.deleteFrom('bus_refusal').where('refused_at', '<', before).execute();
}

/** How far each partition of a topic has been read: the offset that comes next. */
export async function positionsOf(db: Kysely<IntakeTables>, source: string, topic: string): Promise<ReadonlyMap<number, bigint>> {
  const rows = await db.selectFrom('bus_position').select(['partition', 'next_offset']).where('source', '=', source).where('topic', '=', topic).execute();
  return new Map(rows.map((row) => [row.partition, BigInt(row.next_offset)]));
}

/** A partition, and the offset that it is read on from. */
export interface Position {
  readonly source: string;
  readonly topic: string;
  readonly partition: number;
  readonly next: bigint;
}

/** Says how far a partition has been read. Only `goesBack` may take it back: two readers for a moment must not have one undo what the other read. */
export async function keepPosition(db: Kysely<IntakeTables>, { source, topic, partition, next }: Position, options: { readonly goesBack: boolean }): Promise<void> {
  await db
    .insertInto('bus_position')
    .values({ source, topic, partition, next_offset: next.toString() })
    .onConflict((conflict) =>
      conflict.columns(['source', 'topic', 'partition']).doUpdateSet({
        next_offset: options.goesBack ? next.toString() : sql<string>`greatest(bus_position.next_offset, excluded.next_offset)`,
      }),
    )
    .execute();
}
