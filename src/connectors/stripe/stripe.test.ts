import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import type { Identifier } from '../../contract/identifiers.ts';
import { createTestContext, eraseToEnd, type ErasureRun, type TestContext } from '../../connector-kit/conformance/index.ts';
import type { Connection } from '../../connector-kit/index.ts';
import type { Simulator } from '../../sandbox/simulator.ts';
import { startStripe } from '../../sandbox/stripe/index.ts';
import { stripeConnector } from './index.ts';

const dayMs = 86_400_000;
const account = { requests_per_second: 10_000 };
const ada = { kind: 'stripe_customer', value: 'cus_AdaExample' } as const;
const adasEmail = { kind: 'email', value: 'ada.lovelace@example.com' } as const;
const planted = { id: ada.value, email: adasEmail.value, name: 'Ada Lovelace', metadata: { poet: 'Byron' } };

type Wrap = (guarded: typeof fetch) => typeof fetch;
interface Opened {
  readonly connection: Connection;
  readonly test: TestContext;
  readonly run: (test?: TestContext) => Promise<ErasureRun>;
}

let vendor: Simulator;
beforeAll(async () => {
  vendor = await startStripe();
});
beforeEach(() => vendor.reset());
afterAll(async () => vendor.close());

function open(identifier: Identifier = ada, options: { mode?: string; wrap?: Wrap; more?: object; identifiers?: Identifier[]; key?: string } = {}): Opened {
  const { mode = 'scrub_and_delete', key = 'sk_test_unit' } = options;
  const config = stripeConnector.config.parse({ mode, api_key: key, base_url: vendor.url, ...options.more });
  const test = createTestContext({
    egress: stripeConnector.egress(config),
    identifier,
    identifiers: options.identifiers ?? [identifier],
    seenHere: true,
    ...(options.wrap === undefined ? {} : { wrapFetch: options.wrap }),
  });
  const connection = stripeConnector.connect(config);
  return { connection, test, run: async (other = test) => eraseToEnd(connection, other, { onWait: vendor.advance }) };
}

const json = (status: number, body: unknown, headers: Record<string, string> = {}): Response => Response.json(body, { status, headers });
const pathOf = (input: string | URL | Request): URL => new URL(typeof input === 'string' ? input : input instanceof URL ? input.href : input.url);
/** Answers some requests in the vendor's place. */
const answering =
  (reply: (url: URL, init: RequestInit) => Response | undefined): Wrap =>
  (guarded) =>
  async (input, init) =>
    reply(pathOf(input), init ?? {}) ?? guarded(input, init);
/** Plays a vendor that ignores the filter by address. */
const withoutFilter: Wrap = (guarded) => async (input, init) => {
  const url = pathOf(input);
  url.searchParams.delete('email');
  return guarded(url, init);
};
const effects = (): string[] => vendor.effects.map((each) => `${each.type} ${each.object}`);
const effectTypes = (): string[] => vendor.effects.map((each) => each.type);
const notFound = { error: { type: 'invalid_request_error', message: 'Unrecognized request URL (GET: /v1/customers/search).' } };

