import { createHash } from 'node:crypto';
import { exportJWK, generateKeyPair, SignJWT } from 'jose';
import { expect, it } from 'vitest';
import { documentSchema } from '../../platform/config/document.ts';
import { createSources, type Source } from './sources.ts';

const now = Date.parse('2026-11-21T10:00:00Z');
const secrets = { environment: { SHORT: 'short', LONG: 'a secret long enough for this' }, readFile: (path: string) => `secret of ${path}, long enough` };
const noFetch = async (): Promise<Response> => {
  throw new Error('nothing is fetched here');
};

function sourceOf(part: object, fetch: (url: string) => Promise<Response> = noFetch): Source | undefined {
  const { sources } = documentSchema.parse({ version: 1, controller: { name: 'Shop', contact: 'privacy@shop.example' }, sources: { shop: part } });
  return createSources(sources, secrets, fetch).get('shop');
}

it.each<[string, object, string]>([
  ['no secret', {}, '/sources/shop/secret is missing'],
  ['a secret that is not set', { secret: '${env:ABSENT}' }, 'needs the environment variable ABSENT'],
  ['a secret that is none of its scheme', { secret: '${env:SHORT}' }, '/sources/shop/secret must be whsec_'],
  ['a secret that could be guessed', { scheme: 'hmac-sha256-hex', secret: '${env:SHORT}' }, 'at least 16 characters'],
  ['a JWT scheme without an address', { scheme: 'jwt' }, '/sources/shop/jwks_url is missing'],
  ['a bearer token that could be guessed', { scheme: 'bearer', secret: '${env:SHORT}' }, 'at least 16 characters'],
  ['an API key that is not there', { scheme: 'api-key' }, '/sources/shop/secret is missing'],
  ['pushes of nobody in particular', { scheme: 'pubsub-push', audience: 'https://shop.example' }, '/sources/shop/service_account is missing'],
  ['pushes for nobody in particular', { scheme: 'pubsub-push', service_account: 'push@shop.example' }, '/sources/shop/audience is missing'],
  ['keys over plain HTTP', { scheme: 'jwt', jwks_url: 'http://id.example/jwks.json' }, 'must be https'],
])('a source with %s is refused at the start, without its value', (_what, part, detail) => {
  expect(() => sourceOf(part)).toThrow(expect.objectContaining({ code: 'CONFIG_INVALID', detail: expect.stringContaining(detail) as string }) as Error);
  expect(() => sourceOf(part)).not.toThrow(/short/u);
});

it('a source whose secret is in a file is made', () => {
  expect(sourceOf({ scheme: 'hmac-sha256-base64', secret: '${file:/run/secrets/shop}' })?.name).toBe('shop');
});

it('a source that is read from a bus takes nothing over HTTP', () => {
  expect(sourceOf({ consume: { kind: 'kafka', topic: 'privacy-requests' } })).toBeUndefined();
});

it('a JWT source fetches the keys of its own address and nothing else', async () => {
  const pair = await generateKeyPair('ES256');
  const asked: string[] = [];
  const source = sourceOf({ scheme: 'jwt', jwks_url: 'https://id.example/jwks.json', issuer: 'https://id.example' }, async (url) => {
    asked.push(url);
    return Response.json({ keys: [{ ...(await exportJWK(pair.publicKey)), kid: 'k1', alg: 'ES256' }] });
  });
  const body = Buffer.from('{}');
  const claims = { iss: 'https://id.example', jti: 'evt-1', iat: now / 1000, exp: now / 1000 + 60, body_sha256: createHash('sha256').update(body).digest('hex') };
  const token = await new SignJWT(claims).setProtectedHeader({ alg: 'ES256', kid: 'k1', jku: 'https://evil.example/jwks.json' }).sign(pair.privateKey);
  expect(await source?.verify({ headers: { authorization: `Bearer ${token}` }, body }, now)).toEqual({ id: 'evt-1', signedAt: now / 1000 });
  expect(asked).toEqual(['https://id.example/jwks.json']);
});
