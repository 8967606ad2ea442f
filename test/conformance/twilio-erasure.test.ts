import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { createTestContext, Death, eraseToEnd, type ErasureRun, type TestContext } from '../../src/connector-kit/conformance/index.ts';
import type { ConfirmResult, Connection } from '../../src/connector-kit/index.ts';
import { twilioConnector } from '../../src/connectors/twilio/index.ts';
import type { Identifier } from '../../src/contract/identifiers.ts';
import type { Simulator } from '../../src/sandbox/simulator.ts';
import { defaultAccount, startTwilio, type TwilioSeed } from '../../src/sandbox/twilio/index.ts';
import { checkRequest, loadVendorSpec, type SentRequest } from '../support/vendor-spec.ts';

const company = '+12025550100';
const phone: Identifier = { kind: 'phone', value: '+12025550111' };
const email: Identifier = { kind: 'email', value: 'ada@example.com' };
const bystander = '+12025550177';
const urlOf = (input: string | URL | Request): string => (typeof input === 'string' ? input : input instanceof URL ? input.href : input.url);
const profileOf = (value: string): Identifier => ({ kind: 'twilio_profile', value });

interface Planted {
  readonly profiles: readonly string[];
  readonly messages: readonly string[];
  readonly conversations: readonly string[];
}
type Dump = Readonly<Record<string, readonly Readonly<Record<string, unknown>>[]>>;

let vendor: Simulator;
beforeAll(async () => {
  vendor = await startTwilio();
});
beforeEach(() => vendor.reset());
afterAll(async () => vendor.close());

const configOf = (more: object = {}) =>
  twilioConnector.config.parse({
    account_sid: defaultAccount.accountSid,
    auth: { auth_token: defaultAccount.authToken },
    hosts: { api: vendor.url, conversations: vendor.url, memory: vendor.url },
    own_numbers: [company],
    own_identities: ['agent-1'],
    ...more,
  });
const connect = (more: object = {}): Connection => twilioConnector.connect(configOf(more));
const plant = (seed: TwilioSeed): Planted => vendor.seed({ rate_limit: { per_second: 1_000_000 }, ...seed }) as Planted;
const dump = (): Dump => vendor.dump() as Dump;
const effectsOf = (type: string): number => vendor.effects.filter((each) => each.type === type).length;

function task(identifier: Identifier, others: readonly Identifier[] = [], more: Partial<Parameters<typeof createTestContext>[0]> = {}): TestContext {
  return createTestContext({ egress: [vendor.url], identifier, identifiers: [identifier, ...others], seenHere: true, ...more });
}
/** A deployment that answers by the method alone. */
const always =
  (answer: (method: string | undefined) => Response) =>
  (): typeof fetch =>
  async (_input, init) =>
    answer(init?.method);
const erase = async (test: TestContext, more: object = {}): Promise<ErasureRun> => eraseToEnd(connect(more), test, { onWait: vendor.advance, stepsMax: 5000 });
const confirm = async (test: TestContext, run: ErasureRun, more: object = {}): Promise<ConfirmResult> => connect(more).confirm(test.step({ cursor: run.cursor, attempt: 1 }));

describe('a person with many messages', () => {
  it('is erased once each through kills and a rate limit, and no kill repeats more than a page or a batch', async () => {
    const count = 10_000;
    plant({ bulk: { to: phone.value, from: company, count } });
    const killAt = new Set([5, 20, 300, 2_000, 5_000, 9_999]);
    let calls = 0;
    const test = task(phone, [], {
      wrapFetch: (guarded) => async (input, init) => {
        calls += 1;
        if (calls === 700) vendor.fault({ kind: 'status', status: 429, retryAfter: 1 });
        const answer = await guarded(input, init);
        if (killAt.has(calls)) throw new Death();
        return answer;
      },
    });
    const run = await erase(test);
    expect(run.result).toMatchObject({ state: 'done', outcome: 'erased' });
    expect(effectsOf('message.deleted')).toBe(count);
    const lists = vendor.calls.filter(({ method }) => method === 'GET').length;
    const deletions = vendor.calls.filter(({ method }) => method === 'DELETE').length;
    // 12 lists, of which one has 40 pages, then again without the chat user, empty; each kill may repeat one page, or the receipts of one batch.
    expect(lists).toBeLessThanOrEqual(63 + killAt.size);
    expect(deletions).toBeGreaterThanOrEqual(count);
    expect(deletions).toBeLessThanOrEqual(count + 10 * (killAt.size + 1));
    expect(await confirm(test, run)).toEqual({ state: 'absent' });
  });
});

