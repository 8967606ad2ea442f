import { errors, jwtVerify, type JWTPayload, type JWTVerifyGetKey } from 'jose';
import { Failure } from '../../../../platform/failure.ts';
import { isKeyTrouble } from './jwt-signature.ts';
import { badSignature, headerOf, type VerifySignature } from './signature.ts';

/** Where Google's keys are, and how it names itself; both spellings are documented. Source: https://cloud.google.com/pubsub/docs/authenticate-push-subscriptions */
export const googleTokens = { keys: 'https://www.googleapis.com/oauth2/v3/certs', issuers: ['https://accounts.google.com', 'accounts.google.com'] } as const;

/** What a push subscription's token must say. */
export interface PubsubTokenExpectations {
  readonly issuers: readonly string[];
  readonly audience: string;
  /** The service account of the subscription. */
  readonly email: string;
}

/**
 * Checks the OpenID Connect token of a push subscription. It says which service account sends, and nothing of the body; Google uses one for up to an hour and for many messages, so its age
 * is not that of the message. Without the account, anybody with a subscription of their own could have Google sign for our audience. Fails with `KEY_UNAVAILABLE` where Google's keys cannot be had.
 */
export function createPubsubToken(keys: JWTVerifyGetKey, expected: PubsubTokenExpectations): VerifySignature {
  return async ({ headers }, now) => {
    const token = /^Bearer ([A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+)$/u.exec(headerOf(headers, 'authorization'))?.[1];
    if (token === undefined) throw badSignature();
    let payload: JWTPayload;
    try {
      const options = { algorithms: ['RS256'], currentDate: new Date(now), clockTolerance: 60, requiredClaims: ['iat', 'exp', 'email'], issuer: [...expected.issuers], audience: expected.audience };
      ({ payload } = await jwtVerify(token, keys, options));
    } catch (error) {
      if (error instanceof errors.JOSEError && !isKeyTrouble(error)) throw badSignature(error);
      throw new Failure('KEY_UNAVAILABLE', "Google's keys could not be fetched; send the message again later", { cause: error });
    }
    if (payload['email'] !== expected.email || payload['email_verified'] !== true) throw badSignature();
    return { signedAt: Math.floor(now / 1000) };
  };
}
