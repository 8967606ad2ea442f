import { sql, type Transaction } from 'kysely';

/** Has all processes come one after the other to what has this name, until the transaction ends. */
export async function oneAtATime<Tables>(trx: Transaction<Tables>, name: string): Promise<void> {
  await sql`SELECT pg_advisory_xact_lock(hashtextextended(${name}, 0))`.execute(trx);
}