describe('what Twilio says and does not do', () => {
  it('is found by the read-back of a number whose deletions lie, and a person\'s second try deletes again', async () => {
    const liar: Identifier = { kind: 'phone', value: '+12025550166' };
    plant({ messages: [{ to: liar.value, from: company }, { to: company, from: liar.value }] });
    const test = task(liar);
    const run = await erase(test);
    expect(run.result).toMatchObject({ state: 'done', outcome: 'erased', counts: { message: 2 } });
    expect(await confirm(test, run)).toEqual({ state: 'present', found: [liar] });
    const before = vendor.calls.filter(({ method }) => method === 'DELETE').length;
    const again = await erase(test);
    expect(vendor.calls.filter(({ method }) => method === 'DELETE').length - before).toBe(2);
    expect(again.result).toMatchObject({ counts: { message: 2 } });
  });

  it('waits for messages that are not final yet, with 20009, and erases them then', async () => {
    const late: Identifier = { kind: 'phone', value: '+12025550109' };
    plant({ messages: [{ to: late.value, from: company }, { to: late.value, from: company, status: 'queued', in_flight: { ms: 86_400_000, tries: 100 } }, { to: company, from: late.value }] });
    const run = await erase(task(late));
    const waits = run.results.flatMap((each) => (each.state === 'wait' ? [each] : []));
    expect(waits.length).toBeGreaterThan(1);
    expect(waits.every(({ reason, afterMs }) => reason === 'not_final_yet' && afterMs >= 1000)).toBe(true);
    expect(run.failures).toEqual([]);
    expect(run.result).toMatchObject({ state: 'done', outcome: 'erased', counts: { message: 3 } });
    expect(dump()['messages']).toEqual([]);
  });

  it('hands messages that never become final to a person after the 14 days and one', async () => {
    plant({ messages: [{ to: phone.value, from: company, status: 'queued', in_flight: { ms: 100 * 86_400_000, tries: 100_000 } }] });
    const run = await erase(task(phone));
    expect(run.result).toMatchObject({ state: 'operator', code: 'TASK_WINDOW_PASSED', counts: {} });
    expect(effectsOf('message.deleted')).toBe(0);
  });

  it('counts nothing twice and deletes only what is left when a person sends it on after a refused credential', async () => {
    plant({ bulk: { to: phone.value, from: company, count: 25 } });
    vendor.fault({ kind: 'status', method: 'DELETE', status: 401 });
    const test = task(phone);
    await expect(erase(test)).rejects.toMatchObject({ code: 'CONNECTION_AUTH' });
    expect(effectsOf('message.deleted')).toBe(9);
    const run = await erase(test);
    expect(run.result).toMatchObject({ state: 'done', outcome: 'erased', counts: { message: 16 } });
    expect(effectsOf('message.deleted')).toBe(25);
    expect(vendor.calls.filter(({ method }) => method === 'DELETE')).toHaveLength(26);
  });

  it('takes in what arrives while it deletes', async () => {
    plant({ messages: [{ to: phone.value, from: company }] });
    let arrived = false;
    const run = await erase(
      task(phone, [], {
        wrapFetch: (guarded) => async (input, init) => {
          if (init?.method === 'DELETE' && !arrived) {
            arrived = true;
            plant({ messages: [{ to: company, from: phone.value, body: 'one more' }] });
          }
          return guarded(input, init);
        },
      }),
    );
    expect(run.result).toMatchObject({ state: 'done', outcome: 'erased', counts: { message: 2 } });
    expect(dump()['messages']).toEqual([]);
  });

  it('does not take a 404 of something that is not Twilio for a deletion', async () => {
    const wrapFetch = always(() => new Response('no route', { status: 404 }));
    await expect(connect().erase(task(phone, [], { wrapFetch }).step({ cursor: null, attempt: 1 }))).rejects.toMatchObject({ code: 'VENDOR_MALFORMED' });
  });

  it('does not follow the link of a page to another host, nor in circles', async () => {
    const urls: string[] = [];
    const wrapFetch = (): typeof fetch => async (input) => {
      urls.push(urlOf(input));
      return Response.json({ calls: [], next_page_uri: 'https://elsewhere.example/2010-04-01/again.json', page: 0 });
    };
    await expect(connect().erase(task(phone, [], { wrapFetch }).step({ cursor: null, attempt: 1 }))).rejects.toMatchObject({ code: 'VENDOR_MALFORMED' });
    expect(urls.every((url) => url.startsWith(vendor.url))).toBe(true);
  });
});

