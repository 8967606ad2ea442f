import { describe, expect, it } from 'vitest';
import { runConformance } from '../../src/connector-kit/conformance/index.ts';
import type { Connection } from '../../src/connector-kit/index.ts';
import { segmentConnector } from '../../src/connectors/segment/index.ts';
import type { Identifier } from '../../src/contract/identifiers.ts';
import { startSegment } from '../../src/sandbox/segment/index.ts';
import { ada, adaExternalIds as externalIds, adaIdentifiers as all, byValue, segmentConfigFor, urlOf, useSegment, type SegmentDump } from '../support/segment-bench.ts';

const { userId, email, phone, anonymousId } = ada;

runConformance({
  title: 'external ids',
  connector: segmentConnector,
  start: startSegment,
  config: (url) => segmentConfigFor(url),
  refusedConfig: (url) => ({
    profile_api: { space_id: 'spa_sandbox', token: 'revoked', base_url: url },
    public_api: { token: 'revoked', base_url: url },
  }),
  plant: (vendor) => {
    vendor.seed({ profiles: [{ external_ids: externalIds, traits: { name: 'Ada Example' } }, { external_ids: [{ type: 'user_id', id: 'bystander' }] }] });
    return { identifier: userId, identifiers: all, personal: ['ada@example.com', '2025550123', 'User-4711', 'anon-1', 'Ada Example'] };
  },
  plantMany: (vendor) => {
    const many = Array.from({ length: 300 }, (_, index) => ({ type: 'anonymous_id', id: `device-${index}` }));
    vendor.seed({ profiles: [{ external_ids: [...externalIds, ...many] }] });
    return { identifier: userId, identifiers: all, personal: ['ada@example.com'] };
  },
  left: (vendor) => (vendor.dump() as SegmentDump).profiles.filter((profile) => profile.externalIds.some(({ id }) => id === userId.value)).length,
  unknown: [
    { kind: 'user_id', value: 'nobody' },
    { kind: 'email', value: 'nobody@example.com' },
    { kind: 'phone', value: '+12025550199' },
    { kind: 'anonymous_id', value: 'anon-nobody' },
  ],
  outcome: 'erased',
  lie: { method: 'POST', path: '^/regulations' },
});


const { vendor, connect, task, plant, run, confirm } = useSegment();

const repeatedPage = (): typeof fetch => async () => Response.json({ data: [], cursor: { has_more: true, next: 'again' } });
const identifyForm = (): Connection => connect({}, { form: 'identify' });

describe('finding a person at Segment', () => {
  it('reads every page of external ids and every configured id type, once for each profile', async () => {
    const many = Array.from({ length: 950 }, (_, index) => ({ type: 'anonymous_id', id: `device-${index}` }));
    plant({ profiles: [{ external_ids: [...externalIds, ...many, { type: 'stripe_customer_id', id: 'cus_Ada1' }, { type: 'loyalty_card', id: '99' }] }] });
    const connection = connect({ extra_id_types: { stripe_customer_id: 'stripe_customer' } });
    const first = await connection.locate(task().plain, [email]);
    expect(first.knows).toEqual([email]);
    const found = first.found.map(({ identifier }) => identifier);
    expect(found).toHaveLength(3 + 950 + 1);
    expect(found).toContainEqual({ kind: 'stripe_customer', value: 'cus_Ada1' });
    expect(found).toContainEqual(userId);
    expect(first.found.every(({ via, confidence }) => via.value === email.value && confidence === 1)).toBe(true);
    const before = vendor().calls.length;
    expect(before).toBe(10);
    const second = await connection.locate(task().plain, [email, ...found]);
    expect(second.found).toEqual([]);
    expect(second.knows).toHaveLength(found.length + 1);
    expect(vendor().calls.length - before).toBe(10);
  });

  it.each([email, phone, userId, anonymousId])('finds the whole profile by its $kind alone', async (known) => {
    plant();
    const { found, knows } = await connect().locate(task().plain, [known]);
    expect(knows).toEqual([known]);
    expect(found.map(({ identifier }) => identifier).toSorted(byValue)).toEqual(all.filter((each) => each !== known).toSorted(byValue));
  });

  it('asks in lower case and with %2B, and sends nothing that could be taken for a path', async () => {
    plant({ profiles: [{ external_ids: [...externalIds, { type: 'user_id', id: "Odd/../Id'?#(*)" }] }] });
    const paths: string[] = [];
    const wrapFetch = (guarded: typeof fetch): typeof fetch => async (input, init) => {
      paths.push(urlOf(input));
      return guarded(input, init);
    };
    const odd: Identifier = { kind: 'user_id', value: "Odd/../Id'?#(*)" };
    await connect().locate(task({ wrapFetch }).plain, [phone]);
    const { knows } = await connect().locate(task({ wrapFetch }).plain, [odd]);
    expect(knows).toEqual([odd]);
    expect(paths[0]).toContain('/profiles/phone:%2B12025550123/external_ids');
    expect(paths[1]).toContain('/profiles/user_id:odd%2F..%2Fid%27%3F%23%28%2A%29/external_ids');
  });

  it('hands on no phone or e-mail that is not in normal form, and no type that is not configured', async () => {
    plant({ profiles: [{ external_ids: [{ type: 'user_id', id: 'u1' }, { type: 'phone', id: '5550101' }, { type: 'phone', id: '+1 (202) 555-0144' }, { type: 'email', id: 'unknown' }, { type: 'email', id: 'Ada@Example.com' }, { type: 'ios.idfa', id: 'x' }] }] });
    const { found } = await connect().locate(task().plain, [{ kind: 'user_id', value: 'u1' }]);
    expect(found.map(({ identifier }) => identifier)).toEqual([{ kind: 'phone', value: '+12025550144' }, email]);
  });

  it('reports a user id in the other writing that Segment has, since a regulation tells them apart', async () => {
    plant();
    const { found, knows } = await connect().locate(task().plain, [{ kind: 'user_id', value: 'user-4711' }]);
    expect(knows).toEqual([{ kind: 'user_id', value: 'user-4711' }]);
    expect(found.map(({ identifier }) => identifier)).toContainEqual(userId);
  });

  it('finds a person under the spelling that was given, but not under a number without its country code', async () => {
    plant({ profiles: [{ external_ids: [{ type: 'phone', id: '+1 202 555 0123' }] }, { external_ids: [{ type: 'phone', id: '202-555-0123' }, { type: 'user_id', id: 'somebody-else' }] }] });
    const international: Identifier = { ...phone, raw: '+1 202 555 0123' };
    expect((await connect().locate(task().plain, [international])).knows).toEqual([international]);
    expect(await connect().locate(task().plain, [{ ...phone, raw: '202-555-0123' }])).toEqual({ found: [], knows: [] });
  });

  it.each([
    ['of a proxy', { message: 'no route' }],
    ['of another kind', { error: { code: 'invalid_request_error' } }],
  ])('does not take a 404 %s for a miss', async (_name, body) => {
    const wrapFetch = (): typeof fetch => async () => Response.json(body, { status: 404 });
    await expect(connect().locate(task({ wrapFetch }).plain, [email])).rejects.toMatchObject({ code: 'VENDOR_MALFORMED' });
  });

  it('does not turn in circles with a vendor that repeats a page', async () => {
    await expect(connect().locate(task({ wrapFetch: repeatedPage }).plain, [email])).rejects.toMatchObject({ code: 'VENDOR_MALFORMED' });
  });
});

