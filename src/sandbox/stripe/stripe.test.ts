import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { Simulator } from '../simulator.ts';
import { startStripe } from './index.ts';

interface Reply {
  readonly status: number;
  readonly headers: Headers;
  // oxlint-disable-next-line typescript/no-explicit-any -- bodies are read freely, the assertions are the check
  readonly body: any;
}

let stripe: Simulator;
beforeEach(async () => {
  stripe = await startStripe();
});
afterEach(async () => stripe.close());

async function call(
  method: string,
  path: string,
  options: { form?: Record<string, string>; key?: string; auth?: string; signal?: AbortSignal } = {},
): Promise<Reply> {
  const response = await fetch(`${stripe.url}${path}`, {
    method,
    headers: {
      authorization: options.auth ?? 'Bearer sk_test_sandbox',
      ...(options.key === undefined ? {} : { 'idempotency-key': options.key }),
    },
    ...(options.form === undefined ? {} : { body: new URLSearchParams(options.form) }),
    ...(options.signal === undefined ? {} : { signal: options.signal }),
  });
  return { status: response.status, headers: response.headers, body: await response.json() };
}
const effectsOf = (type: string): string[] => stripe.effects.filter((each) => each.type === type).map((each) => each.object);
const plant = (customer: object, account: object = {}): void => void stripe.seed({ account, customers: [{ id: 'cus_a', ...customer }] });

describe('authentication', () => {
  test('accepts a test key by Bearer and by Basic, and refuses a revoked, live or missing one with 401', async () => {
    const basic = `Basic ${Buffer.from('rk_test_x:').toString('base64')}`;
    expect((await call('GET', '/v1/customers')).status).toBe(200);
    expect((await call('GET', '/v1/customers', { auth: basic })).status).toBe(200);
    for (const auth of ['Bearer sk_test_revoked', 'Bearer sk_live_x', '']) {
      const { status, body } = await call('GET', '/v1/customers', { auth });
      expect([status, body.error.type]).toEqual([401, 'invalid_request_error']);
    }
  });

  test('every answer carries a Request-Id of its own', async () => {
    const [one, two] = [await call('GET', '/v1/customers'), await call('GET', '/v1/nowhere')];
    expect(one.headers.get('request-id')).toMatch(/^req_/u);
    expect(two.headers.get('request-id')).not.toBe(one.headers.get('request-id'));
    expect([two.status, two.body.error.message]).toEqual([404, expect.stringContaining('Unrecognized request URL (GET: /v1/nowhere)')]);
  });
});

