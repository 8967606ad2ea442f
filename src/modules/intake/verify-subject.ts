import { parseId, type RequestId } from '../../contract/ids.ts';
import type { Database, Tx } from '../../platform/db/database.ts';
import { Failure } from '../../platform/failure.ts';
import { newId } from '../../platform/ids.ts';
import type { CodeVerdict, Verification } from '../identity/index.ts';
import { bucketOf, takeMinutePlace, type RatePlace } from './rate-limited.ts';

/** What verifying a person needs. */
export interface VerifySubjectDeps {
  readonly database: Database;
  readonly verification: Pick<Verification, 'submitCode' | 'codeJudged' | 'sendAgain'>;
  /** Has the service that sent a code to the person's telephone judge it; `unknown` when it could not be asked. */
  readonly judgeCode: (requestId: RequestId, code: string) => Promise<'right' | 'wrong' | 'unknown'>;
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

/** An id that is none is looked for like any other, which takes as long. */
const idOf = (text: string): RequestId => parseId('request', text) ?? newId('request');

/** Makes the use case. */
export function createVerifySubject(deps: VerifySubjectDeps): VerifySubject {
  const moveOn = async (tx: Tx, requestId: RequestId, verdict: CodeVerdict, method: string): Promise<boolean> =>
    (verdict === 'verified' || verdict === 'already_verified') && deps.subjectVerified(tx, requestId, method);

  /** The verdict leaves each transaction as a value: thrown inside, it would take the count of the attempt with it. */
  const isRight = async (requestId: RequestId, code: string): Promise<boolean> => {
    const judged = await deps.database.transaction(async (tx) => {
      const { verdict, method } = await deps.verification.submitCode(tx, requestId, code);
      return verdict === 'elsewhere' ? verdict : moveOn(tx, requestId, verdict, method);
    });
    if (judged !== 'elsewhere') return judged;
    const answer = await deps.judgeCode(requestId, code);
    return deps.database.transaction(async (tx) => moveOn(tx, requestId, await deps.verification.codeJudged(tx, requestId, code, answer), 'sms_code'));
  };

  return {
    takePlace: (id) => takeMinutePlace(deps.database, bucketOf('verification', id, 3), perMinute),
    submit: async (id, code) => {
      if (await isRight(idOf(id), code.replaceAll(/[\s-]/gu, ''))) return;
      throw new Failure('VERIFICATION_FAILED', 'The code is wrong, has expired or was tried too often, or nothing waits for it; ask for a new one');
    },
    sendAgain: async (id) => {
      await deps.database.transaction((tx) => deps.verification.sendAgain(tx, idOf(id)));
    },
  };
}
