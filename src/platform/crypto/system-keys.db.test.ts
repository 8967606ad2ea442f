import { randomBytes } from 'node:crypto';
import { sql } from 'kysely';
import { beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { databaseKinds, useDatabase } from '../../../test/support/databases.ts';
import type { Database } from '../db/database.ts';
import { createLocalKeyProvider, readMasterKeys } from './key-provider.ts';
import { countSystemKeys, createChangingKey, loadSystemKeys, rewrapSystemKeys } from './system-keys.ts';

const [oldKey, newKey] = [randomBytes(32), randomBytes(32)];
const onlyOld = createLocalKeyProvider(oldKey);
const oldAndNew = createLocalKeyProvider(oldKey, [newKey]);
const newAndOld = createLocalKeyProvider(newKey, [oldKey]);
const onlyNew = createLocalKeyProvider(newKey);
const unrecorded = async (): Promise<void> => undefined;

let database: Database;
const stored = async (): Promise<unknown> => (await sql`SELECT name, master_key_id, wrapped FROM system_key ORDER BY name`.execute(database.read())).rows;

describe('master keys as they are configured', () => {
  it('are read from lines or commas, the first wrapping; what is none is refused and not quoted', () => {
    const [a, b] = [oldKey.toString('base64'), newKey.toString('base64')];
    expect(readMasterKeys(`${a}\n`).masterKeyIds).toEqual([onlyOld.masterKeyId]);
    for (const text of [`${b}\n${a}\n`, `${b},${a}`, `${b}, ${a}`]) expect(readMasterKeys(text).masterKeyIds).toEqual([onlyNew.masterKeyId, onlyOld.masterKeyId]);
    for (const text of ['', '\n', 'too-short', `${a}\nshort`, a.slice(2)]) {
      expect(() => readMasterKeys(text)).toThrow(/32 bytes in base64/u);
      if (text.trim() !== '') expect(() => readMasterKeys(text)).not.toThrow(text.slice(0, 8));
    }
  });

  it('open what any of them wrapped, and name the one that is missing', async () => {
    const wrapped = await oldAndNew.wrap(Buffer.from('data key'), 'somewhere');
    expect((await newAndOld.unwrap(wrapped, 'somewhere')).toString()).toBe('data key');
    await expect(onlyNew.unwrap(wrapped, 'somewhere')).rejects.toMatchObject({ code: 'KEY_UNAVAILABLE', detail: expect.stringContaining(onlyOld.masterKeyId) as string });
    await expect(newAndOld.unwrap(wrapped, 'elsewhere')).rejects.toMatchObject({ code: 'KEY_UNAVAILABLE' });
  });
});

describe.each(databaseKinds)('on the database of kind $kind', ({ kind }) => {
  const shared = useDatabase(kind, 'main');
  beforeAll(() => {
    database = shared.open();
  });
  beforeEach(async () => {
    await database.execute('TRUNCATE system_key');
  });

  describe('the system keys', () => {
    it('are the same for two processes that start at once', async () => {
      const [one, two] = await Promise.all([loadSystemKeys(database, onlyOld), loadSystemKeys(database, onlyOld)]);
      expect(one.get('lookup').equals(two.get('lookup'))).toBe(true);
      expect(one.get('lookup').equals(one.get('token'))).toBe(false);
    });

    it('are never made anew for a master key that did not wrap them: the start is refused, names the key, and changes nothing', async () => {
      await loadSystemKeys(database, onlyOld);
      // Were a key missing besides, it must not be made either.
      await database.execute("DELETE FROM system_key WHERE name = 'lookup'");
      const before = await stored();
      await expect(loadSystemKeys(database, onlyNew)).rejects.toMatchObject({ code: 'KEY_UNAVAILABLE', detail: expect.stringContaining(onlyOld.masterKeyId) as string });
      expect(await stored()).toEqual(before);
      await expect(loadSystemKeys(database, newAndOld)).resolves.toBeDefined();
    });

    it('keep their values through a rotation, which may be repeated and done by two at once', async () => {
      const before = await loadSystemKeys(database, onlyOld);
      const counts = await Promise.all([rewrapSystemKeys(database, newAndOld, unrecorded), rewrapSystemKeys(database, newAndOld, unrecorded)]);
      expect(counts[0] + counts[1]).toBe(5);
      expect(await rewrapSystemKeys(database, newAndOld, unrecorded)).toBe(0);
      expect(await countSystemKeys(database)).toEqual(new Map([[onlyNew.masterKeyId, 5]]));
      const after = await loadSystemKeys(database, onlyNew);
      for (const name of ['lookup', 'suppression', 'mapping', 'token'] as const) expect(after.get(name).equals(before.get(name))).toBe(true);
    });

    it('are rewrapped and recorded together or not at all', async () => {
      await loadSystemKeys(database, onlyOld);
      const before = await stored();
      await expect(rewrapSystemKeys(database, newAndOld, async () => Promise.reject(new Error('not recorded')))).rejects.toThrow('not recorded');
      expect(await stored()).toEqual(before);
    });
  });

  describe('a system key that changes', () => {
    it('is seen changed by every process, and replaced by one of two that change it at once', async () => {
      await loadSystemKeys(database, onlyOld);
      const [one, two] = [createChangingKey(database, onlyOld, 'audit-signing'), createChangingKey(database, oldAndNew, 'audit-signing')];
      const [readByOne, readByTwo] = [await one.read(), await two.read()];
      const [fromOne, fromTwo] = [await one.wrap(Buffer.from('by one')), await two.wrap(Buffer.from('by two'))];
      const replaced = [await database.transaction((tx) => one.replace(tx, readByOne, fromOne)), await database.transaction((tx) => two.replace(tx, readByTwo, fromTwo))];
      expect(replaced).toEqual([true, false]);
      expect((await two.read()).plain.toString()).toBe('by one');
    });

    it('is read through a rotation of the master key beside it, and a change made on what was read before is refused', async () => {
      await loadSystemKeys(database, onlyOld);
      const key = createChangingKey(database, oldAndNew, 'audit-signing');
      const before = await key.read();
      await rewrapSystemKeys(database, newAndOld, unrecorded);
      const stale = await key.wrap(Buffer.from('stale'));
      expect(await database.transaction((tx) => key.replace(tx, before, stale))).toBe(false);
      expect((await key.read()).plain.equals(before.plain)).toBe(true);
    });
  });
});
