import { formatId, type RequestId } from '../../contract/ids.ts';
import type { AuditEntry } from '../../contract/audit-entry.ts';
import { isoTime, type Clock } from '../../platform/clock.ts';
import type { SystemKeys } from '../../platform/crypto/system-keys.ts';
import { tablesOf, type Database, type Tx } from '../../platform/db/database.ts';
import type { FailedProofs } from './failed-proofs.ts';
import { claimProof, dueProofs, freeProofs, lockVerification, postponeProof, replaceProof, settleProof, type StoredProof } from './store.ts';
import type { IdentityTables } from './tables.ts';
import type { OpenVault, PreparedVault, Vault } from './vault.ts';

/** What the verification of proofs needs. */
export interface ProofVerificationDeps {
  readonly database: Database;
  readonly systemKeys: Pick<SystemKeys, 'mac'>;
  readonly clock: Clock;
  readonly vault: Pick<Vault, 'seal'>;
  readonly failedProofs: FailedProofs;
  readonly record: (tx: Tx, entry: AuditEntry) => Promise<void>;
  /** Has the verification service asked about a request's proof after so long. */
  readonly askLater: (tx: Tx, requestId: RequestId, delayMs: number) => Promise<void>;
  /** How many proofs a request may give. */
  readonly proofsMax: number;
}

/** A proof that one worker is asking about. */
export interface ClaimedProof {
  readonly requestId: RequestId;
  readonly source: string;
  /** Which one of the request, from 1. */
  readonly number: number;
  /** How often the service was asked about it, this time included. */
  readonly asked: number;
  readonly sealed: Buffer;
}

/** Keeps the proofs that a verification service is to judge: sealed, and only until it has. */
export interface ProofVerification {
  /** Seals the proof of a request that is being opened. */
  readonly seal: (prepared: PreparedVault, proof: string) => StoredProof;
  /** Has the service asked, once the transaction is committed. */
  readonly begin: (tx: Tx, requestId: RequestId) => Promise<void>;
  /** Gives another proof for a request that still waits for one. Answers false when it does not, has given all it may, or gave this one before. */
  readonly giveAnother: (tx: Tx, vault: OpenVault, proof: string) => Promise<boolean>;
  /** Takes a request's proof for as long as the service may take; undefined when there is none, it is not due, or somebody else has it. */
  readonly claim: (requestId: RequestId) => Promise<ClaimedProof | undefined>;
  /** The proof itself. */
  readonly open: (vault: OpenVault, claimed: ClaimedProof) => string;
  /** Says what the service answered. False when the proof was judged or replaced meanwhile: then nothing is changed. */
  readonly judged: (tx: Tx, claimed: ClaimedProof, verdict: 'match' | 'no_match') => Promise<boolean>;
  /** Has it asked about later. */
  readonly postpone: (tx: Tx, claimed: ClaimedProof, delayMs: number) => Promise<void>;
  /** Forgets a proof that nobody waits for any more. */
  readonly drop: (tx: Tx, claimed: ClaimedProof) => Promise<void>;
  /** Requests whose proof is due and that no job looked at. */
  readonly due: () => Promise<readonly RequestId[]>;
  /** Makes due what a process that died was at. Only for a server that is alone on its database. */
  readonly recover: () => Promise<void>;
}

/** Longer than the longest time-out of the service, so that only a dead worker loses its claim. */
const leaseMs = 90_000;
/** So that the job comes after the moment it waits for, and not in the same millisecond. */
const afterWakeMs = 50;
const sweepMax = 1000;
const sealedAs = 'verification:proof';

/** Makes the keeping of proofs. */
export function createProofVerification(deps: ProofVerificationDeps): ProofVerification {
  const hashOf = (requestId: RequestId, proof: string): Buffer => deps.systemKeys.mac('token', `proof:${requestId}:${proof}`);
  return {
    seal: (prepared, proof) => ({ sealed: deps.vault.seal(prepared, Buffer.from(proof, 'utf8'), sealedAs), hash: hashOf(prepared.requestId, proof) }),
    begin: (tx, requestId) => deps.askLater(tx, requestId, 0),
    giveAnother: async (tx, vault, proof) => {
      const { requestId } = vault;
      const trx = tablesOf<IdentityTables>(tx);
      const row = await lockVerification(trx, requestId);
      if (row === undefined || row.method !== 'proof' || row.verified_at !== null || row.sent_count >= deps.proofsMax) return false;
      const hash = hashOf(requestId, proof);
      if (row.given_hash !== null && Buffer.from(row.given_hash).equals(hash)) return false;
      await replaceProof(trx, requestId, row.sent_count + 1, { sealed: vault.seal(Buffer.from(proof, 'utf8'), sealedAs), hash });
      await deps.askLater(tx, requestId, 0);
      return true;
    },
    claim: async (requestId) => {
      const row = await claimProof(deps.database.read<IdentityTables>(), requestId, leaseMs);
      if (row === undefined || row.proof === null) return undefined;
      return { requestId, source: row.source, number: row.sent_count, asked: row.asked, sealed: Buffer.from(row.proof) };
    },
    open: (vault, claimed) => vault.open(claimed.sealed, sealedAs).toString('utf8'),
    judged: async (tx, claimed, verdict) => {
      const trx = tablesOf<IdentityTables>(tx);
      const { requestId, number } = claimed;
      if (verdict === 'match') return settleProof(trx, requestId, number, { verified_at: new Date(deps.clock.now()) });
      if (!(await settleProof(trx, requestId, number, { attempts: number }))) return false;
      await deps.failedProofs.count(tx, claimed.source);
      await deps.record(tx, {
        type: 'request.verification_failed',
        at: isoTime(deps.clock.now()),
        actor: { role: 'subject' },
        request_id: formatId('request', requestId),
        verification_method: 'proof',
        attempt: number,
        reason_code: verdict,
      });
      return true;
    },
    postpone: async (tx, claimed, delayMs) => {
      const row = { request_id: claimed.requestId, sent_count: claimed.number, asked: claimed.asked };
      if (await postponeProof(tablesOf<IdentityTables>(tx), row, delayMs)) await deps.askLater(tx, claimed.requestId, delayMs + afterWakeMs);
    },
    drop: async (tx, { requestId, number }) => void (await settleProof(tablesOf<IdentityTables>(tx), requestId, number, {})),
    due: () => dueProofs(deps.database.read<IdentityTables>(), sweepMax),
    recover: () => freeProofs(deps.database.read<IdentityTables>()),
  };
}
