import { describe, expect, it } from 'vitest';
import type { TestContext } from '../../src/connector-kit/conformance/index.ts';
import type { Json } from '../../src/connector-kit/index.ts';
import type { Identifier } from '../../src/contract/identifiers.ts';
import type { SegmentSeed } from '../../src/sandbox/segment/index.ts';
import { ada, adaExternalIds as externalIds, adaIdentifiers as all, byValue, urlOf, useSegment } from '../support/segment-bench.ts';
import { checkAnswer, checkRequest, loadVendorSpec, type SentRequest, type VendorSpec } from '../support/vendor-spec.ts';

const dayMs = 86_400_000;
const { userId, email, phone } = ada;
const { vendor, dump, connect, task, plant, run, confirm, post, created } = useSegment();

const destinations = (...statuses: ('FINISHED' | 'FAILED' | 'NOT_SUPPORTED' | 'INVALID' | 'PARTIAL_SUCCESS')[]): SegmentSeed => ({
  account: { destinations: statuses.map((final_status, index) => ({ name: `Destination ${index}`, id: `dst_${index}`, final_status, err_string: 'ada@example.com' })) },
});

/** Drops the filter by type, as a vendor would that ignores it. */
const unfiltered = (guarded: typeof fetch): typeof fetch => async (input, init) => guarded(urlOf(input).replace(/regulationTypes=\w+&?/u, ''), init);

/** Starts an erasure and lets 91 days pass. */
const forget = async (): Promise<{ test: TestContext; cursor: Json }> => {
  plant({ account: { polls_per_stage: 100_000, stage_ms: 400 * dayMs } });
  const test = task();
  const first = await connect().erase(test.step({ cursor: null, attempt: 1 }));
  expect(first.state).toBe('wait');
  vendor().advance(91 * dayMs);
  test.advance(91 * dayMs);
  return { test, cursor: first.state === 'wait' ? first.cursor : null };
};

