import { formatId, type RequestId } from '../../contract/ids.ts';
import type { AuditEntry } from '../../contract/audit-entry.ts';
import { isoTime, type Clock } from '../../platform/clock.ts';
import type { SystemKeys } from '../../platform/crypto/system-keys.ts';
import { tablesOf, type Tx } from '../../platform/db/database.ts';
import { codeOf, judgeCode, type CodeVerdict } from './domain/one-time-code.ts';
import { insertVerification, lockVerification, updateVerification } from './store.ts';
import type { IdentityTables, VerificationMethod } from './tables.ts';

/** What verification needs. */
export interface VerificationDeps {
  readonly systemKeys: Pick<SystemKeys, 'mac'>;
  readonly clock: Clock;
  /** Hands the n-th code of a request to be sent, in the transaction that counts it. */
  readonly sendCode: (tx: Tx, requestId: RequestId, number: number) => Promise<void>;
  readonly record: (tx: Tx, entry: AuditEntry) => Promise<void>;
  /** How long a code is valid, in minutes. */
  readonly codeMinutes: number;
  /** How many codes may be tried for each one sent. */
  readonly codeAttempts: number;
}

/** Proves that who asks reads the e-mail of the person they ask for. */
export interface Verification {
  /** Has the first code sent; for a person without an e-mail address it sends nothing, and an operator decides. */
  readonly start: (tx: Tx, request: { readonly requestId: RequestId }, hasEmail: boolean) => Promise<void>;
  /**
   * Has another code sent, which replaces the one before and starts its attempts anew. Answers false when there is nothing to send, for
   * whatever reason: unknown, verified, no address, five codes sent, the last one under a minute ago.
   */
  readonly sendAgain: (tx: Tx, requestId: RequestId) => Promise<boolean>;
  /**
   * The n-th code, at the moment of sending it; its validity starts here, so that a mail server that was down costs the person nothing.
   * Undefined when it must not be sent any more: another one replaced it, or the person is verified.
   */
  readonly codeToSend: (tx: Tx, requestId: RequestId, number: number) => Promise<string | undefined>;
  /**
   * Judges a code and counts the attempt. The caller commits whatever the verdict, or the attempt is not counted; it shows one and the
   * same answer for every verdict but the right ones. An unknown request is `wrong`.
   */
  readonly submitCode: (tx: Tx, requestId: RequestId, code: string) => Promise<CodeVerdict>;
}

const minuteMs = 60_000;
/** Enough for a mistyped code or a lost message, too few to flood somebody's mailbox or to guess. */
const codesMax = 5;
/** Between two codes: a message takes about that long, and who presses twice should get one. */
const betweenCodesMs = minuteMs;
/** Compared with when a request is unknown, so that this takes as long as a wrong code. */
const nobody = '00000000-0000-7000-8000-000000000000' as RequestId;

/** How a person is to prove who they are: by a code where an e-mail address was given, by an operator's decision otherwise. */
export const verificationMethodFor = (hasEmail: boolean): VerificationMethod => (hasEmail ? 'email_code' : 'operator');

/** Makes verification. */
export function createVerification(deps: VerificationDeps): Verification {
  const codeFor = (requestId: RequestId, number: number): string => codeOf(deps.systemKeys.mac('token', `code:${requestId}:${number}`));
  const validMs = deps.codeMinutes * minuteMs;
  const entryOf = (type: AuditEntry['type'], requestId: RequestId): AuditEntry => ({
    type,
    at: isoTime(deps.clock.now()),
    actor: { role: type === 'request.verification_failed' ? 'subject' : 'system' },
    request_id: formatId('request', requestId),
    verification_method: 'email_code',
  });
  const send = async (tx: Tx, requestId: RequestId, number: number): Promise<void> => {
    await deps.sendCode(tx, requestId, number);
    await deps.record(tx, { ...entryOf('request.verification_sent', requestId), attempt: number });
  };
  return {
    start: async (tx, { requestId }, hasEmail) => {
      const row = { request_id: requestId, method: verificationMethodFor(hasEmail), sent_count: hasEmail ? 1 : 0, expires_at: new Date(deps.clock.now() + validMs) };
      await insertVerification(tablesOf<IdentityTables>(tx), row);
      if (hasEmail) await send(tx, requestId, 1);
    },
    sendAgain: async (tx, requestId) => {
      const trx = tablesOf<IdentityTables>(tx);
      const row = await lockVerification(trx, requestId);
      if (row === undefined || row.method !== 'email_code' || row.verified_at !== null || row.sent_count >= codesMax) return false;
      const now = deps.clock.now();
      if (now < row.expires_at.getTime() - validMs + betweenCodesMs) return false;
      const number = row.sent_count + 1;
      await updateVerification(trx, requestId, { sent_count: number, attempts: 0, expires_at: new Date(now + validMs) });
      await send(tx, requestId, number);
      return true;
    },
    codeToSend: async (tx, requestId, number) => {
      const trx = tablesOf<IdentityTables>(tx);
      const row = await lockVerification(trx, requestId);
      if (row === undefined || row.verified_at !== null || row.sent_count !== number) return undefined;
      await updateVerification(trx, requestId, { expires_at: new Date(deps.clock.now() + validMs) });
      return codeFor(requestId, number);
    },
    submitCode: async (tx, requestId, code) => {
      const trx = tablesOf<IdentityTables>(tx);
      const row = await lockVerification(trx, requestId);
      const now = deps.clock.now();
      const expected = codeFor(row?.request_id ?? nobody, row?.sent_count ?? 1);
      const state = { attempts: row?.attempts ?? 0, expiresAt: row?.expires_at.getTime() ?? now, verified: row?.verified_at != null };
      const verdict = judgeCode(state, code, expected, now, deps.codeAttempts);
      // Without a code sent there is none to give, whatever eight digits come.
      if (row === undefined || row.sent_count === 0) return 'wrong';
      if (verdict === 'verified') await updateVerification(trx, requestId, { verified_at: new Date(now) });
      else if (verdict === 'wrong' || verdict === 'expired') {
        await updateVerification(trx, requestId, { attempts: row.attempts + 1 });
        await deps.record(tx, { ...entryOf('request.verification_failed', requestId), attempt: row.attempts + 1, reason_code: verdict });
      }
      return verdict;
    },
  };
}
