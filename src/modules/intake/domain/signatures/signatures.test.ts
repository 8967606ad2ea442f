import { createHash, createHmac, randomBytes } from 'node:crypto';
import { createLocalJWKSet, createRemoteJWKSet, customFetch, exportJWK, generateKeyPair, SignJWT, type JWTPayload } from 'jose';
import { describe, expect, it } from 'vitest';
import { createHmacSignature } from './hmac-signature.ts';
import { createJwtSignature } from './jwt-signature.ts';
import { checkWindow, type VerifySignature } from './signature.ts';
import { createStandardWebhooks } from './standard-webhooks.ts';

const invalid = { code: 'SIGNATURE_INVALID', field: undefined };
const now = 1_614_265_330_000;

describe('standard-webhooks', () => {
  const secret = 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw';
  const verify = createStandardWebhooks(secret, '/secret');
  const body = Buffer.from('{"test": 2432232314}');
  const good = {
    'webhook-id': 'msg_p5jXN8AQM9LWM0D4loKWxJek',
    'webhook-timestamp': '1614265330',
    'webhook-signature': 'v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=',
  };
  const zeros = `v1,${Buffer.alloc(32).toString('base64')}`;

  it('accepts the published vector', async () => {
    expect(await verify({ headers: good, body }, now)).toEqual({ id: 'msg_p5jXN8AQM9LWM0D4loKWxJek', signedAt: 1_614_265_330 });
  });

  it('accepts the good one of several signatures and passes over other versions', async () => {
    const headers = { ...good, 'webhook-signature': `${zeros} v1a,abc v2,x ${good['webhook-signature']}` };
    expect(await verify({ headers, body }, now)).toMatchObject({ signedAt: 1_614_265_330 });
  });

  it.each([
    ['another signature', { 'webhook-signature': zeros }],
    ['no version', { 'webhook-signature': good['webhook-signature'].slice(3) }],
    ['another version', { 'webhook-signature': good['webhook-signature'].replace('v1', 'v1a') }],
    ['a shortened signature', { 'webhook-signature': good['webhook-signature'].slice(0, -4) }],
    ['an empty signature', { 'webhook-signature': '' }],
    ['no signature', { 'webhook-signature': undefined }],
    ['another id', { 'webhook-id': 'msg_other' }],
    ['no id', { 'webhook-id': undefined }],
    ['another timestamp', { 'webhook-timestamp': '1614265331' }],
    ['a timestamp with letters after it', { 'webhook-timestamp': '1614265330abc' }],
    ['a timestamp with a fraction', { 'webhook-timestamp': '1614265330.0' }],
    ['a timestamp with a sign', { 'webhook-timestamp': '+1614265330' }],
    ['a good one beyond the tenth', { 'webhook-signature': `${`${zeros} `.repeat(10)}${good['webhook-signature']}` }],
  ])('refuses %s', async (_what, change) => {
    await expect(verify({ headers: { ...good, ...change }, body }, now)).rejects.toMatchObject(invalid);
  });

  it('refuses another body, and an empty one', async () => {
    for (const other of ['{"test":2432232314}', '{"test": 2432232314} ', '']) {
      await expect(verify({ headers: good, body: Buffer.from(other) }, now)).rejects.toMatchObject(invalid);
    }
  });

  it('refuses to cut what was signed in another way, with a dot inside the id', async () => {
    const key = Buffer.from(secret.slice(6), 'base64');
    const signed = createHmac('sha256', key).update('a.1614265330.1614265331.{}').digest('base64');
    const first = { 'webhook-id': 'a', 'webhook-timestamp': '1614265330', 'webhook-signature': `v1,${signed}` };
    expect(await verify({ headers: first, body: Buffer.from('1614265331.{}') }, now)).toMatchObject({ id: 'a' });
    const second = { ...first, 'webhook-id': 'a.1614265330', 'webhook-timestamp': '1614265331' };
    await expect(verify({ headers: second, body: Buffer.from('{}') }, now)).rejects.toMatchObject(invalid);
  });

  it('refuses a secret that is none when it is made', () => {
    for (const bad of ['whsec_', 'whsec_c2hvcnQ=', 'whsec_not base64 at all, is it?!']) {
      expect(() => createStandardWebhooks(bad, '/sources/shop/secret')).toThrow(/CONFIG_INVALID: \/sources\/shop\/secret must be/u);
    }
  });
});

