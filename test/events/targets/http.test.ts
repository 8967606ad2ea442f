import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest';
import { createHttpTarget } from '../../../src/modules/events/targets/http.ts';
import type { HttpSettings } from '../../../src/modules/events/targets/settings.ts';
import type { TargetDeps } from '../../../src/modules/events/targets/target-deps.ts';
import type { EventTarget } from '../../../src/modules/events/target.ts';
import { inShort, nowMs, outgoing, targetDeps, unending } from '../../support/outgoing.ts';
import { freePort } from '../../support/embedded-postgres.ts';
import { startScriptedServer, type ScriptedServer } from '../../support/scripted-server.ts';
import { hasten } from './hasten.ts';

let server: ScriptedServer;
const opened: EventTarget[] = [];
const open = (rest: Partial<HttpSettings> = {}, deps: Partial<TargetDeps> = {}): EventTarget => {
  const settings: HttpSettings = {
    kind: 'http',
    attempts: 186,
    age_hours: 24,
    endpoint: `${server.url}/Accounts/AC1/Profiles`,
    method: 'POST',
    auth: { kind: 'bearer', token: 'token-1' },
    headers: {},
    calls_per_second: 300,
    timeout_seconds: 0.5,
    allow_private_network: true,
    ...rest,
  };
  const target = createHttpTarget(settings, { ...targetDeps, ...deps });
  opened.push(target);
  return target;
};
const one = async (target: EventTarget, rest: Parameters<typeof outgoing>[1] = {}): Promise<string> => inShort(await target.deliver([outgoing(1, rest)], unending))[0] ?? '';

beforeAll(async () => {
  server = await startScriptedServer();
});
afterAll(async () => server.close());
beforeEach(() => {
  server.received.length = 0;
  server.answerWith(() => ({ status: 200 }));
});
afterEach(async () => {
  vi.restoreAllMocks();
  await Promise.all(opened.splice(0).map(async (each) => each.close()));
});