describe('scrub_and_delete', () => {
  it('empties and marks, reads the mark back, and only then deletes and reads the deletion back', async () => {
    vendor.seed({ account, customers: [{ ...planted, phone: '+12025550101', payment_methods: [{ last4: '4242' }], tax_ids: [{ type: 'eu_vat', value: 'DE1' }] }] });
    const posted: string[] = [];
    const wrap: Wrap = (guarded) => async (input, init) => {
      if (init?.method === 'POST' && pathOf(input).pathname === `/v1/customers/${ada.value}`) posted.push(typeof init.body === 'string' ? init.body : '');
      return guarded(input, init);
    };
    const { run } = open(ada, { wrap });
    const { result } = await run();
    const path = `/v1/customers/${ada.value}`;
    const calls = vendor.calls.filter((each) => each.path === path).map((each) => each.method);
    expect(calls.slice(calls.indexOf('POST'))).toEqual(['POST', 'GET', 'GET', 'DELETE', 'GET']);
    const sent = new URLSearchParams(posted[0]);
    for (const field of ['name', 'email', 'phone', 'description', 'address', 'shipping', 'metadata[poet]']) expect(sent.get(field)).toBe('');
    expect(sent.get('metadata[gdpr_status]')).toBe('redacted');
    expect(Date.parse(sent.get('metadata[deletion_ts]') ?? '')).not.toBeNaN();
    expect(result).toMatchObject({
      state: 'done',
      outcome: 'erased',
      counts: { customers: 1, payment_methods: 1, tax_ids: 1 },
      proof: { mode: 'scrub_and_delete', mark_read_back: true, deleted_read_back: true, marked_at: sent.get('metadata[deletion_ts]') },
    });
  });

  it('finds every customer under an address, whatever the case, and leaves all others alone', async () => {
    const spelled = ['ada.lovelace@example.com', 'Ada.Lovelace@example.com', 'ADA.LOVELACE@EXAMPLE.COM', 'aDa.loveLace@example.com', 'ada.lovelace@example.com'];
    vendor.seed({ account, customers: [...spelled.map((email, index) => ({ id: `cus_Ada${index}`, email })), { id: 'cus_Other', email: 'xada.lovelace@example.com' }] });
    const { connection, test, run } = open(adasEmail);
    const located = await connection.locate(test.plain, [adasEmail]);
    expect(located.found.map((each) => each.identifier.value).toSorted()).toEqual(spelled.map((_, index) => `cus_Ada${index}`));
    const { result, cursor } = await run();
    expect(result).toMatchObject({ outcome: 'erased', counts: { customers: 5 } });
    expect(effects().filter((each) => each.startsWith('customer.deleted'))).toHaveLength(5);
    expect(effects().join()).not.toContain('cus_Other');
    expect(await connection.confirm(test.step({ cursor, attempt: 1 }))).toEqual({ state: 'absent' });
  });

  it('does without the search where Stripe says there is none, and says so', async () => {
    vendor.seed({ account, customers: [planted] });
    const { run } = open(adasEmail, { wrap: answering((url) => (url.pathname.endsWith('/search') ? json(404, notFound) : undefined)) });
    expect((await run()).result).toMatchObject({ outcome: 'erased', proof: { search_available: false } });
  });

  it('takes a search that is refused for another reason for a failure, not for an empty answer', async () => {
    vendor.seed({ account, customers: [planted] });
    const forbidden = json(403, { error: { type: 'invalid_request_error', message: 'The provided key does not have the required permissions.' } });
    const { run } = open(adasEmail, { wrap: answering((url) => (url.pathname.endsWith('/search') ? forbidden : undefined)) });
    await expect(run()).rejects.toMatchObject({ code: 'CONNECTION_AUTH' });
    expect(vendor.effects).toEqual([]);
  });

  it('erases nobody when the vendor ignores the filter by address and answers with everybody', async () => {
    vendor.seed({ account, customers: [{ id: 'cus_Other', email: 'other@example.com' }] });
    expect((await open(adasEmail, { wrap: withoutFilter }).run()).result).toMatchObject({ outcome: 'nothing_matched' });
    expect(vendor.effects).toEqual([]);
  });

  it('keeps a deleted customer and one that never was apart', async () => {
    vendor.seed({ account, customers: [planted] });
    await open().run();
    expect((await open().run()).result).toMatchObject({ outcome: 'already_absent', counts: {} });
    expect((await open({ kind: 'stripe_customer', value: 'cus_Never' }).run()).result).toMatchObject({ outcome: 'nothing_matched', counts: {} });
    expect((await open({ kind: 'stripe_customer', value: '../charges' }).run()).result).toMatchObject({ outcome: 'nothing_matched' });
  });

  it('does not take a stored 500 for an answer: it uses the next generation of the key', async () => {
    vendor.seed({ account, customers: [planted] });
    const keys: string[] = [];
    const wrap = answering((url, init) => {
      if (init.method !== 'POST' || url.pathname !== `/v1/customers/${ada.value}`) return undefined;
      keys.push(new Headers(init.headers).get('idempotency-key') ?? '');
      return keys.length === 1 ? json(500, { error: { type: 'api_error', message: 'stored' } }, { 'idempotent-replayed': 'true' }) : undefined;
    });
    const { result, failures } = await open(ada, { wrap }).run();
    expect(result).toMatchObject({ outcome: 'erased' });
    expect(failures).toEqual([]);
    expect(new Set(keys).size).toBe(2);
  });

  it('repeats an update under the same key after a fresh 500', async () => {
    vendor.seed({ account, customers: [planted] });
    const keys: string[] = [];
    const wrap = answering((url, init) => {
      if (init.method !== 'POST' || url.pathname !== `/v1/customers/${ada.value}`) return undefined;
      keys.push(new Headers(init.headers).get('idempotency-key') ?? '');
      return keys.length === 1 ? json(500, { error: { type: 'api_error', message: 'fresh' } }) : undefined;
    });
    const { failures } = await open(ada, { wrap }).run();
    expect(failures.map((each) => each.code)).toEqual(['VENDOR_UNAVAILABLE']);
    expect(keys).toHaveLength(2);
    expect(new Set(keys).size).toBe(1);
  });

  it('ends with a person when Stripe says deleted and still shows the customer, and the read-back says present', async () => {
    vendor.seed({ account, customers: [planted] });
    vendor.fault({ kind: 'lie', method: 'DELETE', times: 100 });
    const { connection, test, run } = open(ada, { identifiers: [ada, adasEmail] });
    const { result, cursor, results } = await run();
    expect(results.filter((each) => each.state === 'wait')).toHaveLength(3);
    expect(result).toMatchObject({ state: 'operator', code: 'STILL_PRESENT', counts: {} });
    expect(await connection.confirm(test.step({ cursor, attempt: 1 }))).toEqual({ state: 'present', found: [ada] });
    vendor.clearFaults();
    // Sent on by a person, it goes on where it stopped, or from the start.
    const again = await connection.erase(test.step({ cursor, attempt: 1 }));
    expect(again).toMatchObject({ state: 'done', outcome: 'erased' });
    expect((await run()).result).toMatchObject({ state: 'done', outcome: 'already_absent' });
  });

  it('sees by the id what the emptied address no longer finds, when the task is about the address', async () => {
    vendor.seed({ account, customers: [planted] });
    vendor.fault({ kind: 'lie', method: 'DELETE', times: 100 });
    const { connection, test, run } = open(adasEmail);
    const { cursor } = await run();
    expect(await connection.confirm(test.step({ cursor, attempt: 1 }))).toEqual({ state: 'present', found: [ada, adasEmail] });
  });

  it('does anew what a person sends on from the start, and is not answered with what Stripe kept of the first time', async () => {
    vendor.seed({ account, customers: [{ ...planted, payment_methods: [{ last4: '4242' }] }] });
    vendor.fault({ kind: 'lie', path: '/detach$', times: 100 });
    const { test, run } = open();
    expect((await run()).result).toMatchObject({ state: 'operator', code: 'STILL_PRESENT' });
    vendor.clearFaults();
    test.advance(1000);
    expect((await run()).result).toMatchObject({ state: 'done', outcome: 'erased' });
    expect(effectTypes()).toContain('payment_method.detached');
  });

  it('never deletes a customer that was not seen marked', async () => {
    vendor.seed({ account, customers: [planted] });
    vendor.fault({ kind: 'lie', method: 'POST', times: 100 });
    expect((await open().run()).result).toMatchObject({ state: 'operator', code: 'STILL_PRESENT' });
    expect(vendor.calls.filter((each) => each.method === 'DELETE')).toEqual([]);
  });

  it('names what stays, with its end counted from the newest, and no legal basis past that end', async () => {
    const nowSeconds = Math.floor(Date.now() / 1000);
    const years = (count: number): number => nowSeconds - Math.floor(count * 365.25 * 86_400);
    vendor.seed({ account, customers: [{ ...planted, charges: [{ created: years(3) }, { created: years(1), dispute: 'won' }], invoices: [{ created: years(12), status: 'paid' }] }] });
    const { result } = await open(ada, { more: { retention: { legal_basis: 'HGB § 257', years: 8 } } }).run();
    const residue = result.residue;
    const charges = residue.find((each) => each.what === 'charges');
    expect(charges).toMatchObject({ why: 'legal_obligation', count: 2, legal_basis: 'HGB § 257' });
    expect(Math.abs(Date.parse(charges?.until ?? '') - (years(1) * 1000 + 8 * 365.25 * dayMs))).toBeLessThan(3 * dayMs);
    expect(residue.find((each) => each.what === 'disputes')).toMatchObject({ why: 'legal_obligation', count: 1 });
    expect(residue.find((each) => each.what === 'invoices')).toEqual({ what: 'invoices', why: 'not_deletable_by_api', count: 1 });
  });
});

