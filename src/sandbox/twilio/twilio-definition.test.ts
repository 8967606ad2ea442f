import { afterEach, beforeEach, expect, test } from 'vitest';
import type { Simulator } from '../simulator.ts';
import { defaultAccount, startTwilio, type TwilioSeed } from './index.ts';

const account = `/2010-04-01/Accounts/${defaultAccount.accountSid}`;
const person = '+12025550111';
const office = '+12025550100';

interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly body: any; // oxlint-disable-line typescript/no-explicit-any -- vendor JSON, asserted on field by field
}
let twilio: Simulator;
beforeEach(async () => {
  twilio = await startTwilio();
});
afterEach(() => twilio.close());

async function call(method: string, path: string, options: { form?: Record<string, string>; json?: unknown; auth?: string; headers?: Record<string, string>; timeoutMs?: number } = {}): Promise<Answer> {
  const auth = options.auth ?? `${defaultAccount.accountSid}:${defaultAccount.authToken}`;
  const response = await fetch(path.startsWith('http') ? path : twilio.url + path, {
    method,
    redirect: 'manual',
    signal: AbortSignal.timeout(options.timeoutMs ?? 10_000),
    headers: { authorization: `Basic ${Buffer.from(auth).toString('base64')}`, ...(options.json !== undefined && { 'content-type': 'application/json' }), ...options.headers },
    ...(options.form !== undefined && { body: new URLSearchParams(options.form) }),
    ...(options.json !== undefined && { body: JSON.stringify(options.json) }),
  });
  const text = await response.text();
  return { status: response.status, headers: response.headers, body: text === '' ? undefined : JSON.parse(text) };
}
// oxlint-disable-next-line typescript/no-explicit-any -- the planted ids, by the seed's own names
const plant = (seed: TwilioSeed): any => twilio.seed(seed);
const did = (type: string): string[] => twilio.effects.filter((each) => each.type === type).map((each) => each.object);
const one = (to: string): string => plant({ messages: [{ to, from: office }] }).messages[0];
const message = (sid: string): string => `${account}/Messages/${sid}.json`;

test('A wrong secret answers 401 with code 20003, and a right account or key pair is let in', async () => {
  const refused = await call('GET', `${account}/Messages.json`, { auth: 'AC0:wrong' });
  expect([refused.status, refused.body.code]).toEqual([401, 20003]);
  expect((await call('GET', `${account}/Messages.json`)).status).toBe(200);
  const { sid, secret } = defaultAccount.apiKey;
  expect((await call('GET', '/v1/ControlPlane/Stores', { auth: `${sid}:${secret}` })).status).toBe(200);
});

test('Messages are listed by To and by From, each page leading to the next until null, with every message once', async () => {
  plant({ bulk: [{ to: person, from: office, count: 120 }, { to: office, from: person, count: 3 }] });
  const sids: string[] = [];
  let next: string | null = `${account}/Messages.json?To=${encodeURIComponent(person)}`;
  let pages = 0;
  while (next !== null) {
    const page: Answer = await call('GET', next);
    sids.push(...page.body.messages.map((each: { sid: string }) => each.sid));
    next = page.body.next_page_uri;
    pages += 1;
  }
  expect([pages, new Set(sids).size]).toEqual([3, 120]);
  const sent = await call('GET', `${account}/Messages.json?From=${encodeURIComponent(person)}`);
  expect(sent.body.messages).toHaveLength(3);
});

test('A hundred thousand messages are planted, and one page of one person is listed without walking through them', async () => {
  plant({ bulk: { to: person, from: office, count: 100_000 } });
  plant({ messages: [{ to: '+12025550112', from: office }] });
  const page = await call('GET', `${account}/Messages.json?To=%2B12025550112&PageSize=1000`);
  expect(page.body.messages).toHaveLength(1);
  const full = await call('GET', `${account}/Messages.json?To=${encodeURIComponent(person)}&PageSize=5000&Page=99`);
  expect([full.body.messages.length, full.body.page_size, full.body.next_page_uri]).toEqual([1000, 1000, null]);
});

