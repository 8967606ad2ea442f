import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openIntakeWorld, post, apiKey, sendWebhook, type IntakeWorld, type SentMessage } from './intake-world.ts';

let world: IntakeWorld;
beforeAll(async () => {
  world = await openIntakeWorld();
});
afterAll(() => world.close());

const nested = (depth: number): string => `{"email":${'['.repeat(depth)}${']'.repeat(depth)}}`;
const json = (body: unknown): string => JSON.stringify(body);

/** What is sent, what it is answered, and the field that the answer names. */
const cases: readonly [string, SentMessage, number, string, string?][] = [
  ['a wrong signature', { headers: { 'webhook-signature': `v1,${Buffer.alloc(32).toString('base64')}` } }, 401, 'SIGNATURE_INVALID'],
  ['no signature', { headers: { 'webhook-signature': undefined } }, 401, 'SIGNATURE_INVALID'],
  ['another body than was signed', { sentBody: json({ email: 'eve@example.com' }) }, 401, 'SIGNATURE_INVALID'],
  ['a timestamp with letters', { headers: { 'webhook-timestamp': '1763719200abc' } }, 401, 'SIGNATURE_INVALID'],
  ["another source's scheme", { source: 'crm' }, 401, 'SIGNATURE_INVALID'],
  ['a stale timestamp', { age: 301 }, 401, 'SIGNATURE_STALE'],
  ['a timestamp too far ahead', { age: -301 }, 401, 'SIGNATURE_STALE'],
  ['a body cut off on the way', { body: json({ email: 'ada@example.com' }), sentBody: '{"email":"ada@exam' }, 401, 'SIGNATURE_INVALID'],
  ['a body signed when it was cut off', { body: '{"email":"ada@exam' }, 400, 'BODY_MALFORMED'],
  ['no body', { body: '' }, 400, 'BODY_MALFORMED'],
  ['10 MB', { body: json({ email: 'a'.repeat(10 * 1024 * 1024) }) }, 413, 'BODY_TOO_LARGE'],
  ['JSON 17 deep', { body: nested(17) }, 400, 'BODY_MALFORMED'],
  ['JSON as deep as fits', { body: nested(30_000) }, 400, 'BODY_MALFORMED'],
  ['bytes that are no UTF-8', { body: Buffer.from([0x7b, 0x22, 0xff, 0x22, 0x7d]) }, 400, 'BODY_MALFORMED'],
  ['a key that reaches a prototype', { body: '{"__proto__":{"email":"ada@example.com"}}' }, 400, 'BODY_MALFORMED'],
  ['another content type', { headers: { 'content-type': 'text/plain' } }, 400, 'BODY_MALFORMED'],
  ['an array', { body: '[]' }, 400, 'VALIDATION_FAILED', '/'],
  ['a wrong type', { body: json({ email: 42 }) }, 400, 'VALIDATION_FAILED', '/email'],
  ['an unknown field', { body: json({ email: 'ada@example.com', full_name: 'Ada' }) }, 400, 'VALIDATION_FAILED', '/'],
  ['a control character', { body: json({ email: 'ada\u0000@example.com' }) }, 400, 'IDENTIFIER_INVALID', '/email'],
  ['a control character in an id', { body: json({ user_id: 'u1\u001b[2J' }) }, 400, 'IDENTIFIER_INVALID', '/user_id'],
  ['a homoglyph address', { body: json({ email: 'аda@example.com' }) }, 400, 'IDENTIFIER_INVALID', '/email'],
  ['a telephone number that is none', { body: json({ phone: 'call me' }) }, 400, 'IDENTIFIER_INVALID', '/phone'],
  ['nobody', { body: '{}' }, 400, 'IDENTIFIER_MISSING'],
  ['a jurisdiction alone', { body: json({ jurisdiction: 'DE' }) }, 400, 'IDENTIFIER_MISSING'],
];

