import { createVerify, generateKeyPairSync } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { createGoogleTokens, googleAccountSchema } from './google-account.ts';

const { publicKey, privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
const pem = privateKey.export({ type: 'pkcs8', format: 'pem' });
const file = JSON.stringify({ client_email: 'files@acme.example', private_key: pem, private_key_id: 'k1' });

describe('a token of a Google service account', () => {
  it('is signed by its key, names account and scope, and is good for less than an hour from now', () => {
    const now = Date.parse('2026-11-21T10:00:00Z');
    const token = createGoogleTokens(googleAccountSchema.parse(file), 'https://www.googleapis.com/auth/pubsub', { now: () => now })();
    const [head = '', body = '', signature = ''] = token.split('.');
    const read = (part: string): unknown => JSON.parse(Buffer.from(part, 'base64url').toString());
    expect(createVerify('RSA-SHA256').update(`${head}.${body}`).verify(publicKey, signature, 'base64url')).toBe(true);
    expect(read(head)).toEqual({ alg: 'RS256', typ: 'JWT', kid: 'k1' });
    expect(read(body)).toEqual({ iss: 'files@acme.example', sub: 'files@acme.example', scope: 'https://www.googleapis.com/auth/pubsub', iat: now / 1000 - 60, exp: now / 1000 + 3540 });
  });

  it('is used for half an hour and then made anew', () => {
    let now = Date.parse('2026-11-21T10:00:00Z');
    const tokenOf = createGoogleTokens(googleAccountSchema.parse(file), 'scope', { now: () => now });
    const first = tokenOf();
    now += 1_799_000;
    expect(tokenOf()).toBe(first);
    now += 2000;
    expect(tokenOf()).not.toBe(first);
  });
});

describe('the key file of a Google service account', () => {
  it.each(['', 'sealed-words', '{}', '{"client_email":"a@b.example","private_key":"sealed-words"}', '[]'])('is refused without being quoted: %j', (text) => {
    const parsed = googleAccountSchema.safeParse(text);
    expect(parsed.success).toBe(false);
    expect(JSON.stringify(parsed.error)).not.toContain('sealed-words');
    expect(googleAccountSchema.safeParse(file).success).toBe(true);
  });
});