test('A deleted message is gone once, with media that no other message shows; a second deletion answers 20404', async () => {
  const { messages } = plant({ messages: [{ to: person, from: office, media: [{ key: 'shared' }, {}] }, { to: person, from: office, media: [{ key: 'shared' }] }] });
  expect((await call('DELETE', message(messages[0]))).status).toBe(204);
  expect(did('media.deleted')).toHaveLength(1);
  const again = await call('DELETE', message(messages[0]));
  expect([again.status, again.body.code]).toEqual([404, 20404]);
  expect(did('message.deleted')).toEqual([messages[0]]);
  const media = await call('GET', `${account}/Messages/${messages[1]}/Media.json`);
  expect(media.body.media_list).toHaveLength(1);
  expect((await call('DELETE', `${account}/Messages/${messages[1]}/Media/${media.body.media_list[0].sid}.json`)).status).toBe(204);
  expect(did('media.deleted')).toHaveLength(2);
});

test('Redaction empties the body and leaves the numbers; another body is refused', async () => {
  const { messages } = plant({ messages: [{ to: person, from: office, body: 'hello' }] });
  expect((await call('POST', message(messages[0]), { form: { Body: 'other' } })).status).toBe(400);
  const redacted = await call('POST', message(messages[0]), { form: { Body: '' } });
  expect([redacted.body.body, redacted.body.to]).toEqual(['', person]);
  expect(did('message.redacted')).toEqual(messages);
});

test('A message in flight answers 20009 until the clock has moved, and a scheduled one until it is cancelled', async () => {
  const { messages } = plant({ messages: [{ to: person, from: office, status: 'sending', in_flight: { tries: 99 } }, { to: person, from: office, status: 'scheduled' }] });
  const early = await call('DELETE', message(messages[0]));
  expect([early.status, early.body.code]).toEqual([409, 20009]);
  twilio.advance(60_000);
  expect((await call('DELETE', message(messages[0]))).status).toBe(204);
  const other = plant({ messages: [{ to: person, from: office, status: 'scheduled' }] }).messages[0];
  expect((await call('DELETE', message(other))).body.code).toBe(20009);
  expect((await call('POST', message(other), { form: { Status: 'canceled' } })).body.status).toBe('canceled');
  expect((await call('DELETE', message(other))).status).toBe(204);
});

test('Deleting a call leaves its recording; a deleted recording shows its metadata for 40 days to those who ask', async () => {
  const { calls } = plant({ calls: [{ to: person, from: office, recordings: [{ transcriptions: ['hi'], add_on_results: 1 }] }] });
  const before = await call('GET', `${account}/Recordings.json?CallSid=${calls[0]}`);
  const re = before.body.recordings[0].sid;
  expect((await call('DELETE', `${account}/Calls/${calls[0]}.json`)).status).toBe(204);
  expect((await call('DELETE', `${account}/Recordings/${re}.json`)).status).toBe(204);
  expect((await call('DELETE', `${account}/Recordings/${re}.json`)).body.code).toBe(20404);
  const listed = async (more: string): Promise<number> => (await call('GET', `${account}/Recordings.json?CallSid=${calls[0]}${more}`)).body.recordings.length;
  expect([await listed(''), await listed('&IncludeSoftDeleted=true')]).toEqual([0, 1]);
  twilio.advance(40 * 86_400_000);
  expect(await listed('&IncludeSoftDeleted=true')).toBe(0);
  const texts = await call('GET', `${account}/Recordings/${re}/Transcriptions.json`);
  expect((await call('DELETE', `${account}/Transcriptions/${texts.body.transcriptions[0].sid}.json`)).status).toBe(204);
  const results = await call('GET', `${account}/Recordings/${re}/AddOnResults.json`);
  expect((await call('DELETE', `${account}/Recordings/${re}/AddOnResults/${results.body.add_on_results[0].sid}.json`)).status).toBe(204);
  expect([did('call.deleted'), did('recording.deleted')]).toEqual([calls, [re]]);
  expect([did('transcription.deleted').length, did('add_on_result.deleted').length]).toEqual([1, 1]);
});

test('The literal profile endpoint answers 404 unless asked for, and then deletes the profile and records the header as not heeded', async () => {
  const { profiles } = plant({ profiles: [{ identifiers: { phone: [person] }, observations: ['likes tea'] }] });
  const path = `${account}/Profiles/${profiles[0]}.json`;
  const headers = { 'x-twilio-webhook-enabled': 'false' };
  expect((await call('DELETE', path, { headers })).body.code).toBe(20404);
  plant({ literal_profiles: true });
  expect((await call('DELETE', path, { headers })).status).toBe(204);
  expect((await call('DELETE', path, { headers })).status).toBe(404);
  expect([did('profile.deleted'), did('observation.deleted').length]).toEqual([profiles, 1]);
  expect(twilio.dump()).toMatchObject({ webhook_headers: [{ value: 'false', honoured: false }, {}, {}] });
});

