import { describe, expect, it } from 'vitest';
import { createTestContext, type TestContext, type TestContextOptions } from '../../src/connector-kit/conformance/index.ts';
import { Failure, type Connection, type EraseResult, type Json } from '../../src/connector-kit/index.ts';
import { httpConnector } from '../../src/connectors/http/index.ts';
import type { Identifier } from '../../src/contract/identifiers.ts';
import { urlOf } from '../support/segment-bench.ts';

const email: Identifier = { kind: 'email', value: 'ada@example.com' };
const base = { base_url: 'https://crm.example.com', auth: { scheme: 'bearer', token: 't' }, identifiers: { email: 'email', phone: 'phone' } };
const gone = { status: 404, when: { '$.code': 'not_found' }, is: 'already_gone' };
const each = (type: string): object => ({ each: type, request: { method: 'DELETE', path: `/${type}/{{item.id}}` }, answers: [{ status: 204, is: 'success' }, gone] });
const contacts = { type: 'contacts', request: { path: '/contacts', query: { q: '{{identifier.value}}' } }, items: '$.contacts', found: { email: '$.email' } };
const byRecord = { ...base, locate: [contacts], erase: [each('contacts')] };
const atOnce = (...answers: object[]): object => ({ ...base, check: { request: { path: '/me' }, works: { status: 200 } }, confirm: { by: 'attestation' }, erase: [{ request: { method: 'POST', path: '/erasures' }, answers }] });

type Handler = (call: string, url: URL, init: RequestInit | undefined) => Response | Promise<Response>;
const json = (body: unknown, status = 200, headers: Record<string, string> = {}): Response => Response.json(body, { status, headers });
const done = (): Response => new Response(null, { status: 204 });

interface World {
  readonly test: TestContext;
  readonly connection: Connection;
  /** Every call as `DELETE /contacts/1`, without its query. */
  readonly calls: string[];
  readonly deleted: () => string[];
  /** One step, its failure as a value; `previous` makes it a person's retry. */
  readonly step: (kept?: { cursor?: Json; previous?: Json; attempt?: number }) => Promise<EraseResult | Failure>;
}

function world(declaration: object, handler: Handler, options: Partial<TestContextOptions> = {}): World {
  const calls: string[] = [];
  const wrapFetch = (): typeof fetch => async (input, init) => {
    const url = new URL(urlOf(input));
    const call = `${init?.method ?? 'GET'} ${url.pathname}`;
    calls.push(call);
    return handler(call, url, init);
  };
  const test = createTestContext({ egress: ['https://crm.example.com'], identifier: email, seenHere: true, wrapFetch, ...options });
  const connection = httpConnector.connect(httpConnector.config.parse(declaration));
  return {
    test,
    connection,
    calls,
    deleted: () => calls.filter((call) => call.startsWith('DELETE')),
    step: async ({ cursor = null, previous = null, attempt = 1 } = {}) =>
      connection.erase({ ...test.step({ cursor, attempt }), previous }).catch((error: unknown) => {
        if (error instanceof Failure) return error;
        throw error;
      }),
  };
}
const cursorOf = (result: EraseResult | Failure): Json => (result instanceof Failure ? null : (result.cursor ?? null));
const ambiguous = { state: 'operator', code: 'SUBJECT_AMBIGUOUS' };

