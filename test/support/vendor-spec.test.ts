import { describe, expect, it } from 'vitest';
import { checkAnswer, checkRequest, loadVendorSpec } from './vendor-spec.ts';

const spec = loadVendorSpec('stripe/stripe.v1.trimmed.openapi.json');
const contentType = 'application/x-www-form-urlencoded';
const update = { method: 'POST', url: 'https://api.stripe.com/v1/customers/cus_1', contentType };

const known = (): NonNullable<typeof spec> => {
  if (spec === undefined) throw new Error('The description is absent');
  return spec;
};

describe.skipIf(spec === undefined)('checking against a vendor description (skipped where none lies beside the repository)', () => {
  it('has nothing to say about a request that fits', () => {
    expect(checkRequest(known(), { method: 'GET', url: '/v1/customers?email=a%40example.com&limit=100' })).toEqual([]);
    expect(checkRequest(known(), { ...update, body: 'name=&metadata[gdpr_status]=redacted&invoice_settings[custom_fields]=' })).toEqual([]);
  });

  it.each([
    ['an unknown path', { method: 'GET', url: '/v1/nothing' }, 'path'],
    ['an unknown method', { method: 'PUT', url: '/v1/customers/cus_1' }, 'path'],
    ['an unknown query parameter', { method: 'GET', url: '/v1/customers?mail=x' }, 'query'],
    ['a query parameter of the wrong type', { method: 'GET', url: '/v1/customers?limit=many' }, 'query limit'],
    ['a missing query parameter', { method: 'GET', url: '/v1/customers/search' }, 'query: query is required'],
    ['an unknown field', { ...update, body: 'nam=' }, 'body'],
    ['a field of the wrong type', { ...update, body: 'balance=much' }, 'body/balance'],
    ['another content type', { ...update, contentType: 'application/json', body: '{}' }, 'content type'],
  ])('names %s', (_what, request, start) => {
    expect(checkRequest(known(), request)[0]).toMatch(new RegExp(`^${start}`, 'u'));
  });

  it('tells an answer that fits from one that does not, without quoting values', () => {
    const request = { method: 'DELETE', url: '/v1/customers/cus_1' };
    expect(checkAnswer(known(), request, { status: 200, body: { id: 'cus_1', object: 'customer', deleted: true } })).toEqual([]);
    const problems = checkAnswer(known(), request, { status: 200, body: { id: 42, object: 'secret@example.com', deleted: true } });
    expect(problems.length).toBeGreaterThan(0);
    expect(problems.join()).not.toContain('secret@example.com');
  });
});
