import { Failure } from '../../../platform/failure.ts';

/**
 * Reads an `Idempotency-Key` header: a string of RFC 9651 (`"…"`, as draft-ietf-httpapi-idempotency-key-header says) or the bare text that
 * most clients send. Undefined when there is none. Fails with `VALIDATION_FAILED`.
 */
export function readIdempotencyKey(header: string | readonly string[] | undefined): string | undefined {
  if (header === undefined) return undefined;
  const text = typeof header === 'string' ? header.trim() : '';
  const quoted = /^"((?:[ !#-[\]-~]|\\["\\]){1,255})"$/u.exec(text)?.[1];
  if (quoted !== undefined) return quoted.replaceAll(/\\(["\\])/gu, '$1');
  if (/^[!#-~]{1,255}$/u.test(text)) return text;
  throw new Failure('VALIDATION_FAILED', 'Idempotency-Key must be one string of 1 to 255 printable ASCII characters, as "8e03978e-40d5-43dd-bc93-6894a57f9324"');
}
