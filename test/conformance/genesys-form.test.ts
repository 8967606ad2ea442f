import { describe, expect, it } from 'vitest';
import { Death, type TestContext } from '../../src/connector-kit/conformance/index.ts';
import type { Json } from '../../src/connector-kit/index.ts';
import { genesysConnector } from '../../src/connectors/genesys/index.ts';
import { signCallback } from '../../src/sandbox/genesys/index.ts';
import { ada, callbackSecret, genesysConfigFor, useGenesys } from '../support/genesys-bench.ts';

const { vendor, dump, connect, task, plant, run, control } = useGenesys();

const contact = { external_id: 'CRM-ADA-4711', records: { interactions: 3, analytics: 1, email: 2 } } as const;
const posts = (): number => vendor().calls.filter(({ method, path }) => method === 'POST' && path === '/api/v2/pii/deletions').length;
const tokens = (): number => vendor().calls.filter(({ path }) => path === '/oauth/token').length;
/** The same task when a person has started it again. */
const retried = (test: TestContext, previous: Json): TestContext => ({ ...test, step: (step) => ({ ...test.step(step), previous: JSON.parse(JSON.stringify(previous)) as Json }) });
const findingsOf = (rest: object): readonly string[] => genesysConnector.findings?.(genesysConnector.config.parse(genesysConfigFor('https://api.example.com', rest))) ?? [];

describe('edge case: wrong id prefix', () => {
  it('matches nothing and says so, and finds the person once the prefix is right and a person retries', async () => {
    plant({ contacts: [contact] });
    const test = task();
    const wrong = await run(connect({ external_id: { prefix: 'crm-', case: 'upper' } }), test);
    expect(wrong.result).toMatchObject({ state: 'done', outcome: 'nothing_matched', counts: { jobs: 1, records: 0 } });
    expect(dump().contacts).toHaveLength(1);
    const right = await run(connect(), retried(test, wrong.cursor));
    expect(right.result).toMatchObject({ state: 'done', outcome: 'erased', counts: { jobs: 1, records: 6 } });
    expect(dump().contacts).toEqual([]);
  });

  it('is not mended by guessing: a person with the id in another case keeps her data', async () => {
    plant({ contacts: [{ ...contact, external_id: 'crm-ada-4711' }, { ...contact, external_id: 'ada-4711' }] });
    expect((await run(connect(), task())).result).toMatchObject({ outcome: 'nothing_matched' });
    expect(dump().contacts).toHaveLength(2);
  });
});

describe('edge case: missing scope', () => {
  it('is told at the start by its name, where the login names the scopes', async () => {
    plant({ account: { scopes: ['pii:view', 'analytics:export'] } });
    await expect(connect().check(task().plain)).rejects.toMatchObject({ code: 'CONNECTION_REFUSED', detail: expect.stringContaining('lacks the scope pii:delete') as string });
    plant({ account: { scopes: ['pii:delete', 'pii:view', 'analytics:export'] } });
    await expect(connect().check(task().plain)).resolves.toBeUndefined();
  });

  it('is told by its name even though it shows only as a silent 403, and goes to a person', async () => {
    plant({ contacts: [contact], account: { scopes: ['pii:view', 'analytics:export'], names_scopes: false } });
    await expect(connect().check(task().plain)).resolves.toBeUndefined();
    const test = task();
    await expect(run(connect(), test)).rejects.toMatchObject({ code: 'CONNECTION_REFUSED', detail: expect.stringContaining('pii:delete') as string, retry: 'operator' });
    plant({ account: { scopes: ['pii:delete', 'pii:view'] } });
    const mended = await run(connect(), retried(test, test.saved()?.cursor ?? null));
    expect(mended.result).toMatchObject({ outcome: 'erased', proof: { submitted_again: false } });
  });

  it('for reading is told too', async () => {
    plant({ contacts: [contact], account: { scopes: ['pii:delete'], names_scopes: false } });
    await expect(connect().check(task().plain)).rejects.toMatchObject({ code: 'CONNECTION_REFUSED', detail: expect.stringContaining('pii:view') as string });
  });
});