describe('the test of a system by people who do not exist', () => {
  const misspelt = { ...base, locate: [{ type: 'contacts', request: { path: '/contacts', query: { emial: '{{identifier.value}}' } }, items: '$.contacts' }], erase: [{ request: { method: 'DELETE', path: '/contacts', query: { emial: '{{identifier.value}}' } }, answers: [{ status: 200, is: 'success' }] }] };
  const rowsOf = async (people: unknown[]): Promise<{ rows: Record<string, string>; deleted: string[] }> => {
    const { connection, test, deleted } = world(misspelt, (_call, _url, init) => (new Headers(init?.headers).has('authorization') ? json({ contacts: people }) : json({}, 401)));
    const rows = (await connection.rehearse?.(test.plain)) ?? [];
    return { rows: Object.fromEntries(rows.map(({ check, result }) => [check, result])), deleted: deleted() };
  };

  it('sends no erasure to one that ignores what it is asked by, and says that it was not tried', async () => {
    const { rows, deleted } = await rowsOf([{ id: 1 }, { id: 2 }]);
    expect(deleted).toEqual([]);
    expect(rows).toMatchObject({ unknown_person_is_not_found: 'violated', strangers_are_refused: 'open', same_key_same_job: 'open', unknown_person_is_not_erased: 'open' });
  });

  it('goes on to erasures where nobody is found', async () => {
    const { rows, deleted } = await rowsOf([]);
    expect(deleted).not.toEqual([]);
    expect(rows).toMatchObject({ unknown_person_is_not_found: 'kept', strangers_are_refused: 'kept', unknown_person_is_not_erased: 'violated' });
  });
});

describe('a person’s retry after SUBJECT_AMBIGUOUS', () => {
  const people = (...ids: string[]): Response => json({ contacts: [{ id: 'ada', email: email.value }, ...ids.map((id) => ({ id, email: `${id}@example.com` }))] });

  it('lets it run for the records that the person was asked about', async () => {
    const { step, deleted } = world(byRecord, (call) => (call.startsWith('DELETE') ? done() : people('bob')));
    const first = await step();
    expect(first).toMatchObject(ambiguous);
    expect(deleted()).toEqual([]);
    expect(await step({ previous: cursorOf(first) })).toMatchObject({ outcome: 'erased', counts: { contacts: 2 } });
  });

  it.each([['somebody else', ['eve']], ['somebody more', ['bob', 'eve']]])('asks again where by then %s is found', async (_what, later) => {
    let now = ['bob'];
    const { step, deleted } = world(byRecord, (call) => (call.startsWith('DELETE') ? done() : people(...now)));
    const first = await step();
    now = later;
    const second = await step({ previous: cursorOf(first) });
    expect(second).toMatchObject(ambiguous);
    expect(deleted()).toEqual([]);
    expect(await step({ previous: cursorOf(second) }), 'the second answer is about these').toMatchObject({ outcome: 'erased' });
  });

  it('is as exact where the system itself erases by the identifier', async () => {
    let now = ['bob'];
    const erasure = { request: { method: 'POST', path: '/erasures' }, answers: [{ status: 200, is: 'success' }] };
    const { step, calls } = world({ ...byRecord, erase: [erasure] }, (call) => (call === 'POST /erasures' ? json({}) : people(...now)));
    const first = await step();
    now = ['eve'];
    expect(await step({ previous: cursorOf(first) })).toMatchObject(ambiguous);
    expect(calls).not.toContain('POST /erasures');
    now = ['bob'];
    expect(await step({ previous: cursorOf(first) })).toMatchObject({ outcome: 'erased' });
  });

  it('never lifts at_most, however often it is tried and wherever it was interrupted', async () => {
    const paged = { ...byRecord, locate: [{ ...contacts, request: { path: '/contacts', query: { q: '{{identifier.value}}', page: '{{page?}}' } }, paging: { by: 'cursor', next: '$.next' }, at_most: 20 }] };
    let looks = 0;
    const handler: Handler = (call, url) => {
      const page = Number(url.searchParams.get('page') ?? 0);
      return call.startsWith('DELETE') ? done() : json({ contacts: [{ id: page, email: `other-${page}@example.com` }], ...(page < 40 ? { next: String(page + 1) } : {}) });
    };
    const interrupted = { shouldYield: () => (looks += 1) % 3 === 0 };
    const { step, deleted } = world(paged, handler, interrupted);
    for (let tries = 0; tries < 3; tries += 1) expect(await step({ previous: null })).toBeInstanceOf(Failure);
    // Nothing is declared to be found: then nothing is looked at before, and only the collecting counts.
    const silent = world({ ...paged, locate: [{ ...paged.locate[0], found: {} }] }, handler, interrupted);
    let result = await silent.step();
    for (let at = 0; at < 30 && !(result instanceof Failure) && result.state === 'continue'; at += 1) result = await silent.step({ cursor: result.cursor });
    expect(result).toMatchObject({ code: 'SUBJECT_AMBIGUOUS' });
    expect((await silent.test.worklist.summary()).open).toBeLessThanOrEqual(20);
    expect([...deleted(), ...silent.deleted()]).toEqual([]);
  });
});