describe('other people\'s data', () => {
  it('is never reached by one of the account\'s own numbers', async () => {
    const own: Identifier = { kind: 'phone', value: company };
    plant({ messages: [{ to: bystander, from: company }] });
    expect(await connect().locate(task(own).plain, [own])).toEqual({ found: [], knows: [] });
    expect((await erase(task(own))).result).toMatchObject({ state: 'operator', code: 'SUBJECT_AMBIGUOUS' });
    expect(vendor.calls).toEqual([]);
  });

  it('stays in a conversation that others take part in, and is named; a conversation with agents alone goes whole', async () => {
    plant({
      conversations: [
        { friendly_name: 'group', participants: [{ address: phone.value }, { address: bystander }], messages: [{ author: phone.value, body: 'mine' }, { author: bystander, body: 'theirs' }] },
        { friendly_name: 'alone', participants: [{ address: `whatsapp:${phone.value}` }, { identity: 'agent-1' }], messages: [{ author: 'agent-1', body: 'Hello' }] },
      ],
    });
    const test = task(phone);
    const run = await erase(test);
    const { result } = run;
    expect(result).toMatchObject({ outcome: 'erased', counts: { conversation: 1, conversation_message: 2, participant: 2, shared_participant: 1 } });
    expect(result.residue).toContainEqual({ what: 'messages_of_others', why: 'belongs_to_others', count: 1 });
    expect(dump()['conversations']).toMatchObject([{ friendly_name: 'group' }]);
    expect(dump()['conversation_messages']).toMatchObject([{ body: 'theirs' }]);
    expect(dump()['participants']).toMatchObject([{ messaging_binding: { address: bystander } }]);
    expect(dump()['webhooks_fired']).toEqual([]);
    expect(await confirm(test, run)).toEqual({ state: 'absent' });
  });

  it('keeps a conversation with an address that was found and is not proven to be the person\'s; with one that is, it goes whole', async () => {
    const seed: TwilioSeed = { conversations: [{ friendly_name: 'pair', participants: [{ address: phone.value }, { address: bystander }], messages: [{ author: phone.value, body: 'mine' }, { author: bystander, body: 'theirs' }] }] };
    const other: Identifier = { kind: 'phone', value: bystander };
    plant(seed);
    const test = task(phone, [other], { proven: [phone] });
    const run = await erase(test);
    expect(run.result).toMatchObject({ outcome: 'erased', counts: { conversation_message: 1, shared_participant: 1 } });
    expect(await confirm(test, run)).toEqual({ state: 'absent' });
    expect(dump()['conversation_messages']).toMatchObject([{ body: 'theirs' }]);
    vendor.reset();
    plant(seed);
    expect((await erase(task(phone, [other]))).result).toMatchObject({ counts: { conversation: 1, conversation_message: 2 } });
    expect(dump()['conversations']).toEqual([]);
  });

  it('on a profile that shares a number is neither taken for the person\'s nor erased', async () => {
    const { profiles } = plant({ profiles: [{ identifiers: { phone: [phone.value], email: [email.value] } }, { identifiers: { phone: [phone.value], email: ['spouse@example.com'] } }] });
    const [mine = '', spouses = ''] = profiles;
    const seen = await connect().locate(task(phone).plain, [phone, profileOf(mine), profileOf(spouses)]);
    expect(seen.found).toEqual([]);
    const unsure = await connect().locate(task(phone).plain, [phone]);
    expect(unsure.found.map(({ confidence }) => confidence)).toEqual([0.5, 0.5]);
    const sure = await connect().locate(task(email).plain, [email]);
    expect(sure.found).toEqual([{ identifier: profileOf(mine), via: email, confidence: 1 }]);
    expect((await erase(task(profileOf(spouses), [phone, email]))).result).toMatchObject({ state: 'operator', code: 'SUBJECT_AMBIGUOUS' });
    expect(vendor.effects).toEqual([]);
    expect((await erase(task(profileOf(mine), [phone, email]))).result).toMatchObject({ state: 'done', outcome: 'erased' });
    expect(effectsOf('profile.deleted')).toBe(1);
  });
});

