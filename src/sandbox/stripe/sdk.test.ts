import { Stripe } from 'stripe';
import { expect, test } from 'vitest';
import { startStripe } from './index.ts';

test('Stripe’s own client scrubs, pages, deletes and reads back against the simulator', async () => {
  const simulator = await startStripe();
  try {
    simulator.seed({
      account: { requests_per_second: 1000 },
      customers: Array.from({ length: 12 }, () => ({ email: 'ada@example.com', name: 'Ada', tax_ids: [{ type: 'eu_vat', value: 'DE1' }], payment_methods: [{ last4: '4242' }] })),
    });
    const client = new Stripe('sk_test_sandbox', { host: '127.0.0.1', port: simulator.port, protocol: 'http', maxNetworkRetries: 0, telemetry: false });
    const found = [];
    for await (const customer of client.customers.list({ email: 'ada@example.com', limit: 5 })) found.push(customer.id);
    expect(new Set(found).size).toBe(12);
    const id = found[0] ?? '';
    const marked = await client.customers.update(id, { name: '', email: '', address: '', metadata: { gdpr_status: 'redacted' } }, { idempotencyKey: 'k' });
    expect(marked).toMatchObject({ name: null, email: null, address: null, metadata: { gdpr_status: 'redacted' } });
    for await (const taxId of client.customers.listTaxIds(id)) await client.customers.deleteTaxId(id, taxId.id);
    for await (const method of client.customers.listPaymentMethods(id)) await client.paymentMethods.detach(method.id);
    expect(await client.customers.del(id)).toMatchObject({ deleted: true });
    expect(await client.customers.retrieve(id)).toMatchObject({ id, deleted: true });
    await expect(client.customers.del(id)).rejects.toMatchObject({ code: 'resource_missing', statusCode: 404, requestId: expect.stringMatching(/^req_/u) });
    const [other] = found.slice(1);
    const job = (await client.rawRequest('POST', '/v1/privacy/redaction_jobs', { objects: { customers: [other] } })) as unknown as { status: string };
    expect(job.status).toBe('created');
    expect(simulator.effects.map((each) => each.type)).toEqual([
      'customer.updated',
      'tax_id.deleted',
      'payment_method.detached',
      'customer.deleted',
      'redaction_job.created',
    ]);
  } finally {
    await simulator.close();
  }
});
