import { Failure } from '../platform/failure.ts';

/**
 * Turns a vendor's HTTP status into the failure that says whether trying again helps. `retryAfter` is the header's value: seconds or an
 * HTTP date (RFC 9110, section 10.2.3). `vendorCode` must be a code of the vendor's, never free text.
 */
export function vendorFailure(status: number, options: { retryAfter?: string | null; vendorCode?: string | number; now: number }): Failure {
  const suffix = options.vendorCode === undefined ? '' : ` (vendor code ${String(options.vendorCode).replaceAll(/[^\w.-]/gu, '').slice(0, 60)})`;
  const retryAfterMs = parseRetryAfter(options.retryAfter, options.now);
  const extra = retryAfterMs === undefined ? {} : { retryAfterMs };
  if (status === 429) return new Failure('VENDOR_RATE_LIMITED', `The vendor answered 429${suffix}`, extra);
  if (status === 401 || status === 403) return new Failure('CONNECTION_AUTH', `The vendor answered ${status}${suffix}; check the credential and its permissions`);
  if (status === 408 || status === 409 || status === 425 || status >= 500) return new Failure('VENDOR_UNAVAILABLE', `The vendor answered ${status}${suffix}`, extra);
  return new Failure('CONNECTION_REFUSED', `The vendor answered ${status}${suffix}`);
}

/** Reads a `Retry-After` header as milliseconds from now, or answers undefined; never less than two seconds nor more than a day, whatever the vendor says. */
export function parseRetryAfter(value: string | null | undefined, now: number): number | undefined {
  if (value === null || value === undefined || value.trim() === '') return undefined;
  // A vendor that says `0` would be called without a pause.
  const bounded = (ms: number): number => Math.min(86_400_000, Math.max(2_000, ms));
  if (/^\d{1,9}$/u.test(value.trim())) return bounded(Number(value.trim()) * 1000);
  // Without a weekday's name in front it is no HTTP date; `Date.parse` would take `-5` or `1.5` for one.
  const date = /^\s*[a-z]{3}/iu.test(value) ? Date.parse(value) : Number.NaN;
  return Number.isNaN(date) ? undefined : bounded(date - now);
}
