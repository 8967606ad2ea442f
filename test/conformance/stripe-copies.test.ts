import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { createTestContext } from '../../src/connector-kit/conformance/index.ts';
import type { Correction, EraseResult, ExportedRecord, Json, RectifyConfirmation, RectifyContext } from '../../src/connector-kit/index.ts';
import { stripeConnector } from '../../src/connectors/stripe/index.ts';
import type { Identifier } from '../../src/contract/identifiers.ts';
import type { Simulator } from '../../src/sandbox/simulator.ts';
import { startStripe, type StripeSeed } from '../../src/sandbox/stripe/index.ts';

/** The address of a call. */
const urlOf = (input: string | URL | Request): string => (input instanceof Request ? input.url : input.toString());

let vendor: Simulator;
beforeAll(async () => {
  vendor = await startStripe();
});
beforeEach(() => vendor.reset());
afterAll(async () => vendor.close());

const grace: Identifier = { kind: 'stripe_customer', value: 'cus_GraceExample' };
const twin: Identifier = { kind: 'stripe_customer', value: 'cus_SameAddress' };
type CustomerSeed = NonNullable<StripeSeed['customers']>[number];
const profile: CustomerSeed = { id: grace.value, email: 'grace@example.com', name: 'Grace Example', phone: '+1 202-555-0143', address: { line1: '1 Cobol Street', city: 'Arlington', country: 'US' } };
const many = <Item>(count: number, item: Item): Item[] => Array.from({ length: count }, () => item);
const seed = (more: Partial<CustomerSeed> = {}): void => {
  vendor.seed({ account: { requests_per_second: 10_000 }, customers: [{ ...profile, ...more }, { id: twin.value, email: 'grace@example.com', name: 'Somebody Else', invoices: [{ status: 'paid' }], charges: [{ description: 'not of Grace' }] }] });
};
const held: Partial<CustomerSeed> = {
  tax_ids: [{ type: 'eu_vat', value: 'DE123456789' }],
  payment_methods: [{ last4: '4242' }],
  balance_transactions: [{ amount: -500, description: 'goodwill of Grace' }],
  subscriptions: [{ status: 'canceled', items: 23 }],
  invoices: [{ status: 'paid', lines: 131 }, { status: 'open', lines: 3 }],
  charges: [...many(204, {}), { dispute: 'won' }, { refunded: 700, description: 'half of it' }],
  payment_intents: [{ status: 'succeeded' }],
  setup_intents: [{ status: 'succeeded' }],
  checkout_sessions: [{ status: 'complete' }],
};
const connection = (mode = 'scrub_and_delete') => stripeConnector.connect(stripeConnector.config.parse({ mode, api_key: 'sk_test_conformance', base_url: vendor.url }));

interface Reading {
  readonly identifier?: Identifier;
  readonly cursor?: Json;
  readonly resumesMax?: number;
  readonly wrapFetch?: (guarded: typeof fetch) => typeof fetch;
}
async function read({ identifier = grace, cursor = null, resumesMax, wrapFetch }: Reading = {}): Promise<{ records: ExportedRecord[]; resume: Json; resumes: number }> {
  const test = createTestContext({ egress: [vendor.url], identifier, ...(wrapFetch === undefined ? {} : { wrapFetch }) });
  const [records, seen]: [ExportedRecord[], { resume: Json; resumes: number }] = [[], { resume: null, resumes: 0 }];
  for await (const page of connection().export?.(test.exporting(cursor)) ?? []) {
    records.push(...page.records);
    if (page.resume === undefined) continue;
    Object.assign(seen, { resume: page.resume, resumes: seen.resumes + 1 });
    if (seen.resumes === resumesMax) break;
  }
  return { records, ...seen };
}
function counts(records: readonly ExportedRecord[]): Record<string, number> {
  const result: Record<string, number> = {};
  for (const { type } of records) result[type] = (result[type] ?? 0) + 1;
  return result;
}
const idsOf = (records: readonly ExportedRecord[]): readonly string[] => records.map(({ type, data }) => `${type} ${(data as { id: string }).id}`);