describe('an API destination', () => {
  test('is called as EventBridge calls it: the shaped body, byte for byte, as JSON in UTF-8', async () => {
    const shaped = '{"profile_id":"cus_Ä1","action":"anonymize","identifiers":{"email":null,"phone":null}}';
    expect(await one(open(), { shaped })).toBe('delivered');
    const [call] = server.received;
    expect(call).toMatchObject({ method: 'POST', path: '/Accounts/AC1/Profiles', body: shaped });
    expect(call?.headers).toMatchObject({ 'content-type': 'application/json; charset=utf-8', authorization: 'Bearer token-1' });
    expect(call?.headers['user-agent']).toMatch(/^Quittance\/\d/u);
  });

  test('has each * of its path and query filled, so encoded that a value stays in its place', async () => {
    const target = open({ endpoint: `${server.url}/users/*/notes?by=*`, method: 'DELETE' });
    expect(await one(target, { pathParameters: ['a/b?c#d é', 'x&y=*'] })).toBe('delivered');
    expect(server.received[0]).toMatchObject({ method: 'DELETE', path: '/users/a%2Fb%3Fc%23d%20%C3%A9/notes?by=x%26y%3D*' });
  });

  test.each([[[]], [['']], [['..']], [['.']], [['\ud800']]])('is not called where a path parameter is missing or would lead elsewhere: %j', async (pathParameters) => {
    expect(await one(open({ endpoint: `${server.url}/users/*/notes` }), { pathParameters })).toBe('refused PATH_PARAMETER');
    expect(server.received).toEqual([]);
  });

  test.each([
    ['basic', { kind: 'basic', username: 'Aladdin', password: 'open sesame' }, { authorization: 'Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==' }],
    ['an API key', { kind: 'api_key', name: 'X-Api-Key', value: 'key-1' }, { 'x-api-key': 'key-1' }],
  ] as const)('is shown %s, which wins over a static header of the same name, while others stay', async (_name, auth, expected) => {
    expect(await one(open({ auth, headers: { Authorization: 'static', 'x-api-key': 'static', 'x-tenant': 't1' } }))).toBe('delivered');
    expect(server.received[0]?.headers).toMatchObject({ ...expected, 'x-tenant': 't1' });
  });

  test('is sent no body by GET, as HTTP has none there', async () => {
    expect(await one(open({ method: 'GET' }))).toBe('delivered');
    expect(server.received[0]).toMatchObject({ method: 'GET', body: '' });
  });

  test('that wants OAuth gets one token for many calls, and another one when it refuses the first', async () => {
    let tokens = 0;
    server.answerWith(({ path, headers }) => {
      if (path.startsWith('/token')) {
        tokens += 1;
        return { status: 200, body: JSON.stringify({ access_token: `token-${tokens}`, token_type: 'Bearer', expires_in: 3600 }) };
      }
      return { status: headers.authorization === 'Bearer token-1' && server.received.length > 4 ? 401 : 200 };
    });
    const target = open({ auth: { kind: 'oauth', token_url: `${server.url}/token`, method: 'POST', client_id: 'client', client_secret: 'secret', scope: 'profiles' } });
    expect(inShort(await target.deliver([1, 2, 3].map((n) => outgoing(n, { subject: `req_${n}` })), unending))).toEqual(['delivered', 'delivered', 'delivered']);
    expect(tokens).toBe(1);
    expect(server.received[0]).toMatchObject({ body: 'grant_type=client_credentials&scope=profiles', headers: { authorization: `Basic ${Buffer.from('client:secret').toString('base64')}` } });
    expect(await one(target)).toBe('delivered');
    expect(tokens).toBe(2);
  });

  test.each(['GET', 'PUT'] as const)('whose token is to be had by %s is authorised as well', async (method) => {
    server.answerWith(({ path }) => (path.startsWith('/token') ? { status: 200, body: JSON.stringify({ access_token: 'token-1', token_type: 'bearer' }) } : { status: 200 }));
    expect(await one(open({ auth: { kind: 'oauth', token_url: `${server.url}/token`, method, client_id: 'client', client_secret: 'secret' } }))).toBe('delivered');
    expect(server.received[0]).toMatchObject({ method, path: method === 'GET' ? '/token?grant_type=client_credentials' : '/token', body: method === 'GET' ? '' : 'grant_type=client_credentials' });
    expect(server.received[1]?.headers.authorization).toBe('Bearer token-1');
  });

  test('that answers 407, which fetch takes for a failed connection, is tried again all the same', async () => {
    server.answerWith(() => ({ status: 407 }));
    expect(await one(open())).toBe('again VENDOR_UNAVAILABLE');
    expect(await one(open({}, { transport: async () => ({ status: 407, statusText: '', headers: [], body: null }) }))).toBe('again HTTP_407');
  });

  test('that refuses a fresh token too is tried later, after two calls and no more', async () => {
    server.answerWith(({ path }) => (path === '/token' ? { status: 200, body: JSON.stringify({ access_token: 'token-1', token_type: 'bearer' }) } : { status: 401 }));
    expect(await one(open({ auth: { kind: 'oauth', token_url: `${server.url}/token`, method: 'POST', client_id: 'client', client_secret: 'secret' } }))).toBe('again HTTP_401');
    expect(server.received.map(({ path }) => path)).toEqual(['/token', '/Accounts/AC1/Profiles', '/token', '/Accounts/AC1/Profiles']);
  });

  test('whose token endpoint refuses the client is tried later, and not called without a token', async () => {
    server.answerWith(({ path }) => (path === '/token' ? { status: 401, body: '{"error":"invalid_client"}' } : { status: 200 }));
    expect(await one(open({ auth: { kind: 'oauth', token_url: `${server.url}/token`, method: 'POST', client_id: 'client', client_secret: 'wrong' } }))).toBe('again CONNECTION_AUTH');
    expect(server.received.map(({ path }) => path)).toEqual(['/token']);
  });

  test.each([
    ...[200, 201, 202, 204, 299].map((status) => [status, 'delivered'] as const),
    ...[401, 408, 409, 429, 500, 502, 503, 504, 599].map((status) => [status, `again HTTP_${status}`] as const),
    ...[300, 301, 302, 304, 307, 308, 400, 402, 403, 404, 405, 410, 413, 415, 422, 451].map((status) => [status, `refused HTTP_${status}`] as const),
  ])('that answers %i: %s, and no redirect is followed', async (status, expected) => {
    server.answerWith(() => ({ status, headers: { location: `${server.url}/elsewhere` } }));
    expect(await one(open())).toBe(expected);
    expect(server.received.map(({ path }) => path)).toEqual(['/Accounts/AC1/Profiles']);
  });

  test.each([
    ['90', 90_000],
    [new Date(nowMs + 120_000).toUTCString(), 120_000],
    ['0', 2000],
    ['99999999', 86_400_000],
    ['soon', undefined],
  ])('that answers 429 with Retry-After %s is left alone for that long', async (value, retryAfterMs) => {
    server.answerWith(() => ({ status: 429, headers: { 'retry-after': value } }));
    expect(await open().deliver([outgoing(1)], unending)).toEqual([{ kind: 'again', code: 'HTTP_429', ...(retryAfterMs === undefined ? {} : { retryAfterMs }) }]);
  });

  test('that answers 503 with a negative Retry-After wants no other try, as at EventBridge', async () => {
    server.answerWith(() => ({ status: 503, headers: { 'retry-after': '-1' } }));
    expect(await one(open())).toBe('refused HTTP_503');
  });

  test.each([
    ['hang', 'again VENDOR_TIMEOUT'],
    ['drop', 'again VENDOR_UNAVAILABLE'],
  ] as const)('that does not answer (%s) is tried again', async (answer, expected) => {
    server.answerWith(() => answer);
    expect(await one(open())).toBe(expected);
  });

  test.each([
    [200, 'delivered'],
    [503, 'again HTTP_503'],
    [422, 'refused HTTP_422'],
  ])('that answers %i with a body that is too large to be read: %s, since the status says it', async (status, expected) => {
    server.answerWith(() => ({ status, body: 'x'.repeat(9 * 1024 * 1024) }));
    expect(await one(open({ timeout_seconds: 5 }))).toBe(expected);
    expect(server.received).toHaveLength(1);
  });

  test('that answers 200 with a body that breaks off is delivered', async () => {
    server.answerWith(() => 'cut');
    expect(await one(open())).toBe('delivered');
  });

  test('whose token, call, new token and second call each take long has its events again when the time of the try has passed, not of each', async () => {
    hasten(100);
    const slow = open({ timeout_seconds: 30 });
    server.answerWith(() => 'hang');
    const begun = performance.now();
    expect(await one(slow)).toBe('again VENDOR_TIMEOUT');
    expect(performance.now() - begun).toBeLessThan(3000);
    let answers = 0;
    const transport: TargetDeps['transport'] = async (url, init) => {
      answers += 1;
      await pause(200, undefined, { signal: init.signal as AbortSignal });
      const token = url.pathname === '/token';
      const body = token ? new Blob([JSON.stringify({ access_token: 'token-1', token_type: 'bearer' })]).stream() : null;
      return { status: token ? 200 : 401, statusText: '', headers: [], body };
    };
    const auth = { kind: 'oauth', token_url: `${server.url}/token`, method: 'POST', client_id: 'client', client_secret: 'secret' } as const;
    // 300 ms are the time of the try here, and 200 ms of each call are within its own.
    expect(await one(open({ auth, timeout_seconds: 30 }, { transport }))).toBe('again VENDOR_TIMEOUT');
    expect(answers).toBe(2);
  });

  test('is tried again where its own limit cannot be read, whatever the database throws, and where it is not answered in time', async () => {
    const failing = async (): Promise<never> => {
      throw new Error('connection terminated');
    };
    expect(await one(open({}, { acquire: failing }))).toBe('again INTERNAL');
    hasten(100);
    expect(await one(open({}, { acquire: async () => new Promise<never>(() => undefined) }))).toBe('again VENDOR_TIMEOUT');
    expect(server.received).toEqual([]);
  });

  test('whose token endpoint answers 200 with a page that is no token is tried later', async () => {
    server.answerWith(({ path }) => (path === '/token' ? { status: 200, body: '<html>We will be back soon</html>' } : { status: 200 }));
    expect(await one(open({ auth: { kind: 'oauth', token_url: `${server.url}/token`, method: 'POST', client_id: 'client', client_secret: 'secret' } }))).toBe('again VENDOR_MALFORMED');
  });

  test('that is down is tried again', async () => {
    expect(await one(open({ endpoint: `http://127.0.0.1:${await freePort()}/` }))).toBe('again VENDOR_UNAVAILABLE');
  });

  test('on an internal address is not called unless that is allowed', async () => {
    expect(await one(open({ allow_private_network: false }))).toBe('again EGRESS_FORBIDDEN');
    expect(server.received).toEqual([]);
    expect(await one(open({ allow_private_network: true }))).toBe('delivered');
  });

  test('with one slow call in a batch gives each of the others its own result, in the order given', async () => {
    server.answerWith(({ body }) => (body.includes('"n":2') ? 'hang' : { status: body.includes('"n":3') ? 422 : 200 }));
    expect(inShort(await open().deliver([1, 2, 3, 4].map((n) => outgoing(n, { subject: `req_${n}` })), unending))).toEqual(['delivered', 'again VENDOR_TIMEOUT', 'refused HTTP_422', 'delivered']);
  });

  test('is not called when its own limit is reached, and comes again when it is not', async () => {
    const target = open({}, { acquire: async () => ({ allowed: false, retryAfterMs: 750 }) });
    expect(await target.deliver([outgoing(1)], unending)).toEqual([{ kind: 'again', code: 'OWN_RATE_LIMIT', retryAfterMs: 750 }]);
    expect(server.received).toEqual([]);
  });

  test('that is being called when the sender stops gives its events back', async () => {
    const stop = new AbortController();
    server.answerWith(() => {
      stop.abort();
      return 'hang';
    });
    expect(inShort(await open({ timeout_seconds: 30 }).deliver([outgoing(1)], stop.signal))).toEqual(['again INTERRUPTED']);
  });

  test('lets go of its sockets', async () => {
    const target = open();
    await one(target);
    expect(server.connections()).toBeGreaterThan(0);
    await target.close();
    await expect.poll(() => server.connections()).toBe(0);
  });

  test.each([
    [{ endpoint: 'https://*.example.com/a' }, 'no * in its host'],
    [{ headers: { Host: 'example.com' } }, 'headers/Host is set by the connection itself'],
    [{ auth: { kind: 'bearer', token: 'to\nken' } }, 'auth must be of letters and signs that a header can have'],
  ] as const)('with a setting that cannot be is refused at the start: %j', (settings, message) => {
    expect(() => open(settings as Partial<HttpSettings>)).toThrow(message);
  });
});
