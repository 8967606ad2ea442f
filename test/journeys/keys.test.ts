import { randomBytes } from 'node:crypto';
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { sql } from 'kysely';
import { expect, test } from 'vitest';
import { compose } from '../../src/composition.ts';
import { readSettings } from '../../src/platform/config/settings.ts';
import { createLocalKeyProvider } from '../../src/platform/crypto/key-provider.ts';
import { rewrapSystemKeys } from '../../src/platform/crypto/system-keys.ts';
import { openEmbedded } from '../../src/platform/db/embedded.ts';
import { createLog } from '../../src/platform/log.ts';
import { verifyCertificate } from '../../src/verify/index.ts';
import { call, eventually, testConfig, testEnvironment, testFolder, untilStatus } from '../support/quittance.ts';
import { ada, certificateOf, effectsOf, openRequest, plantAda, tasksOf, useBench, type Running } from '../support/running.ts';

const bench = useBench();

const newKey = (): string => randomBytes(32).toString('base64');
const idOf = (...keys: readonly string[]): string => createLocalKeyProvider(Buffer.from(keys[0] ?? '', 'base64')).masterKeyId;
const keyFile = (folder: string): string => join(folder, 'master.key');
const keysIn = (folder: string): readonly string[] => readFileSync(keyFile(folder), 'utf8').trim().split('\n');
const writeKeys = (folder: string, ...keys: readonly string[]): void => writeFileSync(keyFile(folder), keys.map((key) => `${key}\n`).join(''));

interface MasterKey {
  readonly id: string;
  readonly role: string;
  readonly request_keys: number;
  readonly system_keys: number;
}
const masterKeys = async (url: string): Promise<readonly MasterKey[]> => (await call(url, '/v1/keys')).body['master_keys'] as unknown as readonly MasterKey[];

/** Opens a request that gets as far as Stripe, which refuses to delete until its faults are cleared. */
async function openAndHold(running: Running): Promise<string> {
  plantAda(bench.sandbox());
  bench.sandbox().stripe.fault({ kind: 'status', status: 503, method: 'DELETE', times: 10_000 });
  const id = await openRequest(running.url);
  await eventually('The start of the erasure', async () => ((await tasksOf(running.url, id)).some((task) => task.error_code === 'VENDOR_UNAVAILABLE') ? true : undefined));
  return id;
}

test('the master key is rotated while a request runs: nothing of it is lost, and the old key can be thrown away', { timeout: 120_000 }, async () => {
  const first = await bench.start();
  const { folder } = first;
  const [old = ''] = keysIn(folder);
  const id = await openAndHold(first);
  await first.stop();

  const fresh = newKey();
  writeKeys(folder, fresh, old);
  const second = await bench.start({}, { folder });
  expect(await masterKeys(second.url)).toEqual([
    { id: idOf(fresh), role: 'current', request_keys: 0, system_keys: 0 },
    { id: idOf(old), role: 'other', request_keys: 1, system_keys: 5 },
  ]);
  expect((await call(second.url, '/v1/keys/rewrap', { method: 'POST', body: '{}' })).status).toBe(202);
  await eventually('The rewrapping', async () => ((await masterKeys(second.url)).some((key) => key.role === 'other' && key.request_keys + key.system_keys > 0) ? undefined : true));
  expect(await masterKeys(second.url)).toEqual([
    { id: idOf(fresh), role: 'current', request_keys: 1, system_keys: 5 },
    { id: idOf(old), role: 'other', request_keys: 0, system_keys: 0 },
  ]);
  await second.stop();

  writeKeys(folder, fresh);
  const third = await bench.start({}, { folder });
  bench.sandbox().stripe.clearFaults();
  await untilStatus(third.url, id, ['closed']);
  const { trusted } = await third.audit.keys.read();
  expect(verifyCertificate(await certificateOf(third.url, id), { keys: trusted })).toMatchObject({ ok: true });
  expect(effectsOf(bench.sandbox())).toMatchObject({ 'customer.deleted': 1 });
  expect(await third.audit.verification.run()).toMatchObject({ ok: true });
});