describe('answers that cannot be trusted', () => {
  it.each([
    ['a redirect', json(302, {}, { location: 'https://evil.example/' }), 'CONNECTION_REFUSED'],
    ['a 500 without an error in it', json(500, { id: ada.value, object: 'customer', livemode: false }), 'VENDOR_UNAVAILABLE'],
    ['null', json(200, null), 'VENDOR_MALFORMED'],
    ['HTML', new Response('<html>', { status: 200 }), 'VENDOR_MALFORMED'],
    ['an HTML 503', new Response('<html>', { status: 503, headers: { 'retry-after': '9' } }), 'VENDOR_UNAVAILABLE'],
    ['another shape', json(200, { object: 'list', data: [] }), 'VENDOR_MALFORMED'],
    ['another customer', json(200, { id: 'cus_Other', object: 'customer', livemode: false }), 'SUBJECT_AMBIGUOUS'],
    ['a live customer to a test key', json(200, { id: ada.value, object: 'customer', livemode: true }), 'CONNECTION_REFUSED'],
    ['a 404 that is not about a customer', json(404, notFound), 'CONNECTION_REFUSED'],
  ])('takes %s for no customer', async (_name, reply, code) => {
    vendor.seed({ account, customers: [planted] });
    const { connection, test } = open(ada, { wrap: answering((url) => (url.pathname === `/v1/customers/${ada.value}` ? reply.clone() : undefined)) });
    await expect(connection.erase(test.step({ cursor: null, attempt: 1 }))).rejects.toMatchObject({ code });
    expect(vendor.effects).toEqual([]);
  });
});