describe('regulating a person at Segment', () => {
  it('suppresses and deletes by one regulation, and says what stays', async () => {
    plant();
    const test = task();
    const { result, results, cursor } = await run(connect(), test);
    expect(result).toMatchObject({
      state: 'done',
      outcome: 'erased',
      counts: { regulations: 1, destinations_finished: 1 },
      residue: [{ what: 'suppression_list_entry' }, { what: 'regulation_record', until: expect.any(String) as string }],
      proof: { regulation_type: 'SUPPRESS_WITH_DELETE', overall_status: 'FINISHED', adopted: false },
    });
    expect(results.filter(({ state }) => state === 'wait').every((each) => each.state === 'wait' && each.reason === 'vendor_job')).toBe(true);
    expect(dump().suppressed).toEqual([userId.value]);
    expect((await confirm(connect(), test, cursor)).seen).toEqual({ state: 'absent' });
  });

  it('only deletes where configured so', async () => {
    plant();
    await run(connect({ regulation: 'DELETE_ONLY' }), task());
    expect(dump().suppressed).toEqual([]);
    expect(dump().profiles).toEqual([]);
  });

  it.each([
    ['dropped after the work', { kind: 'lost' }],
    ['replaced by a 500 after the work', { kind: 'after', status: 500 }],
    ['unreadable', { kind: 'malformed' }],
  ] as const)('adopts the regulation whose answer was %s, instead of making a second', async (_name, fault) => {
    plant();
    vendor().fault({ ...fault, method: 'POST', path: '^/regulations' });
    const { result, failures } = await run(connect(), task());
    expect(failures).toHaveLength(1);
    expect(result).toMatchObject({ state: 'done', outcome: 'erased', proof: { adopted: true } });
    expect(created()).toBe(1);
  });

  it('gives a lost regulation time to appear in the list before it makes another', async () => {
    plant();
    vendor().fault({ kind: 'status', status: 503, method: 'POST', path: '^/regulations' });
    const { result, results } = await run(connect(), task());
    expect(results[0]).toMatchObject({ state: 'wait', reason: 'not_visible_yet' });
    expect(result).toMatchObject({ state: 'done', outcome: 'erased', proof: { adopted: false } });
    expect(created()).toBe(1);
  });

  it('does not wait for a regulation that was refused outright', async () => {
    plant();
    vendor().fault({ kind: 'status', status: 429, retryAfter: 3, method: 'POST', path: '^/regulations' });
    const { results, failures } = await run(connect(), task());
    expect(failures.map(({ code, retryAfterMs }) => [code, retryAfterMs])).toEqual([['VENDOR_RATE_LIMITED', 3000]]);
    expect(results[0]).toMatchObject({ state: 'wait', reason: 'vendor_job' });
    expect(created()).toBe(1);
  });

  it('adopts a regulation that somebody made for this person since the request came, from any page', async () => {
    plant();
    const test = task();
    await post(['other-before']);
    await post([userId.value, 'somebody-else']);
    for (let index = 0; index < 150; index += 1) await post([`other-${index}`]);
    const before = created();
    expect((await run(connect(), test)).result).toMatchObject({ state: 'done', proof: { adopted: true } });
    expect(created()).toBe(before);
  });

  it('does not adopt one of another type or of other people', async () => {
    plant();
    await post([userId.value], 'SUPPRESS_ONLY');
    await post([userId.value.toLowerCase(), 'somebody-else']);
    const { result } = await run(connect(), task({ wrapFetch: unfiltered }));
    expect(result).toMatchObject({ state: 'done', outcome: 'erased', proof: { adopted: false } });
  });

  it('reads no further into the list than the request is old', async () => {
    plant();
    for (let index = 0; index < 250; index += 1) await post([`other-${index}`]);
    vendor().advance(dayMs);
    const start = Date.now() + dayMs;
    await connect().erase(task({ now: () => start }).step({ cursor: null, attempt: 1 }));
    expect(vendor().calls.filter(({ method, path }) => method === 'GET' && path === '/regulations')).toHaveLength(1);
  });

  it('does not adopt a regulation that is older than the request', async () => {
    plant({ account: { stage_ms: 400 * dayMs } });
    await post([userId.value]);
    vendor().advance(dayMs);
    const start = Date.now() + dayMs;
    const test = task({ now: () => start });
    expect((await run(connect(), test)).result).toMatchObject({ state: 'done', outcome: 'erased', proof: { adopted: false } });
    expect(created()).toBe(2);
  });

  it('reports one that failed because of an unsupported destination as exactly that', async () => {
    plant(destinations('FINISHED', 'NOT_SUPPORTED', 'NOT_SUPPORTED'));
    const test = task();
    const { result, cursor } = await run(connect(), test);
    expect(result).toMatchObject({
      state: 'done',
      outcome: 'erased',
      counts: { destinations_finished: 1, destinations_unsupported: 2, destinations_failed: 0 },
      proof: { overall_status: 'FAILED' },
    });
    expect(result.residue[0]).toEqual({ what: 'destination_not_supported', why: 'unsupported', count: 2 });
    expect((await confirm(connect(), test, cursor)).seen).toEqual({ state: 'absent' });
  });

  it.each(['FAILED', 'INVALID', 'PARTIAL_SUCCESS'] as const)('hands a destination that ended as %s to a person, whose retry makes a new regulation', async (status) => {
    plant(destinations('FINISHED', status, 'NOT_SUPPORTED'));
    const test = task();
    const { result } = await run(connect(), test);
    expect(result).toMatchObject({ state: 'operator', code: 'VENDOR_JOB_FAILED', counts: { destinations_finished: 1, destinations_failed: 1, destinations_unsupported: 1 } });
    expect(JSON.stringify({ ...result, cursor: null })).not.toContain('example.com');
    plant({ ...destinations('FINISHED') });
    const retried = await connect().erase(test.step({ cursor: result.cursor ?? null, attempt: 1 }));
    expect(retried).toMatchObject({ state: 'wait', reason: 'vendor_job' });
    expect(created()).toBe(2);
  });

  it('follows a regulation for as long as it takes, ever more slowly', async () => {
    plant({ account: { polls_per_stage: 100_000, stage_ms: 5 * dayMs } });
    const { result, results } = await run(connect(), task());
    expect(result).toMatchObject({ state: 'done', outcome: 'erased' });
    const waits = results.flatMap((each) => (each.state === 'wait' ? [each.afterMs] : []));
    expect(waits[0]).toBe(1000);
    expect(waits.at(-1)).toBe(3_600_000);
    expect(waits.length).toBeLessThan(400);
  });

  describe('whose record Segment no longer keeps', () => {
    it('goes to a person while the profile is still there', async () => {
      const { test, cursor } = await forget();
      expect(await connect().erase(test.step({ cursor, attempt: 1 }))).toMatchObject({ state: 'operator', code: 'VENDOR_JOB_FAILED' });
    });

    it('is erased with its destinations unknown when the profile is gone', async () => {
      const { test, cursor } = await forget();
      vendor().reset();
      expect(await connect().erase(test.step({ cursor, attempt: 1 }))).toMatchObject({
        state: 'done',
        outcome: 'erased',
        residue: [{ why: 'destination_state_unknown' }, { what: 'suppression_list_entry' }, { what: 'regulation_record' }],
        proof: { record_expired: true },
      });
    });
  });
});

