import { cpSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { sql } from 'kysely';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createVault, createVaultWipe } from '../../src/modules/identity/index.ts';
import type { RequestId } from '../../src/contract/ids.ts';
import { systemClock } from '../../src/platform/clock.ts';
import { createLocalKeyProvider, readMasterKeyFile } from '../../src/platform/crypto/key-provider.ts';
import { loadSystemKeys } from '../../src/platform/crypto/system-keys.ts';
import type { Database } from '../../src/platform/db/database.ts';
import { openEmbedded } from '../../src/platform/db/embedded.ts';
import { createLog } from '../../src/platform/log.ts';
import { filesOf, rowsOf, searchPlaces, secretForms, type MarkForms } from '../support/marks.ts';
import { person, plantMarked } from '../support/marked-person.ts';
import { untilStatus } from '../support/quittance.ts';
import { openRequest, untilShredded, useBench } from '../support/running.ts';

const bench = useBench();

interface Secrets {
  readonly requestId: RequestId;
  /** The request's data key, wrapped. */
  readonly wrapped: Buffer;
  /** One sealed identifier. */
  readonly sealed: Buffer;
  readonly mappingCell: Buffer;
}

async function readSecrets(database: Database): Promise<Secrets> {
  const key = (await sql<{ request_id: RequestId; wrapped: Uint8Array }>`SELECT request_id, wrapped FROM request_key`.execute(database.read())).rows[0];
  const identity = (await sql<{ sealed: Uint8Array }>`SELECT sealed FROM subject_identity`.execute(database.read())).rows[0];
  const cell = (await sql<{ sealed: Uint8Array }>`SELECT sealed FROM identity_mapping WHERE kind = 'email'`.execute(database.read())).rows[0];
  if (key === undefined || identity === undefined || cell === undefined) throw new Error('The vault is empty');
  return { requestId: key.request_id, wrapped: Buffer.from(key.wrapped), sealed: Buffer.from(identity.sealed), mappingCell: Buffer.from(cell.sealed) };
}

/** The vault over a folder with the master key that lies in it: what a thief of the whole folder has. */
async function withVault<Result>(folder: string, work: (vault: ReturnType<typeof createVault>, database: Database) => Promise<Result>): Promise<Result> {
  const database = await openEmbedded(join(folder, 'main'));
  try {
    const keyProvider = readMasterKeyFile(join(folder, 'master.key'));
    const systemKeys = await loadSystemKeys(database, keyProvider);
    return await work(createVault({ database, keyProvider, systemKeys, clock: systemClock }), database);
  } finally {
    await database.close();
  }
}

describe('an embedded data folder whose request was forgotten', () => {
  let backup: string;
  let folder: string;
  let secrets: Secrets;
  let marks: readonly MarkForms[];

  beforeAll(async () => {
    const sandbox = bench.sandbox();
    plantMarked(sandbox);
    const changes = { requests: { approval: 'required' } };
    const before = await bench.start(changes, { isShared: true });
    await before.mapping.importCsv([`email,user_id\n${person.email},${person.userId}\n`]);
    const id = await openRequest(before.url, { email: person.email, phone: person.phone });
    await untilStatus(before.url, id, ['awaiting_approval']);
    await before.stop();
    folder = before.folder;
    backup = mkdtempSync(join(tmpdir(), 'quittance-backup-'));
    cpSync(folder, backup, { recursive: true });
    secrets = await withVault(backup, async (_vault, database) => readSecrets(database));
    marks = [secretForms('wrapped key', secrets.wrapped), secretForms('sealed identifier', secrets.sealed), secretForms('mapping cell', secrets.mappingCell)];
    const after = await bench.start(changes, { folder, isShared: true });
    await fetch(`${after.url}/v1/privacy-requests/${id}/approve`, { method: 'POST', headers: { authorization: 'Bearer test-api-key' } });
    await untilStatus(after.url, id, ['closed']);
    await untilShredded(after.url, id);
    await after.stop();
  }, 300_000);
  afterAll(() => {
    rmSync(backup, { recursive: true, force: true });
  });

  /** The same folder, for a test to change. */
  async function copied<Result>(work: (copy: string) => Promise<Result>): Promise<Result> {
    const copy = mkdtempSync(join(tmpdir(), 'quittance-copy-'));
    try {
      cpSync(folder, copy, { recursive: true });
      return await work(copy);
    } finally {
      rmSync(copy, { recursive: true, force: true });
    }
  }

  test('has in no row what would open an old page: neither the wrapped key, nor anything that it sealed', async () => {
    expect(searchPlaces(marks, await rowsOf(join(backup, 'main'))).length).toBeGreaterThanOrEqual(3);
    await copied(async (copy) => expect(searchPlaces(marks, await rowsOf(join(copy, 'main')))).toEqual([]));
  });

  test('does not open what its old pages hold, though the master key lies in it, since the data key is gone from every file once they were written anew', async () => {
    await copied(async (copy) => {
      // What was overwritten is still in the files: this is why they are written anew.
      const found = searchPlaces(marks, filesOf(copy));
      expect(found.some((each) => each.includes('wrapped key'))).toBe(true);
      await withVault(copy, async (vault, database) => {
        // A thief puts the sealed values of an old page back.
        await sql`INSERT INTO subject_identity (id, request_id, kind, sealed, lookup, commitment, found_by, confidence, found_at)
          VALUES (gen_random_uuid(), ${secrets.requestId}, 'email', ${secrets.sealed}, 'x', 'x', 'given', 1, now())`.execute(database.read());
        await expect(vault.unlock(secrets.requestId)).rejects.toMatchObject({ code: 'KEY_DESTROYED' });
      });
    });
    await copied(async (copy) => {
      await withVault(copy, async (_vault, database) => createVaultWipe({ database, log: createLog('fatal') })());
      expect(searchPlaces(marks.filter((each) => each.name !== 'sealed identifier'), filesOf(copy))).toEqual([]);
      // And it is whole: nothing that lives was lost with it.
      const rows = await rowsOf(join(copy, 'main'));
      expect(rows.some((each) => each.where === 'public.request_key.destroyed_at')).toBe(true);
      expect(rows.some((each) => each.where === 'public.system_key.wrapped')).toBe(true);
    });
  });

  test('is looked after by a daily job', async () => {
    await copied(async (copy) => {
      const rows = await rowsOf(join(copy, 'main'));
      expect(rows.some((each) => each.where === 'jobs.schedule.name' && each.content === 'vault-wipe')).toBe(true);
    });
  });

  test('is opened by a backup from before together with the master key, as SECURITY.md says, and by no backup without it', async () => {
    // This is what backups cost: the test is here so that the document stays true.
    const opened = await withVault(backup, async (vault) => vault.unlock(secrets.requestId));
    expect(opened.identifiers.map((each) => each.value)).toContain('zyxmarkmail@example.com');
    const database = await openEmbedded(join(backup, 'main'));
    try {
      const keyProvider = createLocalKeyProvider(Buffer.alloc(32, 1));
      const mac = (): Buffer => Buffer.alloc(32);
      const vault = createVault({ database, keyProvider, systemKeys: { mac }, clock: systemClock });
      await expect(vault.unlock(secrets.requestId)).rejects.toMatchObject({ code: 'KEY_UNAVAILABLE' });
    } finally {
      await database.close();
    }
  });
});