describe('customers', () => {
  test('an empty string unsets a field, an empty metadata value removes its key, and nothing else changes', async () => {
    plant({ email: 'ada@example.com', name: 'Ada', address: { line1: '1 St', city: 'X' }, metadata: { a: '1', b: '2' } });
    const form = { name: '', 'address[line1]': '', 'metadata[a]': '', 'metadata[gdpr_status]': 'redacted' };
    const { body } = await call('POST', '/v1/customers/cus_a', { form });
    expect(body).toMatchObject({ name: null, email: 'ada@example.com', metadata: { b: '2', gdpr_status: 'redacted' } });
    expect(body.address).toEqual({ line1: null, city: 'X' });
    expect((await call('POST', '/v1/customers/cus_a', { form: { address: '', metadata: '' } })).body).toMatchObject({ address: null, metadata: {} });
    expect(effectsOf('customer.updated')).toEqual(['cus_a', 'cus_a']);
  });

  test('an update that changes nothing, or is refused, is no effect', async () => {
    plant({ name: 'Ada' });
    expect((await call('POST', '/v1/customers/cus_a', { form: { name: 'Ada' } })).status).toBe(200);
    const refused = await call('POST', '/v1/customers/cus_a', { form: { nickname: 'x' } });
    expect([refused.status, refused.body.error.code]).toEqual([400, 'parameter_unknown']);
    expect(effectsOf('customer.updated')).toEqual([]);
  });

  test('the e-mail filter is exact and case-sensitive, and several customers may share an address', async () => {
    stripe.seed({ customers: ['Ada@example.com', 'ada@example.com', 'ada@example.com'].map((email) => ({ email })) });
    expect((await call('GET', '/v1/customers?email=ada%40example.com')).body.data).toHaveLength(2);
    expect((await call('GET', '/v1/customers?email=Ada%40example.com')).body.data).toHaveLength(1);
    expect((await call('GET', '/v1/customers?email=ADA%40example.com')).body.data).toHaveLength(0);
  });

  test('search finds a customer only when the index has caught up', async () => {
    plant({ email: 'ada@example.com' }, { search_lag_ms: 60_000 });
    await call('POST', '/v1/customers/cus_a', { form: { phone: '+12025550111' } });
    const search = async (): Promise<unknown[]> => (await call('GET', `/v1/customers/search?query=${encodeURIComponent("email:'ADA@example.com'")}`)).body.data;
    expect(await search()).toHaveLength(0);
    stripe.advance(60_000);
    expect(await search()).toHaveLength(1);
  });

  test('pages newest first, to the last page, and refuses a limit over 100 and an unknown cursor', async () => {
    stripe.seed({ customers: Array.from({ length: 25 }, (_, index) => ({ id: `cus_${index}`, created: 1_700_000_000 + index })) });
    const seen: string[] = [];
    let path = '/v1/customers';
    for (let pages = 0; pages < 3; pages += 1) {
      const { body } = await call('GET', path);
      seen.push(...body.data.map((each: { id: string }) => each.id));
      expect(body.has_more).toBe(pages < 2);
      path = `/v1/customers?starting_after=${seen.at(-1)}`;
    }
    expect(seen).toEqual(Array.from({ length: 25 }, (_, index) => `cus_${24 - index}`));
    expect((await call('GET', '/v1/customers?limit=100')).body.data).toHaveLength(25);
    expect((await call('GET', '/v1/customers?limit=101')).status).toBe(400);
    expect((await call('GET', '/v1/customers?starting_after=cus_none')).body.error.code).toBe('resource_missing');
  });
});

describe('deletion', () => {
  test('leaves exactly a tombstone, cancels subscriptions, unlists, and keeps the charges', async () => {
    plant({ email: 'ada@example.com', subscriptions: [{ status: 'active' }], charges: [{}], payment_methods: [{ last4: '4242' }] });
    expect((await call('DELETE', '/v1/customers/cus_a')).body).toEqual({ id: 'cus_a', object: 'customer', deleted: true });
    expect((await call('GET', '/v1/customers/cus_a')).body).toEqual({ id: 'cus_a', object: 'customer', deleted: true });
    expect((await call('GET', '/v1/customers')).body.data).toEqual([]);
    expect((await call('GET', '/v1/subscriptions?customer=cus_a')).body.data).toEqual([]);
    expect((await call('GET', '/v1/subscriptions?customer=cus_a&status=all')).body.data).toMatchObject([{ status: 'canceled' }]);
    expect((await call('GET', '/v1/charges?customer=cus_a')).body.data).toMatchObject([{ billing_details: { email: 'ada@example.com' } }]);
    expect(effectsOf('subscription.canceled')).toHaveLength(1);
  });

  test('a second delete, an update and a sub-list of a deleted customer answer 404 resource_missing, and count no effect', async () => {
    plant({});
    await call('DELETE', '/v1/customers/cus_a');
    const again = [
      await call('DELETE', '/v1/customers/cus_a'),
      await call('POST', '/v1/customers/cus_a', { form: { name: 'x' } }),
      await call('GET', '/v1/customers/cus_a/tax_ids'),
      await call('GET', '/v1/customers/cus_never'),
    ];
    expect(again.map(({ status, body }) => [status, body.error.code])).toEqual(again.map(() => [404, 'resource_missing']));
    expect(again[0]?.body.error.message).toBe("No such customer: 'cus_a'");
    expect(effectsOf('customer.deleted')).toEqual(['cus_a']);
  });

  test('tax ids and payment methods go one by one, and a second detach is refused', async () => {
    plant({ tax_ids: [{ type: 'eu_vat', value: 'DE1' }], payment_methods: [{ last4: '4242' }] });
    const taxId = (await call('GET', '/v1/customers/cus_a/tax_ids')).body.data[0].id;
    const method = (await call('GET', '/v1/customers/cus_a/payment_methods')).body.data[0].id;
    expect((await call('DELETE', `/v1/customers/cus_a/tax_ids/${taxId}`)).body).toEqual({ id: taxId, object: 'tax_id', deleted: true });
    expect((await call('POST', `/v1/payment_methods/${method}/detach`)).body.customer).toBeNull();
    expect((await call('POST', `/v1/payment_methods/${method}/detach`)).status).toBe(400);
    expect((await call('GET', '/v1/customers/cus_a/payment_methods')).body.data).toEqual([]);
    expect([effectsOf('tax_id.deleted'), effectsOf('payment_method.detached')]).toEqual([[taxId], [method]]);
  });

  test('disputes are found by the charge, and only that charge', async () => {
    plant({ charges: [{ dispute: 'won' }, {}] });
    const charges = (await call('GET', '/v1/charges?customer=cus_a')).body.data as { id: string; disputed: boolean }[];
    const counts = await Promise.all(charges.map(async (each) => (await call('GET', `/v1/disputes?charge=${each.id}`)).body.data.length));
    expect(counts).toEqual(charges.map((each) => (each.disputed ? 1 : 0)));
    expect(counts).toHaveLength(2);
    expect(charges.filter((each) => each.disputed)).toHaveLength(1);
  });
});

