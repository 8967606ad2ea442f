import { createHash } from 'node:crypto';
import { Readable } from 'node:stream';
import { sql } from 'kysely';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createPages } from '../../src/modules/exports/pages.ts';
import { createLocalStorage } from '../../src/modules/exports/storage/local-storage.ts';
import { writePackage } from '../../src/modules/exports/write-package.ts';
import { Failure } from '../../src/platform/failure.ts';
import { systemRandom } from '../../src/platform/random.ts';
import { databaseKinds, useDatabase } from '../support/databases.ts';
import { holds, openExportsWorld, type ExportsWorld } from './exports-world.ts';

describe.each(databaseKinds)('the making of packages, on the database of kind $kind', ({ kind }) => {
  const shared = useDatabase(kind, 'main');
  const plan: { failPuts: number; failDeletes: number; code: 'STORAGE_UNAVAILABLE' | 'STORAGE_REFUSED'; beforePut: (() => Promise<void>) | undefined } = { failPuts: 0, failDeletes: 0, code: 'STORAGE_UNAVAILABLE', beforePut: undefined };
  let world: ExportsWorld;
  beforeAll(async () => {
    world = await openExportsWorld(shared.open(), {
      storage: (folder) => {
        const local = createLocalStorage(`${folder}/exports`);
        return {
          ...local,
          put: async (name, body) => {
            await plan.beforePut?.();
            if (plan.failPuts === 0) return local.put(name, body);
            plan.failPuts -= 1;
            body.destroy();
            throw new Failure(plan.code, 'The storage is told to fail');
          },
          delete: async (name) => {
            if (plan.failDeletes === 0) return local.delete(name);
            plan.failDeletes -= 1;
            throw new Failure('STORAGE_REFUSED', 'The storage is told to refuse');
          },
        };
      },
    });
  });
  afterAll(async () => world.close());
  const signal = new AbortController().signal;
  const order = (id: number) => ({ type: 'order', data: { id } });
  const stateOf = async (requestId: Parameters<ExportsWorld['exports']['statusOf']>[0]): Promise<string> => (await world.inTx((tx) => world.exports.stateOf(tx, requestId))).state;

  it('a page that comes again takes the place of the first, and a task that ends earlier has its further pages dropped', async () => {
    const requestId = await world.openRequest();
    const taskId = world.newTask();
    for (const ordinal of [0, 1, 2]) await world.addPage(requestId, { taskId, connection: 'shop', ordinal, records: [order(ordinal), order(100 + ordinal)] });
    await world.addPage(requestId, { taskId, connection: 'shop', ordinal: 1, records: [order(1)] });
    await world.exports.dropPages({ requestId, taskId, epoch: 1, from: 2 });
    await world.make(requestId);
    expect(await world.exports.statusOf(requestId)).toMatchObject({ records: 3, categories: { orders: 3 } });
    await world.exports.sweep();
    expect(world.files().length).toBe(3);
  });

  it('a worker that was overtaken changes nothing: what its successor kept and dropped stays', async () => {
    const requestId = await world.openRequest();
    const [taskId, empty] = [world.newTask(), world.newTask()];
    const page = (epoch: number, ordinal: number, task = taskId): Promise<boolean> => world.addPage(requestId, { taskId: task, connection: 'shop', ordinal, epoch, records: [order(epoch * 100 + ordinal)] });
    const kept = async (): Promise<readonly unknown[]> => (await sql<{ ordinal: number; object_name: string }>`SELECT task_id, ordinal, object_name FROM export_part WHERE request_id = ${requestId} ORDER BY task_id, ordinal`.execute(world.database.read())).rows;
    expect(await page(1, 0)).toBe(true);
    expect(await page(1, 3)).toBe(true);
    for (const ordinal of [0, 1, 2]) expect(await page(2, ordinal)).toBe(true);
    expect(await world.exports.dropPages({ requestId, taskId, epoch: 2, from: 3 })).toBe(true);
    expect(await world.exports.dropPages({ requestId, taskId: empty, epoch: 2, from: 0 })).toBe(true);
    const whole = await kept();
    expect(whole).toHaveLength(3);
    await world.exports.sweep();
    const files = world.files().length;
    for (const ordinal of [0, 3]) expect(await page(1, ordinal)).toBe(false);
    expect(await page(1, 0, empty)).toBe(false);
    expect(await world.exports.dropPages({ requestId, taskId, epoch: 1, from: 1 })).toBe(false);
    await world.exports.sweep();
    expect([await kept(), world.files().length]).toEqual([whole, files]);
    // Going on from where the first left off: what the first adds behind that is not kept either.
    expect(await page(3, 3)).toBe(true);
    await world.make(requestId);
    expect(await world.exports.statusOf(requestId)).toMatchObject({ records: 4 });
  });

  it('a package that is revoked while it is made stays revoked: no empty one comes in its place', async () => {
    const requestId = await world.openRequest();
    await world.addPage(requestId, { taskId: world.newTask(), connection: 'shop', ordinal: 0, records: [order(1)] });
    // Before there is one there is nothing to revoke, and its pages stay.
    await expect(world.exports.revoke(requestId, 'desk')).rejects.toMatchObject({ code: 'NOT_FOUND' });
    plan.beforePut = async () => {
      plan.beforePut = undefined;
      await world.exports.revoke(requestId, 'desk');
    };
    await world.make(requestId);
    expect(await stateOf(requestId)).toBe('revoked');
    await expect(world.make(requestId)).rejects.toMatchObject({ code: 'CONFLICT' });
    expect(await world.exports.statusOf(requestId)).toMatchObject({ state: 'ended', ended_why: 'revoked', records: null });
  });

  it('pages that could not be revoked before there was a package are whole in it', async () => {
    const requestId = await world.openRequest();
    await world.addPage(requestId, { taskId: world.newTask(), connection: 'shop', ordinal: 0, records: [order(1)] });
    await expect(world.exports.revoke(requestId, 'desk')).rejects.toMatchObject({ code: 'NOT_FOUND' });
    await world.make(requestId);
    expect(await world.exports.statusOf(requestId)).toMatchObject({ state: 'ready', records: 1 });
  });

  it('a making whose processes die each time is given up, and goes to a person', async () => {
    const requestId = await world.openRequest();
    await world.addPage(requestId, { taskId: world.newTask(), connection: 'shop', ordinal: 0, records: [order(1)] });
    await world.inTx((tx) => world.exports.make(tx, requestId));
    const diedTimes = (times: number) => sql`UPDATE export_package SET attempts = ${times} WHERE request_id = ${requestId}`.execute(world.database.read());
    await diedTimes(6);
    await world.exports.runMaking(requestId, signal);
    expect(await world.exports.statusOf(requestId)).toMatchObject({ state: 'failed', error_code: 'INTERNAL' });
    expect(world.made.at(-1)).toEqual({ requestId, state: 'failed' });
    await world.inTx((tx) => world.exports.make(tx, requestId));
    await diedTimes(5);
    await world.exports.runMaking(requestId, signal);
    expect(await stateOf(requestId)).toBe('ready');
  });

  it('a page of over 8 MiB is refused, and leaves nothing behind', async () => {
    const requestId = await world.openRequest();
    await world.exports.sweep();
    const before = world.files().length;
    const page = { taskId: world.newTask(), connection: 'shop', ordinal: 0, records: [{ type: 'order', data: 'x'.repeat(8 * 1024 * 1024) }] };
    await expect(world.addPage(requestId, page)).rejects.toMatchObject({ code: 'UNSUPPORTED' });
    await world.addPage(requestId, { ...page, records: [{ type: 'order', data: 'x'.repeat(7 * 1024 * 1024) }] });
    await world.exports.sweep();
    expect(world.files().length).toBe(before + 1);
  });

  it('pages that come after it was made have it made again, under the same link', async () => {
    const requestId = await world.openRequest({ email: 'again@example.com' });
    const taskId = world.newTask();
    await world.addPage(requestId, { taskId, connection: 'shop', ordinal: 0, records: [order(1)] });
    await world.make(requestId);
    const token = await world.tokenOf(requestId);
    expect(await stateOf(requestId)).toBe('ready');
    await world.addPage(requestId, { taskId, connection: 'shop', ordinal: 1, records: [order(2)] });
    expect(await stateOf(requestId)).toBe('none');
    await world.make(requestId);
    expect(await world.exports.statusOf(requestId)).toMatchObject({ state: 'ready', records: 2, copies_before: 0 });
    expect(await world.tokenOf(requestId)).toBe(token);
  });

  it('the same pages give the same bytes, so that a making that died loses nothing but time', async () => {
    const requestId = await world.openRequest();
    const taskId = world.newTask();
    for (const ordinal of [0, 1, 2]) await world.addPage(requestId, { taskId, connection: 'shop', ordinal, records: Array.from({ length: 90 }, (_each, index) => order(ordinal * 90 + index)) });
    const vault = await world.vault.unlock(requestId);
    const pages = createPages({ database: world.database, clock: world.clock, random: systemRandom, storage: world.storage });
    const facts = { generatedAt: '2026-11-21T10:00:00.000Z', requestId: 'req_x', reference: 'Q-1', right: 'access', law: 'gdpr', jurisdiction: null, receivedAt: '2026-11-20T10:00:00.000Z', controller: { name: 'Shop', contact: 'privacy@shop.example' }, complaint: undefined, automatedDecisions: undefined, copiesBefore: 0, identifiers: vault.identifiers, notSearched: [], erasedUnder: undefined } as const;
    const write = async (): Promise<string> => {
      const writing = writePackage({ vault, pages, tasks: [taskId], readTwice: new Set(), facts, holds, titleOf: (name) => name, signal });
      const hash = createHash('sha256');
      for await (const chunk of writing.zip) hash.update(chunk as Buffer);
      expect(await writing.done).toMatchObject({ records: 270, summary: { files: 5 } });
      return hash.digest('hex');
    };
    expect(await write()).toBe(await write());
  });

  it('two at once make one package: who is overtaken lets nothing of its own be seen', async () => {
    const requestId = await world.openRequest();
    await world.addPage(requestId, { taskId: world.newTask(), connection: 'shop', ordinal: 0, records: [order(1)] });
    await world.inTx((tx) => world.exports.make(tx, requestId));
    await Promise.all([world.exports.runMaking(requestId, signal), world.exports.runMaking(requestId, signal)]);
    expect(world.made.filter((each) => each.requestId === requestId)).toEqual([{ requestId, state: 'ready' }]);
  });

  it('a storage that is down for a while is tried again, and one that refuses goes to a person at once', async () => {
    const requestId = await world.openRequest();
    await world.addPage(requestId, { taskId: world.newTask(), connection: 'shop', ordinal: 0, records: [order(1)] });
    Object.assign(plan, { failPuts: 1, code: 'STORAGE_UNAVAILABLE' });
    await world.make(requestId);
    expect(await world.exports.statusOf(requestId)).toMatchObject({ state: 'making', error_code: 'STORAGE_UNAVAILABLE' });
    await world.exports.runMaking(requestId, signal);
    expect(await stateOf(requestId)).toBe('ready');

    const refused = await world.openRequest();
    await world.addPage(refused, { taskId: world.newTask(), connection: 'shop', ordinal: 0, records: [order(1)] });
    Object.assign(plan, { failPuts: 1, code: 'STORAGE_REFUSED' });
    await world.make(refused);
    expect(await world.exports.statusOf(refused)).toMatchObject({ state: 'failed', error_code: 'STORAGE_REFUSED' });
    expect(world.made.at(-1)).toEqual({ requestId: refused, state: 'failed' });
    await world.make(refused);
    expect(await stateOf(refused)).toBe('ready');
  });

  it('a request that is shredded while its package is made gets none, and what was written goes', async () => {
    const requestId = await world.openRequest();
    await world.addPage(requestId, { taskId: world.newTask(), connection: 'shop', ordinal: 0, records: [order(1)] });
    await world.exports.sweep();
    const before = world.files().length;
    plan.beforePut = async () => {
      plan.beforePut = undefined;
      await world.inTx(async (tx) => {
        await world.exports.discard(tx, requestId);
        await world.vault.shred(tx, requestId, []);
      });
    };
    await world.make(requestId);
    expect(await world.exports.statusOf(requestId)).toMatchObject({ state: 'ended', ended_why: 'shredded' });
    await world.exports.sweep();
    expect(world.files().length).toBe(before - 1);
  });

  it('a deletion that the storage refuses is told after three times, goes on being tried, and counts as done only when it is', async () => {
    const requestId = await world.openRequest();
    for (const id of [1, 2]) await world.addPage(requestId, { taskId: world.newTask(), connection: 'shop', ordinal: 0, records: [order(id)] });
    await world.exports.sweep();
    const before = world.files().length;
    await world.inTx((tx) => world.exports.discard(tx, requestId));
    plan.failDeletes = 6;
    for (let tries = 0; tries < 3; tries += 1) {
      await world.exports.sweep();
      expect(world.refusals).toEqual(tries < 2 ? [] : [requestId]);
      expect(world.files().length).toBe(before);
      world.clock.advance(3_600_001);
    }
    await world.exports.sweep();
    expect(world.files().length).toBe(before - 2);
  });

  it('what a storage holds opens with the request’s key alone, and a page that was cut off, changed or moved is refused', async () => {
    const requestId = await world.openRequest();
    const [taskId, other] = [world.newTask(), world.newTask()];
    await world.addPage(requestId, { taskId, connection: 'shop', ordinal: 0, records: [order(1)] });
    await world.addPage(requestId, { taskId: other, connection: 'shop', ordinal: 0, records: [order(2)] });
    const { rows } = await sql<{ object_name: string }>`SELECT object_name FROM export_part WHERE request_id = ${requestId} ORDER BY task_id`.execute(world.database.read());
    const [first = '', second = ''] = rows.map((row) => row.object_name);
    const chunks: Buffer[] = [];
    for await (const chunk of await world.storage.get(first)) chunks.push(chunk as Buffer);
    const whole = Buffer.concat(chunks);
    const changed = Buffer.from(whole);
    changed[changed.length - 1] = (changed.at(-1) ?? 0) ^ 1;
    for (const [name, bytes] of [[first, whole.subarray(0, -5)], [first, changed], [second, whole]] as const) {
      const original = name === first ? whole : undefined;
      await world.storage.put(name, Readable.from([bytes], { objectMode: false }));
      await world.make(requestId);
      expect(await world.exports.statusOf(requestId)).toMatchObject({ state: 'failed', error_code: 'KEY_UNAVAILABLE' });
      if (original !== undefined) await world.storage.put(name, Readable.from([original], { objectMode: false }));
    }
  });
});