describe('the export of a Stripe customer', () => {
  it('gives the customer and everything that hangs on it, over all pages, of nobody else, and changes nothing', async () => {
    seed(held);
    const { records } = await read();
    expect(counts(records)).toEqual({
      customer: 1, tax_id: 1, payment_method: 1, balance_transaction: 1, subscription: 1, subscription_item: 13, invoice: 2, invoice_line: 121,
      charge: 206, dispute: 1, refund: 1, payment_intent: 1, setup_intent: 1, checkout_session: 1,
    });
    expect(new Set(idsOf(records)).size).toBe(records.length);
    const text = JSON.stringify(records);
    for (const known of ['1 Cobol Street', 'DE123456789', 'goodwill of Grace', 'half of it', '4242']) expect(text).toContain(known);
    for (const others of ['Somebody Else', 'not of Grace']) expect(text).not.toContain(others);
    expect(vendor.effects).toEqual([]);
  });

  it('leaves out the secrets that complete a payment, and a card’s number if ever one were shown', async () => {
    seed({ payment_intents: [{ status: 'requires_payment_method' }], setup_intents: [{ status: 'succeeded' }], payment_methods: [{ last4: '4242' }], invoices: [{ status: 'paid' }] });
    const shown = async (input: string | URL | Request, answer: Response): Promise<Response> => {
      const text = await answer.text();
      const body = urlOf(input).includes('/payment_methods') ? text.replace('"last4"', '"number":"4242424242424242","cvc":"123","last4"') : text.replace('"period_end"', '"number":"INV-0001","period_end"');
      return new Response(body, { status: answer.status, headers: answer.headers });
    };
    const { records } = await read({ wrapFetch: (guarded) => async (input, init) => shown(input, await guarded(input, init)) });
    const text = JSON.stringify(records);
    expect(counts(records)).toMatchObject({ payment_intent: 1, setup_intent: 1, payment_method: 1 });
    for (const secret of ['client_secret', '_secret_sandbox', '4242424242424242', '"cvc"']) expect(text).not.toContain(secret);
    // The number of an invoice is none of these.
    expect(text).toContain('INV-0001');
    expect(text).toContain('"last4":"4242"');
  });

  it('goes on from every place that it names, without leaving out or repeating anything', async () => {
    seed(held);
    const all = await read();
    expect(all.resumes).toBeGreaterThan(9);
    for (let resumesMax = 1; resumesMax < all.resumes; resumesMax += 1) {
      const first = await read({ resumesMax });
      expect([...first.records, ...(await read({ cursor: first.resume })).records]).toEqual(all.records);
    }
  });

  it('ends with a failure that can be tried again when a page fails or the limit is reached, and not as if that were all', async () => {
    seed(held);
    const failing = (status: number, headers = {}) => (guarded: typeof fetch): typeof fetch => async (input, init) => {
      const url = urlOf(input);
      if (!url.includes('/v1/charges') || !url.includes('starting_after')) return guarded(input, init);
      return Response.json({ error: { type: 'api_error', message: 'not now' } }, { status, headers });
    };
    await expect(read({ wrapFetch: failing(500) })).rejects.toMatchObject({ code: 'VENDOR_UNAVAILABLE' });
    await expect(read({ wrapFetch: failing(429, { 'retry-after': '7' }) })).rejects.toMatchObject({ code: 'VENDOR_RATE_LIMITED', retryAfterMs: 7000 });
    await expect(read({ wrapFetch: failing(403) })).rejects.toMatchObject({ retry: 'operator' });
    vendor.seed({ account: { requests_per_second: 3 } });
    await expect(read()).rejects.toMatchObject({ code: 'VENDOR_RATE_LIMITED' });
  });

  it('is refused where a list answers with another customer’s object, or promises more and names none', async () => {
    seed(held);
    const answering = (body: object) => (guarded: typeof fetch): typeof fetch => async (input, init) => (urlOf(input).includes('/v1/invoices') ? Response.json(body) : guarded(input, init));
    const listed = (more: object) => ({ object: 'list', has_more: false, data: [{ id: 'in_1', object: 'invoice', created: 1, customer: grace.value, ...more }] });
    await expect(read({ wrapFetch: answering(listed({})) })).resolves.toBeDefined();
    await expect(read({ wrapFetch: answering(listed({ customer: twin.value })) })).rejects.toMatchObject({ code: 'SUBJECT_AMBIGUOUS' });
    await expect(read({ wrapFetch: answering({ object: 'list', has_more: true, data: [] }) })).rejects.toMatchObject({ code: 'VENDOR_MALFORMED' });
  });

  it('is empty for a customer that never was, and has what stayed of one that was deleted', async () => {
    seed(held);
    expect((await read({ identifier: { kind: 'stripe_customer', value: 'cus_Nobody' } })).records).toEqual([]);
    expect((await read({ identifier: { kind: 'stripe_customer', value: 'nobody, at all' } })).records).toEqual([]);
    await fetch(`${vendor.url}/v1/customers/${grace.value}`, { method: 'DELETE', headers: { authorization: 'Bearer sk_test_conformance' } });
    const { records } = await read();
    expect(counts(records)).toMatchObject({ charge: 206, invoice: 2, dispute: 1 });
    for (const gone of ['customer', 'tax_id', 'payment_method']) expect(counts(records)).not.toHaveProperty(gone);
  });

  it('is made for each of two customers of one address by itself', async () => {
    seed();
    const located = await connection().locate(createTestContext({ egress: [vendor.url], identifier: grace }).plain, [{ kind: 'email', value: 'grace@example.com' }]);
    expect(located.found.map(({ identifier }) => identifier)).toEqual(expect.arrayContaining([grace, twin]));
    expect(JSON.stringify((await read()).records)).not.toContain('Somebody Else');
    expect(JSON.stringify((await read({ identifier: twin })).records)).not.toContain('Cobol Street');
  });
});

