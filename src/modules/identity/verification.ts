import { formatId, type RequestId } from '../../contract/ids.ts';
import type { AuditEntry } from '../../contract/audit-entry.ts';
import type { IdentifierKind } from '../../contract/identifiers.ts';
import { isoTime, type Clock } from '../../platform/clock.ts';
import type { VerifyPolicy } from '../../platform/config/document.ts';
import type { SystemKeys } from '../../platform/crypto/system-keys.ts';
import { tablesOf, type Tx } from '../../platform/db/database.ts';
import { codeOf, judgeCode, type CodeVerdict } from './domain/one-time-code.ts';
import type { FailedProofs } from './failed-proofs.ts';
import { insertVerification, lockVerification, updateVerification, type VerificationRow } from './store.ts';
import type { IdentityTables, VerificationMethod } from './tables.ts';
import type { PreparedVault } from './vault.ts';
import type { ProofVerification } from './verification-of-proof.ts';

/** What verification needs. */
export interface VerificationDeps {
  readonly systemKeys: Pick<SystemKeys, 'mac'>;
  readonly clock: Clock;
  readonly proofs: Pick<ProofVerification, 'seal' | 'begin'>;
  readonly failedProofs: FailedProofs;
  /** Hands the n-th code of a request to be sent, in the transaction that counts it. */
  readonly sendCode: (tx: Tx, requestId: RequestId, number: number) => Promise<void>;
  readonly record: (tx: Tx, entry: AuditEntry) => Promise<void>;
  /** How long a code is valid, in minutes. */
  readonly codeMinutes: number;
  /** How many codes may be tried for each one sent. */
  readonly codeAttempts: number;
  /** Who makes and judges the codes that go to telephones. */
  readonly smsCodesBy: 'us' | 'service';
}

/** A request whose person is yet to prove who they are. */
export interface NewVerification {
  readonly source: string;
  readonly method: VerificationMethod;
  /** For `proof`. */
  readonly proof?: string;
}

/** A code to be sent, and to what; without the code where a service of others makes it. */
export interface CodeToSend {
  readonly to: Extract<IdentifierKind, 'email' | 'phone'>;
  readonly code: string | undefined;
}

/** What became of a code, and what it would prove. `elsewhere`: the service that sent it has to judge it, and the attempt is counted already. */
export interface SubmittedCode {
  readonly verdict: CodeVerdict | 'elsewhere';
  readonly method: VerificationMethod;
}

/** Proves that who asks reads the e-mail, or the messages, of the person they ask for. */
export interface Verification {
  /** Has the first code sent, or the proof looked at; for `operator` it does neither, and an operator decides. */
  readonly start: (tx: Tx, prepared: PreparedVault, given: NewVerification) => Promise<void>;
  /**
   * Has another code sent, which replaces the one before and starts its attempts anew. Answers false when there is nothing to send, for
   * whatever reason: unknown, verified, no address, five codes sent, the last one under a minute ago.
   */
  readonly sendAgain: (tx: Tx, requestId: RequestId) => Promise<boolean>;
  /**
   * The n-th code, at the moment of sending it; its validity starts here, so that a mail server that was down costs the person nothing.
   * Undefined when it must not be sent any more: another one replaced it, or the person is verified.
   */
  readonly codeToSend: (tx: Tx, requestId: RequestId, number: number) => Promise<CodeToSend | undefined>;
  /**
   * Judges a code and counts the attempt. The caller commits whatever the verdict, or the attempt is not counted; it shows one and the
   * same answer for every verdict but the right ones. An unknown request is `wrong`.
   */
  readonly submitCode: (tx: Tx, requestId: RequestId, code: string) => Promise<SubmittedCode>;
  /** Says how a code that was to be judged elsewhere was judged. One that could not be gives its attempt back. */
  readonly codeJudged: (tx: Tx, requestId: RequestId, code: string, verdict: 'right' | 'wrong' | 'unknown') => Promise<CodeVerdict>;
}

