import { describe, expect, test } from 'vitest';
import { databaseKinds } from '../support/databases.ts';
import { call, eventually, sendWebhook, untilStatus } from '../support/quittance.ts';
import { ada, effectsOf, plantAda, tasksOf, useBench, type TaskView } from '../support/running.ts';

const because = { retry: {}, done_manually: { evidence: 'ticket:4711' }, skipped_by_operator: { reason: 'test_system' } } as const;
const settle = async (url: string, id: string, how: keyof typeof because): Promise<void> => {
  const items = (await call(url, `/v1/manual-tasks?request_id=${id}`)).body['items'] as unknown as { id: string }[];
  expect(items.length).toBeGreaterThan(0);
  for (const each of items) expect((await call(url, `/v1/manual-tasks/${each.id}/settle`, { method: 'POST', body: JSON.stringify({ how, ...because[how] }) })).status).toBe(200);
};
const one = (tasks: readonly TaskView[], system: string): TaskView => {
  const found = tasks.find((task) => task.system === system && task.identifier.kind !== 'email');
  if (found === undefined) throw new Error(`There is no task for ${system}`);
  return found;
};
const open = async (url: string, body: Record<string, string> = { email: ada.email, phone: ada.phone, stripe_customer_id: ada.customer }): Promise<string> =>
  String((await sendWebhook(url, body)).body['id']);