describe('edge case: zero records', () => {
  const variants = [
    { of: 'external_id', prefix: 'legacy:', case: 'lower' },
    { of: 'external_id', hash: 'sha256' },
  ];

  it('is nothing_matched though every job is completed, and nobody else is touched', async () => {
    plant({ contacts: [{ ...contact, external_id: 'CRM-ADA-47110' }] });
    const { result, results } = await run(connect({ variants }), task({ seenHere: false }));
    expect(result).toMatchObject({ state: 'done', outcome: 'nothing_matched', counts: { jobs: 3, jobs_with_records: 0, jobs_not_completed: 0, records: 0 } });
    expect(new Set(results.flatMap((each) => (each.state === 'wait' ? [each.vendorJob] : []))).size).toBe(3);
    expect(dump().contacts).toHaveLength(1);
  });

  it('under the first name does not hide the person under another: every variant is sent, one after the other', async () => {
    plant({ contacts: [{ ...contact, external_id: 'legacy:ada-4711' }] });
    const { result } = await run(connect({ variants }), task());
    expect(result).toMatchObject({ outcome: 'erased', counts: { jobs: 3, jobs_with_records: 1, records: 6 } });
    const { jobs } = dump();
    expect(jobs.map((each) => each.externalId)).toEqual(['CRM-ADA-4711', 'legacy:ada-4711', expect.stringMatching(/^[0-9a-f]{64}$/u) as string]);
    for (const [at, job] of jobs.slice(1).entries()) expect(job.createdAtMs).toBeGreaterThanOrEqual(jobs[at]?.completedAtMs ?? Infinity);
  });

  it('counts also where a completion does not say how many', async () => {
    plant({ contacts: [contact] });
    const wrapFetch = (guarded: typeof fetch): typeof fetch => async (input, init) => {
      const response = await guarded(input, init);
      const body = (await response.json()) as Record<string, unknown>;
      return Response.json({ ...body, recordsDeleted: undefined }, { status: response.status });
    };
    expect((await run(connect(), task({ wrapFetch }))).result).toMatchObject({ outcome: 'nothing_matched' });
  });

  it('of a hashed address is asked for only where the variant is configured', async () => {
    const hash = 'b5fc85e55755f9e0d030a10ab4429b6b2944855f9a0d60077fe832becbc41d72';
    plant({ contacts: [{ ...contact, external_id: hash }] });
    await expect(run(connect(), task({ identifier: ada.email }))).rejects.toMatchObject({ code: 'UNSUPPORTED' });
    expect((await run(connect({ variants: [{ of: 'email', hash: 'sha256' }] }), task({ identifier: ada.email }))).result).toMatchObject({ outcome: 'erased' });
  });
});