describe('a record that does not show what was asked for, where that is for a person', () => {
  const strict = { ...byRecord, locate: [{ ...contacts, match: { email: '$.email' }, unmatched: 'ambiguous' }] };
  const system = (): { handler: Handler; held: Set<string> } => {
    const held = new Set(['7']);
    const handler: Handler = (call) => {
      if (!call.startsWith('DELETE')) return json({ contacts: [...held].map((id) => ({ id, email: 'ada.work@example.com' })) });
      held.delete(call.slice('DELETE /contacts/'.length));
      return done();
    };
    return { handler, held };
  };

  it('is erased when the person lets it run, and only then is the read-back absent', async () => {
    const { handler, held } = system();
    const { step, connection, test } = world(strict, handler);
    const first = await step();
    expect(first).toMatchObject(ambiguous);
    expect(await connection.confirm(test.step({ cursor: cursorOf(first), attempt: 1 }))).toMatchObject({ state: 'present' });
    const second = await step({ previous: cursorOf(first) });
    expect(second).toMatchObject({ outcome: 'erased', counts: { contacts: 1 } });
    expect(held.size).toBe(0);
    expect(await connection.confirm(test.step({ cursor: cursorOf(second), attempt: 1 }))).toEqual({ state: 'absent' });
  });
});

describe('what is deleted', () => {
  it('is what was looked at: a stranger who is found only later is not collected', async () => {
    let looks = 0;
    const { step, deleted } = world(byRecord, (call) => {
      if (call.startsWith('DELETE')) return done();
      looks += 1;
      return json({ contacts: [{ id: 'ada', email: email.value }, ...(looks > 1 ? [{ id: 'bob', email: 'bob@example.com' }] : [])] });
    });
    const first = await step();
    expect(first).toMatchObject(ambiguous);
    expect(deleted()).toEqual([]);
    expect(await step({ previous: cursorOf(first) })).toMatchObject({ outcome: 'erased', counts: { contacts: 2 } });
  });

  it.each<[string, string, EraseResult | object]>([
    ['bob@example.com', 'goes to a person', ambiguous],
    ['ada@example.com', 'is erased', { outcome: 'erased', counts: { tickets: 1 } }],
  ])('counts records that belong to others’: a ticket of %s %s', async (of, _what, expected) => {
    const nested = { ...base, locate: [contacts, { type: 'tickets', of: 'contacts', request: { path: '/tickets', query: { of: '{{parent.id}}' } }, items: '$.tickets', found: { email: '$.email' } }], erase: [each('tickets')] };
    const { step, deleted } = world(nested, (call) => (call.startsWith('DELETE') ? done() : call === 'GET /contacts' ? json({ contacts: [{ id: 1, email: email.value }] }) : json({ tickets: [{ id: 9, email: of }] })));
    expect(await step()).toMatchObject(expected);
    expect(deleted()).toHaveLength(of === email.value ? 1 : 0);
  });

  it('needs no person where two records of one person differ in what is proven to be hers', async () => {
    const identifiers: Identifier[] = [email, { kind: 'phone', value: '+12025550101' }, { kind: 'phone', value: '+12025550102' }];
    const phones = { ...byRecord, locate: [{ ...contacts, found: { email: '$.email', phone: '$.phone' } }] };
    const handler: Handler = (call) => (call.startsWith('DELETE') ? done() : json({ contacts: [{ id: 1, email: email.value, phone: '+12025550101' }, { id: 2, email: email.value, phone: '+12025550102' }] }));
    expect(await world(phones, handler, { identifiers }).step()).toMatchObject({ outcome: 'erased', counts: { contacts: 2 } });
    expect(await world(phones, handler, { identifiers: identifiers.slice(0, 2) }).step()).toMatchObject(ambiguous);
  });

  it('is never everything because nothing was left of a value', async () => {
    const byPath = { ...base, identifiers: { external_id: 'id' }, check: { request: { path: '/me' }, works: { status: 200 } }, confirm: { by: 'attestation' }, erase: [{ request: { method: 'DELETE', path: '/contacts/{{identifier.value|digits}}' }, answers: [{ status: 204, is: 'success' }] }] };
    const { step, calls } = world(byPath, done, { identifier: { kind: 'external_id', value: 'ab-c' } });
    expect(await step()).toMatchObject({ code: 'UNSUPPORTED' });
    expect(calls).toEqual([]);
    const usual = world(byPath, done, { identifier: { kind: 'external_id', value: 'ab-12' } });
    await usual.step();
    expect(usual.calls).toEqual(['DELETE /contacts/12']);
  });
});

