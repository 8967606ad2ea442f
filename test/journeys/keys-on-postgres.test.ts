import { randomBytes } from 'node:crypto';
import { afterAll, expect, test } from 'vitest';
import { compose, serviceNames, type Quittance, type ServiceName } from '../../src/composition.ts';
import { readSettings } from '../../src/platform/config/settings.ts';
import { createLog } from '../../src/platform/log.ts';
import { verifyCertificate } from '../../src/verify/index.ts';
import { sharedPostgres } from '../support/databases.ts';
import { call, eventually, testConfig, testEnvironment, untilStatus } from '../support/quittance.ts';
import { certificateOf, effectsOf, openRequest, tasksOf, useBench } from '../support/running.ts';

const bench = useBench();
const [oldKey, newKey] = [randomBytes(32).toString('base64'), randomBytes(32).toString('base64')];
const running: Quittance[] = [];
afterAll(async () => {
  for (const each of running.toReversed()) await each.stop();
});

interface MasterKey {
  readonly role: string;
  readonly request_keys: number;
  readonly system_keys: number;
}
const left = async (url: string): Promise<number> =>
  ((await call(url, '/v1/keys')).body['master_keys'] as unknown as readonly MasterKey[]).reduce((sum, key) => sum + (key.role === 'other' ? key.request_keys + key.system_keys : 0), 0);

test('processes with the old and with the new order of master keys work side by side while everything is rewrapped and the key of the log changes', { timeout: 240_000 }, async () => {
  const server = sharedPostgres();
  const [mainUrl, auditUrl] = [await server.createDatabase('main'), await server.createDatabase('audit')];
  const start = async (masterKeys: string, services: readonly ServiceName[]): Promise<Quittance & { readonly url: string }> => {
    const quittance = await compose({
      settings: readSettings({ QUITTANCE_DATABASE_URL: mainUrl, QUITTANCE_AUDIT_DATABASE_URL: auditUrl, QUITTANCE_MASTER_KEY: masterKeys, QUITTANCE_PORT: '0' }),
      config: testConfig(bench.sandbox()),
      services,
      log: createLog('fatal'),
      secrets: { environment: testEnvironment(bench.sandbox()), readFile: () => '' },
    });
    running.push(quittance);
    return { ...quittance, url: quittance.url ?? '' };
  };
  const sandbox = bench.sandbox();
  const numbers = [10, 11, 12, 13];
  for (const number of numbers) sandbox.stripe.seed({ customers: [{ id: `cus_person0000${number}`, email: `person${number}@example.com`, name: 'Example Person' }] });
  sandbox.stripe.fault({ kind: 'status', status: 503, method: 'DELETE', times: 10_000 });

  const old = await start(`${oldKey},${newKey}`, ['http', 'worker']);
  const openAt = (url: string, number: number): Promise<string> => openRequest(url, { email: `person${number}@example.com`, stripe_customer_id: `cus_person0000${number}` });
  const ids = [await openAt(old.url, 10), await openAt(old.url, 11)];
  for (const id of ids) await eventually('The start of the erasure', async () => ((await tasksOf(old.url, id)).some((task) => task.error_code === 'VENDOR_UNAVAILABLE') ? true : undefined));

  const fresh = await start(`${newKey},${oldKey}`, serviceNames);
  expect(await left(fresh.url)).toBe(7);
  expect((await call(fresh.url, '/v1/keys/rewrap', { method: 'POST', body: '{}' })).status).toBe(202);
  expect((await call(old.url, '/v1/audit/keys', { method: 'POST', body: '{"overlap_days":30}' })).status).toBe(202);
  ids.push(await openAt(old.url, 12), await openAt(fresh.url, 13));
  // The one with the old order leaves the job to the other. What it stores meanwhile is under the old key: it may be the key of the log, which it changes.
  await eventually('The rewrapping of the system keys', async () => ((((await call(fresh.url, '/v1/keys')).body['master_keys'] as unknown as readonly MasterKey[])[0]?.system_keys ?? 0) >= 4 ? true : undefined), 30_000);
  sandbox.stripe.clearFaults();
  for (const id of ids) await untilStatus(fresh.url, id, ['closed'], 60_000);
  await eventually('The take-over', async () => ((await old.audit.keys.read()).views[1]?.state === 'leaving' ? true : undefined));
  for (const id of ids) expect(verifyCertificate(await certificateOf(old.url, id), { keys: (await fresh.audit.keys.read()).trusted })).toMatchObject({ ok: true });
  expect(effectsOf(sandbox)['customer.deleted']).toBe(4);

  // The old one is gone: one more run, and nothing is left under the old key.
  await old.stop();
  running.splice(running.findIndex((each) => each.audit === old.audit), 1);
  expect((await call(fresh.url, '/v1/keys/rewrap', { method: 'POST', body: '{}' })).status).toBe(202);
  await eventually('The rest of the rewrapping', async () => ((await left(fresh.url)) === 0 ? true : undefined), 30_000);
  expect((await call(fresh.url, '/v1/audit/verification', { method: 'POST', body: '{}' })).body).toMatchObject({ ok: true });
});
