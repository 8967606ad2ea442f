import { describe, expect, it } from 'vitest';
import { parseRetryAfter, vendorFailure } from './vendor-failure.ts';

const now = Date.parse('2026-11-21T12:00:00Z');

describe('vendorFailure', () => {
  it.each([
    [401, 'CONNECTION_AUTH', 'operator'],
    [403, 'CONNECTION_AUTH', 'operator'],
    [400, 'CONNECTION_REFUSED', 'operator'],
    [404, 'CONNECTION_REFUSED', 'operator'],
    [302, 'CONNECTION_REFUSED', 'operator'],
    [408, 'VENDOR_UNAVAILABLE', 'later'],
    [409, 'VENDOR_UNAVAILABLE', 'later'],
    [425, 'VENDOR_UNAVAILABLE', 'later'],
    [429, 'VENDOR_RATE_LIMITED', 'later'],
    [500, 'VENDOR_UNAVAILABLE', 'later'],
    [503, 'VENDOR_UNAVAILABLE', 'later'],
  ])('turns %i into %s, to be retried: %s', (status, code, retry) => {
    expect(vendorFailure(status, { now })).toMatchObject({ code, retry });
  });

  it('keeps the vendor code and drops whatever in it could be a text', () => {
    expect(vendorFailure(404, { vendorCode: 'resource_missing', now }).detail).toContain('resource_missing');
    expect(vendorFailure(404, { vendorCode: 'no such person: ada@example.com', now }).detail).not.toContain('ada@example.com');
  });
});

describe('parseRetryAfter', () => {
  it.each([
    ['7', 7000],
    [' 0 ', 2000],
    ['1', 2000],
    ['Sat, 21 Nov 2026 12:00:30 GMT', 30_000],
    ['Sat, 21 Nov 2026 11:00:00 GMT', 2000],
    ['99999999', 86_400_000],
    ['Sat, 21 Nov 2099 12:00:00 GMT', 86_400_000],
    ['soon', undefined],
    ['-5', undefined],
    ['', undefined],
    [null, undefined],
    [undefined, undefined],
  ])('reads %j as %j ms', (value, expected) => {
    expect(parseRetryAfter(value, now)).toBe(expected);
  });
});