describe('edge case: stale aggregates', () => {
  it('go on counting the erased person until they are refreshed', async () => {
    plant({ contacts: [contact, { ...contact, external_id: 'CRM-BOB' }] });
    const connection = connect();
    await run(connection, task());
    expect(dump().aggregates).toEqual(['CRM-ADA-4711', 'CRM-BOB']);
    const refreshed = await connection.refresh?.(task().step({ cursor: null, attempt: 1 }));
    expect(refreshed).toMatchObject({ state: 'done', outcome: 'refreshed', proof: { only_accepted: true } });
    expect(dump().aggregates).toContain('CRM-ADA-4711');
    vendor().advance(60_000);
    expect(dump().aggregates).toEqual(['CRM-BOB']);
  });

  it('stay, are a finding and are reported as residue, where no refresh is configured', async () => {
    plant({ contacts: [contact] });
    const connection = connect({ analytics_refresh: 'none' });
    expect(connection.refresh).toBeUndefined();
    expect((await run(connection, task())).result).toMatchObject({ outcome: 'erased', residue: [{ what: 'analytics_aggregates', why: 'not_refreshed' }] });
    expect(findingsOf({ analytics_refresh: 'none' })).toHaveLength(1);
    expect(findingsOf({})).toEqual([]);
  });

  it('are refreshed by the configured job, with its own token and never with Genesys’', async () => {
    const sent: Request[] = [];
    const wrapFetch = (): typeof fetch => async (input, init) => {
      sent.push(new Request(input, init));
      return new Response(null, { status: 204 });
    };
    const test = task({ wrapFetch, earlierJobs: [{ connection: 'genesys', job: 'job-1' }] });
    const result = await connect({ analytics_refresh: { url: 'https://jobs.example.com/sync', token: 'job-token' } }).refresh?.(test.step({ cursor: null, attempt: 1 }));
    expect(result).toMatchObject({ outcome: 'refreshed', proof: { only_accepted: false } });
    expect(sent.map(({ url, headers }) => [url, headers.get('authorization')])).toEqual([['https://jobs.example.com/sync', 'Bearer job-token']]);
    expect(await sent[0]?.json()).toEqual({ request_id: 'req_conformance', jobs: ['job-1'] });
  });

  it.each<[string, () => Response, object]>([
    ['a proxy’s page with 200', () => new Response('<html>', { status: 200, headers: { 'content-type': 'text/html' } }), { code: 'VENDOR_MALFORMED' }],
    ['nothing with 200', () => new Response('', { status: 200 }), { code: 'VENDOR_MALFORMED' }],
    ['JSON with 200', () => Response.json({ state: 'done' }), { outcome: 'refreshed', proof: { only_accepted: false } }],
    ['204', () => new Response(null, { status: 204 }), { outcome: 'refreshed' }],
    ['202', () => new Response('accepted', { status: 202 }), { outcome: 'refreshed', proof: { only_accepted: true } }],
  ])('are refreshed only where the job understood: %s', async (_name, answer, expected) => {
    const test = task({ wrapFetch: () => async () => answer() });
    const job = connect({ analytics_refresh: { url: 'https://jobs.example.com/sync', token: 'job-token' } });
    expect(await job.refresh?.(test.step({ cursor: null, attempt: 1 })).catch((error: unknown) => error)).toMatchObject(expected);
  });

  it('that cannot be refreshed for want of a scope go to a person, who reads which', async () => {
    plant({ account: { scopes: ['pii:delete', 'pii:view'] } });
    await expect(connect().refresh?.(task().step({ cursor: null, attempt: 1 }))).rejects.toMatchObject({ code: 'CONNECTION_REFUSED', detail: expect.stringContaining('analytics:export') as string });
    await expect(connect().check(task().plain)).rejects.toMatchObject({ code: 'CONNECTION_REFUSED', detail: expect.stringContaining('analytics:export') as string });
  });
});

describe('edge case: lost callback', () => {
  it('is made up for by asking for the state of the job, which the end of the job changes and nothing else', async () => {
    plant({ contacts: [contact], account: { callback_url: 'http://127.0.0.1:9/never', callbacks: 'lost' } });
    const connection = connect({ callback_secret: callbackSecret });
    const test = task();
    const first = await connection.erase(test.step({ cursor: null, attempt: 1 }));
    const job = first.state === 'wait' ? (first.vendorJob ?? '') : '';
    expect(await connection.jobState?.(test.plain, job)).toBe('running');
    vendor().advance(400_000);
    for (let pump = 0; pump < 4; pump += 1) {
      await control('callbacks');
      vendor().advance(400_000);
    }
    expect(dump().deliveries).toMatchObject([{ job, tries: [-1, -1, -1], isOver: true }]);
    expect(await connection.jobState?.(test.plain, job)).toBe('finished');
    expect(await connection.jobState?.(test.plain, 'no-such-job')).toBe('unknown');
  });
});