describe('idempotency keys', () => {
  test('replay the first answer without doing the work again, and refuse other parameters', async () => {
    const first = await call('POST', '/v1/customers', { form: { name: 'Ada' }, key: 'k' });
    const second = await call('POST', '/v1/customers', { form: { name: 'Ada' }, key: 'k' });
    expect(second.body).toEqual(first.body);
    expect([first.headers.get('idempotent-replayed'), second.headers.get('idempotent-replayed')]).toEqual([null, 'true']);
    const other = await call('POST', '/v1/customers', { form: { name: 'Eve' }, key: 'k' });
    expect([other.status, other.body.error.type]).toEqual([400, 'idempotency_error']);
    expect(effectsOf('customer.created')).toHaveLength(1);
  });

  test('replay a 500 that came after the work, and a lost answer as the success it was', async () => {
    plant({ name: 'Ada' });
    stripe.fault({ kind: 'after', method: 'POST', status: 500 });
    const form = { name: 'Bea' };
    expect((await call('POST', '/v1/customers/cus_a', { form, key: 'k1' })).status).toBe(500);
    const replay = await call('POST', '/v1/customers/cus_a', { form, key: 'k1' });
    expect([replay.status, replay.body.error.type]).toEqual([500, 'api_error']);
    stripe.fault({ kind: 'lost', method: 'POST' });
    await expect(call('POST', '/v1/customers/cus_a', { form: { name: 'Cleo' }, key: 'k2' })).rejects.toThrow('fetch failed');
    expect((await call('POST', '/v1/customers/cus_a', { form: { name: 'Cleo' }, key: 'k2' })).body.name).toBe('Cleo');
    expect(effectsOf('customer.updated')).toHaveLength(2);
  });

  test('answer 409 while the first request under the key is still open, and are free when it is gone', async () => {
    plant({ email: 'tim+timeout@example.com' });
    const abort = new AbortController();
    const form = { name: 'x' };
    const first = call('POST', '/v1/customers/cus_a', { form, key: 'k', signal: abort.signal });
    const failed = expect(first).rejects.toThrow();
    await expect.poll(async () => (await call('POST', '/v1/customers/cus_a', { form, key: 'k' })).status).toBe(409);
    abort.abort();
    await failed;
    await expect.poll(async () => (await call('POST', '/v1/customers/cus_a', { form, key: 'k' })).status).toBe(200);
    expect(effectsOf('customer.updated')).toEqual(['cus_a']);
  });
});

