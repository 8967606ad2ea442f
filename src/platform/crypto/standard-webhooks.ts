import { createHmac, createPrivateKey, createPublicKey, KeyObject, sign } from 'node:crypto';
import { Failure } from '../failure.ts';

/** The specification asks for 24 to 64 bytes; fewer than 16 could be guessed. */
const secretBytesMin = 16;

/**
 * Reads a secret of Standard Webhooks, `whsec_` and base64. Fails with `CONFIG_INVALID`, naming the place, when it is none.
 * Source: https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
 */
export function readWebhookSecret(secret: string, at: string): Buffer {
  const encoded = secret.startsWith('whsec_') ? secret.slice('whsec_'.length) : secret;
  const key = Buffer.from(encoded, 'base64');
  if (!/^[A-Za-z0-9+/]+={0,2}$/u.test(encoded) || key.length < secretBytesMin) {
    throw new Failure('CONFIG_INVALID', `${at} must be whsec_ and base64 of at least ${secretBytesMin} bytes`);
  }
  return key;
}

/** What a message is signed over: HMAC-SHA-256 of `id.timestamp.body`, the timestamp in seconds since the epoch. */
export function webhookMac(key: Buffer, id: string, seconds: number, body: Buffer): Buffer {
  return createHmac('sha256', key).update(`${id}.${seconds}.`, 'utf8').update(body).digest();
}

/** An Ed25519 seed in PKCS #8 (RFC 8410, section 7) stands behind these bytes. */
const ed25519Prefix = Buffer.from('302e020100300506032b657004220420', 'hex');

/**
 * Reads what messages are signed with: `whsec_…` for signatures of version `v1`, and `whsk_…` for `v1a`, an Ed25519 seed of 32 bytes, or the seed with its public key
 * behind it, as libraries that keep both write it. Fails with `CONFIG_INVALID`, naming the place.
 */
export function readWebhookSigningKey(secret: string, at: string): Buffer | KeyObject {
  if (!secret.startsWith('whsk_')) return readWebhookSecret(secret, at);
  const encoded = secret.slice('whsk_'.length);
  const bytes = Buffer.from(encoded, 'base64');
  if (/^[A-Za-z0-9+/]+={0,2}$/u.test(encoded) && (bytes.length === 32 || bytes.length === 64)) {
    const key = createPrivateKey({ key: Buffer.concat([ed25519Prefix, bytes.subarray(0, 32)]), format: 'der', type: 'pkcs8' });
    const publicKey = createPublicKey(key).export({ format: 'der', type: 'spki' }).subarray(-32);
    if (bytes.length === 32 || publicKey.equals(bytes.subarray(32))) return key;
  }
  throw new Failure('CONFIG_INVALID', `${at} must be whsk_ and base64 of an Ed25519 seed of 32 bytes, or of the seed and its public key`);
}

/** The headers of a message that is sent: its id, by which the receiver drops repetitions, its time, and its signature: `v1` with a secret, `v1a` with an Ed25519 key. */
export function webhookHeaders(key: Buffer | KeyObject, id: string, seconds: number, body: Buffer): Readonly<Record<string, string>> {
  const signature =
    key instanceof KeyObject
      ? `v1a,${sign(null, Buffer.concat([Buffer.from(`${id}.${seconds}.`, 'utf8'), body]), key).toString('base64')}`
      : `v1,${webhookMac(key, id, seconds, body).toString('base64')}`;
  return { 'webhook-id': id, 'webhook-timestamp': String(seconds), 'webhook-signature': signature };
}
