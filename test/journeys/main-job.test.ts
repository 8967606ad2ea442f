import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { compose, serviceNames, type Quittance } from '../../src/composition.ts';
import { readSettings } from '../../src/platform/config/settings.ts';
import { createLog } from '../../src/platform/log.ts';
import { startSandbox, type Sandbox } from '../../src/sandbox/index.ts';
import { verifyCertificate } from '../../src/verify/index.ts';
import { call, eventually, sendWebhook, testConfig, testEnvironment, testFolder, untilStatus, type ConfigChanges } from '../support/quittance.ts';

let sandbox: Sandbox;
const running: (() => Promise<void>)[] = [];

beforeAll(async () => {
  sandbox = await startSandbox({ ports: { stripe: 0, twilio: 0, segment: 0, mail: 0, smtp: 0 } });
});
afterAll(async () => {
  await sandbox.close();
});
beforeEach(() => {
  for (const simulator of [sandbox.stripe, sandbox.twilio, sandbox.segment]) simulator.reset();
  sandbox.stripe.seed({ account: { requests_per_second: 1000 } });
});

async function start(changes: ConfigChanges = {}): Promise<Quittance & { readonly url: string }> {
  const folder = testFolder();
  const environment = testEnvironment(sandbox);
  const quittance = await compose({
    settings: readSettings({ QUITTANCE_DATA_DIR: folder.path, QUITTANCE_PORT: '0' }),
    config: testConfig(sandbox, changes),
    services: serviceNames,
    log: createLog('error'),
    secrets: { environment, readFile: () => '' },
  });
  running.push(async () => {
    await quittance.stop();
    folder.remove();
  });
  return { ...quittance, url: quittance.url ?? '' };
}
afterAll(async () => {
  for (const stop of running) await stop();
});

const email = 'ada@example.com';
const phone = '+12025550111';

/** Plants one person in all three systems. */
function plantAda(address = email): void {
  sandbox.stripe.seed({
    customers: [
      { id: 'cus_ada000001', email: address, name: 'Ada Example', phone, payment_methods: [{ last4: '4242' }], tax_ids: [{ type: 'eu_vat', value: 'DE123456789' }], charges: [{ amount: 1200 }] },
      { id: 'cus_ada000002', email: address, name: 'A. Example' },
    ],
  });
  sandbox.twilio.seed({ messages: [{ to: phone, from: '+12025550190', body: 'hello' }, { to: '+12025550190', from: phone, body: 'hi' }] });
  sandbox.segment.seed({
    profiles: [{ external_ids: [{ type: 'user_id', id: 'user-ada' }, { type: 'email', id: address }, { type: 'phone', id: phone }], traits: { plan: 'pro' } }],
  });
}

interface Task {
  readonly system: string;
  readonly outcome: string;
  readonly confirmation: string | null;
  readonly error_code: string | null;
  readonly status: string;
}

describe('one verified deletion request', () => {
  test('is purged in every system, read back, and proven by a certificate that verifies offline', { timeout: 90_000 }, async () => {
    const { url, audit } = await start();
    plantAda();
    const accepted = await sendWebhook(url, { email, phone, stripe_customer_id: 'cus_ada000001' });
    expect(accepted.status).toBe(202);
    const id = String(accepted.body['id']);
    await untilStatus(url, id, ['closed']);

    const tasks = ((await call(url, `/v1/privacy-requests/${id}/tasks`)).body['items'] as unknown as Task[]).map(({ system, outcome, confirmation }) => ({ system, outcome, confirmation }));
    expect(tasks.filter((task) => task.system === 'stripe')).toEqual([
      { system: 'stripe', outcome: 'erased', confirmation: 'verified_absent' },
      { system: 'stripe', outcome: 'erased', confirmation: 'verified_absent' },
    ]);
    expect(tasks.filter((task) => task.system === 'segment')).toEqual([{ system: 'segment', outcome: 'erased', confirmation: 'verified_absent' }]);
    expect(tasks.some((task) => task.system === 'twilio' && task.outcome === 'erased' && task.confirmation === 'verified_absent')).toBe(true);

    const effects = [...sandbox.stripe.effects, ...sandbox.twilio.effects, ...sandbox.segment.effects].map((each) => each.type);
    expect(effects.filter((type) => type === 'customer.deleted')).toHaveLength(2);
    expect(effects.filter((type) => type === 'message.deleted')).toHaveLength(2);
    expect(effects.filter((type) => type === 'regulation.created')).toHaveLength(1);

    const certificate = await eventually('The certificate', async () => {
      const response = await fetch(`${url}/v1/privacy-requests/${id}/certificate`, { headers: { authorization: 'Bearer test-api-key' } });
      return response.status === 200 ? Buffer.from(await response.arrayBuffer()) : undefined;
    });
    const verified = verifyCertificate(certificate, { keys: [audit.verifierKey] });
    expect(verified).toMatchObject({ ok: true });
    expect(certificate.toString('utf8')).not.toContain(email);
  });
});