describe.each(databaseKinds)('on databases of kind $kind', ({ kind }) => {
  const bench = useBench(kind);

  describe('a vendor that says done and is not', () => {
    test('ends with a person and an alert, with no certificate, and closes once the vendor really erased', { timeout: 90_000 }, async () => {
      const { url } = await bench.start();
      const sandbox = bench.sandbox();
      const email = 'lied.to@example.com';
      plantAda(sandbox, { email });
      sandbox.stripe.fault({ kind: 'lie', method: 'DELETE', path: '^/v1/customers/', times: 50 });
      const id = await open(url, { email, phone: ada.phone, stripe_customer_id: ada.customer });
      const escalated = await untilStatus(url, id, ['escalated']);
      expect(escalated['verdict']).toBeNull();
      expect(one(await tasksOf(url, id), 'stripe')).toMatchObject({ status: 'manual', error_code: 'STILL_PRESENT', outcome: null });
      expect((await call(url, `/v1/privacy-requests/${id}/certificate`)).status).toBe(409);
      await eventually('The alert', async () => sandbox.mail.messages.find((mail) => mail.to.includes('dpo@example.com') && mail.text.includes('STILL_PRESENT')));
      expect(sandbox.mail.messages.filter((mail) => mail.to.includes('dpo@example.com'))).toHaveLength(1);

      sandbox.stripe.clearFaults();
      await settle(url, id, 'retry');
      const closed = await untilStatus(url, id, ['closed']);
      expect(closed['verdict']).toBe('fulfilled_with_retention');
      expect(one(await tasksOf(url, id), 'stripe')).toMatchObject({ outcome: 'erased', confirmation: 'verified_absent' });
      expect(effectsOf(sandbox)['customer.deleted']).toBe(1);
    });

    test.each([
      ['done_manually', 'unconfirmed'],
      ['skipped_by_operator', null],
    ] as const)('is partially fulfilled when a person settles it as %s', { timeout: 90_000 }, async (how, confirmation) => {
      const { url } = await bench.start();
      plantAda(bench.sandbox());
      bench.sandbox().stripe.fault({ kind: 'lie', method: 'DELETE', path: '^/v1/customers/', times: 20 });
      const id = await open(url);
      await untilStatus(url, id, ['escalated']);
      await settle(url, id, how);
      const closed = await untilStatus(url, id, ['closed']);
      expect(closed['verdict']).toBe('partially_fulfilled');
      expect(one(await tasksOf(url, id), 'stripe')).toMatchObject({ outcome: how, confirmation });
    });
  });

  describe('a bad day at the vendors', () => {
    test('rate limits, time-outs, lost answers, errors after the work and garbage are waited out, with one effect for each task', { timeout: 120_000 }, async () => {
      const { url } = await bench.start({ connections: { stripe: { timeout_seconds: 1 }, twilio: { timeout_seconds: 1 }, segment: { timeout_seconds: 1 } } });
      const { stripe, twilio, segment } = bench.sandbox();
      plantAda(bench.sandbox());
      stripe.fault({ kind: 'status', status: 429, retryAfter: 1, method: 'GET' });
      stripe.fault({ kind: 'lost', method: 'DELETE', path: '^/v1/customers/' });
      stripe.fault({ kind: 'malformed', method: 'GET', path: '^/v1/customers/cus' });
      twilio.fault({ kind: 'hang', method: 'DELETE' });
      twilio.fault({ kind: 'after', status: 500, method: 'DELETE', path: 'Messages' });
      segment.fault({ kind: 'after', status: 500, method: 'POST', path: '/regulations' });
      segment.fault({ kind: 'status', status: 503, method: 'GET' });
      const id = await open(url);
      await untilStatus(url, id, ['closed'], 100_000);
      expect(effectsOf(bench.sandbox())).toMatchObject({ 'customer.deleted': 1, 'message.deleted': 2, 'regulation.created': 1, 'profile.deleted': 1 });
      for (const task of await tasksOf(url, id)) expect(task.status).toBe('settled');
    });

    test('a refused credential stops that system alone, is not tried in a loop, and goes on once mended', { timeout: 90_000 }, async () => {
      const { url } = await bench.start();
      const { stripe } = bench.sandbox();
      plantAda(bench.sandbox());
      stripe.fault({ kind: 'status', status: 401, method: 'POST', times: 50 });
      const id = await open(url);
      await untilStatus(url, id, ['escalated']);
      const tasks = await tasksOf(url, id);
      expect(one(tasks, 'stripe')).toMatchObject({ status: 'manual', error_code: 'CONNECTION_AUTH', attempts: 1 });
      expect(one(tasks, 'segment')).toMatchObject({ outcome: 'erased' });
      expect(effectsOf(bench.sandbox())).toMatchObject({ 'message.deleted': 2, 'regulation.created': 1 });
      stripe.clearFaults();
      expect((await call(url, `/v1/privacy-requests/${id}/retry`, { method: 'POST' })).body).toEqual({ retried: 1 });
      await untilStatus(url, id, ['closed']);
      expect(effectsOf(bench.sandbox())['customer.deleted']).toBe(1);
    });

    test('a limit of five calls a second slows an erasure down and does not stop it', { timeout: 120_000 }, async () => {
      const { url } = await bench.start({ connections: { twilio: { calls_per_second: 5 } } });
      plantAda(bench.sandbox());
      const id = await open(url);
      await untilStatus(url, id, ['closed'], 100_000);
      expect(effectsOf(bench.sandbox())['message.deleted']).toBe(2);
    });

    test('a suspended connection keeps its tasks, and resuming lets them finish', { timeout: 90_000 }, async () => {
      const { url } = await bench.start();
      plantAda(bench.sandbox());
      expect((await call(url, '/v1/connections/stripe/suspend', { method: 'POST' })).status).toBe(200);
      const id = await open(url);
      await eventually('The erasure at Twilio', async () => ((await tasksOf(url, id)).some((task) => task.system === 'twilio' && task.outcome === 'erased') ? true : undefined));
      expect(effectsOf(bench.sandbox())['customer.deleted']).toBeUndefined();
      expect(one(await tasksOf(url, id), 'stripe').status).toBe('waiting');
      expect((await call(url, '/v1/connections/stripe/resume', { method: 'POST' })).status).toBe(200);
      await untilStatus(url, id, ['closed']);
      expect(effectsOf(bench.sandbox())['customer.deleted']).toBe(1);
    });
  });

  describe('what is there and what is not', () => {
    test('a customer who appears after resolution is found by the read-back, and erased too', { timeout: 90_000 }, async () => {
      const { url } = await bench.start();
      const { stripe } = bench.sandbox();
      plantAda(bench.sandbox());
      // The first deletion is put off for a moment, in which the customer appears: before anything is read back.
      stripe.fault({ kind: 'status', method: 'DELETE', path: `^/v1/customers/${ada.customer}$`, status: 503, retryAfter: 3 });
      const planted = eventually('The first deletion', async () => {
        if (!stripe.calls.some((each) => each.method === 'DELETE' && each.path === `/v1/customers/${ada.customer}`)) return undefined;
        stripe.seed({ customers: [{ id: 'cus_late000001', email: ada.email, name: 'Late Example' }] });
        return true;
      });
      const id = await open(url);
      await planted;
      await untilStatus(url, id, ['closed']);
      const tasks = (await tasksOf(url, id)).filter((task) => task.system === 'stripe');
      expect(tasks).toHaveLength(2);
      expect(stripe.effects.filter((each) => each.type === 'customer.deleted').map((each) => each.object).toSorted()).toEqual([ada.customer, 'cus_late000001'].toSorted());
    });

    test('a customer whose address is spelt in other letter case is the same person', { timeout: 90_000 }, async () => {
      const { url } = await bench.start();
      plantAda(bench.sandbox(), { customers: [{ id: 'cus_upper00001', email: 'Ada@Example.com' }, { id: 'cus_lower00001', email: 'ada@example.com' }] });
      const id = await open(url, { email: 'Ada@Example.com' });
      await untilStatus(url, id, ['closed']);
      expect(effectsOf(bench.sandbox())['customer.deleted']).toBe(2);
    });

    test('a person whom nobody knows is told that nothing is held', { timeout: 90_000 }, async () => {
      const { url } = await bench.start();
      const id = await open(url, { email: 'stranger@example.com' });
      const closed = await untilStatus(url, id, ['closed']);
      expect(closed['verdict']).toBe('nothing_held');
      for (const task of await tasksOf(url, id)) expect(task).toMatchObject({ outcome: 'nothing_matched', confirmation: null });
      expect(effectsOf(bench.sandbox())).toEqual({});
    });

    test('a customer whom resolution saw and whom Stripe then does not know is not called erased: a person looks', { timeout: 60_000 }, async () => {
      const { url } = await bench.start({ requests: { approval: 'required' } });
      const { stripe } = bench.sandbox();
      plantAda(bench.sandbox());
      const id = await open(url);
      await untilStatus(url, id, ['awaiting_approval']);
      stripe.reset();
      stripe.seed({ account: { requests_per_second: 1000 } });
      await call(url, `/v1/privacy-requests/${id}/approve`, { method: 'POST' });
      await untilStatus(url, id, ['escalated']);
      expect(one(await tasksOf(url, id), 'stripe')).toMatchObject({ status: 'manual', error_code: 'NOTHING_MATCHED', outcome: null });
      expect((await call(url, `/v1/privacy-requests/${id}/certificate`)).status).toBe(409);
    });

    test('a customer whom somebody else deleted in between is already absent, not erased by us', { timeout: 60_000 }, async () => {
      const { url } = await bench.start({ requests: { approval: 'required' } });
      const { stripe } = bench.sandbox();
      plantAda(bench.sandbox());
      const id = await open(url);
      await untilStatus(url, id, ['awaiting_approval']);
      const deleted = await fetch(`${stripe.url}/v1/customers/${ada.customer}`, { method: 'DELETE', headers: { authorization: 'Bearer sk_test_sandbox' } });
      expect(deleted.status).toBe(200);
      await call(url, `/v1/privacy-requests/${id}/approve`, { method: 'POST' });
      await untilStatus(url, id, ['closed']);
      expect(one(await tasksOf(url, id), 'stripe')).toMatchObject({ outcome: 'already_absent', confirmation: 'verified_absent' });
      expect(effectsOf(bench.sandbox())['customer.deleted']).toBe(1);
    });

    test('the same person again is linked to the open request, and both end by themselves', { timeout: 120_000 }, async () => {
      const { url } = await bench.start({ requests: { approval: 'required' } });
      plantAda(bench.sandbox());
      const first = await open(url);
      await untilStatus(url, first, ['awaiting_approval']);
      const second = await open(url);
      await eventually('The link', async () => {
        const { body } = await call(url, `/v1/privacy-requests/${second}`);
        return body['duplicate_of'] === first ? true : undefined;
      });
      await call(url, `/v1/privacy-requests/${first}/approve`, { method: 'POST' });
      await untilStatus(url, first, ['closed']);
      await untilStatus(url, second, ['awaiting_approval']);
      await call(url, `/v1/privacy-requests/${second}/approve`, { method: 'POST' });
      const again = await untilStatus(url, second, ['closed']);
      expect(again['verdict']).toBe('nothing_held');
      expect(effectsOf(bench.sandbox())['customer.deleted']).toBe(1);
    });
  });

  describe('what a mode leaves', () => {
    test('mark_only erases nothing and says so', { timeout: 90_000 }, async () => {
      const { url } = await bench.start({ connections: { stripe: { mode: 'mark_only' } } });
      plantAda(bench.sandbox());
      const id = await open(url);
      await untilStatus(url, id, ['closed']);
      expect(one(await tasksOf(url, id), 'stripe')).toMatchObject({ outcome: 'retained', confirmation: null });
      expect(effectsOf(bench.sandbox())['customer.deleted']).toBeUndefined();
    });
  });
});