test('A profile is found by a normalised identifier, stays visible for one read after its deletion, and leaves its observations', async () => {
  const { profiles, stores } = plant({ profiles: [{ identifiers: { email: ['Ada@Example.com', 'ada2@example.com'] }, observations: ['a'], summaries: ['b'] }] });
  const base = `/v1/Stores/${stores.sandbox}/Profiles`;
  const look = async (): Promise<unknown> => (await call('POST', `${base}/Lookup`, { json: { idType: 'email', value: 'ADA@example.com' } })).body.profiles;
  expect(await look()).toEqual(profiles);
  expect((await call('DELETE', `${base}/${profiles[0]}`)).status).toBe(202);
  expect((await call('DELETE', `${base}/${profiles[0]}`)).status).toBe(202);
  expect(did('profile.deleted')).toEqual(profiles);
  expect([await look(), await look()]).toEqual([profiles, []]);
  expect((await call('DELETE', `${base}/${profiles[0]}`)).status).toBe(404);
  const notes = await call('GET', `${base}/${profiles[0]}/Observations`);
  expect((await call('DELETE', `${base}/${profiles[0]}/Observations/${notes.body.observations[0].id}`)).status).toBe(202);
  expect(twilio.dump()).toMatchObject({ profiles: [], observations: [], summaries: [{ content: 'b' }] });
});

test('Nulling a trait removes it, and dropping an identifier takes one value unless all are asked for', async () => {
  const { profiles, stores } = plant({ visibility: { reads: 0 }, profiles: [{ traits: { Contact: { name: 'Ada', city: 'X' } }, identifiers: { email: ['a@example.com', 'b@example.com'] } }] });
  const path = `/v1/Stores/${stores.sandbox}/Profiles/${profiles[0]}`;
  expect((await call('PATCH', path, { json: { traits: { Contact: { name: null } } } })).status).toBe(202);
  expect((await call('GET', path)).body.traits).toEqual({ Contact: { city: 'X' } });
  await call('DELETE', `${path}/Identifiers/email`);
  expect((await call('GET', `${path}/Identifiers/email`)).body.values).toEqual(['b@example.com']);
  await call('DELETE', `${path}/Identifiers/email?removeAll=true`);
  expect((await call('GET', `${path}/Identifiers`)).body.identifiers).toEqual([]);
  expect([did('profile.patched').length, did('identifier.deleted').length]).toEqual([1, 2]);
});

test('A merged profile redirects reads with 301 and changes with 308, and changes nothing', async () => {
  const { profiles, stores } = plant({ profiles: [{ key: 'main', identifiers: { email: ['c@example.com'] } }, { merged_into: 'main' }] });
  const path = `/v1/Stores/${stores.sandbox}/Profiles/${profiles[1]}`;
  for (const [method, status] of [['GET', 301], ['DELETE', 308], ['PATCH', 308]] as const) {
    const answer = await call(method, path, method === 'PATCH' ? { json: { traits: {} } } : {});
    expect([answer.status, answer.headers.get('canonical-profile-id')]).toEqual([status, profiles[0]]);
    expect(answer.headers.get('location')).toBe(answer.body.uri);
  }
  expect(twilio.effects).toEqual([]);
});

test('Conversations are found by address and by identity, and go with everything in them; the webhook header is heeded there', async () => {
  const { conversations } = plant({
    conversations: [{ participants: [{ address: `whatsapp:${person}`, proxy_address: `whatsapp:${office}` }, { identity: 'ada@example.com' }], messages: [{ author: 'ada@example.com', body: 'x' }] }],
  });
  const by = async (query: string): Promise<number> => (await call('GET', `/v1/ParticipantConversations?${query}`)).body.conversations.length;
  expect([await by(`Address=${encodeURIComponent(`whatsapp:${person}`)}`), await by(`Address=${encodeURIComponent(person)}`), await by('Identity=ada%40example.com')]).toEqual([1, 0, 1]);
  expect((await call('DELETE', `/v1/Conversations/${conversations[0]}`, { headers: { 'x-twilio-webhook-enabled': 'true' } })).status).toBe(204);
  expect(await by('Identity=ada%40example.com')).toBe(0);
  expect([did('conversation.deleted'), did('participant.deleted').length, did('conversation_message.deleted').length]).toEqual([conversations, 2, 1]);
  expect(twilio.dump()).toMatchObject({ webhooks_fired: [{ event: 'onConversationRemoved' }], webhook_headers: [{ honoured: true }] });
});

