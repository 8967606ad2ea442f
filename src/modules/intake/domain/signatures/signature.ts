import { Failure } from '../../../../platform/failure.ts';

/** Headers as Node gives them: names in lower case. */
export type MessageHeaders = Readonly<Record<string, string | string[] | undefined>>;

/** What came in, before anything is believed of it. */
export interface SignedMessage {
  readonly headers: MessageHeaders;
  /** The exact bytes that were sent. */
  readonly body: Buffer;
}

/** What a good signature vouches for. */
export interface Vouched {
  /** The sender's own id of the message; absent where nothing but who sends is vouched for. */
  readonly id?: string;
  /** When it was signed, in seconds since the epoch; now, where that is not vouched for either. */
  readonly signedAt: number;
}

/** Checks a signature over the raw bytes. Fails with `SIGNATURE_INVALID`, and says nothing of what was wrong. */
export type VerifySignature = (message: SignedMessage, now: number) => Promise<Vouched>;

/**
 * The one answer to everything that is not well signed, a source that does not exist included: what differs would tell a stranger what is
 * configured.
 */
export function badSignature(cause?: unknown): Failure {
  const detail = "The signature was not accepted; check the source's name, its scheme and secret, and that the raw body is what is signed";
  return new Failure('SIGNATURE_INVALID', detail, cause === undefined ? {} : { cause });
}

/**
 * Ids of messages: printable ASCII without the dot, which separates what is signed: with one inside an id, `id.timestamp.body` could be cut
 * in two ways.
 */
const idRule = /^[!-\-/-~]{1,256}$/u;
/** Digits alone: `1614265330abc`, `+1` or ` 1` are no timestamps, whatever a lenient parser makes of them. */
const secondsRule = /^[1-9][0-9]{0,11}$/u;

/** Reads a header that must be there once. */
export function headerOf(headers: MessageHeaders, name: string): string {
  const value = headers[name];
  if (typeof value !== 'string') throw badSignature();
  return value;
}

/** Reads a message id out of a header. */
export function readMessageId(headers: MessageHeaders, name: string): string {
  const value = headerOf(headers, name);
  if (!idRule.test(value)) throw badSignature();
  return value;
}

/** Reads a timestamp in whole seconds out of a header. */
export function readSeconds(headers: MessageHeaders, name: string): number {
  const value = headerOf(headers, name);
  if (!secondsRule.test(value)) throw badSignature();
  return Number(value);
}

/** Fails with `SIGNATURE_STALE` when a timestamp is further from `now` (milliseconds) than the tolerance, in either direction. */
export function checkWindow(signedAt: number, now: number, toleranceSeconds: number): void {
  if (Math.abs(now / 1000 - signedAt) > toleranceSeconds) {
    throw new Failure('SIGNATURE_STALE', `The timestamp is more than ${toleranceSeconds} seconds from this server's clock; sign the message anew`);
  }
}
