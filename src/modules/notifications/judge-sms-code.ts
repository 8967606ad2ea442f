import type { RequestId } from '../../contract/ids.ts';
import type { Vault } from '../identity/index.ts';
import type { JudgedCode, Texter } from './texter.ts';

/** Has the service that sent a code to a person's telephone judge what was typed. Never throws for what the service does. */
export type JudgeSmsCode = (requestId: RequestId, code: string) => Promise<JudgedCode>;

/** Makes the use case. Without a service, or without a number that a code was sent to, nothing can be judged. */
export function createSmsCodeJudge(vault: Pick<Vault, 'unlock'>, texter: Texter | undefined): JudgeSmsCode {
  return async (requestId, code) => {
    const { identifiers } = await vault.unlock(requestId);
    const phone = identifiers.find((each) => each.kind === 'phone' && each.foundBy === 'given' && each.confidence >= 1)?.value;
    if (texter?.codes === undefined || phone === undefined) return 'unknown';
    return texter.codes.judge(phone, code);
  };
}