describe('a person of whom no user id was known', () => {
  it('is regulated by the user id that the profile turns out to have', async () => {
    plant();
    expect((await run(connect(), task({ identifier: email, identifiers: [email, phone] }))).result).toMatchObject({ state: 'done', outcome: 'erased' });
    expect(dump().regulations.map(({ subjects }) => subjects)).toEqual([[userId.value]]);
    expect(dump().profiles).toEqual([]);
  });

  it('shares one regulation between the tasks for the e-mail and the phone', async () => {
    plant({ account: { polls_per_stage: 2, stage_ms: 400 * dayMs } });
    const tasks = [email, phone].map((identifier) => task({ identifier, identifiers: [email, phone], taskId: identifier.kind }));
    for (const test of tasks) expect(await connect().erase(test.step({ cursor: null, attempt: 1 }))).toMatchObject({ state: 'wait' });
    expect(created()).toBe(1);
  });

  it('goes to a person when the profile has none', async () => {
    plant({ profiles: [{ external_ids: [{ type: 'email', id: email.value }, { type: 'anonymous_id', id: 'anon-1' }] }] });
    const { result } = await run(connect(), task({ identifier: email, identifiers: [email] }));
    expect(result).toMatchObject({ state: 'operator', code: 'UNSUPPORTED', residue: [{ what: 'profiles_without_user_id', why: 'unsupported', count: 1 }] });
    expect(vendor().effects).toEqual([]);
  });
});

describe('a second profile of the person', () => {
  const second = { external_ids: [{ type: 'email', id: email.value }, { type: 'anonymous_id', id: 'tablet' }] };

  it('that has no user id is named as residue, once, since no regulation reaches it, and is not read back as absent', async () => {
    plant({ profiles: [{ external_ids: [{ type: 'user_id', id: userId.value }] }, second] });
    const test = task({ identifiers: [userId, email, { kind: 'anonymous_id', value: 'tablet' }] });
    const { result, cursor } = await run(connect({ read_back_within_seconds: 0 }), test);
    expect(result).toMatchObject({ state: 'done', outcome: 'erased' });
    expect(result.residue[0]).toEqual({ what: 'profiles_without_user_id', why: 'unsupported', count: 1 });
    expect((await confirm(connect({ read_back_within_seconds: 0 }), test, cursor)).seen).toMatchObject({ state: 'present' });
  });

  it('that has a user id is no residue: it has a task of its own', async () => {
    plant({ profiles: [{ external_ids: [{ type: 'user_id', id: userId.value }] }, { external_ids: [...second.external_ids, { type: 'user_id', id: 'second-life' }] }] });
    const { result } = await run(connect(), task({ identifiers: [userId, email] }));
    expect(result.residue.map(({ what }) => what)).toEqual(['suppression_list_entry', 'regulation_record']);
  });
});

