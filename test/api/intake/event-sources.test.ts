import { exportJWK, generateKeyPair, SignJWT } from 'jose';
import { sql } from 'kysely';
import type { Response as Injected } from 'light-my-request';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { busToken, openIntakeWorld, type IntakeWorld } from './intake-world.ts';

const keys = await generateKeyPair('RS256');
const strangers = await generateKeyPair('RS256');
const publicKey = { ...(await exportJWK(keys.publicKey)), kid: 'k1', alg: 'RS256' };

let world: IntakeWorld;
beforeAll(async () => {
  world = await openIntakeWorld(undefined, {
    fetchKeys: async () => Response.json({ keys: [publicKey] }),
  });
});
afterAll(() => world.close());

let person = '';
let people = 0;
beforeEach(() => {
  people += 1;
  person = `ada${people}@example.com`;
});

async function send(source: string, body: unknown, headers: Record<string, string> = {}): Promise<Injected> {
  return world.app.inject({
    method: 'POST',
    url: `/v1/intake/${source}`,
    headers: { 'content-type': 'application/json; charset=utf-8', ...headers },
    payload: typeof body === 'string' ? body : JSON.stringify(body),
  });
}
const bearer = { authorization: `Bearer ${busToken}` };
const requests = async (): Promise<number> => (await world.countRows())['privacy_request'] ?? -1;
const idOf = (answer: Injected): string => answer.json<{ id: string }>().id;

describe('an event by an API destination of EventBridge', () => {
  const event = (id: string, detail: object = { email: person }): Record<string, unknown> => ({ version: '0', id, 'detail-type': 'deletion.requested', source: 'shop', account: '000000000000', time: '2026-11-20T09:00:00Z', region: 'eu-central-1', resources: [], detail });

  test('opens a request with its detail, once by its id, however old it is', async () => {
    const first = await send('bus', event(`${person}-1`), bearer);
    expect(first.statusCode).toBe(202);
    const again = await send('bus', { ...event(`${person}-1`), time: '2026-11-20T10:00:00Z' }, bearer);
    expect([again.statusCode, idOf(again)]).toEqual([200, idOf(first)]);
    expect((await send('bus', event(`${person}-2`), bearer)).statusCode).toBe(202);
  });

  test('is known by its detail’s own event_id where there is one, which is no part of the request', async () => {
    const first = await send('bus', event(`${person}-1`, { email: person, event_id: `${person}-own` }), bearer);
    const again = await send('bus', event(`${person}-2`, { email: person, event_id: `${person}-own` }), bearer);
    expect([first.statusCode, again.statusCode, idOf(again)]).toEqual([202, 200, idOf(first)]);
  });

  test('opens one request, however many come at once', async () => {
    const before = await requests();
    const answers = await Promise.all(Array.from({ length: 6 }, () => send('bus', event(`${person}-1`), bearer)));
    expect(answers.map((each) => each.statusCode).toSorted((a, b) => a - b)).toEqual([200, 200, 200, 200, 200, 202]);
    expect(await requests()).toBe(before + 1);
  });

  test('is 422 under an id that came with another body', async () => {
    await send('bus', event(`${person}-1`), bearer);
    expect((await send('bus', event(`${person}-1`, { email: 'somebody@example.com' }), bearer)).json()).toMatchObject({ status: 422, code: 'IDEMPOTENCY_KEY_REUSED' });
  });
});

test.each<[string, object, Record<string, string>]>([
  ['a CloudEvent, structured', { specversion: '1.0', id: 'ce-1', source: '/shop', type: 'deletion.requested', data: { email: 'ada@example.com' } }, { 'content-type': 'application/cloudevents+json' }],
  ['a CloudEvent, structured, in base64', { specversion: '1.0', id: 'ce-2', source: '/shop', type: 'deletion.requested', data_base64: Buffer.from('{"email":"ada@example.com"}').toString('base64') }, {}],
  ['a CloudEvent, binary', { email: 'ada@example.com' }, { 'ce-specversion': '1.0', 'ce-id': 'ce-3', 'ce-source': '/shop', 'ce-type': 'deletion.requested' }],
  ['a request of its own shape with its id beside it', { email: 'ada@example.com', event_id: 'own-1' }, {}],
  ['a request with its id in the header', { right: 'erasure', subject: { identifiers: [{ kind: 'email', value: 'ada@example.com' }] } }, { 'idempotency-key': 'own-2' }],
])('%s opens a request, and another one only with another id', async (_what, body, headers) => {
  const first = await send('bus', body, { ...bearer, ...headers });
  expect(first.statusCode).toBe(202);
  const again = await send('bus', body, { ...bearer, ...headers });
  expect([again.statusCode, idOf(again)]).toEqual([200, idOf(first)]);
});

