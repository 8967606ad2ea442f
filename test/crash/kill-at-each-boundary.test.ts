import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { boundaryNames } from '../../src/modules/orchestration/index.ts';
import { startSandbox, type Sandbox } from '../../src/sandbox/index.ts';
import { verifyCertificate } from '../../src/verify/index.ts';
import { call, eventually, sendWebhook, testConfigText, testEnvironment, testFolder, untilStatus } from '../support/quittance.ts';
import { startChild } from './child.ts';

const phone = '+12025550111';
const email = 'ada@example.com';

/** Later occurrences of boundaries that are reached again and again: in the middle of the erasures, and near their end. */
const crashes: readonly string[] = [
  ...boundaryNames.map((name) => `${name}:1`),
  ...(['task.claimed', 'task.called', 'task.recorded'] as const).flatMap((name) => [2, 3, 5, 7, 9].map((n) => `${name}:${n}`)),
  'request.located:2',
];

function plant(sandbox: Sandbox): void {
  sandbox.stripe.seed({
    account: { requests_per_second: 1000 },
    customers: [{ id: 'cus_ada000001', email, name: 'Ada Example', payment_methods: [{ last4: '4242' }], tax_ids: [{ type: 'eu_vat', value: 'DE123456789' }] }],
  });
  sandbox.twilio.seed({
    messages: [
      { to: phone, from: '+12025550190', body: 'hello' },
      { to: '+12025550190', from: phone, body: 'hi' },
    ],
    calls: [{ to: phone, from: '+12025550190' }],
  });
  sandbox.segment.seed({
    account: { polls_per_stage: 1 },
    profiles: [{ external_ids: [{ type: 'user_id', id: 'user-ada' }, { type: 'email', id: email }, { type: 'phone', id: phone }] }],
  });
}

/** How often each change was really made at the simulators, by type. */
function effectsOf(sandbox: Sandbox): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const { type } of [...sandbox.stripe.effects, ...sandbox.twilio.effects, ...sandbox.segment.effects]) counts[type] = (counts[type] ?? 0) + 1;
  return counts;
}

async function life(crashAt: string | undefined): Promise<{ readonly effects: Record<string, number>; readonly crashed: boolean }> {
  const sandbox = await startSandbox({ ports: { stripe: 0, twilio: 0, segment: 0, mail: 0, smtp: 0 } });
  const folder = testFolder();
  try {
    plant(sandbox);
    const configPath = join(folder.path, 'quittance.yaml');
    writeFileSync(configPath, testConfigText(sandbox));
    const environment = {
      ...testEnvironment(sandbox),
      QUITTANCE_CONFIG: configPath,
      QUITTANCE_DATA_DIR: join(folder.path),
      QUITTANCE_PORT: '0',
      QUITTANCE_LOG_LEVEL: 'fatal',
    };
    let server = await startChild(environment, crashAt);
    const body = { email, phone, stripe_customer_id: 'cus_ada000001' };
    const send = () => sendWebhook(server.url, body, { id: 'msg_crash_test' });
    // Whoever gets no answer sends again, with the same id, as webhook senders do.
    let accepted = await send().catch(() => undefined);
    const shredded = async (): Promise<true | undefined> => {
      const id = accepted?.body['id'] ?? '';
      const timeline = await call(server.url, `/v1/privacy-requests/${id}/timeline`);
      const items = timeline.body['items'] as unknown as readonly { readonly type: string }[] | undefined;
      return items?.some((each) => each.type === 'request.shredded') === true ? true : undefined;
    };
    const crashed = crashAt !== undefined;
    if (crashed) {
      expect((await server.ended).signal, `the process reaches ${crashAt}`).toBe('SIGKILL');
      server = await startChild(environment);
      const again = await send();
      expect(again.status, accepted === undefined ? 'a request that was never answered is accepted' : 'a request that was answered is known').toBeLessThan(300);
      if (accepted !== undefined) expect(again.body['id']).toBe(accepted.body['id']);
      accepted = again;
    }
    const id = String(accepted?.body['id']);
    const closed = await untilStatus(server.url, id, ['closed'], 90_000);
    expect(closed['verdict']).toBe('fulfilled_with_retention');
    await eventually('The destruction of the key', shredded);
    const certificate = await fetch(`${server.url}/v1/privacy-requests/${id}/certificate`, { headers: { authorization: 'Bearer test-api-key' } });
    const key = (await (await fetch(`${server.url}/.well-known/quittance-log-key`)).text()).trim();
    expect(verifyCertificate(Buffer.from(await certificate.arrayBuffer()), { keys: [key] })).toMatchObject({ ok: true });
    const log = await call(server.url, '/v1/audit/verification', { method: 'POST', body: '{}' });
    expect(log.body).toMatchObject({ ok: true });
    expect(sandbox.mail.messages.filter((mail) => mail.to.includes(email)).length).toBeGreaterThanOrEqual(1);
    server.kill('SIGTERM');
    await server.ended;
    return { effects: effectsOf(sandbox), crashed };
  } finally {
    folder.remove();
    await sandbox.close();
  }
}

describe('killed with SIGKILL and started again', () => {
  test.concurrent.each(crashes)('at %s, the request goes on, and each task has had one effect', { timeout: 180_000 }, async (crashAt) => {
    const { effects } = await life(crashAt);
    expect(effects).toEqual({
      'payment_method.detached': 1,
      'tax_id.deleted': 1,
      'customer.updated': 1,
      'customer.deleted': 1,
      'message.deleted': 2,
      'call.deleted': 1,
      'regulation.created': 1,
      'suppression.added': 1,
      'profile.deleted': 1,
    });
  });
});