describe('a task that runs', () => {
  const first = { request: { method: 'POST', path: '/profile' }, answers: [{ status: 200, is: 'success' }] };
  const second = { request: { method: 'POST', path: '/tickets' }, answers: [{ status: 202, is: 'pending', job: '$.job' }], poll: { request: { path: '/jobs/{{vendor_job}}' }, answers: [{ status: 200, is: 'success' }] } };
  const declaration = (...erase: object[]): object => ({ ...base, check: { request: { path: '/me' }, works: { status: 200 } }, confirm: { by: 'attestation' }, erase });
  const handler: Handler = (call) => (call === 'POST /tickets' ? json({ job: 'j1' }, 202) : json({}));

  it('claims nothing by the steps of a declaration that was changed under it: a person decides, and a retry starts it anew', async () => {
    const before = world(declaration(first, second), handler);
    const waiting = await before.step();
    expect(waiting).toMatchObject({ state: 'wait', vendorJob: 'j1' });
    const after = world(declaration(second), handler);
    const stopped = await after.step({ cursor: cursorOf(waiting) });
    expect(stopped).toMatchObject({ state: 'operator', code: 'CONFIG_INVALID' });
    expect(after.calls).toEqual([]);
    expect(await after.step({ previous: cursorOf(stopped) })).toMatchObject({ state: 'wait' });
    expect(after.calls).toEqual(['POST /tickets']);
    expect(await before.step({ cursor: cursorOf(waiting) }), 'unchanged it goes on').toMatchObject({ outcome: 'erased' });
  });

  it('keeps the end of a step before the next begins, whose look-up may fail', async () => {
    const both = { ...byRecord, locate: [{ ...contacts, found: {} }], erase: [first, each('contacts')] };
    const { step, test, calls } = world(both, (call) => (call === 'GET /contacts' ? json({}, 500) : json({})));
    expect(await step()).toMatchObject({ code: 'VENDOR_UNAVAILABLE' });
    await step({ cursor: test.saved()?.cursor ?? null, attempt: 2 });
    expect(calls).toEqual(['POST /profile', 'GET /contacts', 'GET /contacts']);
  });
});

describe('what is gone when it is asked for again', () => {
  const records = { ...byRecord, locate: [{ ...contacts, found: {} }] };
  const attempts = async (declaration: object, first: () => Response | Promise<Response>): Promise<EraseResult | Failure> => {
    let asked = 0;
    const { step, test } = world(declaration, (call) => {
      if (call === 'GET /contacts') return json({ contacts: [{ id: 1 }] });
      asked += 1;
      return asked === 1 ? first() : json({ code: 'not_found' }, 404);
    });
    const failed = await step().catch(() => undefined);
    expect(failed === undefined || failed instanceof Failure).toBe(true);
    return step({ cursor: test.saved()?.cursor ?? null, attempt: 2 });
  };
  const lost = (): Response => {
    throw new Failure('VENDOR_TIMEOUT', 'The vendor did not answer');
  };
  const died = (): Response => {
    throw new TypeError('The process died here');
  };

  it.each<[string, () => Response, string]>([
    ['429', () => json({}, 429), 'already_absent'],
    ['503', () => json({}, 503), 'already_absent'],
    ['our own rate limit', () => { throw new Failure('VENDOR_RATE_LIMITED', 'The limit of the connection'); }, 'already_absent'],
    ['no answer', lost, 'erased'],
    ['a death', died, 'erased'],
  ])('after %s is not claimed beyond what can have been done', async (_name, first, outcome) => {
    expect(await attempts(atOnce({ status: 204, is: 'success' }, gone), first)).toMatchObject({ outcome });
    expect(await attempts(records, first)).toMatchObject({ outcome });
  });
});

