import { errorTable, type ErrorCode, type Retry } from '../contract/errors.ts';

/** The one error that Quittance throws on purpose: a code of the error table and a public detail without personal data. */
export class Failure extends Error {
  readonly code: ErrorCode;
  /** Public: says what is wrong and what to do; never holds a value that came from a person. */
  readonly detail: string;
  /** Names the field at fault, as a JSON pointer, where one is. */
  readonly field: string | undefined;
  /** Wait at least this long before trying again, in milliseconds, where somebody said so. */
  readonly retryAfterMs: number | undefined;

  constructor(code: ErrorCode, detail: string, options: { cause?: unknown; field?: string; retryAfterMs?: number } = {}) {
    super(`${code}: ${detail}`, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = 'Failure';
    this.code = code;
    this.detail = detail;
    this.field = options.field;
    this.retryAfterMs = options.retryAfterMs;
  }

  /** When trying again can help. */
  get retry(): Retry {
    return errorTable[this.code].retry;
  }
}

/** Says whether a thrown thing is a `Failure`; anything else is a bug. */
export function isFailure(thrown: unknown): thrown is Failure {
  return thrown instanceof Failure;
}