describe.each(['hex', 'base64'] as const)('hmac-sha256-%s', (encoding) => {
  const secret = 'a secret of the shop, long enough';
  const verify = createHmacSignature(encoding, secret, '/secret');
  const body = Buffer.from('{"email":"ada@example.com"}');
  const signature = createHmac('sha256', secret).update('evt-1.1614265330.').update(body).digest(encoding);
  const good = { 'x-quittance-id': 'evt-1', 'x-quittance-timestamp': '1614265330', 'x-quittance-signature': signature };

  it('accepts a good signature, with and without its prefix', async () => {
    expect(await verify({ headers: good, body }, now)).toEqual({ id: 'evt-1', signedAt: 1_614_265_330 });
    expect(await verify({ headers: { ...good, 'x-quittance-signature': `sha256=${signature}` }, body }, now)).toMatchObject({ id: 'evt-1' });
  });

  it.each([
    ['another signature', { 'x-quittance-signature': createHmac('sha256', 'other').update(body).digest(encoding) }],
    ['a signature of the body alone', { 'x-quittance-signature': createHmac('sha256', secret).update(body).digest(encoding) }],
    ['a shortened signature', { 'x-quittance-signature': signature.slice(0, -1) }],
    ['a prefix of another algorithm', { 'x-quittance-signature': `sha1=${signature}` }],
    ['no signature', { 'x-quittance-signature': undefined }],
    ['another id', { 'x-quittance-id': 'evt-2' }],
    ['another timestamp', { 'x-quittance-timestamp': '1614265331' }],
  ])('refuses %s', async (_what, change) => {
    await expect(verify({ headers: { ...good, ...change }, body }, now)).rejects.toMatchObject(invalid);
    await expect(verify({ headers: good, body: Buffer.concat([body, Buffer.from(' ')]) }, now)).rejects.toMatchObject(invalid);
  });
});

describe('jwt', async () => {
  const pair = await generateKeyPair('ES256');
  const keys = createLocalJWKSet({ keys: [{ ...(await exportJWK(pair.publicKey)), kid: 'k1', alg: 'ES256' }] });
  const verify = createJwtSignature(keys, { issuer: 'https://id.example', audience: 'quittance' });
  const body = Buffer.from('{"email":"ada@example.com"}');
  const seconds = now / 1000;
  const claims: JWTPayload = {
    iss: 'https://id.example',
    aud: 'quittance',
    jti: 'evt-1',
    iat: seconds,
    exp: seconds + 60,
    body_sha256: createHash('sha256').update(body).digest('hex'),
  };
  const sign = async (change: JWTPayload = {}, key: Parameters<SignJWT['sign']>[0] = pair.privateKey, alg = 'ES256'): Promise<string> =>
    new SignJWT({ ...claims, ...change }).setProtectedHeader({ alg, kid: 'k1' }).sign(key);
  const check = async (token: string, sent = body, by: VerifySignature = verify): ReturnType<VerifySignature> =>
    by({ headers: { authorization: `Bearer ${token}` }, body: sent }, now);

  it('accepts a good token over the body', async () => {
    expect(await check(await sign())).toEqual({ id: 'evt-1', signedAt: seconds });
  });

  it('refuses the token with another body', async () => {
    await expect(check(await sign(), Buffer.from('{"email":"eve@example.com"}'))).rejects.toMatchObject(invalid);
  });

  it.each([
    ['another issuer', { iss: 'https://evil.example' }],
    ['another audience', { aud: 'somebody' }],
    ['no id', { jti: undefined as unknown as string }],
    ['an empty id', { jti: '' }],
    ['no body hash', { body_sha256: undefined }],
    ['no expiry', { exp: undefined as unknown as number }],
  ])('refuses %s', async (_what, change) => {
    await expect(check(await sign(change))).rejects.toMatchObject(invalid);
  });

  it('refuses another key, no algorithm, and a symmetric algorithm', async () => {
    const other = await generateKeyPair('ES256');
    await expect(check(await sign({}, other.privateKey))).rejects.toMatchObject(invalid);
    await expect(check(await sign({}, randomBytes(32), 'HS256'))).rejects.toMatchObject(invalid);
    const none = `${Buffer.from('{"alg":"none"}').toString('base64url')}.${Buffer.from(JSON.stringify(claims)).toString('base64url')}.AA`;
    await expect(check(none)).rejects.toMatchObject(invalid);
    await expect(check('not-a-token')).rejects.toMatchObject(invalid);
  });

  it('calls an expired token stale, and only when it was well signed', async () => {
    const other = await generateKeyPair('ES256');
    await expect(check(await sign({ exp: seconds - 1 }))).rejects.toMatchObject({ code: 'SIGNATURE_STALE' });
    await expect(check(await sign({ exp: seconds - 1 }, other.privateKey))).rejects.toMatchObject(invalid);
  });

  it("says that the sender's keys cannot be had, which is not the signature's fault, when they cannot", async () => {
    const offline = [
      async () => new Response('no', { status: 503 }),
      async () => Response.json({ keys: 'none' }),
      async () => {
        throw new TypeError('connection refused');
      },
    ];
    for (const fetch of offline) {
      const remote = createRemoteJWKSet(new URL('https://id.example/jwks.json'), { [customFetch]: fetch });
      const by = createJwtSignature(remote, { issuer: undefined, audience: undefined });
      await expect(check(await sign(), body, by)).rejects.toMatchObject({ code: 'KEY_UNAVAILABLE' });
    }
  });
});

describe('the window', () => {
  it('takes a timestamp up to the tolerance away, before and ahead, and no second more', () => {
    checkWindow(1000, 1_300_000, 300);
    checkWindow(1600, 1_300_000, 300);
    expect(() => checkWindow(999, 1_300_000, 300)).toThrow(/SIGNATURE_STALE/u);
    expect(() => checkWindow(1601, 1_300_000, 300)).toThrow(/SIGNATURE_STALE/u);
  });
});