test('the request over the rate limit answers 429 in Stripe’s shape, and the next second is open again', async () => {
  stripe.seed({ account: { requests_per_second: 3 } });
  const statuses = [];
  for (let index = 0; index < 4; index += 1) statuses.push((await call('GET', '/v1/customers')).status);
  expect(statuses).toEqual([200, 200, 200, 429]);
  const { body, headers } = await call('GET', '/v1/customers');
  expect([body.error.code, headers.get('retry-after')]).toEqual(['rate_limit', null]);
  stripe.advance(1000);
  expect((await call('GET', '/v1/customers')).status).toBe(200);
});

describe('redaction jobs', () => {
  const jobs = '/v1/privacy/redaction_jobs';
  const create = async (more: Record<string, string> = {}): Promise<Reply> =>
    call('POST', jobs, { form: { 'objects[customers][0]': 'cus_a', ...more } });

  test('an account without the preview answers as for a path that does not exist', async () => {
    plant({}, { has_redaction: false });
    const { status, body } = await create();
    expect([status, body.error.message]).toEqual([404, expect.stringContaining('Unrecognized request URL')]);
    expect(effectsOf('redaction_job.created')).toEqual([]);
  });

  test('go created, validating, ready, redacting, succeeded, and only then is the person gone from the records', async () => {
    plant({ email: 'ada@example.com', name: 'Ada', metadata: { crm: 'x' }, charges: [{ description: 'for Ada' }] });
    const { body: job } = await create();
    expect(job.status).toBe('created');
    expect((await call('POST', `${jobs}/${job.id}/run`)).status).toBe(400);
    const poll = async (): Promise<string> => (await call('GET', `${jobs}/${job.id}`)).body.status;
    expect([await poll(), await poll(), await poll()]).toEqual(['validating', 'ready', 'ready']);
    expect((await call('POST', `${jobs}/${job.id}/run`)).body.status).toBe('redacting');
    expect(JSON.stringify(stripe.dump())).toContain('ada@example.com');
    expect(await poll()).toBe('succeeded');
    expect((await call('GET', '/v1/customers/cus_a')).body).toMatchObject({ email: '[redacted]', metadata: { crm: '[redacted]' }, redaction: { status: 'redacted' } });
    expect(JSON.stringify(stripe.dump())).not.toContain('ada@example.com');
    expect((await call('POST', '/v1/customers/cus_a', { form: { name: 'x' } })).status).toBe(400);
    expect([effectsOf('customer.redacted'), effectsOf('redaction_job.run')]).toEqual([['cus_a'], [job.id]]);
  });

  test('time moves a job on as polls do', async () => {
    plant({});
    const { body: job } = await create();
    stripe.advance(2 * 60_000);
    expect((await call('GET', `${jobs}?status=ready`)).body.data).toMatchObject([{ id: job.id }]);
  });

  test('a charge younger than 90 days fails validation, and passes when it is old enough', async () => {
    plant({ charges: [{ created: Math.floor(Date.now() / 1000) - 86_400 }] });
    const { body: job } = await create();
    await call('GET', `${jobs}/${job.id}`);
    const failed = await call('GET', `${jobs}/${job.id}`);
    expect(failed.body).toMatchObject({ status: 'failed', validation_errors: { data: [{ code: 'invalid_state', erroring_object: { object_type: 'charge' } }] } });
    expect((await call('GET', `${jobs}/${job.id}/validation_errors`)).body.data).toHaveLength(1);
    stripe.advance(90 * 86_400_000);
    expect((await call('POST', `${jobs}/${job.id}/validate`)).body.status).toBe('validating');
    expect((await call('GET', `${jobs}/${job.id}`)).body.status).toBe('ready');
  });

  test('what stands in the way fails with `error`, and is seen to with `fix`, at the run', async () => {
    plant({ payment_methods: [{ last4: '4242' }], invoices: [{ status: 'open' }], subscriptions: [{ status: 'active' }] });
    const { body: strict } = await create();
    await call('GET', `${jobs}/${strict.id}`);
    expect((await call('GET', `${jobs}/${strict.id}`)).body.validation_errors.data).toHaveLength(3);
    const { body: fixing } = await create({ validation_behavior: 'fix' });
    await call('GET', `${jobs}/${fixing.id}`);
    expect((await call('GET', `${jobs}/${fixing.id}`)).body.status).toBe('ready');
    expect(effectsOf('invoice.voided')).toEqual([]);
    await call('POST', `${jobs}/${fixing.id}/run`);
    await call('GET', `${jobs}/${fixing.id}`);
    expect([effectsOf('invoice.voided').length, effectsOf('payment_method.detached').length, effectsOf('subscription.canceled').length]).toEqual([1, 1, 1]);
  });

  test('a ready job holds its customer against another, and lets go when cancelled', async () => {
    plant({});
    const ready = async (id: string): Promise<string> => {
      await call('GET', `${jobs}/${id}`);
      return (await call('GET', `${jobs}/${id}`)).body.status;
    };
    const { body: first } = await create();
    expect(await ready(first.id)).toBe('ready');
    const { body: second } = await create();
    expect(await ready(second.id)).toBe('failed');
    expect((await call('POST', `${jobs}/${first.id}/cancel`)).body.status).toBe('canceling');
    expect((await call('GET', `${jobs}/${first.id}`)).body.status).toBe('canceled');
    await call('POST', `${jobs}/${second.id}/validate`);
    expect((await call('GET', `${jobs}/${second.id}`)).body.status).toBe('ready');
  });
});