describe('edge case: offline during all callback retries', () => {
  it('is made up for in the same way, after three tries that nobody answered', async () => {
    plant({ contacts: [contact], account: { callback_url: 'http://127.0.0.1:9/nobody-listens' } });
    const connection = connect({ callback_secret: callbackSecret });
    const test = task();
    const first = await connection.erase(test.step({ cursor: null, attempt: 1 }));
    for (let turn = 0; turn < 5; turn += 1) {
      vendor().advance(400_000);
      await control('callbacks');
    }
    expect(dump().deliveries).toMatchObject([{ kind: 'true', tries: [0, 0, 0], isOver: true }]);
    const next = await connection.erase(test.step({ cursor: first.state === 'wait' ? first.cursor : null, attempt: 1 }));
    expect(next).toMatchObject({ state: 'done', outcome: 'erased' });
  });
});

describe('edge case: a callback that is late, doubled, out of order or forged', () => {
  it('says which job to look at, and a running job that it calls completed is still running', async () => {
    plant({ contacts: [contact] });
    const connection = connect({ callback_secret: callbackSecret });
    const test = task();
    const first = await connection.erase(test.step({ cursor: null, attempt: 1 }));
    const cursor = first.state === 'wait' ? first.cursor : null;
    const job = first.state === 'wait' ? (first.vendorJob ?? '') : '';
    const body = JSON.stringify({ id: job, externalId: contact.external_id, status: 'completed', recordsDeleted: 99 });
    const now = Date.now();
    const callback = (secret: string) => ({ headers: { 'x-genesys-signature': signCallback(secret, body, now) }, body: Buffer.from(body), now });
    expect(() => connection.readCallback?.(callback('another secret of somebody'))).toThrow('SIGNATURE_INVALID');
    for (let time = 0; time < 2; time += 1) {
      expect(connection.readCallback?.(callback(callbackSecret))).toEqual({ jobs: [job] });
      expect(await connection.erase(test.step({ cursor, attempt: 1 }))).toMatchObject({ state: 'wait', vendorJob: job });
    }
    vendor().advance(60_000);
    const done = await connection.erase(test.step({ cursor, attempt: 1 }));
    expect(done).toMatchObject({ state: 'done', outcome: 'erased', counts: { records: 6 } });
    expect(connection.readCallback?.(callback(callbackSecret))).toEqual({ jobs: [job] });
    expect(await connection.erase(test.step({ cursor: test.saved()?.cursor ?? null, attempt: 1 }))).toMatchObject({ state: 'done', outcome: 'erased', counts: { records: 6 } });
    expect(posts()).toBe(1);
  });
});

describe('edge case: revoked token in mid-run', () => {
  it('is replaced once, and the erasure goes on as if nothing had been', async () => {
    plant({ contacts: [contact] });
    const connection = connect();
    const test = task();
    const first = await connection.erase(test.step({ cursor: null, attempt: 1 }));
    await control('revoke-tokens');
    vendor().advance(60_000);
    const second = await connection.erase(test.step({ cursor: first.state === 'wait' ? first.cursor : null, attempt: 1 }));
    expect(second).toMatchObject({ state: 'done', outcome: 'erased' });
    expect([tokens(), posts()]).toEqual([2, 1]);
  });

  it('goes to a person where the client itself is refused by then, and the job is followed on afterwards', async () => {
    plant({ contacts: [contact] });
    const connection = connect();
    const test = task();
    await connection.erase(test.step({ cursor: null, attempt: 1 }));
    await control('revoke-tokens');
    plant({ account: { client_secret: 'rotated' } });
    const kept = test.saved()?.cursor ?? null;
    await expect(connection.erase(test.step({ cursor: kept, attempt: 1 }))).rejects.toMatchObject({ code: 'CONNECTION_AUTH' });
    const { result } = await run(connect({ client_secret: 'rotated' }), retried(test, kept));
    expect(result).toMatchObject({ outcome: 'erased' });
    expect(posts()).toBe(1);
  });
});