describe('a message with', () => {
  it.each(cases)('%s gets its error and leaves no row, job or entry', async (_what, message, status, code, field) => {
    const before = await world.countRows();
    const [entries, jobs] = [world.entries.length, world.jobs.length];
    const answer = await sendWebhook(world, message);
    expect(answer.headers['content-type']).toMatch(/^application\/problem\+json/u);
    const problem = answer.json<Record<string, unknown>>();
    expect({ status: answer.statusCode, code: problem['code'], field: problem['field'] }).toEqual({ status, code, field });
    expect(problem['status']).toBe(status);
    expect(answer.body).not.toMatch(/ada@|eve@|аda|call me/iu);
    expect(await world.countRows()).toEqual(before);
    expect([world.entries.length, world.jobs.length]).toEqual([entries, jobs]);
  });

  it('none of these is accepted, and leaves its rows', async () => {
    const before = await world.countRows();
    const answer = await sendWebhook(world, { age: 299 });
    expect(answer.statusCode).toBe(202);
    const after = await world.countRows();
    expect(after).toEqual({ ...before, privacy_request: 1, request_key: 1, subject_identity: 1, intake_replay: 1 });
  });
});

const strip = ({ date: _date, ...headers }: Record<string, unknown>): unknown => headers;

it('a source that does not exist answers exactly as a bad signature', async () => {
  const bad = await sendWebhook(world, { headers: { 'webhook-signature': 'v1,x' } });
  const unknown = await sendWebhook(world, { source: 'nowhere' });
  expect([unknown.statusCode, unknown.body, strip(unknown.headers)]).toEqual([bad.statusCode, bad.body, strip(bad.headers)]);
  expect(bad.statusCode).toBe(401);
  const empty = await world.app.inject({ method: 'POST', url: '/v1/intake/nowhere' });
  const emptyKnown = await world.app.inject({ method: 'POST', url: '/v1/intake/shop' });
  expect([empty.statusCode, empty.body]).toEqual([emptyKnown.statusCode, emptyKnown.body]);
});

it('a source that sends too much is told to wait, and no other source with it', async () => {
  const accepted = await sendWebhook(world, { source: 'slow' });
  expect(accepted.statusCode).toBe(202);
  expect(accepted.headers).toMatchObject({ 'ratelimit-policy': '"minute";q=2;w=60', ratelimit: '"minute";r=1;t=60' });
  expect((await sendWebhook(world, { source: 'slow' })).headers['ratelimit']).toBe('"minute";r=0;t=60');
  const before = await world.countRows();
  const refused = await sendWebhook(world, { source: 'slow' });
  expect(refused.json()).toMatchObject({ status: 429, code: 'RATE_LIMITED' });
  expect(Number(refused.headers['retry-after'])).toBeGreaterThan(0);
  expect(await world.countRows()).toEqual(before);
  expect((await sendWebhook(world)).statusCode).toBe(202);
});

it('an opening that fails half-way leaves nothing, and the same message is accepted when it comes again', async () => {
  const before = await world.countRows();
  world.failNextOpening();
  const failed = await sendWebhook(world, { id: 'msg_again' });
  expect(failed.json()).toMatchObject({ status: 500, code: 'INTERNAL' });
  expect(world.logged.join('\n')).toContain('request failed on a bug');
  expect(world.logged.join('\n')).not.toMatch(/ada@|example\.com/u);
  expect(await world.countRows()).toEqual(before);
  expect((await sendWebhook(world, { id: 'msg_again' })).statusCode).toBe(202);
});

describe('POST /v1/privacy-requests', () => {
  const authorization = `Bearer ${apiKey}`;

  it.each<[string, Record<string, string>, unknown, number, string]>([
    ['no API key', {}, { email: 'ada@example.com' }, 401, 'UNAUTHORIZED'],
    ['another API key', { authorization: 'Bearer other' }, { email: 'ada@example.com' }, 401, 'UNAUTHORIZED'],
    ['nobody', { authorization }, {}, 400, 'IDENTIFIER_MISSING'],
    ['an unknown field', { authorization }, { email: 'ada@example.com', age: 36 }, 400, 'VALIDATION_FAILED'],
    ['a bad idempotency key', { authorization, 'idempotency-key': 'two words' }, { email: 'ada@example.com' }, 400, 'VALIDATION_FAILED'],
  ])('with %s gets its error and leaves no row', async (_what, headers, body, status, code) => {
    const before = await world.countRows();
    const answer = await post(world, '/v1/privacy-requests', body, headers);
    expect(answer.json()).toMatchObject({ status, code });
    expect(await world.countRows()).toEqual(before);
  });

  it('with an API key and a person opens a request', async () => {
    const answer = await post(world, '/v1/privacy-requests', { email: 'ada@example.com' }, { authorization });
    expect(answer.statusCode).toBe(202);
    expect(answer.headers['ratelimit-policy']).toBe('"minute";q=600;w=60');
  });
});