describe('sentinels', () => {
  test('+ratelimit@ refuses the first two calls about the person with Retry-After, by address or by id', async () => {
    plant({ email: 'grace+ratelimit@example.com' });
    const first = await call('GET', '/v1/customers?email=grace%2Bratelimit%40example.com');
    expect([first.status, first.headers.get('retry-after')]).toEqual([429, '1']);
    expect((await call('DELETE', '/v1/customers/cus_a')).status).toBe(429);
    expect((await call('DELETE', '/v1/customers/cus_a')).status).toBe(200);
  });

  test('+lostanswer@ deletes, drops the connection once, and shows the deletion afterwards', async () => {
    plant({ email: 'lois+lostanswer@example.com' });
    await expect(call('DELETE', '/v1/customers/cus_a')).rejects.toThrow('fetch failed');
    expect((await call('GET', '/v1/customers/cus_a')).body.deleted).toBe(true);
    expect(effectsOf('customer.deleted')).toEqual(['cus_a']);
  });

  test('+liar@ says deleted each time and never deletes, even after the address was scrubbed', async () => {
    plant({ email: 'loki+liar@example.com', name: 'Loki' });
    await call('POST', '/v1/customers/cus_a', { form: { email: '' } });
    for (let index = 0; index < 2; index += 1) expect((await call('DELETE', '/v1/customers/cus_a')).body.deleted).toBe(true);
    expect((await call('GET', '/v1/customers/cus_a')).body).toMatchObject({ name: 'Loki' });
    expect(effectsOf('customer.deleted')).toEqual([]);
  });

  test('a lie asked for by a fault changes nothing and counts no effect', async () => {
    plant({ name: 'Ada' });
    stripe.fault({ kind: 'lie', method: 'POST' });
    expect((await call('POST', '/v1/customers/cus_a', { form: { name: '' } })).body.name).toBeNull();
    expect((await call('GET', '/v1/customers/cus_a')).body.name).toBe('Ada');
    expect(stripe.effects).toEqual([]);
  });
});

test('reset forgets everything, which was there before', async () => {
  plant({});
  expect((await call('GET', '/v1/customers/cus_a')).status).toBe(200);
  stripe.reset();
  expect((await call('GET', '/v1/customers/cus_a')).status).toBe(404);
});