const minuteMs = 60_000;
/** Enough for a mistyped code or a lost message, too few to flood somebody's mailbox or to guess. */
const codesMax = 5;
/** Between two codes: a message takes about that long, and who presses twice should get one. */
const betweenCodesMs = minuteMs;
/** Compared with when a request is unknown, so that this takes as long as a wrong code. */
const nobody = '00000000-0000-7000-8000-000000000000' as RequestId;
/** A code of Twilio Verify has 4 to 10 digits, as the service is set up. */
const serviceCode = /^[0-9]{4,10}$/u;

/** What a code is sent to, for each method that sends one. */
const sentTo: Readonly<Partial<Record<VerificationMethod, CodeToSend['to']>>> = { email_code: 'email', sms_code: 'phone' };

/**
 * How a person is to prove who they are, by the source's policy and what was given of them: by an operator's decision where a code is to be
 * sent and nothing was given that it could be sent to.
 */
export function verificationMethodFor(policy: VerifyPolicy, kinds: readonly IdentifierKind[]): 'source' | VerificationMethod {
  if (policy === 'source' || policy === 'proof') return policy;
  const to = sentTo[policy];
  return to !== undefined && kinds.includes(to) ? policy : 'operator';
}

/** Makes verification. */
export function createVerification(deps: VerificationDeps): Verification {
  const codeFor = (requestId: RequestId, number: number): string => codeOf(deps.systemKeys.mac('token', `code:${requestId}:${number}`));
  const givenHash = (requestId: RequestId, code: string): Buffer => deps.systemKeys.mac('token', `given:${requestId}:${code}`);
  const isGivenAgain = (row: VerificationRow, code: string): boolean =>
    row.verified_at !== null && row.given_hash !== null && Buffer.from(row.given_hash).equals(givenHash(row.request_id, code));
  const validMs = deps.codeMinutes * minuteMs;
  const entryOf = (type: AuditEntry['type'], row: Pick<VerificationRow, 'request_id' | 'method'>): AuditEntry => ({
    type,
    at: isoTime(deps.clock.now()),
    actor: { role: type === 'request.verification_failed' ? 'subject' : 'system' },
    request_id: formatId('request', row.request_id),
    verification_method: row.method,
  });
  const send = async (tx: Tx, row: Pick<VerificationRow, 'request_id' | 'method'>, number: number): Promise<void> => {
    await deps.sendCode(tx, row.request_id, number);
    await deps.record(tx, { ...entryOf('request.verification_sent', row), attempt: number });
  };
  const fail = async (tx: Tx, row: VerificationRow, attempt: number, reason: string): Promise<void> => {
    await deps.failedProofs.count(tx, row.source);
    await deps.record(tx, { ...entryOf('request.verification_failed', row), attempt, reason_code: reason });
  };

  /** A code of ours: known, and judged here. */
  const judgeOurs = async (tx: Tx, row: VerificationRow | undefined, isHeld: boolean, code: string): Promise<CodeVerdict> => {
    const now = deps.clock.now();
    const expected = codeFor(row?.request_id ?? nobody, row?.sent_count ?? 1);
    const state = { attempts: row?.attempts ?? 0, expiresAt: row?.expires_at.getTime() ?? now, verified: row?.verified_at != null };
    const verdict = judgeCode(state, code, expected, now, isHeld ? 0 : deps.codeAttempts);
    // Without a code sent there is none to give, whatever eight digits come.
    if (row === undefined || sentTo[row.method] === undefined) return 'wrong';
    const trx = tablesOf<IdentityTables>(tx);
    if (verdict === 'verified') await updateVerification(trx, row.request_id, { verified_at: new Date(now) });
    else if (verdict === 'wrong' || verdict === 'expired') {
      await updateVerification(trx, row.request_id, { attempts: row.attempts + 1 });
      await fail(tx, row, row.attempts + 1, verdict);
    }
    return verdict;
  };

  /** A code that a service made: the attempt is counted before the service is asked, so that tries at once are as many as tries in turn. */
  const takeAttempt = async (tx: Tx, row: VerificationRow, isHeld: boolean, code: string): Promise<SubmittedCode['verdict']> => {
    if (isGivenAgain(row, code)) return 'already_verified';
    if (isHeld || row.attempts >= deps.codeAttempts) return 'locked';
    await updateVerification(tablesOf<IdentityTables>(tx), row.request_id, { attempts: row.attempts + 1 });
    if (row.verified_at === null && serviceCode.test(code) && deps.clock.now() < row.expires_at.getTime()) return 'elsewhere';
    await fail(tx, row, row.attempts + 1, serviceCode.test(code) && row.verified_at === null ? 'expired' : 'wrong');
    return 'wrong';
  };

  return {
    start: async (tx, prepared, { source, method, proof }) => {
      const { requestId } = prepared;
      const sends = sentTo[method] !== undefined;
      const row = { request_id: requestId, source, method, sent_count: sends || proof !== undefined ? 1 : 0, expires_at: new Date(deps.clock.now() + validMs) };
      await insertVerification(tablesOf<IdentityTables>(tx), row, proof === undefined ? undefined : deps.proofs.seal(prepared, proof));
      if (sends) await send(tx, row, 1);
      if (proof !== undefined) await deps.proofs.begin(tx, requestId);
    },
    sendAgain: async (tx, requestId) => {
      const trx = tablesOf<IdentityTables>(tx);
      const row = await lockVerification(trx, requestId);
      if (row === undefined || sentTo[row.method] === undefined || row.verified_at !== null || row.sent_count >= codesMax) return false;
      const now = deps.clock.now();
      if (now < row.expires_at.getTime() - validMs + betweenCodesMs) return false;
      const number = row.sent_count + 1;
      await updateVerification(trx, requestId, { sent_count: number, attempts: 0, expires_at: new Date(now + validMs) });
      await send(tx, row, number);
      return true;
    },
    codeToSend: async (tx, requestId, number) => {
      const trx = tablesOf<IdentityTables>(tx);
      const row = await lockVerification(trx, requestId);
      const to = row === undefined ? undefined : sentTo[row.method];
      if (row === undefined || to === undefined || row.verified_at !== null || row.sent_count !== number) return undefined;
      await updateVerification(trx, requestId, { expires_at: new Date(deps.clock.now() + validMs) });
      return { to, code: to === 'phone' && deps.smsCodesBy === 'service' ? undefined : codeFor(requestId, number) };
    },
    submitCode: async (tx, requestId, code) => {
      const row = await lockVerification(tablesOf<IdentityTables>(tx), requestId);
      const isHeld = (await deps.failedProofs.waitMs(tx, row?.source ?? '')) > 0;
      const isTheirs = row?.method === 'sms_code' && deps.smsCodesBy === 'service';
      return { verdict: isTheirs ? await takeAttempt(tx, row, isHeld, code) : await judgeOurs(tx, row, isHeld, code), method: row?.method ?? 'email_code' };
    },
    codeJudged: async (tx, requestId, code, verdict) => {
      const trx = tablesOf<IdentityTables>(tx);
      const row = await lockVerification(trx, requestId);
      if (row === undefined) return 'wrong';
      // The same code twice at once: the service takes it once, and the other try is the same person's.
      if (isGivenAgain(row, code)) return 'already_verified';
      if (verdict === 'right') {
        await updateVerification(trx, requestId, { verified_at: new Date(deps.clock.now()), given_hash: givenHash(requestId, code) });
        return 'verified';
      }
      if (verdict === 'wrong') await fail(tx, row, row.attempts, 'wrong');
      else await updateVerification(trx, requestId, { attempts: Math.max(0, row.attempts - 1) });
      return 'wrong';
    },
  };
}
