import { createHash, timingSafeEqual } from 'node:crypto';
import type { FastifyRequest } from 'fastify';
import { Failure } from '../../platform/failure.ts';
import type { VerifyPolicy } from '../../platform/config/document.ts';
import type { Secret } from '../../platform/secret.ts';

/** Who calls with an API key. */
export interface Operator {
  readonly name: string;
  /** How it is proven who the people are whose requests this caller opens. */
  readonly verify: VerifyPolicy;
}

/** An API key as configured. */
export interface ApiKey extends Operator {
  readonly key: Secret;
}

/** Tells who calls, by `Authorization: Bearer <API key>`; fails with `UNAUTHORIZED`. */
export type Authenticate = (request: FastifyRequest) => Operator;

/** Makes the check. Every key is compared, in constant time and by hash, so that neither content nor position shows in the time taken. */
export function createAuthenticate(keys: readonly ApiKey[]): Authenticate {
  const hash = (text: string): Buffer => createHash('sha256').update(text, 'utf8').digest();
  const known = keys.map(({ key, name, verify }) => ({ digest: hash(key.reveal()), operator: { name, verify } }));
  return (request) => {
    const match = /^Bearer ([!-~]{1,512})$/u.exec(request.headers.authorization ?? '');
    const given = hash(match?.[1] ?? '');
    let found: Operator | undefined;
    for (const each of known) if (timingSafeEqual(each.digest, given)) found = each.operator;
    if (match === null || found === undefined) {
      throw new Failure('UNAUTHORIZED', 'Send an API key of this server as "Authorization: Bearer <key>"');
    }
    return found;
  };
}
