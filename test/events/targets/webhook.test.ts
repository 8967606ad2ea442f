import { createPublicKey, verify } from 'node:crypto';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest';
import { readWebhookSecret, readWebhookSigningKey, webhookHeaders, webhookMac } from '../../../src/platform/crypto/standard-webhooks.ts';
import type { WebhookSettings } from '../../../src/modules/events/targets/settings.ts';
import { createWebhookTarget } from '../../../src/modules/events/targets/webhook.ts';
import type { EventTarget } from '../../../src/modules/events/target.ts';
import { freePort } from '../../support/embedded-postgres.ts';
import { inShort, nowMs, outgoing, targetDeps, unending } from '../../support/outgoing.ts';
import { startScriptedServer, type ScriptedServer } from '../../support/scripted-server.ts';
import { hasten } from './hasten.ts';

const secret = `whsec_${Buffer.from('a secret of at least 24 bytes').toString('base64')}`;
const seed = Buffer.alloc(32, 7);
let server: ScriptedServer;
const opened: EventTarget[] = [];
const open = (rest: Partial<WebhookSettings> = {}, now = nowMs): EventTarget => {
  const settings: WebhookSettings = { kind: 'webhook', attempts: 10, age_hours: 24, url: `${server.url}/hooks?tenant=1`, secret, timeout_seconds: 0.5, allow_private_network: true, ...rest };
  const target = createWebhookTarget(settings, { ...targetDeps, clock: { now: () => now } });
  opened.push(target);
  return target;
};
const one = async (target: EventTarget): Promise<string> => inShort(await target.deliver([outgoing(1)], unending))[0] ?? '';

beforeAll(async () => {
  server = await startScriptedServer();
});
afterAll(async () => server.close());
beforeEach(() => {
  server.received.length = 0;
  server.answerWith(() => ({ status: 204 }));
});
afterEach(async () => {
  vi.restoreAllMocks();
  await Promise.all(opened.splice(0).map(async (each) => each.close()));
});

describe('the signature of a message', () => {
  // The two cases that the specification's own library for Go has for signing.
  test.each([
    ['whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw', 'v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE='],
    ['whsk_VEVTVFNJR05JTkdLRVlET05PVFVTRVRISVNGT1JBTlk=', 'v1a,tQ9V2XOqn7jL/DQenEFpqIugdBVtiMmER5mhSkXBNwM0mkATuDe6KYYUuxqtaiHeYGb7KaaBRdM5WqyeFiL8Ag=='],
  ])('is the published one with the published key %s', (key, expected) => {
    const headers = webhookHeaders(readWebhookSigningKey(key, '/secret'), 'msg_p5jXN8AQM9LWM0D4loKWxJek', 1_614_265_330, Buffer.from('{"test": 2432232314}'));
    expect(headers).toEqual({ 'webhook-id': 'msg_p5jXN8AQM9LWM0D4loKWxJek', 'webhook-timestamp': '1614265330', 'webhook-signature': expected });
  });

  test('is the same by an Ed25519 seed and by the seed with its public key, and a public key of another is refused', () => {
    const key = readWebhookSigningKey(`whsk_${seed.toString('base64')}`, '/secret');
    if (Buffer.isBuffer(key)) throw new Error('It is a secret and no key.');
    const publicKey = createPublicKey(key).export({ format: 'der', type: 'spki' }).subarray(-32);
    const both = readWebhookSigningKey(`whsk_${Buffer.concat([seed, publicKey]).toString('base64')}`, '/secret');
    expect(webhookHeaders(both, 'a', 1, Buffer.from('b'))).toEqual(webhookHeaders(key, 'a', 1, Buffer.from('b')));
    expect(() => readWebhookSigningKey(`whsk_${Buffer.concat([seed, Buffer.alloc(32, 1)]).toString('base64')}`, '/events/destinations/a/secret')).toThrow('/events/destinations/a/secret must be whsk_');
  });

  test.each(['whsk_', 'whsk_AAAA', 'whsk_not base64!', 'whsec_AAAA', 'short'])('cannot be made with %s', (wrong) => {
    expect(() => open({ secret: wrong })).toThrow('/events/destinations/test/secret must be');
  });
});

