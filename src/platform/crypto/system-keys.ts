import { createHmac, randomBytes } from 'node:crypto';
import { tablesOf, type Database, type Tx } from '../db/database.ts';
import { Failure } from '../failure.ts';
import { keyBytes } from './envelope.ts';
import { missingMasterKey, type KeyProvider, type WrappedKey } from './key-provider.ts';

/** The keys that Quittance has for itself, each 32 random bytes made at the first start and stored wrapped by the master key. */
export type SystemKeyName = 'lookup' | 'suppression' | 'mapping' | 'token';
/** A system key whose value changes while processes run, so that none may keep it: the keys that sign the audit log. */
export type ChangingKeyName = 'audit-signing';

interface SystemKeyTable {
  system_key: { name: string; master_key_id: string; wrapped: Buffer };
}

/** Gives the system keys. */
export interface SystemKeys {
  readonly get: (name: SystemKeyName) => Buffer;
  /** HMAC-SHA-256 of a text under one of the keys: lookups and the suppression ledger. */
  readonly mac: (name: SystemKeyName, text: string) => Buffer;
}

const names: readonly SystemKeyName[] = ['lookup', 'suppression', 'mapping', 'token'];
const changingNames: readonly ChangingKeyName[] = ['audit-signing'];
const contextOf = (name: string): string => `system_key:${name}`;

/** Says whether system keys were ever stored: whether this database is in use. */
export async function hasSystemKeys(database: Database): Promise<boolean> {
  return (await database.read<SystemKeyTable>().selectFrom('system_key').select('name').limit(1).executeTakeFirst()) !== undefined;
}

/** How many system keys are under each master key. */
export async function countSystemKeys(database: Database): Promise<ReadonlyMap<string, number>> {
  const counts = new Map<string, number>();
  for (const row of await database.read<SystemKeyTable>().selectFrom('system_key').select('master_key_id').execute()) {
    counts.set(row.master_key_id, (counts.get(row.master_key_id) ?? 0) + 1);
  }
  return counts;
}

/**
 * Reads all system keys, making those that are missing. Two processes that start at once end up with the same keys. Fails with
 * `KEY_UNAVAILABLE`, and has changed nothing, when one that is stored needs a master key that is not configured: look-ups and the suppression
 * ledger made with fresh keys would know nobody.
 */
export async function loadSystemKeys(database: Database, provider: KeyProvider): Promise<SystemKeys> {
  const db = database.read<SystemKeyTable>();
  for (const row of await db.selectFrom('system_key').selectAll().orderBy('name').execute()) {
    if (!provider.masterKeyIds.includes(row.master_key_id)) {
      throw new Failure('KEY_UNAVAILABLE', `Quittance does not start, and has changed nothing: ${missingMasterKey(row.master_key_id, provider.masterKeyIds)}. It wrapped the key ${row.name} of this database`);
    }
    await provider.unwrap({ masterKeyId: row.master_key_id, bytes: Buffer.from(row.wrapped) }, contextOf(row.name));
  }
  const keys = new Map<string, Buffer>();
  for (const name of [...names, ...changingNames]) {
    const fresh = await provider.wrap(randomBytes(keyBytes), contextOf(name));
    await db
      .insertInto('system_key')
      .values({ name, master_key_id: fresh.masterKeyId, wrapped: fresh.bytes })
      .onConflict((conflict) => conflict.column('name').doNothing())
      .execute();
    const row = await db.selectFrom('system_key').selectAll().where('name', '=', name).executeTakeFirstOrThrow();
    keys.set(name, await provider.unwrap({ masterKeyId: row.master_key_id, bytes: Buffer.from(row.wrapped) }, contextOf(name)));
  }
  const get = (name: SystemKeyName): Buffer => {
    const key = keys.get(name);
    if (key === undefined) throw new Error(`No system key ${name}`);
    return key;
  };
  return { get, mac: (name, text) => createHmac('sha256', get(name)).update(text, 'utf8').digest() };
}

/** A changing system key as it was read: its value, and the stored bytes that tell whether it was changed since. */
export interface ReadKey {
  readonly plain: Buffer;
  readonly stored: Buffer;
}

/** A system key whose value changes. */
export interface ChangingKey {
  /** Reads it as it is stored now. */
  readonly read: () => Promise<ReadKey>;
  /** Wraps a new value, before the transaction that stores it, since wrapping may call a key service. */
  readonly wrap: (plain: Buffer) => Promise<WrappedKey>;
  /** Stores a new value in place of the one that was read; answers false, and changes nothing, when it is another by now. */
  readonly replace: (tx: Tx, before: ReadKey, after: WrappedKey) => Promise<boolean>;
}

/** Gives access to a system key whose value changes. It is opened again only when its stored bytes are others. */
export function createChangingKey(database: Database, provider: KeyProvider, name: ChangingKeyName): ChangingKey {
  let last: ReadKey | undefined;
  return {
    read: async () => {
      const row = await database.read<SystemKeyTable>().selectFrom('system_key').selectAll().where('name', '=', name).executeTakeFirstOrThrow();
      const stored = Buffer.from(row.wrapped);
      if (last?.stored.equals(stored) === true) return last;
      last = { stored, plain: await provider.unwrap({ masterKeyId: row.master_key_id, bytes: stored }, contextOf(name)) };
      return last;
    },
    wrap: (plain) => provider.wrap(plain, contextOf(name)),
    replace: async (tx, before, after) => replaceStored(tx, name, before.stored, after),
  };
}

async function replaceStored(tx: Tx, name: string, before: Buffer, after: WrappedKey): Promise<boolean> {
  const { numUpdatedRows } = await tablesOf<SystemKeyTable>(tx)
    .updateTable('system_key')
    .set({ master_key_id: after.masterKeyId, wrapped: after.bytes })
    .where('name', '=', name)
    .where('wrapped', '=', before)
    .executeTakeFirst();
  return numUpdatedRows === 1n;
}

/**
 * Brings every system key that another configured master key wrapped under the present one, their values unchanged. `onRewrapped` hears of each
 * in the transaction that does it. One that changes meanwhile is left for the next run. Answers how many were brought over.
 */
export async function rewrapSystemKeys(database: Database, provider: KeyProvider, onRewrapped: (tx: Tx, from: string) => Promise<void>): Promise<number> {
  const others = provider.masterKeyIds.filter((id) => id !== provider.masterKeyId);
  let count = 0;
  for (const row of await database.read<SystemKeyTable>().selectFrom('system_key').selectAll().orderBy('name').execute()) {
    if (!others.includes(row.master_key_id)) continue;
    const stored = Buffer.from(row.wrapped);
    const after = await provider.wrap(await provider.unwrap({ masterKeyId: row.master_key_id, bytes: stored }, contextOf(row.name)), contextOf(row.name));
    const replaced = await database.transaction(async (tx) => {
      const isDone = await replaceStored(tx, row.name, stored, after);
      if (isDone) await onRewrapped(tx, row.master_key_id);
      return isDone;
    });
    if (replaced) count += 1;
  }
  return count;
}
