import { isFailure } from '../platform/failure.ts';
import { exitCodes } from './context.ts';

/** An error that is told in plain words, with the exit code it ends in. Its message says what is wrong and what to do, and holds no secret. */
export class CommandError extends Error {
  readonly exitCode: number;

  constructor(exitCode: number, message: string, options?: { readonly cause?: unknown }) {
    super(message, options);
    this.name = 'CommandError';
    this.exitCode = exitCode;
  }
}

/** Codes by which a server says that the caller used it wrongly, and not that something failed. */
const misuseCodes = new Set(['CONFIG_INVALID', 'VALIDATION_FAILED', 'BODY_MALFORMED', 'IDENTIFIER_INVALID', 'IDENTIFIER_MISSING', 'UNAUTHORIZED', 'IDEMPOTENCY_KEY_REUSED']);

/** Gives the exit code for an error's code. */
export function exitCodeOfError(code: string): number {
  return misuseCodes.has(code) ? exitCodes.misuse : exitCodes.failed;
}

/** Gives the exit code for anything thrown. */
export function exitCodeOf(thrown: unknown): number {
  if (thrown instanceof CommandError) return thrown.exitCode;
  return isFailure(thrown) ? exitCodeOfError(thrown.code) : exitCodes.failed;
}

/** Says what was thrown: in plain words where it was foreseen, otherwise as the bug that it is, with its stack. */
export function describeThrown(thrown: unknown): string {
  if (thrown instanceof CommandError) return `quittance: ${thrown.message}`;
  if (isFailure(thrown)) return `quittance: ${thrown.detail}`;
  const text = thrown instanceof Error ? (thrown.stack ?? thrown.message) : String(thrown);
  return `quittance: this is a bug, please report it: ${text}`;
}