describe('a webhook', () => {
  test('is a CloudEvent in structured form, signed over exactly the bytes that are sent, with the event’s id', async () => {
    expect(await one(open())).toBe('delivered');
    const [call] = server.received;
    const sent = outgoing(1);
    expect(call).toMatchObject({ method: 'POST', path: '/hooks?tenant=1', body: sent.body });
    expect(call?.headers).toMatchObject({ 'content-type': 'application/cloudevents+json', 'webhook-id': sent.event.id, 'webhook-timestamp': String(nowMs / 1000) });
    const mac = webhookMac(readWebhookSecret(secret, '/'), sent.event.id, nowMs / 1000, Buffer.from(sent.body));
    expect(call?.headers['webhook-signature']).toBe(`v1,${mac.toString('base64')}`);
  });

  test('has the body that its rule shaped, as JSON', async () => {
    expect(inShort(await open().deliver([outgoing(1, { shaped: '{"cid":"ü"}' })], unending))).toEqual(['delivered']);
    expect(server.received[0]).toMatchObject({ body: '{"cid":"ü"}', headers: { 'content-type': 'application/json' } });
  });

  test('is signed by Ed25519 where the key is one', async () => {
    expect(await one(open({ secret: `whsk_${seed.toString('base64')}` }))).toBe('delivered');
    const [call] = server.received;
    if (call === undefined) throw new Error('Nothing was called.');
    const { headers, body } = call;
    const [scheme, signature = ''] = String(headers['webhook-signature']).split(',');
    const key = readWebhookSigningKey(`whsk_${seed.toString('base64')}`, '/');
    if (Buffer.isBuffer(key)) throw new Error('It is a secret and no key.');
    const signed = Buffer.from(`${String(headers['webhook-id'])}.${String(headers['webhook-timestamp'])}.${body}`);
    expect(scheme).toBe('v1a');
    expect(verify(null, signed, createPublicKey(key), Buffer.from(signature, 'base64'))).toBe(true);
    expect(verify(null, Buffer.concat([signed, Buffer.from(' ')]), createPublicKey(key), Buffer.from(signature, 'base64'))).toBe(false);
  });

  test('that is sent again has the same id and another time, so that it is neither a second event nor too old', async () => {
    await one(open());
    await one(open({}, nowMs + 3_600_000));
    const [first, second] = server.received;
    expect(second?.headers['webhook-id']).toBe(first?.headers['webhook-id']);
    expect(second?.headers['webhook-timestamp']).toBe(String((nowMs + 3_600_000) / 1000));
    expect(second?.headers['webhook-signature']).not.toBe(first?.headers['webhook-signature']);
  });

  test.each([
    ...[200, 201, 202, 204].map((status) => [status, 'delivered'] as const),
    [410, 'gone HTTP_410'] as const,
    ...[400, 413, 414, 415, 422, 431].map((status) => [status, `refused HTTP_${status}`] as const),
    ...[301, 302, 307, 308, 401, 403, 404, 408, 409, 425, 429, 500, 502, 503, 504].map((status) => [status, `again HTTP_${status}`] as const),
  ])('that is answered %i: %s, and no redirect is followed', async (status, expected) => {
    server.answerWith(() => ({ status, headers: { location: `${server.url}/elsewhere` } }));
    expect(await one(open())).toBe(expected);
    expect(server.received.map(({ path }) => path)).toEqual(['/hooks?tenant=1']);
  });

  test.each([429, 503])('that is answered %i with Retry-After comes again no sooner', async (status) => {
    server.answerWith(() => ({ status, headers: { 'retry-after': '120' } }));
    expect(await open().deliver([outgoing(1)], unending)).toEqual([{ kind: 'again', code: `HTTP_${status}`, retryAfterMs: 120_000 }]);
  });

  test.each([
    ['hang', 'again VENDOR_TIMEOUT'],
    ['drop', 'again VENDOR_UNAVAILABLE'],
  ] as const)('that is not answered (%s) comes again', async (answer, expected) => {
    server.answerWith(() => answer);
    expect(await one(open())).toBe(expected);
  });

  test.each([
    [200, 'delivered'],
    [503, 'again HTTP_503'],
    [422, 'refused HTTP_422'],
  ])('that is answered %i with a body that is too large to be read: %s, since the status says it', async (status, expected) => {
    server.answerWith(() => ({ status, body: 'x'.repeat(9 * 1024 * 1024) }));
    expect(await one(open({ timeout_seconds: 5 }))).toBe(expected);
    expect(server.received).toHaveLength(1);
  });

  test('that is answered 200 with a body that breaks off is delivered', async () => {
    server.answerWith(() => 'cut');
    expect(await one(open())).toBe('delivered');
  });

  test('that is not answered has its event again when the time of the try has passed, though nobody stops', async () => {
    server.answerWith(() => 'hang');
    hasten(100);
    const begun = performance.now();
    expect(await one(open({ timeout_seconds: 30 }))).toBe('again VENDOR_TIMEOUT');
    expect(performance.now() - begun).toBeLessThan(3000);
  });

  test('to a receiver that is down, or on an internal address that is not allowed, comes again', async () => {
    expect(await one(open({ url: `http://127.0.0.1:${await freePort()}/` }))).toBe('again VENDOR_UNAVAILABLE');
    expect(await one(open({ allow_private_network: false }))).toBe('again EGRESS_FORBIDDEN');
    expect(server.received).toEqual([]);
  });

  test('leaves no socket behind when its target is closed', async () => {
    const target = open();
    await one(target);
    await target.close();
    await expect.poll(() => server.connections()).toBe(0);
  });

  test('to an address that is none is refused at the start', () => {
    expect(() => open({ url: 'ftp://example.com' })).toThrow('/events/destinations/test/url must be an https:// URL');
  });
});
