import { createHash, timingSafeEqual } from 'node:crypto';
import { errors, jwtVerify, type JWTPayload, type JWTVerifyGetKey } from 'jose';
import { Failure } from '../../../../platform/failure.ts';
import { badSignature, headerOf, type VerifySignature } from './signature.ts';

/**
 * Asymmetric algorithms only: with a public key set, an HMAC algorithm would take a public key for the secret (RFC 8725, section 2.1).
 */
export const asymmetricAlgorithms = ['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512', 'ES256', 'ES384', 'ES512', 'EdDSA', 'Ed25519'];

/** What a JWT source expects. */
export interface JwtExpectations {
  readonly issuer: string | undefined;
  readonly audience: string | undefined;
}

/** Whether what went wrong is the fetching or reading of the sender's keys: our trouble or theirs, and not the token's. */
export const isKeyTrouble = (error: errors.JOSEError): boolean => error.code === 'ERR_JOSE_GENERIC' || keySetErrors.has(error.code);

/** Errors of fetching or reading the sender's keys: our trouble or theirs, and not the signature's. */
const keySetErrors: ReadonlySet<string> = new Set([errors.JWKSTimeout.code, errors.JWKSInvalid.code]);

async function verifiedPayload(token: string, keys: JWTVerifyGetKey, expected: JwtExpectations, now: number): Promise<JWTPayload> {
  try {
    const verified = await jwtVerify(token, keys, {
      algorithms: asymmetricAlgorithms,
      currentDate: new Date(now),
      requiredClaims: ['iat', 'exp', 'jti', 'body_sha256'],
      ...(expected.issuer === undefined ? {} : { issuer: expected.issuer }),
      ...(expected.audience === undefined ? {} : { audience: expected.audience }),
    });
    return verified.payload;
  } catch (error) {
    // jose looks at the claims after the signature held, so that only the signer learns this.
    if (error instanceof errors.JWTExpired) throw new Failure('SIGNATURE_STALE', 'The token has expired; sign the message anew', { cause: error });
    if (error instanceof errors.JOSEError && !isKeyTrouble(error)) throw badSignature(error);
    throw new Failure('KEY_UNAVAILABLE', "The sender's keys could not be fetched; send the message again later", { cause: error });
  }
}

/**
 * Checks a JWT (RFC 7519) sent as `Authorization: Bearer`, with the claims `iat`, `exp`, `jti` and `body_sha256`, the hex SHA-256 of the raw
 * body, without which a token could be sent with another body. Fails with `KEY_UNAVAILABLE` when the sender's keys cannot be had.
 */
export function createJwtSignature(keys: JWTVerifyGetKey, expected: JwtExpectations): VerifySignature {
  return async ({ headers, body }, now) => {
    const token = /^Bearer ([A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+)$/u.exec(headerOf(headers, 'authorization'))?.[1];
    if (token === undefined) throw badSignature();
    const payload = await verifiedPayload(token, keys, expected, now);
    const { jti, iat, body_sha256: claimed } = payload;
    const digest = createHash('sha256').update(body).digest();
    if (typeof claimed !== 'string' || !/^[0-9a-f]{64}$/u.test(claimed) || !timingSafeEqual(Buffer.from(claimed, 'hex'), digest)) throw badSignature();
    if (typeof jti !== 'string' || jti === '' || jti.length > 256 || typeof iat !== 'number') throw badSignature();
    return { id: jti, signedAt: iat };
  };
}