test('CloudEvents of two sources with one id are two', async () => {
  const event = (source: string) => ({ specversion: '1.0', id: 'same', source, type: 'deletion.requested', data: { email: person } });
  expect((await send('bus', event('/shop'), bearer)).statusCode).toBe(202);
  expect((await send('bus', event('/forum'), bearer)).statusCode).toBe(202);
});

test('a key in a header of the source’s choice is as good as a bearer token, and only there', async () => {
  const body = { email: person, event_id: `${person}-1` };
  expect((await send('keyed', body, { 'x-bus-key': busToken })).statusCode).toBe(202);
  expect((await send('keyed', body, bearer)).statusCode).toBe(401);
});

test('a wrong token, no token and a source that does not exist are told alike, before the body is looked at', async () => {
  const answers = [await send('bus', '{', { authorization: 'Bearer test-token-of-somebody-else' }), await send('bus', { email: person }), await send('bus', { email: person }, { authorization: busToken }), await send('nowhere', { email: person }, bearer)];
  for (const answer of answers) expect(answer.statusCode).toBe(401);
  expect(new Set(answers.map((each) => each.body)).size).toBe(1);
});

test.each<[string, unknown, number, string]>([
  ['no id of an event', { email: 'ada@example.com' }, 400, 'VALIDATION_FAILED'],
  ['an id that is none', { email: 'ada@example.com', event_id: 7 }, 400, 'VALIDATION_FAILED'],
  ['an event without a detail', { id: '1', 'detail-type': 'deletion.requested', source: 'shop' }, 400, 'VALIDATION_FAILED'],
  ['nobody in it', { event_id: 'empty-1' }, 400, 'IDENTIFIER_MISSING'],
  ['a field that is not known', { event_id: 'odd-1', email: 'ada@example.com', 'eve@example.com': 1 }, 400, 'VALIDATION_FAILED'],
  ['an address that is none', { event_id: 'odd-2', email: 'nobody at all' }, 400, 'IDENTIFIER_INVALID'],
  ['no JSON', '{"email":', 400, 'BODY_MALFORMED'],
])('a message with %s is refused, leaves nothing, and its answer says no value', async (_what, body, status, code) => {
  const rows = await world.countRows();
  const answer = await send('bus', body, bearer);
  expect(answer.statusCode).toBe(status);
  expect(answer.json()).toMatchObject({ code });
  expect(answer.body).not.toMatch(/ada@|eve@|nobody at all/u);
  expect(await world.countRows()).toEqual(rows);
});

interface Token {
  readonly iss?: string;
  readonly aud?: string;
  readonly email?: string;
  readonly verified?: boolean;
  readonly age?: number;
  readonly key?: (typeof keys)['privateKey'];
}

async function token({ iss = 'https://accounts.google.com', aud = 'https://privacy.shop.example/push', email = 'push@shop.example', verified = true, age = 0, key = keys.privateKey }: Token = {}): Promise<Record<string, string>> {
  const at = Math.floor(world.clock.now() / 1000) - age;
  const jwt = await new SignJWT({ iss, aud, email, email_verified: verified, iat: at, exp: at + 3600, sub: '1' }).setProtectedHeader({ alg: 'RS256', kid: 'k1' }).sign(key);
  return { authorization: `Bearer ${jwt}` };
}

const pushed = (id: string, body: unknown, rest: { attributes?: Record<string, string>; deliveryAttempt?: number } = {}): Record<string, unknown> => ({
  message: { data: Buffer.from(typeof body === 'string' ? body : JSON.stringify(body)).toString('base64'), messageId: id, message_id: id, publishTime: '2026-11-20T09:00:00Z', attributes: rest.attributes ?? {} },
  subscription: 'projects/shop/subscriptions/privacy',
  ...(rest.deliveryAttempt === undefined ? {} : { deliveryAttempt: rest.deliveryAttempt }),
});

const refusals = async (): Promise<unknown[]> => (await sql`SELECT source, place, code FROM bus_refusal ORDER BY place`.execute(world.database.read())).rows;

