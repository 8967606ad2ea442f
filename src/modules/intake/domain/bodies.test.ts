import { describe, expect, it } from 'vitest';
import { isFailure } from '../../../platform/failure.ts';
import { readBody } from './bodies.ts';
import { readIdempotencyKey } from './idempotency-key.ts';

const verified = { defaultCountry: 'US', subjectVerified: true };
const unverified = { ...verified, subjectVerified: false };

function refusal(body: unknown, options = verified): { code: string; field: string | undefined; detail: string } {
  try {
    readBody(body, options);
  } catch (error) {
    if (isFailure(error)) return { code: error.code, field: error.field, detail: error.detail };
    throw error;
  }
  throw new Error('it was accepted');
}

describe('a body', () => {
  it('of the short shape is read, each identifier in normal form and with how it was given', () => {
    expect(readBody({ email: 'Ada@Example.com', phone: '(202) 555-0143', stripe_customer_id: 'cus_NffrFeUfNV2Hib', user_id: 'u1', jurisdiction: 'DE' }, verified)).toEqual({
      right: undefined,
      jurisdiction: 'DE',
      identifiers: [
        { kind: 'email', value: 'ada@example.com', raw: 'Ada@Example.com', foundBy: 'given', confidence: 1 },
        { kind: 'phone', value: '+12025550143', raw: '(202) 555-0143', foundBy: 'given', confidence: 1 },
        { kind: 'stripe_customer', value: 'cus_NffrFeUfNV2Hib', foundBy: 'given', confidence: 1 },
        { kind: 'user_id', value: 'u1', foundBy: 'given', confidence: 1 },
      ],
    });
  });

  it("of Quittance's own shape is read, the same identifier once", () => {
    const identifiers = [
      { kind: 'email', value: 'ada@example.com' },
      { kind: 'email', value: 'ADA@example.com' },
      { kind: 'anonymous_id', value: 'a1' },
    ];
    const parsed = readBody({ right: 'erasure', subject: { identifiers }, jurisdiction: 'US-CA' }, verified);
    expect(parsed).toMatchObject({ right: 'erasure', jurisdiction: 'US-CA' });
    expect(parsed.identifiers.map((each) => `${each.kind}:${each.value}`)).toEqual(['email:ada@example.com', 'anonymous_id:a1']);
  });

  it('of a person who is yet to be verified is believed in the address that a code will prove, and half in the rest', () => {
    const parsed = readBody({ email: 'ada@example.com', phone: '+12025550143' }, unverified);
    expect(parsed.identifiers.map((each) => each.confidence)).toEqual([1, 0.5]);
  });

  it('names one address only while a code is to prove it', () => {
    const body = { subject: { identifiers: [{ kind: 'email', value: 'ada@example.com' }, { kind: 'email', value: 'eve@example.com' }] } };
    expect(readBody(body, verified).identifiers).toHaveLength(2);
    expect(refusal(body, unverified)).toMatchObject({ code: 'VALIDATION_FAILED', field: '/subject/identifiers/1/value' });
  });

  it.each<[string, unknown, string, string | undefined]>([
    ['nobody', {}, 'IDENTIFIER_MISSING', undefined],
    ['a jurisdiction only', { jurisdiction: 'DE' }, 'IDENTIFIER_MISSING', undefined],
    ['an empty list', { subject: { identifiers: [] } }, 'IDENTIFIER_MISSING', undefined],
    ['no list', { subject: {} }, 'VALIDATION_FAILED', '/subject/identifiers'],
    ['a right only', { right: 'erasure' }, 'VALIDATION_FAILED', '/subject'],
    ['a right that is not carried out', { right: 'access', subject: { identifiers: [] } }, 'VALIDATION_FAILED', '/right'],
    ['an array', [], 'VALIDATION_FAILED', '/'],
    ['null', null, 'VALIDATION_FAILED', '/'],
    ['a text', 'ada@example.com', 'VALIDATION_FAILED', '/'],
    ['a number for an address', { email: 42 }, 'VALIDATION_FAILED', '/email'],
    ['null for an address', { email: null }, 'VALIDATION_FAILED', '/email'],
    ['a list of addresses', { email: ['ada@example.com'] }, 'VALIDATION_FAILED', '/email'],
    ['an empty address', { email: '' }, 'IDENTIFIER_INVALID', '/email'],
    ['a megabyte of address', { email: `${'a'.repeat(60_000)}@example.com` }, 'VALIDATION_FAILED', '/email'],
    ['an unknown field', { email: 'ada@example.com', name: 'Ada' }, 'VALIDATION_FAILED', '/'],
    ['an unknown field inside', { subject: { identifiers: [{ kind: 'email', value: 'a@example.com', x: 1 }] } }, 'VALIDATION_FAILED', '/subject/identifiers/0'],
    ['an unknown kind', { subject: { identifiers: [{ kind: 'name', value: 'Ada' }] } }, 'VALIDATION_FAILED', '/subject/identifiers/0/kind'],
    ['both shapes', { email: 'ada@example.com', subject: { identifiers: [] } }, 'VALIDATION_FAILED', '/'],
    ['a bad jurisdiction', { email: 'ada@example.com', jurisdiction: 'Germany' }, 'VALIDATION_FAILED', '/jurisdiction'],
    ['21 identifiers', { subject: { identifiers: Array.from({ length: 21 }, (_, n) => ({ kind: 'user_id', value: `u${n}` })) } }, 'VALIDATION_FAILED', '/subject/identifiers'],
  ])('with %s is refused, and the place named', (_what, body, code, field) => {
    expect(refusal(body)).toMatchObject({ code, field });
  });

  it('is never repeated in what is said of it, its keys neither', () => {
    const marks = ['ada@example.com', 'аda@example.com'];
    for (const body of [{ [marks[0] ?? '']: 1 }, { email: marks[1] }, { jurisdiction: marks[0], email: marks[0] }, { subject: { identifiers: [{ kind: marks[0], value: 'x' }] } }]) {
      const said = JSON.stringify(refusal(body));
      for (const mark of marks) expect(said).not.toContain(mark);
    }
  });
});

describe('an idempotency key', () => {
  it.each([
    ['"8e03978e-40d5"', '8e03978e-40d5'],
    ['8e03978e-40d5', '8e03978e-40d5'],
    [String.raw`"a\"b\\c d"`, String.raw`a"b\c d`],
  ])('%s is read as %s', (header, key) => {
    expect(readIdempotencyKey(header)).toBe(key);
  });

  it('may be absent', () => {
    expect(readIdempotencyKey(undefined)).toBeUndefined();
  });

  it.each([[''], ['""'], ['"unclosed'], ['two words'], ['"a" "b"'], ['ä'], ['x'.repeat(256)]])('%j is refused', (header) => {
    expect(() => readIdempotencyKey(header)).toThrow(/VALIDATION_FAILED/u);
  });
});