test('An orchestrated conversation goes when its operation is over, and not before', async () => {
  const id = plant({ orchestrated_conversations: [{ addresses: [person] }] }).orchestrated_conversations[0];
  const answer = await call('DELETE', `/v2/Conversations/${id}`);
  expect([answer.status, answer.headers.get('location')]).toEqual([202, answer.body.statusUrl]);
  expect((await call('GET', answer.body.statusUrl)).body.status).toBe('PENDING');
  expect(did('conversation.deleted')).toEqual([]);
  twilio.advance(5000);
  expect((await call('GET', answer.body.statusUrl)).body.status).toBe('COMPLETED');
  expect([(await call('GET', `/v2/Conversations/${id}`)).status, did('conversation.deleted')]).toEqual([404, [id]]);
});

test('Reading a deleted object a sixth time within a minute answers 70005, and a minute later 20404 again', async () => {
  const { messages } = plant({ messages: [{ to: person, from: office }] });
  await call('DELETE', message(messages[0]));
  const codes: number[] = [];
  for (let read = 0; read < 6; read += 1) codes.push((await call('GET', message(messages[0]))).body.code);
  expect(codes).toEqual([20404, 20404, 20404, 20404, 20404, 70005]);
  twilio.advance(61_000);
  expect((await call('GET', message(messages[0]))).body.code).toBe(20404);
});

test('More requests than the account may make in a second answer 20429 with Retry-After, and the next second is free', async () => {
  plant({ rate_limit: { per_second: 1 } });
  const answers = await Promise.all(Array.from({ length: 5 }, () => call('GET', '/v1/Users')));
  const refused = answers.find((each) => each.status === 429);
  expect([refused?.body.code, refused?.headers.get('retry-after')]).toEqual([20429, '1']);
  twilio.advance(2000);
  expect((await call('GET', '/v1/Users')).status).toBe(200);
});

test('Each sentinel number fails its deletions in its own way, as often as the table says, in plain and whatsapp: form alike', async () => {
  const remove = async (sid: string): Promise<number> => (await call('DELETE', message(sid), { timeoutMs: 500 }).catch(() => ({ status: 0 }))).status;
  const [limited, other] = [one('+12025550129'), one('whatsapp:+12025550129')];
  expect([await remove(limited), await remove(other), await remove(limited), await remove(other)]).toEqual([429, 429, 204, 204]);
  const hung = one('+12025550140');
  expect([await remove(hung), did('message.deleted').includes(hung), await remove(hung)]).toEqual([0, false, 204]);
  const lost = one('+12025550141');
  expect([await remove(lost), did('message.deleted').includes(lost), await remove(lost)]).toEqual([0, true, 404]);
  const lied = one('+12025550166');
  expect([await remove(lied), await remove(lied), did('message.deleted').includes(lied)]).toEqual([204, 204, false]);
  expect((await call('GET', `${account}/Messages.json?To=%2B12025550166`)).body.messages).toHaveLength(1);
  const early = one('+12025550109');
  expect([await remove(early), await remove(early), await remove(early)]).toEqual([409, 409, 204]);
  const honest = one(person);
  expect([await remove(honest), did('message.deleted').includes(honest)]).toEqual([204, true]);
  const unanswered = twilio.calls.filter((each) => each.method === 'DELETE' && each.status === 0);
  expect(unanswered).toHaveLength(2);
});

test('A planted lie says done and changes nothing; a reset forgets everything; a misspelt seed is refused', async () => {
  const { messages } = plant({ messages: [{ to: person, from: office }] });
  twilio.fault({ kind: 'lie', method: 'DELETE' });
  expect((await call('DELETE', message(messages[0]))).status).toBe(204);
  expect([twilio.effects.length, (await call('GET', message(messages[0]))).status]).toEqual([0, 200]);
  twilio.reset();
  expect((await call('GET', message(messages[0]))).status).toBe(404);
  expect(() => twilio.seed({ mesages: [] })).toThrow(/mesages/u);
});
