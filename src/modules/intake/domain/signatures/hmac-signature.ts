import { createHmac, timingSafeEqual } from 'node:crypto';
import { Failure } from '../../../../platform/failure.ts';
import { badSignature, headerOf, readMessageId, readSeconds, type VerifySignature } from './signature.ts';

/** Fewer characters could be guessed. */
const secretLengthMin = 16;

const formats = {
  hex: /^(?:sha256=)?([0-9a-fA-F]{64})$/u,
  base64: /^(?:sha256=)?([A-Za-z0-9+/]{43}=)$/u,
} as const;

/**
 * Checks an HMAC-SHA-256 over `id.timestamp.body`, sent as `X-Quittance-Signature` (with or without `sha256=`), `X-Quittance-Id` and
 * `X-Quittance-Timestamp`. Fails with `CONFIG_INVALID` at once when the secret is too short.
 */
export function createHmacSignature(encoding: keyof typeof formats, secret: string, at: string): VerifySignature {
  if (secret.length < secretLengthMin) throw new Failure('CONFIG_INVALID', `${at} must have at least ${secretLengthMin} characters`);
  return async ({ headers, body }) => {
    const id = readMessageId(headers, 'x-quittance-id');
    const signedAt = readSeconds(headers, 'x-quittance-timestamp');
    const given = formats[encoding].exec(headerOf(headers, 'x-quittance-signature'))?.[1];
    const expected = createHmac('sha256', Buffer.from(secret, 'utf8')).update(`${id}.${signedAt}.`, 'utf8').update(body).digest();
    if (given === undefined || !timingSafeEqual(Buffer.from(given, encoding), expected)) throw badSignature();
    return { id, signedAt };
  };
}
