import { createHash } from 'node:crypto';
import { parseId, type RequestId } from '../../contract/ids.ts';
import type { Database, Tx } from '../../platform/db/database.ts';
import { Failure } from '../../platform/failure.ts';
import { newId } from '../../platform/ids.ts';
import type { Verification } from '../identity/index.ts';
import { takeMinutePlace, type RatePlace } from './rate-limited.ts';

/** What verifying a person needs. */
export interface VerifySubjectDeps {
  readonly database: Database;
  readonly verification: Pick<Verification, 'submitCode' | 'sendAgain'>;
  /** Moves the request on, once the right code was given. */
  readonly subjectVerified: (tx: Tx, requestId: RequestId, method: string) => Promise<boolean>;
}

/** Takes codes from people. Nothing here tells whether a request exists. */
export interface VerifySubject {
  /** Takes a place in the limit. Fails with `RATE_LIMITED`. */
  readonly takePlace: (id: string) => Promise<RatePlace>;
  /** Judges a code. Fails with `VERIFICATION_FAILED`, in the same words for every reason. */
  readonly submit: (id: string, code: string) => Promise<void>;
  /** Has another code sent, if the request waits for one. */
  readonly sendAgain: (id: string) => Promise<void>;
}

/** A person types a code a few times a minute. */
const perMinute = 10;

/** The limit that an id falls under: one of 4,096, so that made-up ids fill no table and are limited as real ones are. */
const bucketOf = (id: string): string => `verification:${createHash('sha256').update(id, 'utf8').digest('hex').slice(0, 3)}`;

/** An id that is none is looked for like any other, which takes as long. */
const idOf = (text: string): RequestId => parseId('request', text) ?? newId('request');

/** Makes the use case. */
export function createVerifySubject(deps: VerifySubjectDeps): VerifySubject {
  return {
    takePlace: (id) => takeMinutePlace(deps.database, bucketOf(id), perMinute),
    submit: async (id, code) => {
      const requestId = idOf(id);
      // The verdict leaves the transaction as a value: thrown inside, it would take the count of the attempt with it.
      const isVerified = await deps.database.transaction(async (tx) => {
        const judged = await deps.verification.submitCode(tx, requestId, code.replaceAll(/[\s-]/gu, ''));
        if (judged !== 'verified' && judged !== 'already_verified') return false;
        return deps.subjectVerified(tx, requestId, 'email_code');
      });
      if (!isVerified) {
        throw new Failure('VERIFICATION_FAILED', 'The code is wrong, has expired or was tried too often, or nothing waits for it; ask for a new one');
      }
    },
    sendAgain: async (id) => {
      await deps.database.transaction((tx) => deps.verification.sendAgain(tx, idOf(id)));
    },
  };
}
