import { formatId, type RequestId } from '../../contract/ids.ts';
import { backoffMs } from '../../platform/backoff.ts';
import type { Database, Tx } from '../../platform/db/database.ts';
import { Failure, isFailure } from '../../platform/failure.ts';
import type { Log } from '../../platform/log.ts';
import type { Random } from '../../platform/random.ts';
import type { ClaimedProof, FailedProofs, OpenVault, ProofVerification, Vault } from '../identity/index.ts';
import type { ProofService } from './proof-service.ts';

/** What asking about proofs needs. */
export interface AskAboutProofDeps {
  readonly database: Database;
  readonly random: Random;
  readonly log: Log;
  readonly vault: Pick<Vault, 'unlock'>;
  readonly proofs: ProofVerification;
  readonly failedProofs: Pick<FailedProofs, 'waitMs'>;
  /** Undefined when none is configured any more. */
  readonly service: ProofService | undefined;
  /** Whether the request still waits for its person to be verified. */
  readonly isWaiting: (requestId: RequestId) => Promise<boolean>;
  /** Moves the request on. */
  readonly subjectVerified: (tx: Tx, requestId: RequestId, method: string) => Promise<boolean>;
}

/** Asks the verification service about a request's proof, if that is due. Safe to call at any time, any number of times. */
export type AskAboutProof = (requestId: RequestId) => Promise<void>;

/** The first waits are short, a service that is down for long is asked once an hour. */
const backoffStep = 3;

/**
 * Makes the use case. Only a match moves the request on. What the service cannot say is asked again, later and later, for as long as the
 * request waits: in the end it expires, as one whose person never answered.
 */
export function createAskAboutProof(deps: AskAboutProofDeps): AskAboutProof {
  const inTransaction = (work: (tx: Tx) => Promise<unknown>): Promise<void> => deps.database.transaction(async (tx) => void (await work(tx)));

  /** Undefined once the person's data was destroyed. */
  const unlock = async (requestId: RequestId): Promise<OpenVault | undefined> => {
    try {
      return await deps.vault.unlock(requestId);
    } catch (error) {
      if (isFailure(error) && error.code === 'KEY_DESTROYED') return undefined;
      throw error;
    }
  };

  const ask = async (vault: OpenVault, claimed: ClaimedProof): Promise<'match' | 'no_match' | Failure> => {
    const given = (kind: 'email' | 'phone'): string | undefined => vault.identifiers.find((each) => each.kind === kind && each.foundBy === 'given')?.value;
    const requestId = formatId('request', claimed.requestId);
    const question = { requestId, idempotencyKey: `${requestId}.${claimed.number}`, proof: deps.proofs.open(vault, claimed), email: given('email'), phone: given('phone') };
    try {
      if (deps.service === undefined) throw new Failure('CONFIG_INVALID', '/identity/proof_service is missing, and a request waits for it');
      return await deps.service(question);
    } catch (error) {
      // A bug is put off like an outage: the job must not fail, or it would be tried beside the one that is sent here.
      return isFailure(error) ? error : new Failure('INTERNAL', 'Asking about a proof failed on a bug', { cause: error });
    }
  };

  return async (requestId) => {
    const claimed = await deps.proofs.claim(requestId);
    if (claimed === undefined) return;
    const vault = (await deps.isWaiting(requestId)) ? await unlock(requestId) : undefined;
    if (vault === undefined) return inTransaction((tx) => deps.proofs.drop(tx, claimed));
    const heldMs = await deps.database.transaction((tx) => deps.failedProofs.waitMs(tx, claimed.source));
    if (heldMs > 0) return inTransaction((tx) => deps.proofs.postpone(tx, claimed, heldMs));
    const answer = await ask(vault, claimed);
    if (typeof answer === 'object') {
      deps.log.warn({ request_id: formatId('request', requestId), attempt: claimed.asked, err: answer }, 'the verification service did not judge a proof');
      const delayMs = backoffMs(claimed.asked + backoffStep, deps.random.fraction(), answer.retryAfterMs);
      return inTransaction((tx) => deps.proofs.postpone(tx, claimed, delayMs));
    }
    return inTransaction(async (tx) => {
      if ((await deps.proofs.judged(tx, claimed, answer)) && answer === 'match') await deps.subjectVerified(tx, requestId, 'proof');
    });
  };
}