describe('what a vendor says', () => {
  it('is not passed on in a failure, whatever it quotes', async () => {
    const quoting = { id: ada.value, object: 'person', email: planted.email };
    const refusing = { error: { type: 'invalid_request_error', code: 'email_invalid', message: `Invalid: ${planted.email}`, param: planted.email } };
    for (const reply of [json(200, quoting), json(400, refusing)]) {
      const { connection, test } = open(ada, { wrap: answering(() => reply.clone()) });
      const thrown: unknown = await connection.erase(test.step({ cursor: null, attempt: 1 })).catch((error: unknown) => error);
      expect(thrown).toBeInstanceOf(Error);
      expect((thrown as Error).cause).toBeUndefined();
      expect(`${String(thrown)} ${JSON.stringify(thrown)}`).not.toContain(planted.email);
    }
  });

  it('is not printed by the SDK as a warning of the process', async () => {
    vendor.seed({ account, customers: [planted] });
    const warn = vi.spyOn(process, 'emitWarning').mockImplementation(() => undefined);
    const noticing: Wrap = (guarded) => async (input, init) => {
      const answer = await guarded(input, init);
      answer.headers.set('stripe-notice', planted.email);
      return answer;
    };
    expect((await open(ada, { wrap: noticing }).run()).result).toMatchObject({ outcome: 'erased' });
    expect(warn).not.toHaveBeenCalled();
    warn.mockRestore();
  });
});

