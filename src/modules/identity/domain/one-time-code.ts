import { timingSafeEqual } from 'node:crypto';

/** What became of a code that somebody gave. */
export type CodeVerdict = 'verified' | 'already_verified' | 'wrong' | 'expired' | 'locked';

/** Where a verification stands, as far as judging a code needs it. Times in milliseconds. */
export interface CodeState {
  readonly attempts: number;
  readonly expiresAt: number;
  readonly verified: boolean;
}

/** Eight digits: with 5 attempts for each of 5 codes, a guess succeeds once in four million requests. */
export const codeDigits = 8;

/** Reads eight decimal digits off a MAC (as RFC 4226 does; over 64 bits the remainder's bias is under 2^-37). */
export function codeOf(mac: Buffer): string {
  return (mac.readBigUInt64BE(0) % 10n ** BigInt(codeDigits)).toString().padStart(codeDigits, '0');
}

/** Judges a code. The comparison takes the same time for every code of eight digits, and happens whatever the state. */
export function judgeCode(state: CodeState, given: string, expected: string, now: number, attemptsMax: number): CodeVerdict {
  const wellFormed = /^[0-9]{8}$/u.test(given);
  const right = timingSafeEqual(Buffer.from(wellFormed ? given : '0'.repeat(codeDigits)), Buffer.from(expected)) && wellFormed;
  if (state.attempts >= attemptsMax) return 'locked';
  if (!right) return 'wrong';
  if (state.verified) return 'already_verified';
  return now < state.expiresAt ? 'verified' : 'expired';
}
