import { randomBytes } from 'node:crypto';
import { Writable } from 'node:stream';
import { sql } from 'kysely';
import { beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { databaseKinds, useDatabase } from '../../../test/support/databases.ts';
import { auditEntrySchema, type AuditEntry } from '../../contract/audit-entry.ts';
import type { RequestId } from '../../contract/ids.ts';
import { createLocalKeyProvider, type KeyProvider } from '../../platform/crypto/key-provider.ts';
import { loadSystemKeys, type SystemKeys } from '../../platform/crypto/system-keys.ts';
import type { Database } from '../../platform/db/database.ts';
import { newId } from '../../platform/ids.ts';
import { createLog } from '../../platform/log.ts';
import { createVault } from './create-vault.ts';
import { createMasterKeyRotation, isNewInstallation, keysRewrap, type MasterKeyRotation, type MasterKeyRotationDeps } from './rotate-master-key.ts';
import type { Vault } from './vault.ts';

const clock = { now: () => Date.parse('2026-11-21T10:00:00Z') };
const [oldKey, newKey] = [randomBytes(32), randomBytes(32)];
const oldAndNew = createLocalKeyProvider(oldKey, [newKey]);
const newAndOld = createLocalKeyProvider(newKey, [oldKey]);
const onlyNew = createLocalKeyProvider(newKey);
const [oldId, newKeyId] = [oldAndNew.masterKeyId, onlyNew.masterKeyId];
const never = new AbortController().signal;

let database: Database;
let systemKeys: SystemKeys;
let recorded: AuditEntry[];
let logged: string;

const vaultWith = (keyProvider: KeyProvider): Vault => createVault({ database, keyProvider, systemKeys, clock });
const depsOf = (keyProvider: KeyProvider): MasterKeyRotationDeps => ({
  database,
  keyProvider,
  clock,
  log: createLog('error', new Writable({ write: (chunk: Buffer, _encoding, done) => ((logged += chunk.toString()), done()) })),
  jobs: { send: async () => undefined },
  record: async (_tx, entry) => void recorded.push(auditEntrySchema.parse(entry)),
});
const rotationWith = (keyProvider: KeyProvider): MasterKeyRotation => createMasterKeyRotation(depsOf(keyProvider));

async function newVault(vault: Vault, email = 'ada@example.com'): Promise<RequestId> {
  const prepared = await vault.prepare(newId('request'));
  const id = prepared.requestId;
  await sql`INSERT INTO privacy_request (id, reference, source, source_id, payload_hash, request_right, law, status, vouched, moved_at, received_at, due_at, wake_at)
    VALUES (${id}, ${id}, 'shop', ${randomBytes(8)}, '', 'erasure', 'gdpr', 'verified', true, now(), now(), now(), now())`.execute(database.read());
  await database.transaction((tx) => vault.create(tx, prepared, [{ kind: 'email', value: email, foundBy: 'given', confidence: 1 }]));
  return id;
}

const emailIn = async (vault: Vault, id: RequestId): Promise<string | undefined> => (await vault.unlock(id)).identifiers[0]?.value;
const sum = (entries: readonly AuditEntry[]): number => entries.reduce((total, entry) => total + (entry.counts?.['request_keys'] ?? 0), 0);

describe.each(databaseKinds)('on the database of kind $kind', ({ kind }) => {
  const shared = useDatabase(kind, 'main');
  beforeAll(() => {
    database = shared.open();
  });
  beforeEach(async () => {
    await database.execute('TRUNCATE system_key, privacy_request CASCADE');
    systemKeys = await loadSystemKeys(database, oldAndNew);
    recorded = [];
    logged = '';
  });

  describe('rotating the master key', () => {
    it('brings every key under the present one in batches, on the record, and then the old one is not needed', async () => {
      const ids: RequestId[] = [];
      for (let at = 0; at < 3; at += 1) ids.push(await newVault(vaultWith(oldAndNew)));
      // Two more batches of keys that nobody looks into here.
      await sql`INSERT INTO privacy_request (id, reference, source, source_id, payload_hash, request_right, law, status, vouched, moved_at, received_at, due_at, wake_at)
        SELECT gen_random_uuid(), 'R-' || n, 'shop', sha256(n::text::bytea), '', 'erasure', 'gdpr', 'verified', true, now(), now(), now(), now() FROM generate_series(1, 900) AS n`.execute(database.read());
      for (const { id } of (await sql<{ id: RequestId }>`SELECT id FROM privacy_request WHERE reference LIKE 'R-%'`.execute(database.read())).rows) {
        const wrapped = await oldAndNew.wrap(randomBytes(32), `request_key:${id}`);
        await sql`INSERT INTO request_key (request_id, master_key_id, wrapped) VALUES (${id}, ${oldId}, ${wrapped.bytes})`.execute(database.read());
      }
      const rotation = rotationWith(newAndOld);
      expect(await rotation.status()).toEqual([
        { id: newKeyId, role: 'current', requestKeys: 0, systemKeys: 0 },
        { id: oldId, role: 'other', requestKeys: 903, systemKeys: 5 },
      ]);
      expect(await rotation.rewrap(never)).toEqual({ requestKeys: 903, systemKeys: 5, failed: 0 });
      expect(await rotation.rewrap(never)).toEqual({ requestKeys: 0, systemKeys: 0, failed: 0 });
      expect(await rotationWith(onlyNew).status()).toEqual([{ id: newKeyId, role: 'current', requestKeys: 903, systemKeys: 5 }]);
      expect(sum(recorded)).toBe(903);
      expect(recorded.every((entry) => entry.type === 'keys.rewrapped' && entry.from === `master_key:${oldId}` && entry.to === `master_key:${newKeyId}`)).toBe(true);
      for (const id of ids) expect(await emailIn(vaultWith(onlyNew), id)).toBe('ada@example.com');
    });

    it('goes on where a run was broken off', async () => {
      for (let at = 0; at < 3; at += 1) await newVault(vaultWith(oldAndNew));
      const broken = new AbortController();
      broken.abort();
      expect(await rotationWith(newAndOld).rewrap(broken.signal)).toMatchObject({ requestKeys: 0 });
      expect(await rotationWith(newAndOld).rewrap(never)).toMatchObject({ requestKeys: 3, systemKeys: 0 });
    });

    it('counts each key once when two run at once', async () => {
      for (let at = 0; at < 20; at += 1) await newVault(vaultWith(oldAndNew));
      const runs = await Promise.all([rotationWith(newAndOld).rewrap(never), rotationWith(newAndOld).rewrap(never)]);
      expect(runs.reduce((total, run) => total + run.requestKeys, 0)).toBe(20);
      expect(sum(recorded)).toBe(20);
    });

    it('is given to the workers that have the key as their current one, and to no others, on the record', async () => {
      const sent: string[] = [];
      await createMasterKeyRotation({ ...depsOf(newAndOld), jobs: { send: async (_tx, queue) => void sent.push(queue.name) } }).start('ada');
      expect(sent).toEqual([keysRewrap(newKeyId).name]);
      expect(sent).not.toContain(keysRewrap(oldId).name);
      expect(recorded).toMatchObject([{ type: 'keys.rotation_started', actor: { role: 'operator', id: 'ada' }, to: `master_key:${newKeyId}` }]);
    });

    it('works beside processes that still wrap under the old key: both open what either wrapped, and a second run brings over the rest', async () => {
      const before = await newVault(vaultWith(oldAndNew), 'before@example.com');
      const open = await vaultWith(oldAndNew).unlock(before);
      await rotationWith(newAndOld).rewrap(never);
      // What was opened before goes on under the same data key.
      await database.transaction((tx) => vaultWith(oldAndNew).add(tx, open, [{ kind: 'phone', value: '+12025550143', foundBy: 'mapping', confidence: 1 }]));
      const late = await newVault(vaultWith(oldAndNew), 'late@example.com');
      const fresh = await newVault(vaultWith(newAndOld), 'fresh@example.com');
      for (const vault of [vaultWith(oldAndNew), vaultWith(newAndOld)]) {
        expect((await vault.unlock(before)).identifiers).toHaveLength(2);
        expect([await emailIn(vault, late), await emailIn(vault, fresh)]).toEqual(['late@example.com', 'fresh@example.com']);
      }
      expect(await rotationWith(newAndOld).rewrap(never)).toMatchObject({ requestKeys: 1 });
      expect(await emailIn(vaultWith(onlyNew), late)).toBe('late@example.com');
    });

    it('never brings back a key that is destroyed between being read and being stored', async () => {
      const [kept, destroyed] = [await newVault(vaultWith(oldAndNew)), await newVault(vaultWith(oldAndNew))];
      const shredding: KeyProvider = {
        ...newAndOld,
        wrap: async (dataKey, context) => {
          if (context.endsWith(destroyed)) await database.transaction((tx) => vaultWith(oldAndNew).shred(tx, destroyed, []));
          return newAndOld.wrap(dataKey, context);
        },
      };
      expect(await rotationWith(shredding).rewrap(never)).toMatchObject({ requestKeys: 1, failed: 0 });
      await expect(vaultWith(newAndOld).unlock(destroyed)).rejects.toMatchObject({ code: 'KEY_DESTROYED' });
      expect(await emailIn(vaultWith(onlyNew), kept)).toBe('ada@example.com');
      const { rows } = await sql<{ wrapped: Buffer | null }>`SELECT wrapped FROM request_key WHERE request_id = ${destroyed}`.execute(database.read());
      expect(rows).toEqual([{ wrapped: null }]);
    });

    it('leaves a damaged key as it is, reports it, and brings over all others', async () => {
      const [damaged, whole] = [await newVault(vaultWith(oldAndNew)), await newVault(vaultWith(oldAndNew))];
      await sql`UPDATE request_key SET wrapped = set_byte(wrapped, 40, get_byte(wrapped, 40) # 1) WHERE request_id = ${damaged}`.execute(database.read());
      expect(await rotationWith(newAndOld).rewrap(never)).toMatchObject({ requestKeys: 1, failed: 1 });
      expect(logged).toContain(damaged);
      expect(await emailIn(vaultWith(onlyNew), whole)).toBe('ada@example.com');
      expect((await rotationWith(newAndOld).status()).find((key) => key.id === oldId)).toMatchObject({ requestKeys: 1 });
    });
  });

  describe('a master key that is not configured', () => {
    it('is named with what needs it, and told apart from a destroyed key', async () => {
      const [lost, destroyed] = [await newVault(vaultWith(oldAndNew)), await newVault(vaultWith(oldAndNew))];
      await database.transaction((tx) => vaultWith(oldAndNew).shred(tx, destroyed, []));
      const vault = vaultWith(onlyNew);
      await expect(vault.unlock(lost)).rejects.toMatchObject({ code: 'KEY_UNAVAILABLE', detail: expect.stringContaining(oldId) as string });
      await expect(vault.unlock(destroyed)).rejects.toMatchObject({ code: 'KEY_DESTROYED' });
      const rotation = rotationWith(onlyNew);
      expect(await rotation.status()).toContainEqual({ id: oldId, role: 'not_configured', requestKeys: 1, systemKeys: 5 });
      await rotation.warnOfMissing();
      expect(logged).toContain(oldId);
      expect(await rotation.rewrap(never)).toEqual({ requestKeys: 0, systemKeys: 0, failed: 0 });
      expect(await emailIn(vaultWith(oldAndNew), lost)).toBe('ada@example.com');
    });

    it('is not looked for in a new database, and fresh system keys are not made where requests have theirs', async () => {
      expect(await isNewInstallation(database)).toBe(false);
      await database.execute('TRUNCATE system_key');
      expect(await isNewInstallation(database)).toBe(true);
      await newVault(vaultWith(oldAndNew));
      await expect(isNewInstallation(database)).rejects.toMatchObject({ code: 'KEY_UNAVAILABLE' });
    });
  });
});