describe('edge case: 429 storms', () => {
  it('cost time and nothing else: one job, and no call before the vendor’s own time', async () => {
    plant({ contacts: [contact], account: { requests_per_minute: 1 } });
    const { result, failures } = await run(connect(), task());
    expect(result).toMatchObject({ outcome: 'erased' });
    expect(failures.length).toBeGreaterThan(0);
    for (const failure of failures) expect(failure).toMatchObject({ code: 'VENDOR_RATE_LIMITED', retryAfterMs: expect.any(Number) as number });
    expect(dump().jobs).toHaveLength(1);
    const refused = vendor().calls.filter(({ status }) => status === 429).length;
    expect(refused).toBe(failures.length);
  });

  it('of the login are waited out as well', async () => {
    plant({ contacts: [contact] });
    vendor().fault({ kind: 'status', path: '^/oauth/token', status: 429, retryAfter: 30, times: 3 });
    const { result, failures } = await run(connect(), task());
    expect(result).toMatchObject({ outcome: 'erased' });
    expect(failures.map((each) => [each.code, each.retryAfterMs])).toEqual(Array.from({ length: 3 }, () => ['VENDOR_RATE_LIMITED', 30_000]));
  });
});

describe('a deletion job', () => {
  it('is looked at every 15 seconds for 5 minutes and every minute from then on', async () => {
    plant({ contacts: [contact], account: { job_ms: 600_000 } });
    const { results } = await run(connect(), task());
    const waits = results.flatMap((each) => (each.state === 'wait' ? [each.afterMs / 1000] : []));
    expect(waits).toEqual([...Array.from({ length: 20 }, () => 15), ...Array.from({ length: 5 }, () => 60)]);
  });

  it('says whence the request came and how the person was verified, and the fixed values', async () => {
    plant({ contacts: [contact] });
    await run(connect({ metadata: { requested_by: 'Privacy office', system: 'quittance' } }), task({ request: { source: 'shop', verifiedBy: 'sms_code', jurisdiction: 'DE' } }));
    expect(dump().jobs[0]?.metadata).toEqual({ request_source: 'shop', verification_method: 'sms_code', jurisdiction: 'DE', requested_by: 'Privacy office', system: 'quittance' });
  });

  it('covers every scope unless one is left out, which is a finding and stays as residue', async () => {
    plant({ contacts: [{ ...contact, records: { interactions: 1, social: 1 } }] });
    const scope = ['interactions', 'analytics', 'recordings', 'webchat', 'email', 'sms'];
    expect((await run(connect({ scope }), task())).result).toMatchObject({ outcome: 'erased', residue: [{ what: 'social', why: 'not_requested' }] });
    expect(dump().contacts).toMatchObject([{ records: { social: 1 } }]);
    expect(findingsOf({ scope })).toEqual([expect.stringContaining('social') as string]);
    expect((await run(connect(), task({ taskId: 'second' }))).result).toMatchObject({ outcome: 'erased', residue: [] });
    expect(dump().contacts).toEqual([]);
  });

  it('that took on less than was asked for leaves what it left out as residue', async () => {
    plant({ contacts: [contact] });
    const wrapFetch = (guarded: typeof fetch): typeof fetch => async (input, init) => {
      const response = await guarded(input, init);
      const body = (await response.json()) as { scope?: string | string[] };
      return Response.json({ ...body, ...(Array.isArray(body.scope) ? { scope: body.scope.filter((each) => each !== 'recordings') } : {}) }, { status: response.status });
    };
    expect((await run(connect(), task({ wrapFetch }))).result).toMatchObject({ outcome: 'erased', residue: [{ what: 'recordings', why: 'unsupported' }] });
  });

  it.each(['failed', 'cancelled'] as const)('that ends as %s goes to a person, whose retry makes a new one for it alone', async (ends) => {
    plant({ contacts: [contact, { external_id: 'legacy:ada-4711', records: { sms: 1 }, ends }] });
    const connection = connect({ variants: [{ of: 'external_id', prefix: 'legacy:', case: 'lower' }] });
    const test = task();
    const bad = await run(connection, test);
    expect(bad.result).toMatchObject({ state: 'operator', code: 'VENDOR_JOB_FAILED', counts: { jobs: 2, jobs_with_records: 1, jobs_not_completed: 1, records: 6 } });
    const again = await run(connection, retried(test, bad.cursor));
    expect(again.result).toMatchObject({ state: 'operator', counts: { records: 6 } });
    const ids = dump().jobs.map((each) => each.externalId);
    expect(ids).toEqual(['CRM-ADA-4711', 'legacy:ada-4711', 'legacy:ada-4711']);
    expect(new Set(dump().jobs.map((each) => each.requestId)).size).toBe(3);
  });

  it('whose creation was not answered is taken up again by its request id, where the vendor heeds it', async () => {
    plant({ contacts: [contact] });
    vendor().fault({ kind: 'lost', method: 'POST', path: '^/api/v2/pii' });
    const { result } = await run(connect(), task());
    expect(result).toMatchObject({ outcome: 'erased', proof: { submitted_again: true } });
    expect(dump().jobs).toHaveLength(1);
  });

  it('that was made twice, since the vendor heeds no request id, claims nothing that the second one did not see', async () => {
    plant({ contacts: [contact], account: { adopts_request_id: false } });
    let deaths = 0;
    const wrapFetch = (guarded: typeof fetch): typeof fetch => async (input, init) => {
      const response = await guarded(input, init);
      if (init?.method === 'POST' && response.status === 202 && (deaths += 1) === 1) throw new Death();
      return response;
    };
    const { result } = await run(connect(), task({ wrapFetch }));
    expect(dump().jobs).toHaveLength(2);
    expect(result).toMatchObject({ outcome: 'nothing_matched', proof: { submitted_again: true } });
  });

  it.each(['POST', 'GET'])('that the answer to a %s calls somebody else’s is not believed', async (method) => {
    plant({ contacts: [contact] });
    const wrapFetch = (guarded: typeof fetch): typeof fetch => async (input, init) => {
      const response = await guarded(input, init);
      const body = (await response.json()) as Record<string, unknown>;
      return Response.json('externalId' in body && init?.method === method ? { ...body, externalId: 'CRM-BOB' } : body, { status: response.status });
    };
    await expect(run(connect(), task({ wrapFetch }))).rejects.toMatchObject({ code: 'SUBJECT_AMBIGUOUS' });
  });

  it('that the vendor no longer knows goes to a person, but not before it had ten minutes to appear', async () => {
    plant({ contacts: [contact] });
    const wrapFetch = (guarded: typeof fetch): typeof fetch => async (input, init) => (init?.method === 'GET' ? Response.json({ code: 'not.found' }, { status: 404 }) : guarded(input, init));
    const { result, results } = await run(connect(), task({ wrapFetch }));
    expect(result).toMatchObject({ state: 'operator', code: 'VENDOR_JOB_FAILED', detail: expect.stringContaining('lost') as string });
    expect(results.reduce((sum, each) => sum + (each.state === 'wait' ? each.afterMs : 0), 0)).toBe(600_000);
  });

  it('is not taken for gone by a 404 that is not the platform’s own', async () => {
    const wrapFetch = (guarded: typeof fetch): typeof fetch => async (input, init) => (init?.method === 'GET' ? Response.json({ message: 'no route' }, { status: 404 }) : guarded(input, init));
    await expect(connect().jobState?.(task({ wrapFetch }).plain, 'job-1')).rejects.toMatchObject({ code: 'VENDOR_MALFORMED' });
  });

  it('that lies about what it deleted is never called seen: the form can only attest', async () => {
    plant({ contacts: [contact] });
    vendor().fault({ kind: 'lie', method: 'POST', path: '^/api/v2/pii' });
    const test = task();
    const { cursor } = await run(connect(), test);
    expect(await connect().confirm(test.step({ cursor, attempt: 1 }))).toEqual({ state: 'attested' });
    expect(dump().contacts).toHaveLength(1);
  });
});
