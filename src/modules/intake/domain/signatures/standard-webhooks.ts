import { timingSafeEqual } from 'node:crypto';
import { readWebhookSecret, webhookMac } from '../../../../platform/crypto/standard-webhooks.ts';
import { badSignature, headerOf, readMessageId, readSeconds, type VerifySignature } from './signature.ts';

/** Signatures looked at: a sender that rotates its secret sends two. */
const signaturesMax = 10;

/**
 * Checks Standard Webhooks signatures, version `v1` (HMAC-SHA-256 over `id.timestamp.body`); any one of several may hold, other versions
 * are passed over. Source: https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
 * Fails with `CONFIG_INVALID` at once when the secret is none.
 */
export function createStandardWebhooks(secret: string, at: string): VerifySignature {
  const key = readWebhookSecret(secret, at);
  return async ({ headers, body }) => {
    const id = readMessageId(headers, 'webhook-id');
    const signedAt = readSeconds(headers, 'webhook-timestamp');
    const expected = webhookMac(key, id, signedAt, body);
    let good = false;
    for (const signature of headerOf(headers, 'webhook-signature').split(' ').slice(0, signaturesMax)) {
      if (!/^v1,[A-Za-z0-9+/]{43}=$/u.test(signature)) continue;
      if (timingSafeEqual(Buffer.from(signature.slice(3), 'base64'), expected)) good = true;
    }
    if (!good) throw badSignature();
    return { id, signedAt };
  };
}