describe('a push of Pub/Sub', () => {
  beforeEach(async () => {
    await sql`DELETE FROM bus_refusal`.execute(world.database.read());
    world.officerAlerts.length = 0;
  });

  test('opens a request once by its message id, with a token that is nearly an hour old', async () => {
    const body = pushed(`10${people}1`, { email: person });
    const first = await send('pushed', body, await token());
    const again = await send('pushed', body, await token({ age: 3500 }));
    expect([first.statusCode, again.statusCode, idOf(again)]).toEqual([202, 200, idOf(first)]);
  });

  test('is known by its attribute event_id where there is one: the publisher’s repetition has another message id', async () => {
    const first = await send('pushed', pushed(`20${people}1`, { email: person }, { attributes: { event_id: `${person}-1` } }), await token());
    const again = await send('pushed', pushed(`20${people}2`, { email: person }, { attributes: { event_id: `${person}-1` } }), await token());
    expect([first.statusCode, again.statusCode, idOf(again)]).toEqual([202, 200, idOf(first)]);
  });

  test.each<[string, unknown, string]>([
    ['is no JSON', '{', 'BODY_MALFORMED'],
    ['names nobody', {}, 'IDENTIFIER_MISSING'],
    ['has an address that is none', { email: 'nobody at all' }, 'IDENTIFIER_INVALID'],
  ])('that %s is acknowledged, so that it does not come for ever, noted by its place and a code, and the officer hears of it', async (_what, body, code) => {
    const answer = await send('pushed', pushed('3001', body), await token());
    expect([answer.statusCode, answer.body]).toEqual([204, '']);
    expect(await send('pushed', pushed('3001', body), await token())).toMatchObject({ statusCode: 204 });
    expect(await refusals()).toEqual([{ source: 'pushed', place: 'pubsub:3001', code }]);
    expect(world.officerAlerts).toEqual([`refused:pushed:${code}:2026-11-21`]);
  });

  test('that can never be accepted is refused to a subscription with dead letters, which keeps it whole', async () => {
    const answer = await send('pushed', pushed('4001', { email: 'nobody at all' }, { deliveryAttempt: 1 }), await token());
    expect(answer.json()).toMatchObject({ status: 400, code: 'IDENTIFIER_INVALID' });
    expect(await refusals()).toEqual([{ source: 'pushed', place: 'pubsub:4001', code: 'IDENTIFIER_INVALID' }]);
  });

  test('that fails on trouble of ours is not acknowledged, and is accepted when it comes again', async () => {
    world.failNextOpening();
    expect((await send('pushed', pushed(`50${people}1`, { email: person }), await token())).statusCode).toBe(500);
    expect(await refusals()).toEqual([]);
    expect((await send('pushed', pushed(`50${people}1`, { email: person }), await token())).statusCode).toBe(202);
  });

  test('that is none, as with payloads unwrapped, is refused and not acknowledged: nothing is lost by a subscription set up otherwise', async () => {
    expect((await send('pushed', { email: person }, await token())).json()).toMatchObject({ status: 400, code: 'VALIDATION_FAILED' });
    expect(await refusals()).toEqual([]);
  });

  test.each<[string, Token | undefined]>([
    ['no token', undefined],
    ['a token of another issuer', { iss: 'https://accounts.evil.example' }],
    ['a token for somebody else', { aud: 'https://other.example' }],
    ['a token of another account', { email: 'push@evil.example' }],
    ['an account that is not verified', { verified: false }],
    ['a token that is over', { age: 3700 }],
    ['a token of another key', { key: strangers.privateKey }],
  ])('with %s is 401, which Pub/Sub takes for not acknowledged', async (_what, claims) => {
    const rows = await world.countRows();
    const answer = await send('pushed', pushed('6001', { email: person }), claims === undefined ? {} : await token(claims));
    expect(answer.statusCode).toBe(401);
    expect(await world.countRows()).toEqual(rows);
  });

  test('is accepted by the other name of Google', async () => {
    expect((await send('pushed', pushed(`70${people}1`, { email: person }), await token({ iss: 'accounts.google.com' }))).statusCode).toBe(202);
  });
});

test('no log line has a person, and no refusal either', async () => {
  expect(world.logged.join('\n')).not.toMatch(/@example\.com|nobody at all/u);
});
