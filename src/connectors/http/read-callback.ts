import { createHmac, timingSafeEqual } from 'node:crypto';
import { Failure, type Callback } from '../../connector-kit/index.ts';
import type { Declaration } from './declaration.ts';
import { valuesAt } from './json-path.ts';

/** One callback may be about so many jobs. */
const jobsMax = 100;

/**
 * Checks a callback's signature, HMAC-SHA-256 over timestamp, full stop and body, and its age, and says which jobs it names. Fails with
 * `SIGNATURE_INVALID`, `SIGNATURE_STALE` or `BODY_MALFORMED`; the body is not looked at before the signature holds.
 */
export function readCallback(declared: NonNullable<Declaration['callback']>, { headers, body, now }: Callback): { readonly jobs: readonly string[] } {
  const timestamp = headers[declared.timestamp_header.toLowerCase()] ?? '';
  const given = headers[declared.signature_header.toLowerCase()] ?? '';
  if (!/^\d{1,12}$/u.test(timestamp) || !given.startsWith(declared.prefix)) throw new Failure('SIGNATURE_INVALID', 'The callback is not signed');
  const expected = createHmac('sha256', declared.secret).update(`${timestamp}.`, 'utf8').update(body).digest();
  const signature = Buffer.from(given.slice(declared.prefix.length), declared.encoding);
  if (signature.length !== expected.length || !timingSafeEqual(signature, expected)) throw new Failure('SIGNATURE_INVALID', 'The signature of the callback does not hold');
  if (Math.abs(now - Number(timestamp) * 1000) > declared.tolerance_seconds * 1000) throw new Failure('SIGNATURE_STALE', 'The callback is too old, or from the future');
  return { jobs: jobsIn(declared, body) };
}

function jobsIn(declared: NonNullable<Declaration['callback']>, body: Buffer): readonly string[] {
  let parsed: unknown;
  try {
    parsed = JSON.parse(body.toString('utf8'));
  } catch {
    throw new Failure('BODY_MALFORMED', 'The callback is not JSON');
  }
  const jobs = valuesAt(parsed, declared.job).flatMap((each) => (typeof each === 'string' && /^[\w.:-]{1,200}$/u.test(each) ? [each] : Number.isSafeInteger(each) ? [String(each)] : []));
  if (jobs.length === 0 || jobs.length > jobsMax) throw new Failure('BODY_MALFORMED', 'The callback names no job where its declaration says, or too many');
  return [...new Set(jobs)];
}