describe('locate and confirm', () => {
  it('ties a customer to its own address and number, and does not know the deleted', async () => {
    vendor.seed({ account, customers: [{ ...planted, email: 'Ada.Lovelace@Example.com', phone: '+1 (202) 555-0101' }, { id: 'cus_Gone', email: 'gone@example.com' }] });
    const gone = { kind: 'stripe_customer', value: 'cus_Gone' } as const;
    await open(gone).run();
    const { connection, test } = open();
    const located = await connection.locate(test.plain, [ada, gone, { kind: 'user_id', value: 'u-1' }]);
    expect(located).toEqual({
      knows: [ada],
      found: [
        { identifier: adasEmail, via: ada, confidence: 1 },
        { identifier: { kind: 'phone', value: '+12025550101' }, via: ada, confidence: 1 },
      ],
    });
  });

  it('sees a customer that came under the address after the plan was made, and leaves planned ones to their own read-back', async () => {
    vendor.seed({ account, customers: [planted, { id: 'cus_Planned', email: adasEmail.value }] });
    const plannedToo = { kind: 'stripe_customer', value: 'cus_Planned' } as const;
    const { connection, test, run } = open(ada, { identifiers: [ada, plannedToo, adasEmail] });
    const { cursor } = await run();
    expect(await connection.confirm(test.step({ cursor, attempt: 1 }))).toEqual({ state: 'absent' });
    vendor.seed({ customers: [{ id: 'cus_Late', email: adasEmail.value }] });
    const late = { kind: 'stripe_customer', value: 'cus_Late' };
    expect(await connection.confirm(test.step({ cursor, attempt: 1 }))).toEqual({ state: 'present', found: [late, adasEmail] });
  });
});

describe('redact', () => {
  const redact = { mode: 'redact' };

  it('says that the account has no Redaction Jobs before it changes anything', async () => {
    vendor.seed({ account: { ...account, has_redaction: false }, customers: [{ ...planted, payment_methods: [{ last4: '4242' }] }] });
    await expect(open(ada, redact).run()).rejects.toMatchObject({ code: 'UNSUPPORTED' });
    expect(vendor.effects).toEqual([]);
  });

  it('validates, runs, polls and reads back', async () => {
    vendor.seed({ account, customers: [{ ...planted, charges: [{}], payment_methods: [{ last4: '4242' }] }] });
    const { result } = await open(ada, redact).run();
    expect(result).toMatchObject({ outcome: 'anonymised', residue: [], proof: { mode: 'redact', redaction_job_succeeded: true, redacted_read_back: true } });
    expect(effectTypes().filter((each) => each.startsWith('redaction_job'))).toEqual(['redaction_job.created', 'redaction_job.run']);
    expect(result).toHaveProperty('vendorJob', expect.stringMatching(/^prj_/u));
  });

  it('adopts its job after a death even when Stripe has forgotten the key', async () => {
    vendor.seed({ account: { ...account, redaction_stage_ms: 90 * dayMs, redaction_polls_per_stage: 50 }, customers: [planted] });
    let died = false;
    const wrap: Wrap = (guarded) => async (input, init) => {
      const answer = await guarded(input, init);
      if (!died && init?.method === 'POST' && pathOf(input).pathname === '/v1/privacy/redaction_jobs') {
        died = true;
        throw new Error('killed');
      }
      return answer;
    };
    const { connection, test, run } = open(ada, { ...redact, wrap });
    await expect(connection.erase(test.step({ cursor: null, attempt: 1 }))).rejects.toThrow('killed');
    vendor.advance(25 * 3_600_000);
    test.advance(25 * 3_600_000);
    const cursor = test.saved()?.cursor ?? null;
    expect(await connection.erase(test.step({ cursor, attempt: 2 }))).toMatchObject({ state: 'wait', reason: 'vendor_job' });
    expect(effectTypes().filter((each) => each === 'redaction_job.created')).toHaveLength(1);
    // The twin: nothing to adopt, so that a job is made.
    vendor.seed({ customers: [{ id: 'cus_Twin' }] });
    await run(open({ kind: 'stripe_customer', value: 'cus_Twin' }, redact).test);
    expect(effectTypes().filter((each) => each === 'redaction_job.created')).toHaveLength(2);
  });

  it('comes back when the youngest transaction is 90 days old, and redacts then', async () => {
    const created = Math.floor(Date.now() / 1000) - 30 * 86_400;
    vendor.seed({ account, customers: [{ ...planted, charges: [{}, { created }] }] });
    const { connection, test, run } = open(ada, redact);
    const { result, cursor } = await run();
    const due = (created + 90 * 86_400) * 1000;
    expect(result).toMatchObject({ state: 'done', outcome: 'retained', counts: {}, revisitAt: due });
    expect(result.residue).toEqual([{ what: 'customers', why: 'too_young_to_redact', count: 1, until: new Date(due).toISOString() }]);
    expect(effectTypes()).not.toContain('customer.redacted');
    vendor.advance(60 * dayMs);
    test.advance(60 * dayMs);
    // Whether the cursor was kept until then or not.
    const kept = await connection.erase(test.step({ cursor, attempt: 1 }));
    expect(kept).toMatchObject({ state: 'wait', reason: 'vendor_job' });
    expect((await run()).result).toMatchObject({ state: 'done', outcome: 'anonymised' });
    expect(effectTypes().filter((each) => each === 'redaction_job.created')).toHaveLength(1);
  });

  it('asks a person about an open invoice, goes on when it is settled, and with fix lets Stripe settle it', async () => {
    vendor.seed({ account, customers: [{ ...planted, invoices: [{ status: 'open' }] }] });
    const { connection, test, run } = open(ada, redact);
    const { result, cursor } = await run();
    expect(result).toMatchObject({ state: 'operator', code: 'UNSUPPORTED', residue: [{ what: 'invoice', why: 'blocks_redaction', count: 1 }] });
    const [{ id }] = (vendor.dump() as { invoices: [{ id: string }] }).invoices;
    await fetch(`${vendor.url}/v1/invoices/${id}/void`, { method: 'POST', headers: { authorization: 'Bearer sk_test_unit' } });
    let step = await connection.erase(test.step({ cursor, attempt: 1 }));
    while (step.state === 'wait') step = await connection.erase(test.step({ cursor: step.cursor, attempt: 1 }));
    expect(step).toMatchObject({ state: 'done', outcome: 'anonymised' });
    const fixable = { kind: 'stripe_customer', value: 'cus_Fixable' } as const;
    vendor.seed({ customers: [{ id: fixable.value, name: 'Ada Fixable', invoices: [{ status: 'open' }] }] });
    const fixed = await open(fixable, { ...redact, more: { redact: { validation_behavior: 'fix' } } }).run();
    expect(fixed.result).toMatchObject({ state: 'done', outcome: 'anonymised' });
  });
});

