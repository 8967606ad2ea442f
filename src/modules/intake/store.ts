import type { Kysely, Transaction } from 'kysely';
import type { IntakeTables } from './tables.ts';

/** The key of a message: its source, and its own id as a keyed hash. */
export interface MessageKey {
  readonly source: string;
  readonly messageId: Buffer;
}

/** A message that was seen before. */
export interface SeenMessage {
  readonly payloadHash: Buffer;
  readonly answer: unknown;
}

/** Reads what a message was answered. */
export async function findMessage(db: Kysely<IntakeTables>, key: MessageKey): Promise<SeenMessage | undefined> {
  const row = await db
    .selectFrom('intake_replay')
    .select(['payload_hash', 'answer'])
    .where('source', '=', key.source)
    .where('message_id', '=', key.messageId)
    .executeTakeFirst();
  return row === undefined ? undefined : { payloadHash: Buffer.from(row.payload_hash), answer: row.answer };
}

/** Takes a message's place; answers false when it was taken, after waiting for the transaction that took it. */
export async function takeMessage(trx: Transaction<IntakeTables>, key: MessageKey, payloadHash: Buffer, seenAt: Date): Promise<boolean> {
  const row = await trx
    .insertInto('intake_replay')
    .values({ source: key.source, message_id: key.messageId, payload_hash: payloadHash, status: 202, answer: '{}', seen_at: seenAt })
    .onConflict((conflict) => conflict.columns(['source', 'message_id']).doNothing())
    .returning('source')
    .executeTakeFirst();
  return row !== undefined;
}

/** Keeps an answer under each of its keys, all of one source, for repetitions. */
export async function keepAnswer(trx: Transaction<IntakeTables>, keys: readonly [MessageKey, ...MessageKey[]], answer: unknown): Promise<void> {
  await trx
    .updateTable('intake_replay')
    .set({ answer: JSON.stringify(answer) })
    .where('source', '=', keys[0].source)
    .where('message_id', 'in', keys.map((each) => each.messageId))
    .execute();
}

/** Forgets messages seen before an instant. */
export async function forgetMessages(db: Kysely<IntakeTables>, before: Date): Promise<void> {
  await db.deleteFrom('intake_replay').where('seen_at', '<', before).execute();
}