describe('what goes into the log', () => {
  const withJob = atOnce({ status: 202, is: 'pending', job: '$.job' });
  it.each(['ada@example.com', 'job\n1', 'job of ada', 'ERASE-4711-ABCD', 'x-ada.example.com', 'j'.repeat(201)])('is no job’s id that holds personal data or is none: %j', async (job) => {
    const { step } = world(withJob, () => json({ job }, 202), { identifiers: [email, { kind: 'external_id', value: '4711-abcd' }] });
    const result = await step();
    expect(result).toMatchObject({ state: 'operator', code: 'VENDOR_MALFORMED' });
    expect(JSON.stringify(result)).not.toContain(job.slice(0, 20));
  });

  it.each(['7c1f0d7e-1111-4222-8333-444455556666', 'urn:job:12', '17'])('may be the job’s id %s', async (job) => {
    expect(await world(withJob, () => json({ job }, 202)).step()).toMatchObject({ state: 'wait', vendorJob: job });
  });

  it.each([['GDPR Art. 17(3)(b)', [{ what: 'cases', why: 'legal_obligation', legal_basis: 'GDPR Art. 17(3)(b)', count: 1 }]], ['Ada Example, 12 High Street', [{ what: 'cases', why: 'legal_obligation', count: 1 }]]])('is a legal basis of an answer only where the declaration lists it: %s', async (basis, residue) => {
    const retaining = atOnce({ status: 422, is: 'retained', what: 'cases', legal_basis: '$.basis', legal_bases: ['GDPR Art. 17(3)(b)'] });
    expect(await world(retaining, () => json({ basis }, 422)).step()).toMatchObject({ outcome: 'retained', residue });
  });
});