describe('mark_only', () => {
  it('writes the literal mark, proves it, and claims no erasure', async () => {
    vendor.seed({ account, customers: [{ ...planted, charges: [{}] }] });
    const { connection, test, run } = open(ada, { mode: 'mark_only' });
    const { result, cursor } = await run();
    expect(result).toMatchObject({ state: 'done', outcome: 'retained', counts: {}, proof: { mode: 'mark_only', mark_read_back: true } });
    expect(result.residue).toContainEqual({ what: 'customers', why: 'mark_only', count: 1 });
    const [customer] = (vendor.dump() as { customers: object[] }).customers;
    expect(customer).toMatchObject({ description: 'GDPR Deletion Request', metadata: { gdpr_redacted: 'true' }, email: planted.email });
    expect(await connection.confirm(test.step({ cursor, attempt: 1 }))).toEqual({ state: 'present', found: [ada] });
  });
});

describe('configuration', () => {
  it('defaults to scrub_and_delete at Stripe itself, and calls nobody else', () => {
    const config = stripeConnector.config.parse({ api_key: 'sk_test_unit' });
    expect(config).toMatchObject({ mode: 'scrub_and_delete', redact: { validation_behavior: 'error' }, retention: { legal_basis: 'GDPR Art. 17(3)(b)', years: 10 } });
    expect(stripeConnector.egress(config)).toEqual(['https://api.stripe.com']);
  });

  it.each([{ api_key: '' }, { api_key: 'sk', mode: 'delete' }, { api_key: 'sk', base_url: 'https://pay.example/stripe' }, { api_key: 'sk', apiKey: 'sk' }])(
    'refuses what it does not know: %j',
    (config) => expect(stripeConnector.config.safeParse(config).success).toBe(false),
  );
});