describe('a correction at Stripe', () => {
  interface Run {
    readonly corrections: readonly Correction[];
    readonly identifier?: Identifier;
    readonly cursor?: Json;
    readonly previous?: Json;
    readonly wrapFetch?: Reading['wrapFetch'];
  }
  const contextOf = ({ corrections, identifier = grace, cursor = null, previous = null, wrapFetch }: Run): RectifyContext => {
    const { action: _action, ...step } = createTestContext({ egress: [vendor.url], identifier, ...(wrapFetch === undefined ? {} : { wrapFetch }) }).step({ cursor, attempt: 1 });
    return { ...step, previous, corrections };
  };
  const rectify = async (run: Run): Promise<EraseResult | undefined> => connection().rectify?.(contextOf(run));
  const confirm = async (run: Run): Promise<RectifyConfirmation | undefined> => connection().confirmRectified?.(contextOf(run));
  const shown = (): object | undefined => (vendor.dump() as { customers: { id: string }[] }).customers.find(({ id }) => id === grace.value);
  const updates = (): number => vendor.effects.filter(({ type }) => type === 'customer.updated').length;
  const corrections: readonly Correction[] = [
    { field: 'name', from: 'Grace Example', to: 'Grace B. Example' },
    { field: 'email', from: 'GRACE@example.com', to: 'grace.b@example.com' },
    { field: 'phone', from: '+12025550143', to: '+12025550199' },
    { field: 'address_line1', to: '2 Fortran Way' },
  ];

  it('changes name, address, e-mail and telephone, leaves what was not asked for, and reads it back', async () => {
    seed();
    expect(await confirm({ corrections, cursor: { left: [] } })).toEqual({ state: 'otherwise', fields: ['address_line1', 'email', 'name', 'phone'] });
    expect(await rectify({ corrections })).toMatchObject({ state: 'done', outcome: 'corrected', counts: { customers: 1 } });
    expect(shown()).toMatchObject({ name: 'Grace B. Example', email: 'grace.b@example.com', phone: '+12025550199', address: { line1: '2 Fortran Way', city: 'Arlington', country: 'US' } });
    expect(await confirm({ corrections, cursor: { left: [] } })).toEqual({ state: 'as_asked' });
  });

  it('changes nothing a second time', async () => {
    seed();
    await rectify({ corrections });
    expect(updates()).toBe(1);
    expect(await rectify({ corrections })).toMatchObject({ state: 'done', outcome: 'corrected' });
    expect(updates()).toBe(1);
  });

  it('is made once when its answer is lost', async () => {
    seed();
    const losing = (guarded: typeof fetch): typeof fetch => async (input, init) => {
      const answer = await guarded(input, init);
      if (init?.method === 'POST') throw new TypeError('the connection broke');
      return answer;
    };
    await expect(rectify({ corrections, wrapFetch: losing })).rejects.toThrow();
    expect(await rectify({ corrections })).toMatchObject({ state: 'done', outcome: 'corrected' });
    expect(updates()).toBe(1);
  });

  it('leaves what is something else than the person said to a person, and a retry leaves it', async () => {
    seed();
    const doubted: readonly Correction[] = [{ field: 'name', from: 'Gracie', to: 'Grace B. Example' }, { field: 'address_city', from: 'Arlington', to: 'Boston' }];
    const result = await rectify({ corrections: doubted });
    expect(result).toMatchObject({ state: 'operator', code: 'SUBJECT_AMBIGUOUS', cursor: { left: ['name'] } });
    expect(shown()).toMatchObject({ name: 'Grace Example', address: { city: 'Boston' } });
    expect(JSON.stringify(result)).not.toContain('Grace');
    const again = await rectify({ corrections: doubted, previous: { left: ['name'] } });
    expect(again).toMatchObject({ state: 'done', outcome: 'corrected' });
    expect(await confirm({ corrections: doubted, cursor: { left: ['name'] } })).toEqual({ state: 'as_asked' });
    expect(await confirm({ corrections: doubted, cursor: { left: [] } })).toEqual({ state: 'otherwise', fields: ['name'] });
  });

  it('goes to a person for a field that a customer does not have, before anything is changed', async () => {
    seed();
    expect(await rectify({ corrections: [...corrections, { field: 'birthday', to: '1906-12-09' }] })).toMatchObject({ state: 'operator', code: 'UNSUPPORTED' });
    expect(updates()).toBe(0);
  });

  it('matches nobody where there is no such customer, and is not as asked of one that is gone', async () => {
    seed();
    const nobody: Identifier = { kind: 'stripe_customer', value: 'cus_Nobody' };
    expect(await rectify({ corrections, identifier: nobody })).toMatchObject({ state: 'done', outcome: 'nothing_matched' });
    expect(await confirm({ corrections, identifier: nobody, cursor: { left: [] } })).toMatchObject({ state: 'otherwise' });
  });

  it('is seen not to have been made where Stripe says that it was and changed nothing', async () => {
    seed();
    const lying = (guarded: typeof fetch): typeof fetch => async (input, init) =>
      init?.method === 'POST' ? guarded(input, { ...init, method: 'GET', body: null }) : guarded(input, init);
    expect(await rectify({ corrections, wrapFetch: lying })).toMatchObject({ state: 'done' });
    expect(await confirm({ corrections, cursor: { left: [] } })).toMatchObject({ state: 'otherwise' });
  });
});
