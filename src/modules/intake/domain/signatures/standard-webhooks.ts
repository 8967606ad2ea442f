import { createHmac, timingSafeEqual } from 'node:crypto';
import { Failure } from '../../../../platform/failure.ts';
import { badSignature, headerOf, readMessageId, readSeconds, type VerifySignature } from './signature.ts';

/** The specification asks for 24 to 64 bytes; fewer than 16 could be guessed. */
const secretBytesMin = 16;
/** Signatures looked at: a sender that rotates its secret sends two. */
const signaturesMax = 10;

/**
 * Checks Standard Webhooks signatures, version `v1` (HMAC-SHA-256 over `id.timestamp.body`); any one of several may hold, other versions
 * are passed over. Source: https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
 * Fails with `CONFIG_INVALID` at once when the secret is none.
 */
export function createStandardWebhooks(secret: string, at: string): VerifySignature {
  const encoded = secret.startsWith('whsec_') ? secret.slice('whsec_'.length) : secret;
  const key = Buffer.from(encoded, 'base64');
  if (!/^[A-Za-z0-9+/]+={0,2}$/u.test(encoded) || key.length < secretBytesMin) {
    throw new Failure('CONFIG_INVALID', `${at} must be whsec_ and base64 of at least ${secretBytesMin} bytes`);
  }
  return async ({ headers, body }) => {
    const id = readMessageId(headers, 'webhook-id');
    const signedAt = readSeconds(headers, 'webhook-timestamp');
    const expected = createHmac('sha256', key).update(`${id}.${signedAt}.`, 'utf8').update(body).digest();
    let good = false;
    for (const signature of headerOf(headers, 'webhook-signature').split(' ').slice(0, signaturesMax)) {
      if (!/^v1,[A-Za-z0-9+/]{43}=$/u.test(signature)) continue;
      if (timingSafeEqual(Buffer.from(signature.slice(3), 'base64'), expected)) good = true;
    }
    if (!good) throw badSignature();
    return { id, signedAt };
  };
}