describe('a unified profile', () => {
  const merged: TwilioSeed = {
    profiles: [{ identifiers: { phone: [phone.value] }, merged_into: 'canonical' }, { key: 'canonical', identifiers: { phone: [phone.value] }, observations: ['note'] }],
  };

  it('that was merged into one that was not resolved goes to a person, and neither is touched or read', async () => {
    const [old = '', canonical = ''] = plant(merged).profiles;
    expect((await connect().locate(task(profileOf(old)).plain, [profileOf(old)])).found).toEqual([]);
    const { result } = await erase(task(profileOf(old), [phone]));
    expect(result).toMatchObject({ state: 'operator', code: 'SUBJECT_AMBIGUOUS', counts: {} });
    expect(vendor.effects).toEqual([]);
    expect(vendor.calls.some(({ path }) => path.includes(canonical))).toBe(false);
  });

  it('that was merged into one of the same person is erased there', async () => {
    const [old = '', canonical = ''] = plant(merged).profiles;
    const { result } = await erase(task(profileOf(old), [phone, profileOf(canonical)]));
    expect(result).toMatchObject({ state: 'done', outcome: 'erased', counts: { observation: 1, profile: 1 } });
    expect(vendor.effects.map(({ object }) => object)).toContain(canonical);
  });

  it('that holds an address, or was merged into a profile, which is not proven to be the person\'s goes to a person; what is proven is erased', async () => {
    const { profiles } = plant({ profiles: [{ identifiers: { phone: [phone.value], email: [email.value] } }] });
    const mine = profileOf(profiles[0] ?? '');
    expect((await erase(task(mine, [phone, email], { proven: [mine, phone] }))).result).toMatchObject({ state: 'operator', code: 'SUBJECT_AMBIGUOUS' });
    const [old = '', canonical = ''] = plant(merged).profiles;
    expect((await erase(task(profileOf(old), [phone, profileOf(canonical)], { proven: [phone], taskId: 'merged' }))).result).toMatchObject({ state: 'operator', code: 'SUBJECT_AMBIGUOUS' });
    expect(vendor.effects).toEqual([]);
    expect((await erase(task(mine, [phone, email], { proven: [phone, email], taskId: 'proven' }))).result).toMatchObject({ state: 'done', outcome: 'erased' });
  });

  it('leads to its identifiers and is led to by them, and a new one is found by the read-back of the number', async () => {
    const [id = ''] = plant({ profiles: [{ identifiers: { phone: [phone.value], email: ['Ada@Example.com'] } }] }).profiles;
    expect(await connect().locate(task(phone).plain, [phone])).toEqual({ found: [{ identifier: profileOf(id), via: phone, confidence: 1 }], knows: [] });
    const second = await connect().locate(task(phone).plain, [phone, profileOf(id)]);
    expect(second).toEqual({ found: [{ identifier: email, via: profileOf(id), confidence: 1 }], knows: [profileOf(id)] });
    const test = task(phone, [], { seenHere: false });
    const run = await erase(test);
    expect(run.result).toMatchObject({ state: 'done', outcome: 'nothing_matched' });
    expect(await confirm(test, run)).toEqual({ state: 'present', found: [profileOf(id)] });
  });

  it('whose deletion is not visible yet is looked up again, and is not called gone before', async () => {
    const [id = ''] = plant({ profiles: [{ identifiers: { phone: [phone.value] } }], visibility: { reads: 6, ms: 600_000 } }).profiles;
    const test = task(profileOf(id), [phone]);
    const run = await erase(test);
    const waits = run.results.flatMap((each) => (each.state === 'wait' ? [each.reason] : []));
    expect(waits.length).toBeGreaterThan(2);
    expect(new Set(waits)).toEqual(new Set(['not_visible_yet']));
    expect(run.result).toMatchObject({ state: 'done', outcome: 'erased' });
    expect(vendor.calls.some(({ status }) => status === 429)).toBe(false);
    expect(await confirm(test, run)).toEqual({ state: 'absent' });
  });

  it('at the literal endpoint is deleted with Basic authentication and without webhooks', async () => {
    const literal = { profiles: 'literal', literal_profile_url: `${vendor.url}/2010-04-01/Accounts/{AccountSid}/Profiles/{ProfileSid}.json` };
    plant({ literal_profiles: true, profiles: [{ profile_sid: 'PR1', identifiers: { phone: [phone.value] } }] });
    const test = task(profileOf('PR1'));
    const run = await erase(test, literal);
    expect(run.result).toMatchObject({ state: 'done', outcome: 'erased' });
    expect(dump()['webhook_headers']).toMatchObject([{ method: 'DELETE', value: 'false' }]);
    expect(await confirm(test, run, literal)).toEqual({ state: 'absent' });
  });

  it('that the literal endpoint redirects goes to a person, not followed', async () => {
    const literal = { profiles: 'literal', literal_profile_url: `${vendor.url}/{ProfileSid}.json` };
    const methods: (string | undefined)[] = [];
    const wrapFetch = (): typeof fetch => async (_input, init) => {
      methods.push(init?.method);
      return new Response(null, { status: 308, headers: { location: `${vendor.url}/PR2.json` } });
    };
    const run = await erase(task(profileOf('PR1'), [], { wrapFetch }), literal);
    expect(run.result).toMatchObject({ state: 'operator', code: 'SUBJECT_AMBIGUOUS' });
    expect(methods).toEqual(['GET']);
  });

  it('is not claimed erased where nobody answers at the literal endpoint, and only attested where reading is refused', async () => {
    const literal = { profiles: 'literal', literal_profile_url: `${vendor.url}/2010-04-01/Accounts/{AccountSid}/Profiles/{ProfileSid}.json` };
    const nowhere = await erase(task(profileOf('PR1'), [], { seenHere: false }), literal);
    expect(nowhere.result).toMatchObject({ state: 'done', outcome: 'nothing_matched' });
    const wrapFetch = always((method) => new Response(null, { status: method === 'GET' ? 405 : 204 }));
    const test = task(profileOf('PR1'), [], { wrapFetch });
    const run = await erase(test, literal);
    expect(run.result).toMatchObject({ state: 'done', outcome: 'erased' });
    expect(await confirm(test, run, literal)).toEqual({ state: 'attested' });
  });
});