describe('an answer that would never end', () => {
  it('a poll that is to be asked again at once waits two seconds', async () => {
    expect(await world(atOnce({ status: 202, is: 'pending', job: '$.job' }), () => json({ job: 'j' }, 202, { 'retry-after': '0' })).step()).toMatchObject({ state: 'wait', afterMs: 2000 });
    expect(await world(atOnce({ status: 202, is: 'pending', job: '$.job', retry_after: '$.in' }), () => json({ job: 'j', in: 0 }, 202)).step()).toMatchObject({ state: 'wait', afterMs: 2000 });
    const often = { ...base, check: { request: { path: '/me' }, works: { status: 200 } }, confirm: { by: 'attestation' }, erase: [{ request: { method: 'POST', path: '/erasures' }, answers: [{ status: 202, is: 'pending', job: '$.job' }], poll: { request: { path: '/jobs/{{vendor_job}}' }, answers: [{ status: 200, is: 'success' }], every_seconds: 1 } }] };
    expect(await world(often, () => json({ job: 'j' }, 202)).step()).toMatchObject({ state: 'wait', afterMs: 2000 });
  });

  it('empty pages without an end are VENDOR_MALFORMED, also where each step reads only one', async () => {
    const paged = { ...byRecord, locate: [{ ...contacts, found: {}, request: { path: '/contacts', query: { q: '{{identifier.value}}', page: '{{page?}}' } }, paging: { by: 'cursor', next: '$.next' }, at_most: 5 }] };
    const { step, calls } = world(paged, (_call, url) => json({ contacts: [], next: String(Number(url.searchParams.get('page') ?? 0) + 1) }), { shouldYield: () => true });
    let result = await step();
    for (let at = 0; at < 300 && !(result instanceof Failure) && result.state === 'continue'; at += 1) result = await step({ cursor: result.cursor });
    expect(result).toMatchObject({ code: 'VENDOR_MALFORMED' });
    expect(calls).toHaveLength(105);
  });

  it('a link with credentials in it, and JSON nested without measure, are VENDOR_MALFORMED', async () => {
    const linked = { ...byRecord, locate: [{ ...contacts, paging: { by: 'link', next: '$.next' } }] };
    const { step, calls } = world(linked, () => json({ contacts: [], next: 'https://user:secret@crm.example.com/more' }));
    expect(await step()).toMatchObject({ code: 'VENDOR_MALFORMED' });
    expect(calls).toHaveLength(1);
    const deep = `{"contacts":[{"id":1,"x":${'['.repeat(5000)}${']'.repeat(5000)}}]}`;
    expect(await world(byRecord, () => new Response(deep, { headers: { 'content-type': 'application/json' } })).step()).toMatchObject({ code: 'VENDOR_MALFORMED' });
  });

  it('ten thousand records are looked at in a moment', async () => {
    const many = json({ contacts: Array.from({ length: 10_000 }, (_, id) => ({ id, email: id === 9_999 ? 'bob@example.com' : email.value })) });
    const { connection, test } = world({ ...byRecord, access: [contacts] }, () => many.clone());
    const before = performance.now();
    await expect(connection.export?.(test.exporting())[Symbol.asyncIterator]().next()).rejects.toMatchObject({ code: 'SUBJECT_AMBIGUOUS' });
    expect(performance.now() - before).toBeLessThan(5000);
  });
});

describe('a declaration that may delete too much', () => {
  const refused = (declaration: object): string => httpConnector.config.safeParse(declaration).error?.issues.map(({ path, message }) => `${path.join('.')}: ${message}`).join('; ') ?? 'accepted';
  const deleting = { method: 'DELETE', path: '/contacts' };
  it.each<[string, object]>([
    ['locate', { locate: [{ ...contacts, request: deleting }] }],
    ['access', { access: [{ ...contacts, request: deleting }] }],
    ['confirm', { confirm: { by: 'request', request: deleting, answers: [{ status: 404, is: 'absent' }] } }],
    ['check', { check: { request: { ...deleting, method: 'PUT' }, works: { status: 200 } } }],
    ['poll', { erase: [{ ...each('contacts'), answers: [{ status: 202, is: 'pending' }], poll: { request: { ...deleting, method: 'PATCH' }, answers: [{ status: 200, is: 'success' }] } }] }],
  ])('is refused where %s does anything but read', (_place, part) => {
    expect(refused({ ...byRecord, ...part })).toContain('only GET and POST');
  });

  const findings = (declaration: object): string => (httpConnector.findings?.(httpConnector.config.parse(declaration)) ?? []).join('; ');
  it('is a finding where records are erased of which nothing shows whose they are', () => {
    expect(findings({ ...byRecord, locate: [{ ...contacts, found: {} }] })).toContain('neither match nor found');
    expect(findings({ ...byRecord, locate: [{ ...contacts, found: {}, request: { path: '/contacts/{{identifier.value}}' } }] })).toBe('');
    expect(findings(byRecord)).toBe('');
  });

  it('is a finding where credentials would cross a public network in clear', () => {
    expect(findings({ ...byRecord, base_url: 'http://crm.example.com' })).toContain('by http over a public network');
    expect(findings({ ...byRecord, auth: { scheme: 'oauth2', token_url: 'http://login.example.com/token', client_id: 'a', client_secret: 'b' } })).toContain('by http over a public network');
    for (const own of ['http://127.0.0.1:4200', 'http://10.0.0.7', 'http://localhost:1']) expect(findings({ ...byRecord, base_url: own })).toBe('');
  });
});