describe('reading back at Segment', () => {
  it('gives a profile time to go, with growing waits, and then says that it is there and under which identifiers', async () => {
    plant();
    const test = task();
    vendor().fault({ kind: 'lie', method: 'POST' });
    const { cursor } = await run(connect({ read_back_within_seconds: 600 }), test);
    const { seen, waits } = await confirm(connect({ read_back_within_seconds: 600 }), test, cursor);
    expect(seen.state).toBe('present');
    expect(seen.state === 'present' ? seen.found.toSorted(byValue) : []).toEqual(all.toSorted(byValue));
    expect(waits.length).toBeGreaterThan(3);
    expect(waits.reduce((sum, each) => sum + each, 0)).toBeLessThanOrEqual(601_000);
    expect(waits.slice(0, 3)).toEqual(waits.slice(0, 3).toSorted((one, other) => one - other));
  });

  it('finds a second profile that only another identifier of the person leads to', async () => {
    vendor().seed({ profiles: [{ external_ids: [{ type: 'user_id', id: userId.value }] }, { external_ids: [{ type: 'email', id: email.value }, { type: 'user_id', id: 'second-life' }] }] });
    const test = task({ identifiers: [userId, email] });
    const { cursor } = await run(connect({ read_back_within_seconds: 0 }), test);
    const { seen } = await confirm(connect({ read_back_within_seconds: 0 }), test, cursor);
    expect(seen).toMatchObject({ state: 'present' });
    expect(seen.state === 'present' ? seen.found : []).toContainEqual({ kind: 'user_id', value: 'second-life' });
  });

  it('goes on where a rate limit stopped it, over a thousand identifiers, and skips none', async () => {
    plant({ account: { profile_requests_per_second: 1_000_000 } });
    const many: Identifier[] = Array.from({ length: 200 }, (_, index) => ({ kind: 'anonymous_id', value: `device-${index}` }));
    const asked = new Set<string>();
    const wrapFetch = (guarded: typeof fetch): typeof fetch => async (input, init) => {
      const match = /profiles\/([^/]+)\//u.exec(urlOf(input));
      if (match?.[1] !== undefined) asked.add(decodeURIComponent(match[1]));
      return guarded(input, init);
    };
    const test = task({ identifiers: [userId, ...many], wrapFetch });
    const { cursor } = await run(connect(), test);
    asked.clear();
    vendor().fault({ kind: 'status', status: 429, path: 'device-170/' });
    test.clearSaved();
    await expect(connect().confirm(test.step({ cursor, attempt: 1 }))).rejects.toMatchObject({ code: 'VENDOR_RATE_LIMITED' });
    const kept = test.saved()?.cursor ?? null;
    const before = vendor().calls.length;
    expect((await confirm(connect(), test, kept)).seen).toEqual({ state: 'absent' });
    expect(vendor().calls.length - before).toBeLessThan(201);
    expect(asked.size).toBe(201);
  });

  it('starts over when an identifier was found in between, so that none is skipped', async () => {
    plant();
    const test = task();
    const { cursor } = await run(connect(), test);
    vendor().seed({ profiles: [{ external_ids: [{ type: 'anonymous_id', id: 'a-late-one' }] }] });
    const halfway = { ...(cursor as object), checked: { upTo: 4, of: 'another list' } } as Json;
    const late: Identifier = { kind: 'anonymous_id', value: 'a-late-one' };
    const wider = task({ identifiers: [...all, late], now: () => Date.now() + dayMs });
    expect((await confirm(connect(), wider, halfway)).seen).toEqual({ state: 'present', found: [late] });
  });
});

const specs = {
  profile: loadVendorSpec('segment/profile_api.documented.openapi.json'),
  public: loadVendorSpec('segment/public_api.deletion_and_suppression.derived.openapi.json'),
};

const specOf = (url: string): VendorSpec => (url.includes('/v1/spaces/') ? specs.profile : specs.public) as VendorSpec;

describe.skipIf(specs.profile === undefined || specs.public === undefined)('against Segment’s own descriptions (skipped where ../shared/specs is absent)', () => {
  it('sends and is answered only what they describe, in a whole erasure with a lost answer', async () => {
    const many = Array.from({ length: 150 }, (_, index) => ({ type: 'anonymous_id', id: `device-${index}` }));
    plant({ ...destinations('FINISHED', 'NOT_SUPPORTED'), profiles: [{ external_ids: [...externalIds, ...many] }] });
    const sent: SentRequest[] = [];
    const answers: { readonly request: SentRequest; readonly status: number; readonly body: unknown }[] = [];
    const wrapFetch = (guarded: typeof fetch): typeof fetch => async (input, init) => {
      const headers = new Headers(init?.headers);
      const request: SentRequest = {
        method: init?.method ?? 'GET',
        url: urlOf(input),
        ...(typeof init?.body === 'string' ? { body: init.body } : {}),
        contentType: headers.get('content-type') ?? undefined,
      };
      sent.push(request);
      const response = await guarded(input, init);
      answers.push({ request, status: response.status, body: await response.clone().json() });
      return response;
    };
    const test = task({ wrapFetch });
    vendor().fault({ kind: 'lost', method: 'POST' });
    await connect().check(test.plain);
    await connect().locate(test.plain, [email]);
    const { cursor } = await run(connect(), test);
    await confirm(connect(), test, cursor);
    expect(sent.flatMap((request) => checkRequest(specOf(request.url), request))).toEqual([]);
    expect(answers.flatMap(({ request, ...answer }) => checkAnswer(specOf(request.url), request, answer))).toEqual([]);
    expect(new Set(sent.map(({ method, url }) => `${method} ${new URL(url).pathname.split('/')[1]}`))).toEqual(new Set(['GET v1', 'GET regulations', 'POST regulations']));
  });
});