describe('the literal identify form', () => {
  it('is used only where configured, and gives the profile id as the profile sid', async () => {
    plant();
    const { found, knows } = await identifyForm().locate(task().plain, [email, phone]);
    expect(found).toEqual([{ identifier: { kind: 'twilio_profile', value: expect.any(String) as string }, via: email, confidence: 1 }]);
    expect(knows).toEqual([]);
    expect(vendor().calls.map(({ method, path }) => `${method} ${path}`)).toEqual(['POST /v1/spaces/spa_sandbox/users/identify']);
    const known = [email, phone, ...found.map(({ identifier }) => identifier)];
    expect((await identifyForm().locate(task().plain, known)).found).toEqual([]);
  });

  it('never writes by the default form', async () => {
    plant();
    await connect().locate(task().plain, all);
    expect(vendor().calls.some(({ method }) => method === 'POST')).toBe(false);
    expect(vendor().effects).toEqual([]);
  });

  it('never asks by writing during erasure and read-back: it attests', async () => {
    plant();
    const test = task();
    const erased = await run(identifyForm(), test);
    expect(erased.result).toMatchObject({ state: 'done', outcome: 'erased' });
    expect((await confirm(identifyForm(), test, erased.cursor)).seen).toEqual({ state: 'attested' });
    expect(vendor().calls.some(({ path }) => path.includes('/v1/spaces/'))).toBe(false);
  });

  it('hands a person without a known user id to an operator', async () => {
    const { result } = await run(identifyForm(), task({ identifier: email }));
    expect(result).toMatchObject({ state: 'operator', code: 'UNSUPPORTED' });
    expect(vendor().calls).toEqual([]);
  });
});

describe('the configuration of a Segment connection', () => {
  it('defaults to the vendor’s hosts, reading only, suppression with deletion', () => {
    const config = segmentConnector.config.parse({ profile_api: { space_id: 'spa_1', token: 'a' }, public_api: { token: 'b' } });
    expect(segmentConnector.egress(config)).toEqual(['https://profiles.segment.com', 'https://api.segmentapis.com']);
    expect(config).toMatchObject({ profile_api: { form: 'external_ids' }, regulation: 'SUPPRESS_WITH_DELETE' });
    expect(segmentConnector.capabilities(config)).toMatchObject({ erases: ['user_id'], locates: ['user_id', 'email', 'phone', 'anonymous_id'], isIdentityMap: true });
  });

  it('can be searched by the kinds of its extra id types', () => {
    const config = segmentConnector.config.parse({ profile_api: { space_id: 'spa_1', token: 'a' }, public_api: { token: 'b' }, extra_id_types: { stripe_id: 'stripe_customer' } });
    expect(segmentConnector.capabilities(config).locates).toContain('stripe_customer');
  });

  it.each([
    ['a regulation that deletes nothing', { regulation: 'SUPPRESS_ONLY' }],
    ['an unknown field', { regulations: 'DELETE_ONLY' }],
    ['an id type that could be a path', { id_types: { email: 'email/../..' } }],
    ['a kind that does not exist', { extra_id_types: { loyalty_card: 'card' } }],
  ])('refuses %s', (_name, rest) => {
    expect(segmentConnector.config.safeParse({ profile_api: { space_id: 'spa_1', token: 'a' }, public_api: { token: 'b' }, ...rest }).success).toBe(false);
  });
});
