import { randomBytes } from 'node:crypto';
import { sql } from 'kysely';
import { beforeAll, describe, expect, it } from 'vitest';
import { databaseKinds, useDatabase } from '../../../test/support/databases.ts';
import type { RequestId } from '../../contract/ids.ts';
import { createLocalKeyProvider } from '../../platform/crypto/key-provider.ts';
import { loadSystemKeys, type SystemKeys } from '../../platform/crypto/system-keys.ts';
import type { Database } from '../../platform/db/database.ts';
import { newId } from '../../platform/ids.ts';
import { createVault } from './create-vault.ts';
import type { IdentityTables } from './tables.ts';
import type { NewIdentifier, Vault } from './vault.ts';

const clock = { now: () => Date.parse('2026-11-21T10:00:00Z') };
const keyProvider = createLocalKeyProvider(randomBytes(32));
let database: Database;
let systemKeys: SystemKeys;
let vault: Vault;

const given = (kind: NewIdentifier['kind'], value: string, raw?: string): NewIdentifier => ({
  kind,
  value,
  foundBy: 'given',
  confidence: 1,
  ...(raw === undefined ? {} : { raw }),
});

async function insertRequest(id: RequestId): Promise<void> {
  await sql`INSERT INTO privacy_request (id, reference, source, source_id, payload_hash, request_right, law, status, vouched, moved_at, received_at, due_at, wake_at)
    VALUES (${id}, ${id}, 'shop', ${randomBytes(8)}, '', 'erasure', 'gdpr', 'verified', true, now(), now(), now(), now())`.execute(database.read());
}

async function newVault(identifiers: readonly NewIdentifier[]): Promise<RequestId> {
  const prepared = await vault.prepare(newId('request'));
  await insertRequest(prepared.requestId);
  await database.transaction((tx) => vault.create(tx, prepared, identifiers));
  return prepared.requestId;
}

const rows = async (id: RequestId): Promise<readonly IdentityTables['subject_identity'][]> =>
  database.read<IdentityTables>().selectFrom('subject_identity').selectAll().where('request_id', '=', id).orderBy('id').execute();