test('a request whose master key is not configured waits for a person with KEY_UNAVAILABLE, keeps everything, and goes on by itself once the key is back', { timeout: 120_000 }, async () => {
  const first = await bench.start();
  const { folder } = first;
  const [old = ''] = keysIn(folder);
  const id = await openAndHold(first);
  await first.stop();

  // A rotation that was broken off: the system keys are under the new key, the request's is not, and the old key was taken away too early.
  const fresh = newKey();
  const database = await openEmbedded(join(folder, 'main'));
  expect(await rewrapSystemKeys(database, createLocalKeyProvider(Buffer.from(fresh, 'base64'), [Buffer.from(old, 'base64')]), async () => undefined)).toBe(5);
  await database.close();
  writeKeys(folder, fresh);
  const second = await bench.start({}, { folder });
  bench.sandbox().stripe.clearFaults();
  await untilStatus(second.url, id, ['escalated']);
  const waiting = await tasksOf(second.url, id);
  expect(waiting.filter((task) => task.status !== 'settled').map((task) => [task.status, task.error_code, task.outcome])).toContainEqual(['manual', 'KEY_UNAVAILABLE', null]);
  expect(await masterKeys(second.url)).toContainEqual({ id: idOf(old), role: 'not_configured', request_keys: 1, system_keys: 0 });
  const open = (await call(second.url, `/v1/manual-tasks?request_id=${id}`)).body['items'] as unknown as { reason_code: string }[];
  expect(new Set(open.map((each) => each.reason_code))).toEqual(new Set(['KEY_UNAVAILABLE']));
  expect(effectsOf(bench.sandbox())['customer.deleted']).toBeUndefined();
  // Trying again without the key changes nothing.
  await call(second.url, `/v1/privacy-requests/${id}/retry`, { method: 'POST' });
  await untilStatus(second.url, id, ['escalated']);
  await second.stop();

  writeKeys(folder, fresh, old);
  const third = await bench.start({}, { folder });
  await untilStatus(third.url, id, ['closed']);
  expect(effectsOf(bench.sandbox())).toMatchObject({ 'customer.deleted': 1 });
  const { body } = await call(third.url, `/v1/privacy-requests/${id}/timeline`);
  const retried = (body['items'] as unknown as { type: string; actor: { role: string } }[]).filter((each) => each.type === 'task.retried');
  expect(retried.at(-1)?.actor).toEqual({ role: 'system' });
});

test('a start with a wrong master key, or with none where there was one, refuses in plain words and changes nothing', { timeout: 60_000 }, async () => {
  const folder = testFolder();
  const start = () => compose({ settings: readSettings({ QUITTANCE_DATA_DIR: folder.path, QUITTANCE_PORT: '0' }), config: testConfig(bench.sandbox()), services: [], log: createLog('silent'), secrets: { environment: testEnvironment(bench.sandbox()), readFile: () => '' } });
  const stored = async (): Promise<unknown> => {
    const database = await openEmbedded(join(folder.path, 'main'));
    const { rows } = await sql`SELECT name, master_key_id, wrapped FROM system_key ORDER BY name`.execute(database.read());
    await database.close();
    return rows;
  };
  await (await start()).stop();
  const [right = ''] = keysIn(folder.path);
  const before = await stored();
  writeKeys(folder.path, newKey());
  await expect(start()).rejects.toMatchObject({ code: 'KEY_UNAVAILABLE', message: expect.stringContaining(idOf(right)) as string });
  expect(await stored()).toEqual(before);
  rmSync(keyFile(folder.path));
  await expect(start()).rejects.toMatchObject({ code: 'CONFIG_INVALID' });
  expect(existsSync(keyFile(folder.path))).toBe(false);
  writeKeys(folder.path, right);
  await expect(start().then((quittance) => quittance.stop())).resolves.toBeUndefined();
  expect(await stored()).toEqual(before);
  folder.remove();
});

test('a new key of the log takes over with overlap: certificates from before, during and after verify with the keys of their time', { timeout: 120_000 }, async () => {
  const { url, audit } = await bench.start();
  const [oldKey = ''] = (await audit.keys.read()).trusted;
  plantAda(bench.sandbox());
  const one = await openRequest(url, { email: ada.email });
  await untilStatus(url, one, ['closed']);
  const before = await certificateOf(url, one);

  const rotated = await call(url, '/v1/audit/keys', { method: 'POST', body: JSON.stringify({ overlap_days: 30 }) });
  expect(rotated).toMatchObject({ status: 202, body: { state: 'announced' } });
  const newKeyText = String(rotated.body['verifier_key']);
  await eventually('The take-over', async () => ((await audit.keys.read()).views.find((view) => view.verifierKey === newKeyText)?.state === 'current' ? true : undefined));
  const two = await openRequest(url, { email: 'second@example.com' });
  await untilStatus(url, two, ['closed']);
  const during = await certificateOf(url, two);

  expect(verifyCertificate(before, { keys: [oldKey] })).toMatchObject({ ok: true });
  expect(verifyCertificate(during, { keys: [oldKey] })).toMatchObject({ ok: true });
  expect(verifyCertificate(during, { keys: [newKeyText] })).toMatchObject({ ok: true });
  expect(verifyCertificate(before, { keys: [newKeyText] })).toMatchObject({ ok: false, check: 'signature' });
  const published = (await (await fetch(`${url}/.well-known/quittance-log-key`)).text()).trim().split('\n');
  expect(published).toEqual([newKeyText, oldKey]);
  expect((await call(url, '/v1/audit/verification', { method: 'POST', body: '{}' })).body).toMatchObject({ ok: true, grade: 'signed_head' });
});
