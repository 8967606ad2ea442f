import { createHash, timingSafeEqual } from 'node:crypto';
import { Failure } from '../../../../platform/failure.ts';
import { badSignature, headerOf, type VerifySignature } from './signature.ts';

/** Fewer characters could be guessed. */
const tokenLengthMin = 16;

const digestOf = (text: string): Buffer => createHash('sha256').update(text, 'utf8').digest();

/**
 * Checks a token that both sides know, sent in a header, in constant time. It says who sends, and nothing of the body nor of when: for event buses, which can do no more, over
 * TLS. Fails with `CONFIG_INVALID` at once when the token is too short.
 */
export function createSharedToken(header: string, scheme: '' | 'Bearer ', token: string, at: string): VerifySignature {
  if (token.length < tokenLengthMin) throw new Failure('CONFIG_INVALID', `${at} must have at least ${tokenLengthMin} characters`);
  const expected = digestOf(`${scheme}${token}`);
  return async ({ headers }, now) => {
    if (!timingSafeEqual(digestOf(headerOf(headers, header.toLowerCase())), expected)) throw badSignature();
    return { signedAt: Math.floor(now / 1000) };
  };
}