describe.each(databaseKinds)('on the database of kind $kind', ({ kind: kindOfDatabase }) => {
  const shared = useDatabase(kindOfDatabase, 'main');
  beforeAll(async () => {
    database = shared.open();
    systemKeys = await loadSystemKeys(database, keyProvider);
    vault = createVault({ database, keyProvider, systemKeys, clock });
  });

  describe('the vault', () => {
    it('gives back what was put in, in order, and names it by a commitment under the nonce', async () => {
      const id = await newVault([given('email', 'ada@example.com', 'Ada@example.com'), given('phone', '+12025550143')]);
      const open = await vault.unlock(id);
      expect(open.identifiers.map(({ kind, value, raw, foundBy, via }) => ({ kind, value, raw, foundBy, via }))).toEqual([
        { kind: 'email', value: 'ada@example.com', raw: 'Ada@example.com', foundBy: 'given', via: undefined },
        { kind: 'phone', value: '+12025550143', raw: undefined, foundBy: 'given', via: undefined },
      ]);
      expect(open.nonce).toHaveLength(32);
      expect(open.identifiers[0]?.commitment).toBe(open.mac('email:ada@example.com').toString('hex'));
      expect((await vault.unlock(id)).nonce).toEqual(open.nonce);
      expect((await vault.unlock(await newVault([given('email', 'ada@example.com')]))).nonce).not.toEqual(open.nonce);
    });

    it('stores no value in plain, and shows none', async () => {
      const id = await newVault([given('email', 'marked.person@example.com', 'Marked.Person@example.com')]);
      const stored = JSON.stringify((await rows(id)).map((row) => ({ ...row, sealed: Buffer.from(row.sealed).toString('latin1') })));
      const shown = JSON.stringify(await vault.describe(id));
      for (const text of [stored, shown]) expect(text.toLowerCase()).not.toContain('marked.person');
      expect(await vault.describe(id)).toMatchObject([{ kind: 'email', found_by: 'given', via: null, confidence: 1, seen_in: [] }]);
      const open = await vault.unlock(id);
      const inside = await database.transaction(async (tx) => {
        await vault.add(tx, open, [given('user_id', 'u1')]);
        return vault.describe(id, tx);
      });
      expect(inside.map((each) => each.kind)).toEqual(['email', 'user_id']);
    });

    it('adds what is new, merges where what is known was seen, keeps another spelling, and does so once', async () => {
      const id = await newVault([given('email', 'ada@example.com')]);
      const found: NewIdentifier[] = [
        { ...given('email', 'ada@example.com', 'ADA@example.com'), foundBy: 'connection:segment', seenIn: ['segment'] },
        { ...given('user_id', 'u1'), foundBy: 'connection:segment', confidence: 0.9, seenIn: ['segment', 'stripe', 'segment'] },
      ];
      const first = await vault.unlock(id);
      const via = first.identifiers[0]?.id;
      const withVia = found.map((each) => (via === undefined ? each : { ...each, via }));
      const added = await database.transaction((tx) => vault.add(tx, first, withVia));
      expect(added).toHaveLength(1);
      expect(await database.transaction((tx) => vault.add(tx, first, [...withVia, { ...given('email', 'ada@example.com'), seenIn: ['braze'] }]))).toEqual([]);
      const open = await vault.unlock(id);
      expect(open.identifiers).toMatchObject([
        { value: 'ada@example.com', raw: 'ADA@example.com', foundBy: 'given', confidence: 1, seenIn: ['braze', 'segment'] },
        { id: added[0], value: 'u1', foundBy: 'connection:segment', via, seenIn: ['segment', 'stripe'] },
      ]);
      expect(open.identifiers[1]?.confidence).toBeCloseTo(0.9);
    });

    it('does not open a row that was moved to another request, nor one whose value was changed for another', async () => {
      const mine = await newVault([given('email', 'ada@example.com')]);
      const other = await newVault([given('email', 'eve@example.com'), given('phone', '+12025550199')]);
      const [email, phone] = await rows(other);
      const db = database.read<IdentityTables>();
      expect((await vault.unlock(other)).identifiers).toHaveLength(2);
      if (email === undefined || phone === undefined) throw new Error('rows expected');
      await db.updateTable('subject_identity').set({ sealed: email.sealed }).where('id', '=', phone.id).execute();
      await expect(vault.unlock(other)).rejects.toMatchObject({ code: 'KEY_UNAVAILABLE' });
      await db.updateTable('subject_identity').set({ sealed: phone.sealed, request_id: mine }).where('id', '=', phone.id).execute();
      await expect(vault.unlock(mine)).rejects.toMatchObject({ code: 'KEY_UNAVAILABLE' });
    });

    it('does not open an identifier whose kind or commitment was changed', async () => {
      const id = await newVault([given('user_id', 'cus_NffrFeUfNV2Hib')]);
      await database.read<IdentityTables>().updateTable('subject_identity').set({ kind: 'stripe_customer' }).where('request_id', '=', id).execute();
      await expect(vault.unlock(id)).rejects.toMatchObject({ code: 'KEY_UNAVAILABLE' });
    });

    it('tells a destroyed key from one that another master key wrapped, and both from a request that does not exist', async () => {
      const id = await newVault([given('email', 'ada@example.com')]);
      const elsewhere = createVault({ database, keyProvider: createLocalKeyProvider(randomBytes(32)), systemKeys, clock });
      await expect(elsewhere.unlock(id)).rejects.toMatchObject({ code: 'KEY_UNAVAILABLE' });
      await database.transaction((tx) => vault.shred(tx, id, []));
      await expect(vault.unlock(id)).rejects.toMatchObject({ code: 'KEY_DESTROYED' });
      await expect(vault.unlock(newId('request'))).rejects.toMatchObject({ code: 'NOT_FOUND' });
    });

    it('leaves nothing of the person after shredding, twice is once, and nothing can be added after it', async () => {
      const id = await newVault([given('email', 'ada@example.com')]);
      const open = await vault.unlock(id);
      await database.transaction((tx) => vault.shred(tx, id, []));
      await database.transaction((tx) => vault.shred(tx, id, []));
      expect(await rows(id)).toEqual([]);
      expect(await vault.describe(id)).toEqual([]);
      await expect(database.transaction((tx) => vault.add(tx, open, [given('phone', '+12025550143')]))).rejects.toMatchObject({ code: 'KEY_DESTROYED' });
      expect(await rows(id)).toEqual([]);
    });

    it('seals and opens what is bound to a context, and only there', async () => {
      const open = await vault.unlock(await newVault([given('email', 'ada@example.com')]));
      const other = await vault.unlock(await newVault([given('email', 'ada@example.com')]));
      const sealed = open.seal(Buffer.from('cursor'), 'task:1');
      expect(open.open(sealed, 'task:1').toString()).toBe('cursor');
      expect(() => open.open(sealed, 'task:2')).toThrow(/KEY_UNAVAILABLE/u);
      expect(() => other.open(sealed, 'task:1')).toThrow(/KEY_UNAVAILABLE/u);
    });

    it('finds the requests that were given all of some identifiers, oldest first, by no other and for nobody', async () => {
      const first = await newVault([given('email', 'twice@example.com'), given('phone', '+12025550177')]);
      const second = await newVault([given('email', 'twice@example.com')]);
      await newVault([{ ...given('email', 'twice@example.com'), foundBy: 'mapping' }]);
      const email = { kind: 'email', value: 'twice@example.com' } as const;
      expect(await vault.findOpenRequests([email, email])).toEqual([first, second]);
      expect(await vault.findOpenRequests([email, { kind: 'phone', value: '+12025550177' }])).toEqual([first]);
      expect(await vault.findOpenRequests([{ kind: 'user_id', value: 'twice@example.com' }])).toEqual([]);
      expect(await vault.findOpenRequests([])).toEqual([]);
      await database.transaction((tx) => vault.shred(tx, first, []));
      expect(await vault.findOpenRequests([email])).toEqual([second]);
    });

    it('stores neither key nor identifiers when the transaction that stores the request fails', async () => {
      const prepared = await vault.prepare(newId('request'));
      await insertRequest(prepared.requestId);
      const failing = database.transaction(async (tx) => {
        await vault.create(tx, prepared, [given('email', 'ada@example.com')]);
        throw new Error('later in the transaction');
      });
      await expect(failing).rejects.toThrow('later in the transaction');
      await expect(vault.unlock(prepared.requestId)).rejects.toMatchObject({ code: 'NOT_FOUND' });
    });
  });
});