describe('what is sent', () => {
  const specs = [
    ['/2010-04-01/', 'twilio/twilio_api_v2010.trimmed.json'],
    ['/v1/Stores/', 'twilio/twilio_memory_v1.trimmed.json'],
    ['/v1/ControlPlane/', 'twilio/twilio_memory_v1.trimmed.json'],
    ['/v1/', 'twilio/twilio_conversations_v1.trimmed.json'],
  ] as const;

  it.skipIf(loadVendorSpec(specs[0][1]) === undefined)('fits Twilio\'s own description (skipped where the descriptions are absent)', async () => {
    const [id = ''] = plant({
      messages: [{ to: phone.value, from: company, media: [{}] }, { to: phone.value, from: company, status: 'scheduled' }],
      calls: [{ to: phone.value, from: company, recordings: [{ transcriptions: ['text'], add_on_results: 1 }] }],
      conversations: [{ participants: [{ address: phone.value }, { identity: email.value }], messages: [{ author: phone.value, body: 'Hi' }] }],
      users: [{ identity: phone.value }],
      profiles: [{ identifiers: { phone: [phone.value] }, traits: { Contact: { name: 'Ada' } }, observations: ['o'], summaries: ['s'] }],
    }).profiles;
    const sent: SentRequest[] = [];
    const wrapFetch = (guarded: typeof fetch): typeof fetch => async (input, init) => {
      const headers = new Headers(init?.headers);
      sent.push({ method: init?.method ?? 'GET', url: urlOf(input), body: typeof init?.body === 'string' ? init.body : undefined, contentType: headers.get('content-type') ?? undefined });
      return guarded(input, init);
    };
    const all = [phone, email, profileOf(id)];
    for (const each of [phone, profileOf(id)]) {
      for (const action of each.kind === 'phone' ? (['erase'] as const) : (['anonymise', 'erase'] as const)) {
        const test = task(each, all, { wrapFetch, action, taskId: `${each.kind}${action}` });
        await connect().locate(test.plain, all);
        const run = await erase(test);
        expect(run.result.state).toBe('done');
        await confirm(test, run);
      }
    }
    const problems = sent.flatMap((request) => {
      const { pathname } = new URL(request.url);
      const spec = loadCached(specs.find(([prefix]) => pathname.startsWith(prefix))?.[1] ?? '');
      return (spec === undefined ? ['no description'] : checkRequest(spec, request)).map((problem) => `${request.method} ${pathname.replaceAll(/[A-Z]{2}[0-9a-f]{32}/gu, '…')}: ${problem}`);
    });
    expect([...new Set(problems)]).toEqual([]);
    expect(new Set(sent.map(({ method }) => method))).toEqual(new Set(['GET', 'POST', 'PATCH', 'DELETE']));
  });
});

const cache = new Map<string, ReturnType<typeof loadVendorSpec>>();
function loadCached(path: string): ReturnType<typeof loadVendorSpec> {
  if (!cache.has(path)) cache.set(path, loadVendorSpec(path));
  return cache.get(path);
}
