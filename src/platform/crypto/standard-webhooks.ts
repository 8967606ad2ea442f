import { createHmac } from 'node:crypto';
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

/** The headers of a message that is sent: its id, by which the receiver drops repetitions, its time, and its signature of version `v1`. */
export function webhookHeaders(key: Buffer, id: string, seconds: number, body: Buffer): Readonly<Record<string, string>> {
  return { 'webhook-id': id, 'webhook-timestamp': String(seconds), 'webhook-signature': `v1,${webhookMac(key, id, seconds, body).toString('base64')}` };
}
