import { readFileSync } from 'node:fs';
import { createServer, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { createTestContext, eraseToEnd, type ErasureRun, type TestContext, type TestContextOptions } from '../../src/connector-kit/conformance/index.ts';
import { createGuardedFetch, Failure, type Connection, type ConnectorContext, type Json, type RectifyContext } from '../../src/connector-kit/index.ts';
import { httpConnector } from '../../src/connectors/http/index.ts';
import type { Identifier } from '../../src/contract/identifiers.ts';
import { purgeCallback, purgeCredentials, purgeDefinition, startPurge, type PurgeSeed } from '../../src/sandbox/purge/index.ts';
import { createSimulator, type Simulator } from '../../src/sandbox/simulator.ts';
import { urlOf } from '../support/segment-bench.ts';

const email: Identifier = { kind: 'email', value: 'ada@example.com' };
const external: Identifier = { kind: 'external_id', value: 'ADA-4711' };
const ada = { email: 'ada@example.com', external_id: 'ADA-4711', cases: 2, notes: 3, attachments: 1 };

let vendor: Simulator;
beforeAll(async () => {
  vendor = await startPurge();
});
beforeEach(() => vendor.reset());
afterAll(async () => vendor.close());

interface Job {
  id: string;
  origin: Record<string, unknown>;
}
const dump = (): { subjects: { id: string }[]; jobs: Job[] } => vendor.dump() as { subjects: { id: string }[]; jobs: Job[] };
const callsTo = (method: string, path: string): number => vendor.calls.filter((each) => each.method === method && each.path.startsWith(path)).length;

const declared = (more: Record<string, unknown> = {}): unknown => ({
  use: 'purge',
  base_url: vendor.url,
  auth: { scheme: 'bearer', token: purgeCredentials.token },
  allow_private_network: true,
  identifiers: { email: 'email', external_id: 'external_id' },
  ...more,
});
const connect = (declaration: unknown = declared()): Connection => httpConnector.connect(httpConnector.config.parse(declaration));
const task = (options: Partial<TestContextOptions> = {}): TestContext => createTestContext({ egress: [vendor.url], identifier: email, identifiers: [email, external], seenHere: true, ...options });
const plant = (seed: PurgeSeed = {}): void => void vendor.seed({ subjects: [ada], ...seed });
const run = async (connection: Connection, test: TestContext): Promise<ErasureRun> => eraseToEnd(connection, test, { onWait: vendor.advance });

describe('an erasure by a purge contract', () => {
  it('sends scope, origin and the contact centre’s job, and counts what was deleted', async () => {
    plant();
    const connection = connect(declared({ scope: ['contacts', 'cases', 'notes', 'attachments'], origin_platform: 'genesys_cloud' }));
    const test = task({ earlierJobs: [{ connection: 'genesys', job: 'first' }, { connection: 'genesys', job: '7c1f' }] });
    const { result } = await run(connection, test);
    expect(result).toMatchObject({ state: 'done', outcome: 'erased', counts: { contacts: 1, cases: 2, notes: 3, attachments: 1 }, vendorJob: dump().jobs[0]?.id });
    expect(dump().jobs[0]?.origin).toEqual({ scope: ['contacts', 'cases', 'notes', 'attachments'], origin_platform: 'genesys_cloud', gen_job_id: '7c1f' });
  });

  it('503 twice and then 409 with the original job: the same key each time, and that job is followed', async () => {
    plant();
    vendor.fault({ kind: 'after', method: 'POST', path: '^/erasures', status: 503, times: 2 });
    const keys: unknown[] = [];
    const wrapFetch = (guarded: typeof fetch): typeof fetch => async (input, init) => {
      if (urlOf(input).endsWith('/erasures')) keys.push(new Headers(init?.headers).get('idempotency-key'));
      return guarded(input, init);
    };
    const { result, failures } = await run(connect(), task({ wrapFetch }));
    expect(failures.map(({ code }) => code)).toEqual(['VENDOR_UNAVAILABLE', 'VENDOR_UNAVAILABLE']);
    expect(result).toMatchObject({ state: 'done', outcome: 'erased', vendorJob: dump().jobs[0]?.id });
    expect(keys).toHaveLength(3);
    expect(new Set(keys).size).toBe(1);
    expect([dump().jobs.length, vendor.effects.length]).toEqual([1, 1]);
  });

  it('409 without a job is tried again later with the same key', async () => {
    plant();
    vendor.fault({ kind: 'status', method: 'POST', path: '^/erasures', status: 409, retryAfter: 3 });
    const { result, failures } = await run(connect(), task());
    expect(failures).toMatchObject([{ code: 'VENDOR_UNAVAILABLE', retryAfterMs: 3000 }]);
    expect(result).toMatchObject({ outcome: 'erased' });
  });

  it('a contract that changes its answer to the same key goes to a person, and its newer job is not taken', async () => {
    plant({ account: { changes_jobs: true, forgets_jobs: 1, polls_per_stage: 100, stage_ms: 3_600_000 } });
    const { result } = await run(connect(), task());
    expect(result).toMatchObject({ state: 'operator', code: 'VENDOR_INCONSISTENT' });
    expect(dump().jobs).toHaveLength(2);
    expect(vendor.effects).toEqual([]);
    expect(vendor.calls.some(({ path }) => path === `/erasures/${dump().jobs[1]?.id}`)).toBe(false);
  });

  it('a system that forgets its job is asked with the same key, and the same job is followed', async () => {
    plant({ account: { forgets_jobs: 1 } });
    const { result, results } = await run(connect(), task());
    expect(results).toContainEqual(expect.objectContaining({ state: 'wait', reason: 'not_visible_yet' }));
    expect(result).toMatchObject({ outcome: 'erased' });
    expect(dump().jobs).toHaveLength(1);
  });

  it('a system that never knows its job goes to a person', async () => {
    plant({ account: { forgets_jobs: 1000 } });
    expect((await run(connect(), task())).result).toMatchObject({ state: 'operator', code: 'VENDOR_JOB_FAILED' });
  });

  it('a job that failed goes to a person, whose retry has a new key and a new job', async () => {
    plant({ account: { fails_jobs: true } });
    const test = task();
    const { result, cursor } = await run(connect(), test);
    expect(result).toMatchObject({ state: 'operator', code: 'VENDOR_JOB_FAILED' });
    vendor.seed({ account: { fails_jobs: false } });
    let kept: unknown = null;
    for (let at = 0; at < 20; at += 1) {
      const next = await connect().erase({ ...test.step({ cursor: kept as null, attempt: 1 }), previous: kept === null ? cursor : null });
      if (next.state !== 'wait' && next.state !== 'continue') {
        expect(next).toMatchObject({ state: 'done', outcome: 'erased' });
        break;
      }
      kept = next.cursor;
      vendor.advance(60_000);
    }
    expect([dump().jobs.length, vendor.effects.length]).toEqual([2, 1]);
  });

  it('a retry after the window passed goes on with the job that runs', async () => {
    plant({ account: { polls_per_stage: 1 } });
    const test = task();
    const first = await connect().erase(test.step({ cursor: null, attempt: 1 }));
    expect(first.state).toBe('wait');
    const again = await connect().erase({ ...test.step({ cursor: null, attempt: 1 }), previous: first.state === 'wait' ? first.cursor : null });
    expect(again).toMatchObject({ state: 'wait', vendorJob: dump().jobs[0]?.id });
    expect(callsTo('POST', '/erasures')).toBe(1);
  });

  it('polls as the system says, otherwise every 15 s for five minutes and every 60 s from then on', async () => {
    plant({ account: { polls_per_stage: 1000, stage_ms: 86_400_000 } });
    const byItself = connect({ ...(declaredInFull() as object) });
    const test = task();
    let cursor: unknown = null;
    const waits: number[] = [];
    for (let at = 0; at < 24; at += 1) {
      const result = await byItself.erase(test.step({ cursor: cursor as null, attempt: 1 }));
      if (result.state !== 'wait') throw new Error('It is not over');
      waits.push(result.afterMs);
      cursor = result.cursor;
      test.advance(result.afterMs);
    }
    expect(waits.slice(0, 20)).toEqual(Array.from({ length: 20 }, () => 15_000));
    expect(waits.slice(21)).toEqual([60_000, 60_000, 60_000]);
    const said = await connect().erase(task({ taskId: 'other' }).step({ cursor: null, attempt: 1 }));
    expect(said, 'which said 1 s').toMatchObject({ state: 'wait', afterMs: 2000 });
  });

  it('zero records is nothing_matched, and only a look that finds nobody either makes it already absent', async () => {
    const counting = connect(declaredInFull({ status: 200, is: 'success', counts: { contacts: '$.deleted.contacts' } }));
    const wrapFetch = (): typeof fetch => async (input) => Response.json(urlOf(input).endsWith('/erasures') ? { status: 'completed', deleted: { contacts: 0 } } : { subjects: [{ id: 'still-there' }] });
    expect((await run(counting, task({ wrapFetch }))).result).toMatchObject({ outcome: 'nothing_matched', counts: {} });
    expect((await run(counting, task({ wrapFetch, seenHere: false }))).result).toMatchObject({ outcome: 'nothing_matched' });
    const gone = (): typeof fetch => async (input) => Response.json(urlOf(input).endsWith('/erasures') ? { status: 'completed', deleted: { contacts: 0 } } : { subjects: [] });
    expect((await run(counting, task({ wrapFetch: gone }))).result).toMatchObject({ outcome: 'already_absent' });
  });

  it('what is kept by law is retained, with its basis and its end, and claims no erasure', async () => {
    plant({ subjects: [{ ...ada, hold: { legal_basis: 'GDPR Art. 17(3)(e)', until: '2031-05-01' } }] });
    const { result } = await run(connect(), task());
    expect(result).toMatchObject({ outcome: 'retained', residue: [{ what: 'records', why: 'legal_obligation', legal_basis: 'GDPR Art. 17(3)(e)', until: '2031-05-01T00:00:00.000Z', count: 1 }] });
    expect(vendor.effects).toEqual([]);
  });

  it('adds what the declaration says stays there after every erasure', async () => {
    plant();
    const { result } = await run(connect(declared({ residue: [{ what: 'recycle_bin', why: 'vendor_retention', until_days: 15 }] })), task());
    expect(result).toMatchObject({ residue: [{ what: 'recycle_bin', why: 'vendor_retention', until: expect.stringMatching(/^20/u) as string }] });
  });
});

/** The contract written out, with one answer of its own before the others. */
function declaredInFull(...answers: unknown[]): unknown {
  return {
    base_url: vendor.url,
    auth: { scheme: 'bearer', token: purgeCredentials.token },
    allow_private_network: true,
    identifiers: { email: 'email' },
    locate: [{ type: 'contacts', request: { method: 'POST', path: '/subjects/search', body: { subject: { kind: '{{identifier.kind}}', value: '{{identifier.value}}' } } }, items: '$.subjects' }],
    erase: [
      {
        request: { method: 'POST', path: '/erasures', headers: { 'Idempotency-Key': '{{idempotency_key}}' }, body: { subject: { kind: '{{identifier.kind}}', value: '{{identifier.value}}' } } },
        answers: [...answers, { status: 202, is: 'pending', job: '$.job_id' }],
        poll: { request: { path: '/erasures/{{vendor_job}}' }, answers: [{ status: 200, when: { '$.status': ['queued', 'running'] }, is: 'pending', job: '$.job_id' }] },
      },
    ],
  };
}

describe('what an answer means', () => {
  const step = async (rule: unknown, answer: Response, seenHere = false): Promise<unknown> => {
    const connection = connect(declaredInFull(rule));
    const test = task({ seenHere, wrapFetch: () => async (input) => (urlOf(input).endsWith('/erasures') ? answer : Response.json({ subjects: [] })) });
    return connection.erase(test.step({ cursor: null, attempt: 1 })).catch((error: unknown) => error);
  };
  const json = (status: number, body: unknown = {}, headers: Record<string, string> = {}): Response => Response.json(body, { status, headers });

  it.each<[string, unknown, () => Response, object]>([
    ['a success', { status: 200, is: 'success' }, () => json(200), { outcome: 'erased' }],
    ['a success without a body', { status: 204, is: 'success' }, () => new Response(null, { status: 204 }), { outcome: 'erased' }],
    ['a success of another state', { status: 200, when: { '$.state': 'done' }, is: 'success' }, () => json(200, { state: 'open' }), { code: 'VENDOR_MALFORMED' }],
    ['a good status that no rule is about', { status: 200, is: 'success' }, () => json(201), { code: 'VENDOR_MALFORMED' }],
    ['a success with a count that is none', { status: 200, is: 'success', counts: { contacts: '$.deleted' } }, () => json(200, { deleted: -1 }), { code: 'VENDOR_MALFORMED' }],
    ['a success with a list of what was deleted', { status: 200, is: 'success', counts: { contacts: '$.deleted' } }, () => json(200, { deleted: ['a', 'b'] }), { outcome: 'erased', counts: { contacts: 2 } }],
    ['a job', { status: 202, is: 'pending', job: '$.id' }, () => json(202, { id: 12 }), { state: 'wait', vendorJob: '12' }],
    ['a job that is not named', { status: 202, is: 'pending', job: '$.id' }, () => json(202, {}), { code: 'VENDOR_MALFORMED' }],
    ['a time to ask again', { status: 202, is: 'pending', job: '$.id', retry_after: '$.in' }, () => json(202, { id: 'a', in: 7 }), { afterMs: 7000 }],
    ['the header for it', { status: 202, is: 'pending', job: '$.id' }, () => json(202, { id: 'a' }, { 'retry-after': '9' }), { afterMs: 9000 }],
    ['a 404 that says gone', { status: 404, when: { '$.code': 'not_found' }, is: 'already_gone' }, () => json(404, { code: 'not_found' }), { outcome: 'nothing_matched' }],
    ['a 404 of something else', { status: 404, when: { '$.code': 'not_found' }, is: 'already_gone' }, () => json(404, { code: 'no_route' }), { code: 'CONNECTION_REFUSED' }],
    ['a proxy’s page with a 404', { status: 404, is: 'already_gone' }, () => new Response('<html>', { status: 404, headers: { 'content-type': 'text/html' } }), { code: 'CONNECTION_REFUSED' }],
    ['a page with a 404 that is declared', { status: 404, is: 'already_gone', any_body: true }, () => new Response('nobody', { status: 404 }), { outcome: 'nothing_matched' }],
    ['a proxy’s page with a 200', { status: 200, is: 'success' }, () => new Response('<html>', { status: 200, headers: { 'content-type': 'text/html' } }), { code: 'VENDOR_MALFORMED' }],
    ['a redirect', { status: 200, is: 'success' }, () => new Response(null, { status: 302, headers: { location: 'https://evil.example/' } }), { code: 'CONNECTION_REFUSED' }],
    ['a failure for later', { status: 422, is: 'failure', retry: 'later' }, () => json(422), { code: 'VENDOR_UNAVAILABLE' }],
    ['a failure for a person', { status: 422, is: 'failure', retry: 'operator' }, () => json(422), { state: 'operator', code: 'CONNECTION_REFUSED' }],
    ['nobody', { status: 200, when: { '$.matched': 0 }, is: 'nothing_matched' }, () => json(200, { matched: 0 }), { outcome: 'nothing_matched' }],
    ['every part done', { status: 200, when: { '$.parts[*]': { every: ['done', 'skipped'] } }, is: 'success' }, () => json(200, { parts: ['done', 'skipped'] }), { outcome: 'erased' }],
    ['one part open', { status: 200, when: { '$.parts[*]': { every: 'done' } }, is: 'success' }, () => json(200, { parts: ['done', 'open'] }), { code: 'VENDOR_MALFORMED' }],
    ['no parts at all', { status: 200, when: { '$.parts[*]': { every: 'done' } }, is: 'success' }, () => json(200, { parts: [] }), { code: 'VENDOR_MALFORMED' }],
    ['a refused credential', { status: 200, is: 'success' }, () => json(403), { code: 'CONNECTION_AUTH' }],
    ['429', { status: 200, is: 'success' }, () => json(429, {}, { 'retry-after': '5' }), { code: 'VENDOR_RATE_LIMITED', retryAfterMs: 5000 }],
  ])('%s', async (_name, rule, answer, expected) => {
    expect(await step(rule, answer(), 'outcome' in expected && expected.outcome === 'erased')).toMatchObject(expected);
  });

  it('gone is already_absent only where resolution saw it there, and erased where an attempt of ours was not answered', async () => {
    const rule = { status: 404, when: { '$.code': 'not_found' }, is: 'already_gone' };
    expect(await step(rule, json(404, { code: 'not_found' }), true)).toMatchObject({ outcome: 'already_absent' });
    const connection = connect(declaredInFull(rule));
    let calls = 0;
    const wrapFetch = (): typeof fetch => async () => {
      calls += 1;
      if (calls === 1) throw new Failure('VENDOR_TIMEOUT', 'The vendor did not answer');
      return json(404, { code: 'not_found' });
    };
    const lost = await run(connection, task({ wrapFetch }));
    expect([calls, lost.result]).toMatchObject([2, { outcome: 'erased' }]);
  });

  it('a success that counts nothing, of somebody whom no look-up knows, claims no erasure', async () => {
    expect(await step({ status: 200, is: 'success' }, json(200))).toMatchObject({ outcome: 'nothing_matched' });
    expect(await step({ status: 200, is: 'success', counts: { contacts: '$.n' } }, json(200, { n: 2 }))).toMatchObject({ outcome: 'erased' });
    expect(await step({ status: 200, is: 'success', counts: { contacts: '$.n' } }, json(200), true)).toMatchObject({ code: 'VENDOR_MALFORMED' });
  });

  it('a failure that the declaration names comes before every other rule', async () => {
    const limited = connect({ ...(declaredInFull() as object), failures: [{ status: 403, when: { '$[0].errorCode': 'REQUEST_LIMIT_EXCEEDED' }, retry: 'later' }] });
    const test = task({ wrapFetch: () => async () => Response.json([{ errorCode: 'REQUEST_LIMIT_EXCEEDED' }], { status: 403 }) });
    await expect(limited.locate(test.plain, [email])).rejects.toMatchObject({ code: 'VENDOR_UNAVAILABLE' });
    await expect(limited.erase(test.step({ cursor: null, attempt: 1 }))).rejects.toMatchObject({ code: 'VENDOR_UNAVAILABLE' });
  });
});

describe('a look-up', () => {
  const looking = (lookUp: object, answer: () => Response): Promise<unknown> => {
    const connection = connect({ ...(declaredInFull() as object), locate: [{ type: 'contacts', request: { path: '/contacts', query: { page: '{{page?}}' } }, items: '$.results', paging: { by: 'cursor', next: '$.next' }, ...lookUp }] });
    return connection.locate(task({ wrapFetch: () => async () => answer() }).plain, [email]).catch((error: unknown) => error);
  };
  it.each<[string, object, unknown, number, object]>([
    ['without its list', {}, { oops: [] }, 200, { code: 'VENDOR_MALFORMED' }],
    ['with an empty list', {}, { results: [] }, 200, { knows: [] }],
    ['with somebody else only', { match: { email: ['$.email', '$.others[*]'] } }, { results: [{ id: 1, email: 'ada@example.com.evil.example' }] }, 200, { knows: [] }],
    ['with the person under another address of hers', { match: { email: ['$.email', '$.others[*]'] } }, { results: [{ id: 1, email: 'a@example.com', others: ['ADA@example.com'] }] }, 200, { knows: [email] }],
    ['with deleted records only', { where: { '$.deleted': false } }, { results: [{ id: 1, deleted: true }] }, 200, { knows: [] }],
    ['with the same page for ever', {}, { results: [{ id: 1 }], next: 'a' }, 200, { code: 'VENDOR_MALFORMED' }],
    ['with a link to another host', { paging: { by: 'link', next: '$.next' } }, { results: [{ id: 1 }], next: 'https://evil.example/more' }, 200, { code: 'EGRESS_FORBIDDEN' }],
    ['with more than it may find', { at_most: 1 }, { results: [{ id: 1 }, { id: 2 }] }, 200, { code: 'SUBJECT_AMBIGUOUS' }],
    ['with a 404 that is declared', { empty: [{ status: 404, when: { '$.code': 'nobody' } }] }, { code: 'nobody' }, 404, { knows: [] }],
    ['with a 404 that is not', { empty: [{ status: 404, when: { '$.code': 'nobody' } }] }, { code: 'no_route' }, 404, { code: 'CONNECTION_REFUSED' }],
  ])('%s', async (_name, lookUp, body, status, expected) => {
    expect(await looking(lookUp, () => Response.json(body, { status }))).toMatchObject(expected);
  });

  it.each<[string, object, object]>([
    ['with several addresses in one text', { match: { email: '$.all' } }, { knows: [email] }],
    ['with a record that does not show what was asked for, where that is for a person', { match: { email: '$.email' }, unmatched: 'ambiguous' }, { knows: [] }],
  ])('%s', async (_name, lookUp, expected) => {
    expect(await looking(lookUp, () => Response.json({ results: [{ id: 1, email: 'other@example.com', all: 'a@example.com; Ada@Example.com' }] }))).toMatchObject(expected);
  });

  it('ties what its records carry to the person, fully only where there is one record', async () => {
    plant({ subjects: [ada, { email: 'ada@example.com', external_id: 'ADA-2', phone: 'unknown' }] });
    const { found } = await connect().locate(task().plain, [email]);
    expect(found).toEqual([
      { identifier: { kind: 'external_id', value: 'ADA-4711' }, via: email, confidence: 0.5 },
      { identifier: { kind: 'external_id', value: 'ADA-2' }, via: email, confidence: 0.5 },
    ]);
    const one = await connect().locate(task().plain, [external]);
    expect(one.found).toEqual([{ identifier: email, via: external, confidence: 1 }]);
  });

  it('gives every record for the right of access, page by page', async () => {
    plant({ account: { page_size: 2 } });
    const records: unknown[] = [];
    for await (const page of connect().export?.(task().exporting()) ?? []) records.push(...page.records);
    expect(records).toHaveLength(7);
    expect(records[0]).toMatchObject({ type: 'records', data: { email: 'ada@example.com' } });
  });

  it('exports by the kinds that a look-up under access takes, and by no others', () => {
    const access = (by?: string[]): object => ({ type: 'contacts', ...(by === undefined ? {} : { by }), request: { path: '/contacts', query: { email: '{{identifier.value}}' } }, items: '$.contacts' });
    const kinds = (...given: object[]): unknown => httpConnector.capabilities(httpConnector.config.parse({ ...(declaredInFull() as object), identifiers: { email: 'email', external_id: 'external_id' }, access: given })).exports;
    expect([kinds(access(['email'])), kinds(access()), kinds()]).toEqual([['email'], ['email', 'external_id'], undefined]);
  });

  it('goes on with an export at every page of a long look-up, with what belongs to its records, and gives nothing twice', async () => {
    plant({ account: { page_size: 2 }, subjects: Array.from({ length: 7 }, (_, at) => ({ email: `ada-${at}@example.com`, notes: at === 3 ? 3 : 1 })) });
    const access = [
      { type: 'contacts', request: { path: '/contacts', query: { email: '{{identifier.value}}', page: '{{page?}}' } }, items: '$.contacts', paging: { by: 'number' } },
      { type: 'notes', of: 'contacts', request: { path: '/contacts/{{parent.id}}/notes' }, items: '$.notes', paging: { by: 'link', next: '$.next' } },
    ];
    const connection = connect({ ...(declaredInFull() as object), access });
    const read = async (cursor: Json, pagesMax: number): Promise<{ ids: string[]; resume: Json }> => {
      const ids: string[] = [];
      let resumes = 0;
      for await (const page of connection.export?.(task().exporting(cursor)) ?? []) {
        ids.push(...page.records.map(({ data }) => (data as { id: string }).id));
        resumes += page.resume === undefined ? 0 : 1;
        if (resumes === pagesMax) return { ids, resume: page.resume ?? null };
      }
      return { ids, resume: null };
    };
    const all = (await read(null, 100)).ids;
    expect([all.length, new Set(all).size]).toEqual([16, 16]);
    for (const pages of [1, 2, 3, 4]) {
      const first = await read(null, pages);
      expect(first.ids.length).toBeLessThanOrEqual(pages * 6);
      expect([...first.ids, ...(await read(first.resume, 100)).ids]).toEqual(all);
    }
  });
});

describe('a correction', () => {
  const locate = [{ type: 'contacts', request: { method: 'POST', path: '/subjects/search', body: { subject: { kind: '{{identifier.kind}}', value: '{{identifier.value}}' } } }, items: '$.subjects', found: { email: '$.email', external_id: '$.external_id' } }];
  const rectify = [{ each: 'contacts', fields: { email: '$.email', phone: '$.phone' }, request: { method: 'PATCH', path: '/contacts/{{item.id}}', headers: { 'Idempotency-Key': '{{idempotency_key}}' }, body: { email: '{{correction.email?}}', phone: '{{correction.phone?}}' } }, answers: [{ status: 204, is: 'success' }] }];
  const correcting = (test: TestContext, corrections: RectifyContext['corrections']): RectifyContext => ({ ...test.step({ cursor: null, attempt: 1 }), corrections });
  const moved = [{ field: 'email', from: 'ada@example.com', to: 'ada@example.org' }, { field: 'phone', to: '+12025550199' }];
  const held = (): readonly { email?: string; phone?: string }[] => (vendor.dump() as { subjects: { email?: string; phone?: string }[] }).subjects;

  it('is made where it is asked for and nowhere else, once, and seen under the new address', async () => {
    plant({ subjects: [ada, { email: 'bob@example.com', external_id: 'BOB-1' }] });
    const connection = connect({ ...(declaredInFull() as object), locate, rectify });
    const test = task();
    const context = correcting(test, moved);
    expect(await connection.confirmRectified?.(context)).toEqual({ state: 'otherwise', fields: ['email', 'phone'] });
    expect(await connection.rectify?.(context)).toMatchObject({ state: 'done', outcome: 'corrected', counts: { contacts: 1 } });
    const again = { ...context, cursor: test.saved()?.cursor ?? null };
    expect(held()).toMatchObject([{ email: 'ada@example.org', phone: '+12025550199' }, { email: 'bob@example.com' }]);
    // A run that died after the call is made again, and finds it done.
    expect(await connection.rectify?.(again)).toMatchObject({ state: 'done', outcome: 'corrected', counts: {} });
    expect(vendor.effects).toHaveLength(1);
    expect(await connection.confirmRectified?.(again)).toEqual({ state: 'as_asked' });
  });

  it('that the system says it made and did not is not taken for made', async () => {
    plant();
    vendor.fault({ kind: 'lie', method: 'PATCH', path: '^/contacts' });
    const connection = connect({ ...(declaredInFull() as object), locate, rectify });
    const test = task();
    const context = correcting(test, moved);
    expect(await connection.rectify?.(context)).toMatchObject({ outcome: 'corrected' });
    expect(await connection.confirmRectified?.({ ...context, cursor: test.saved()?.cursor ?? null })).toEqual({ state: 'otherwise', fields: ['email', 'phone'] });
  });

  it('of what has another value than the person says is left as it is and goes to a person, as does one that the system has no field for', async () => {
    plant({ subjects: [{ ...ada, phone: '+12025550111' }] });
    const connection = connect({ ...(declaredInFull() as object), locate, rectify });
    expect(await connection.rectify?.(correcting(task(), [{ field: 'phone', from: '+12025550122', to: '+12025550199' }]))).toMatchObject({ state: 'operator', code: 'SUBJECT_AMBIGUOUS', counts: {} });
    expect(held()).toMatchObject([{ phone: '+12025550111' }]);
    expect(await connection.rectify?.(correcting(task(), [{ field: 'birth_name', to: 'Byron' }]))).toMatchObject({ state: 'operator', code: 'UNSUPPORTED' });
  });

  it('of nobody is nothing_matched, and of records that may be several people’s goes to a person first', async () => {
    const connection = connect({ ...(declaredInFull() as object), locate, rectify });
    expect(await connection.rectify?.(correcting(task(), moved))).toMatchObject({ state: 'done', outcome: 'nothing_matched' });
    plant({ subjects: [ada, { email: 'ada@example.com', external_id: 'SOMEBODY-ELSE' }] });
    expect(await connection.rectify?.(correcting(task(), moved))).toMatchObject({ state: 'operator', code: 'SUBJECT_AMBIGUOUS' });
    expect(vendor.effects).toEqual([]);
  });
});

describe('records one by one', () => {
  const answers = [{ status: 204, is: 'success' }, { status: 404, when: { '$.code': 'not_found' }, is: 'already_gone' }];
  const byRecord = (...more: object[]): Connection =>
    connect({
      base_url: vendor.url,
      auth: { scheme: 'bearer', token: purgeCredentials.token },
      allow_private_network: true,
      identifiers: { email: 'email' },
      locate: [{ type: 'contacts', request: { method: 'POST', path: '/subjects/search', body: { subject: { kind: 'email', value: '{{identifier.value}}' } } }, items: '$.subjects', found: { email: '$.email', external_id: '$.external_id' } }],
      erase: [{ each: 'contacts', request: { method: 'DELETE', path: '/contacts/{{item.id}}' }, answers }, ...more],
    });

  it('of which one carries an identifier that was not resolved go to a person, and nothing is erased', async () => {
    plant({ subjects: [{ email: 'ada@example.com', external_id: 'ADA-4711' }, { email: 'ada@example.com', external_id: 'SOMEBODY-ELSE' }] });
    const test = task();
    const first = await run(byRecord(), test);
    expect(first.result).toMatchObject({ state: 'operator', code: 'SUBJECT_AMBIGUOUS' });
    expect(vendor.effects).toEqual([]);
    const all = task({ identifiers: [email, external, { kind: 'external_id', value: 'SOMEBODY-ELSE' }] });
    expect((await run(byRecord(), all)).result).toMatchObject({ outcome: 'erased', counts: { contacts: 2 } });
  });

  it('that a household shares a telephone number under go to a person, who may let it run', async () => {
    const phone: Identifier = { kind: 'phone', value: '+12025550123' };
    const shared = { identifiers: { phone: 'phone' }, auth: { scheme: 'bearer', token: purgeCredentials.token } };
    plant({ subjects: [{ email: 'ada@example.com', phone: phone.value }, { email: 'bob@example.com', phone: phone.value }] });
    // As resolution leaves it: the other address is in the vault too, for a person to decide on.
    const test = task({ identifier: phone, identifiers: [phone, email, { kind: 'email', value: 'bob@example.com' }] });
    const first = await run(connect(declared(shared)), test);
    expect(first.result).toMatchObject({ state: 'operator', code: 'SUBJECT_AMBIGUOUS' });
    expect([dump().jobs, vendor.effects]).toEqual([[], []]);
    const export_ = connect(declared(shared)).export?.(test.exporting());
    await expect(export_?.[Symbol.asyncIterator]().next()).rejects.toMatchObject({ code: 'SUBJECT_AMBIGUOUS' });
    expect(await connect(declared(shared)).erase({ ...test.step({ cursor: null, attempt: 1 }), previous: first.cursor })).toMatchObject({ state: 'wait' });
    expect(dump().jobs).toHaveLength(1);
  });

  it('that the declaration will not leave out unmatched go to a person before anything is erased', async () => {
    plant();
    const strict = connect({ ...(declaredInFull() as object), locate: [{ type: 'contacts', request: { method: 'POST', path: '/subjects/search', body: { subject: { kind: 'email', value: '{{identifier.value}}' } } }, items: '$.subjects', match: { email: '$.other' }, unmatched: 'ambiguous' }] });
    expect((await run(strict, task())).result).toMatchObject({ state: 'operator', code: 'SUBJECT_AMBIGUOUS' });
    expect(dump().jobs).toEqual([]);
  });

  it('are gone for good only after the last step, and counted once', async () => {
    plant({ subjects: [{ email: 'ada@example.com' }] });
    const { result } = await run(byRecord({ each: 'contacts', request: { method: 'DELETE', path: '/deleted-contacts/{{item.id}}' }, answers }), task());
    expect(result).toMatchObject({ outcome: 'erased', counts: { contacts: 1 } });
    expect(vendor.effects.map(({ type }) => type)).toEqual(['contact.hidden', 'contact.deleted']);
  });

  it('that are still there after a step said gone go to a person', async () => {
    plant({ subjects: [{ email: 'ada@example.com' }] });
    vendor.fault({ kind: 'lie', method: 'DELETE' });
    const look = { each: 'contacts', request: { path: '/contacts/{{item.id}}/notes' }, answers: [{ status: 200, when: { '$.notes': { exists: true } }, is: 'still_there' }, { status: 404, is: 'already_gone' }] };
    expect((await run(byRecord(look), task())).result).toMatchObject({ state: 'operator', code: 'STILL_PRESENT' });
  });

  it('are looked for again and erased again when a person has them tried again', async () => {
    plant({ subjects: [{ email: 'ada@example.com' }] });
    vendor.fault({ kind: 'lie', method: 'DELETE' });
    const test = task();
    const first = await run(byRecord(), test);
    expect(first.result).toMatchObject({ outcome: 'erased', counts: { contacts: 1 } });
    expect(await byRecord().confirm(test.step({ cursor: first.cursor, attempt: 1 }))).toMatchObject({ state: 'present' });
    const again = await byRecord().erase({ ...test.step({ cursor: null, attempt: 1 }), previous: first.cursor });
    expect(again).toMatchObject({ outcome: 'erased', counts: { contacts: 1 } });
    expect(vendor.effects).toHaveLength(1);
  });

  it('can be sent as a text, with ids only', async () => {
    const sent: unknown[] = [];
    const text = { each: 'contacts', request: { method: 'POST', path: '/bulk', text: { content_type: 'text/csv', body: 'Id\n{{item.id}}\n' } }, answers: [{ status: 200, is: 'success' }] };
    const wrapFetch = (guarded: typeof fetch): typeof fetch => async (input, init) => {
      if (!urlOf(input).endsWith('/bulk')) return guarded(input, init);
      sent.push([init?.body, new Headers(init?.headers).get('content-type')]);
      return Response.json({});
    };
    plant({ subjects: [{ email: 'ada@example.com' }] });
    await run(byRecord(text), task({ wrapFetch }));
    expect(sent).toEqual([['Id\nsub_1\n', 'text/csv']]);
    const hostile = (): typeof fetch => async () => Response.json({ subjects: [{ id: 'a\nb' }] });
    await expect(run(byRecord(text), task({ wrapFetch: () => async (input, init) => (init?.method === 'DELETE' ? new Response(null, { status: 204 }) : hostile()(input, init)) }))).rejects.toMatchObject({ code: 'UNSUPPORTED' });
  });
});

describe('a read-back', () => {
  const reading = (more: object): Connection => connect({ ...(declaredInFull() as object), ...more });
  const over = { phase: 'over', declared: '', doubts: [], ties: {}, generation: 0, step: 1, succeeded: 1, none: 0, counts: {}, retained: [], before: { deleted: {}, absent: {} }, at: 0 };

  it('waits for what may still be seen, and then says present', async () => {
    plant();
    const test = task({ now: () => 10_000 });
    const slow = reading({ confirm: { by: 'locate', within_seconds: 60 } });
    expect(await slow.confirm(test.step({ cursor: over, attempt: 1 }))).toEqual({ state: 'later', afterMs: 30_000 });
    test.advance(60_000);
    expect(await slow.confirm(test.step({ cursor: over, attempt: 1 }))).toEqual({ state: 'present', found: [email] });
  });

  it('says attested where nothing can be looked at', async () => {
    expect(await reading({ confirm: { by: 'attestation' } }).confirm(task().step({ cursor: over, attempt: 1 }))).toEqual({ state: 'attested' });
    expect(httpConnector.findings?.(httpConnector.config.parse({ ...(declaredInFull() as object), confirm: { by: 'attestation' } }))).toHaveLength(1);
    expect(httpConnector.findings?.(httpConnector.config.parse(declaredInFull()))).toEqual([]);
  });

  it.each([
    [404, { code: 'not_found' }, { state: 'absent' }],
    [200, { erased: true }, { state: 'absent' }],
    [200, { erased: false }, { state: 'present', found: [email] }],
    [202, {}, { state: 'later' }],
    [500, {}, { code: 'VENDOR_UNAVAILABLE' }],
    [200, { other: 1 }, { code: 'VENDOR_MALFORMED' }],
  ])('by a request of its own: %i %j', async (status, body, expected) => {
    const answers = [
      { status: 404, when: { '$.code': 'not_found' }, is: 'absent' },
      { status: 200, when: { '$.erased': true }, is: 'absent' },
      { status: 200, when: { '$.erased': false }, is: 'present' },
      { status: 202, is: 'later' },
    ];
    const own = reading({ confirm: { by: 'request', request: { path: '/proof', query: { of: '{{identifier.value}}' } }, answers } });
    const test = task({ wrapFetch: () => async () => Response.json(body, { status }) });
    expect(await own.confirm(test.step({ cursor: over, attempt: 1 })).catch((error: unknown) => error)).toMatchObject(expected);
  });
});

describe('credentials', () => {
  const { token, username, password, apiKey, hmacSecret, clientId, clientSecret } = purgeCredentials;
  it.each<[string, PurgeSeed['account'], () => object, () => object]>([
    ['bearer', { auth: 'bearer' }, () => ({ scheme: 'bearer', token }), () => ({ scheme: 'bearer', token: 'wrong' })],
    ['basic', { auth: 'basic' }, () => ({ scheme: 'basic', username, password }), () => ({ scheme: 'basic', username, password: 'wrong' })],
    ['an API key in a header', { auth: 'api_key' }, () => ({ scheme: 'api_key', name: 'X-Api-Key', key: apiKey }), () => ({ scheme: 'api_key', name: 'X-Api-Key', key: 'wrong' })],
    ['an API key in the query', { auth: 'api_key' }, () => ({ scheme: 'api_key', in: 'query', name: 'api_key', key: apiKey }), () => ({ scheme: 'none' })],
    ['an HMAC signature', { auth: 'hmac' }, () => ({ scheme: 'hmac', secret: hmacSecret }), () => ({ scheme: 'hmac', secret: 'wrong' })],
    ['an HMAC signature over the body alone, to a system that wants more', { auth: 'hmac' }, () => ({ scheme: 'hmac', secret: hmacSecret }), () => ({ scheme: 'hmac', secret: hmacSecret, over: 'body' })],
    ['OAuth client credentials in the header', { auth: 'oauth2' }, () => ({ scheme: 'oauth2', token_url: `${vendor.url}/oauth/token`, client_id: clientId, client_secret: clientSecret }), () => ({ scheme: 'oauth2', token_url: `${vendor.url}/oauth/token`, client_id: clientId, client_secret: 'wrong' })],
    ['OAuth client credentials in the form', { auth: 'oauth2' }, () => ({ scheme: 'oauth2', token_url: `${vendor.url}/oauth/token`, client_id: clientId, client_secret: clientSecret, authentication: 'body' }), () => ({ scheme: 'none' })],
  ])('%s: work for a whole erasure, and others are refused', async (_name, account, right, wrong) => {
    plant({ account });
    const connection = connect(declared({ auth: right() }));
    await connection.check(task().plain);
    expect((await run(connection, task())).result).toMatchObject({ outcome: 'erased' });
    const refused = connect(declared({ auth: wrong() }));
    await expect(refused.check(task().plain)).rejects.toMatchObject({ code: 'CONNECTION_AUTH' });
    await expect(refused.erase(task().step({ cursor: null, attempt: 1 }))).rejects.toMatchObject({ code: 'CONNECTION_AUTH' });
  });

  it('a token that is revoked in mid-run is replaced once, and the call repeated with the same key', async () => {
    plant({ account: { auth: 'oauth2', is_immediate: true } });
    const connection = connect(declared({ auth: { scheme: 'oauth2', token_url: `${vendor.url}/oauth/token`, client_id: clientId, client_secret: clientSecret } }));
    await connection.check(task().plain);
    vendor.fault({ kind: 'status', status: 401, method: 'POST', path: '^/erasures' });
    expect(await connection.erase(task().step({ cursor: null, attempt: 1 }))).toMatchObject({ outcome: 'erased' });
    expect([callsTo('POST', '/oauth/token'), callsTo('POST', '/erasures')]).toEqual([2, 2]);
    vendor.fault({ kind: 'status', status: 401, path: '^/subjects', times: 2 });
    await expect(connection.locate(task().plain, [email])).rejects.toMatchObject({ code: 'CONNECTION_AUTH' });
  });

  it('may call the token’s host besides its own, and no other', () => {
    const config = httpConnector.config.parse(declared({ base_url: 'https://crm.example.com/privacy', auth: { scheme: 'oauth2', token_url: 'https://login.example.com/token', client_id: 'a', client_secret: 'b' } }));
    expect(httpConnector.egress(config)).toEqual(['https://crm.example.com', 'https://login.example.com']);
  });
});

describe('mutual TLS', () => {
  const pem = (name: string): string => readFileSync(new URL(`../../src/sandbox/purge/tls/${name}.pem`, import.meta.url), 'utf8');
  const service = createSimulator(purgeDefinition());
  let server: Server;
  let url: string;
  beforeAll(async () => {
    await service.app.ready();
    server = createServer({ key: pem('server-key'), cert: pem('server'), ca: pem('authority'), requestCert: true, rejectUnauthorized: true }, (request, reply) => {
      service.app.routing(request, reply);
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    url = `https://127.0.0.1:${(server.address() as AddressInfo).port}`;
  });
  afterEach(() => service.reset());
  afterAll(async () => {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
    await service.app.close();
  });
  const contextFor = (declaration: unknown): { connection: Connection; context: ConnectorContext } => {
    const config = httpConnector.config.parse(declaration);
    const network = httpConnector.network?.(config);
    const { signal } = new AbortController();
    const guarded = createGuardedFetch({ egress: httpConnector.egress(config), timeoutMs: 5000, signal, acquire: async () => undefined, ...(network === undefined ? {} : { network }) });
    return { connection: httpConnector.connect(config), context: { fetch: guarded, now: Date.now, shouldYield: () => false, signal } };
  };
  const tls = { certificate: pem('client'), client_key: pem('client-key'), authority: pem('authority') };

  it('reaches a system that wants a certificate of ours', async () => {
    service.seed({ account: { auth: 'none' }, subjects: [ada] });
    const { connection, context } = contextFor(declared({ base_url: url, auth: { scheme: 'none' }, tls }));
    expect((await connection.locate(context, [email])).knows).toEqual([email]);
  });

  it.each([
    ['without a certificate', (): object => ({})],
    ['without the authority of the server', (): object => ({ tls: { certificate: tls.certificate, client_key: tls.client_key } })],
  ])('does not reach it %s', async (_name, more) => {
    service.seed({ account: { auth: 'none' }, subjects: [ada] });
    const { connection, context } = contextFor(declared({ base_url: url, auth: { scheme: 'none' }, ...more() }));
    await expect(connection.locate(context, [email])).rejects.toMatchObject({ code: 'VENDOR_UNAVAILABLE' });
  });

  it('refuses private addresses unless the connection allows them', async () => {
    const { connection, context } = contextFor(declared({ base_url: url, auth: { scheme: 'none' }, tls, allow_private_network: false }));
    await expect(connection.locate(context, [email])).rejects.toMatchObject({ code: 'EGRESS_FORBIDDEN' });
  });
});

describe('callbacks', () => {
  const nowMs = 1_800_000_000_000;
  const connection = (): Connection => connect(declared({ callback_secret: 'callback-secret' }));
  const read = (callback: { headers: Readonly<Record<string, string>>; body: string }, now = nowMs): unknown => {
    try {
      return connection().readCallback?.({ headers: callback.headers, body: Buffer.from(callback.body), now });
    } catch (error) {
      return error;
    }
  };
  const good = purgeCallback('callback-secret', 'job_1', nowMs);

  it('names the job of a callback that is signed, as often as it comes', () => {
    expect(read(good)).toEqual({ jobs: ['job_1'] });
    expect(read(good, nowMs + 299_000)).toEqual({ jobs: ['job_1'] });
  });

  it.each<[string, () => unknown, string]>([
    ['with another secret', () => read(purgeCallback('other', 'job_1', nowMs)), 'SIGNATURE_INVALID'],
    ['with another body', () => read({ ...good, body: good.body.replace('job_1', 'job_2') }), 'SIGNATURE_INVALID'],
    ['with another time', () => read({ ...good, headers: { ...good.headers, 'x-timestamp': '1800000001' } }), 'SIGNATURE_INVALID'],
    ['without a signature', () => read({ headers: {}, body: good.body }), 'SIGNATURE_INVALID'],
    ['from long ago', () => read(good, nowMs + 301_000), 'SIGNATURE_STALE'],
    ['from the future', () => read(good, nowMs - 302_000), 'SIGNATURE_STALE'],
  ])('refuses one %s', (_name, make, code) => {
    expect(make()).toMatchObject({ code });
  });

  it('are not read where none are declared', () => {
    expect(connect().readCallback).toBeUndefined();
  });
});

describe('the state of a job, for the reconciliation', () => {
  it('is asked by its id alone', async () => {
    plant();
    const connection = connect();
    const first = await connection.erase(task().step({ cursor: null, attempt: 1 }));
    const job = first.state === 'wait' ? (first.vendorJob ?? '') : '';
    const states: unknown[] = [];
    for (let at = 0; at < 3; at += 1) states.push(await connection.jobState?.(task().plain, job));
    expect(states.at(0)).toBe('running');
    expect(states.at(-1)).toBe('finished');
    expect(await connection.jobState?.(task().plain, 'job_unknown')).toBe('unknown');
    vendor.seed({ account: { fails_jobs: true }, subjects: [ada] });
    const failing = await connection.erase(task({ taskId: 'failing' }).step({ cursor: null, attempt: 1 }));
    const failed = failing.state === 'wait' ? (failing.vendorJob ?? '') : '';
    expect(await connection.jobState?.(task().plain, failed)).toBe('running');
    expect(await connection.jobState?.(task().plain, failed)).toBe('failed');
  });
});

describe('the test of a system with people who do not exist', () => {
  const rehearse = async (account: PurgeSeed['account'], declaration: unknown = declared()): Promise<Record<string, string>> => {
    plant({ account });
    const rows = (await connect(declaration).rehearse?.(task().plain)) ?? [];
    return Object.fromEntries(rows.map((each) => [each.check, each.result]));
  };

  it('finds nothing wrong with a service that keeps the contract, and changes nothing there', async () => {
    expect(await rehearse({})).toEqual({
      strangers_are_refused: 'kept',
      unknown_person_is_not_found: 'kept',
      same_key_same_job: 'kept',
      unknown_person_is_not_erased: 'kept',
      unknown_job_is_not_finished: 'kept',
      read_back: 'kept',
      callback: 'open',
    });
    expect(vendor.effects).toEqual([]);
  });

  it('finds a service that lets strangers in', async () => {
    expect(await rehearse({ auth: 'none' })).toMatchObject({ strangers_are_refused: 'violated', unknown_person_is_not_found: 'kept' });
  });

  it('finds a service that reports an unknown person as erased', async () => {
    expect(await rehearse({ claims_unknown: true })).toMatchObject({ unknown_person_is_not_erased: 'violated' });
  });

  it('finds a service that makes two jobs for one key', async () => {
    const answers = [{ job_id: 'a', status: 'queued' }, { job_id: 'b', status: 'queued' }];
    const wrapFetch = (guarded: typeof fetch): typeof fetch => async (input, init) => {
      const isErasure = urlOf(input).endsWith('/erasures') && new Headers(init?.headers).has('authorization');
      return isErasure ? Response.json(answers.shift() ?? {}, { status: 202 }) : guarded(input, init);
    };
    const rows = (await connect().rehearse?.(task({ wrapFetch, shouldYield: () => true }).plain)) ?? [];
    expect(rows.find((each) => each.check === 'same_key_same_job')).toMatchObject({ result: 'violated' });
    expect(rows.find((each) => each.check === 'unknown_person_is_not_erased')).toMatchObject({ result: 'open' });
  });
});
