import { createHmac, randomBytes } from 'node:crypto';
import type { Database } from '../db/database.ts';
import { keyBytes } from './envelope.ts';
import type { KeyProvider } from './key-provider.ts';

/** The keys that Quittance has for itself, each 32 random bytes made at the first start and stored wrapped by the master key. */
export type SystemKeyName = 'lookup' | 'suppression' | 'mapping' | 'token' | 'audit-signing';

interface SystemKeyTable {
  system_key: { name: string; master_key_id: string; wrapped: Buffer };
}

/** Gives the system keys. */
export interface SystemKeys {
  readonly get: (name: SystemKeyName) => Buffer;
  /** HMAC-SHA-256 of a text under one of the keys: lookups and the suppression ledger. */
  readonly mac: (name: SystemKeyName, text: string) => Buffer;
}

const names: readonly SystemKeyName[] = ['lookup', 'suppression', 'mapping', 'token', 'audit-signing'];

/** Reads all system keys, making those that are missing. Two processes that start at once end up with the same keys. */
export async function loadSystemKeys(database: Database, provider: KeyProvider): Promise<SystemKeys> {
  const keys = new Map<SystemKeyName, Buffer>();
  const db = database.read<SystemKeyTable>();
  for (const name of names) {
    const context = `system_key:${name}`;
    const fresh = await provider.wrap(randomBytes(keyBytes), context);
    await db
      .insertInto('system_key')
      .values({ name, master_key_id: fresh.masterKeyId, wrapped: fresh.bytes })
      .onConflict((conflict) => conflict.column('name').doNothing())
      .execute();
    const row = await db.selectFrom('system_key').selectAll().where('name', '=', name).executeTakeFirstOrThrow();
    keys.set(name, await provider.unwrap({ masterKeyId: row.master_key_id, bytes: Buffer.from(row.wrapped) }, context));
  }
  const get = (name: SystemKeyName): Buffer => {
    const key = keys.get(name);
    if (key === undefined) throw new Error(`No system key ${name}`);
    return key;
  };
  return { get, mac: (name, text) => createHmac('sha256', get(name)).update(text, 'utf8').digest() };
}
