import { describe, expect, test } from 'vitest';
import { verifyCertificate } from '../../src/verify/index.ts';
import { databaseKinds } from '../support/databases.ts';
import { eventually, sendWebhook, untilStatus } from '../support/quittance.ts';
import { ada, effectsOf, plantAda, tasksOf, useBench } from '../support/running.ts';

describe.each(databaseKinds)('on databases of kind $kind', ({ kind }) => {
  const bench = useBench(kind);

  describe('one verified deletion request', () => {
    test('is purged in every system, read back, and proven by a certificate that verifies offline', { timeout: 90_000 }, async () => {
      const { url, audit } = await bench.start();
      const sandbox = bench.sandbox();
      plantAda(sandbox, { customers: [{ id: ada.customer, email: ada.email, name: 'Ada Example', charges: [{ amount: 1200 }] }, { id: 'cus_ada000002', email: ada.email, name: 'A. Example' }] });
      const accepted = await sendWebhook(url, { email: ada.email, phone: ada.phone, stripe_customer_id: ada.customer });
      expect(accepted.status).toBe(202);
      const id = String(accepted.body['id']);
      await untilStatus(url, id, ['closed']);

      const tasks = (await tasksOf(url, id)).map(({ system, outcome, confirmation }) => ({ system, outcome, confirmation }));
      const erased = { outcome: 'erased', confirmation: 'verified_absent' };
      expect(tasks.filter((task) => task.system === 'stripe')).toEqual([{ system: 'stripe', ...erased }, { system: 'stripe', ...erased }]);
      expect(tasks.filter((task) => task.system === 'segment')).toEqual([{ system: 'segment', ...erased }]);
      expect(tasks.filter((task) => task.system === 'twilio')).toContainEqual({ system: 'twilio', ...erased });
      expect(effectsOf(sandbox)).toMatchObject({ 'customer.deleted': 2, 'message.deleted': 2, 'regulation.created': 1, 'profile.deleted': 1 });

      const certificate = await eventually('The certificate', async () => {
        const response = await fetch(`${url}/v1/privacy-requests/${id}/certificate`, { headers: { authorization: 'Bearer test-api-key' } });
        return response.status === 200 ? Buffer.from(await response.arrayBuffer()) : undefined;
      });
      expect(verifyCertificate(certificate, { keys: (await audit.keys.read()).trusted })).toMatchObject({ ok: true });
      expect(certificate.toString('utf8')).not.toContain(ada.email);
    });
  });
});
