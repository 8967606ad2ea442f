import { describe, expect, it } from 'vitest';
import { isFailure } from '../../../platform/failure.ts';
import { readBody, type BodyOptions } from './bodies.ts';
import { readIdempotencyKey } from './idempotency-key.ts';

const verified: BodyOptions = { defaultCountry: 'US', verify: 'source', right: 'erasure' };
const unverified: BodyOptions = { ...verified, verify: 'email_code' };

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
      requestId: undefined,
      verification: 'source',
      proof: undefined,
      corrections: [],
      language: undefined,
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

  it('of a person whom a code by SMS will prove is believed in the number, and half in the rest, and names one number', () => {
    const options = { ...verified, verify: 'sms_code' } as const;
    const parsed = readBody({ email: 'ada@example.com', phone: '+12025550143' }, options);
    expect(parsed.identifiers.map((each) => each.confidence)).toEqual([0.5, 1]);
    expect(parsed.verification).toBe('sms_code');
    expect(readBody({ email: 'ada@example.com' }, options)).toMatchObject({ verification: 'operator', identifiers: [{ confidence: 0.5 }] });
    const two = { subject: { identifiers: [{ kind: 'phone', value: '+12025550143' }, { kind: 'phone', value: '+12025550144' }] } };
    expect(refusal(two, options)).toMatchObject({ code: 'VALIDATION_FAILED', field: '/subject/identifiers/1/value' });
  });

  const proof = 'c2hhMjU2LW9mLXNvbWV0aGluZw==';

  it('with an id of its own and a proof is read, and the proof is kept only where it is asked about', () => {
    const body = { request_id: 'case-77', subject_email: 'Ada@Example.com', subject_phone: '(202) 555-0143', identity_proof_hash: proof, jurisdiction: 'US-CA' };
    const parsed = readBody(body, { ...verified, verify: 'proof' });
    expect(parsed).toMatchObject({ requestId: 'case-77', jurisdiction: 'US-CA', verification: 'proof', proof });
    expect(parsed.identifiers).toEqual([
      { kind: 'email', value: 'ada@example.com', raw: 'Ada@Example.com', foundBy: 'given', confidence: 1 },
      { kind: 'phone', value: '+12025550143', raw: '(202) 555-0143', foundBy: 'given', confidence: 1 },
    ]);
    expect(readBody(body, verified)).toMatchObject({ requestId: 'case-77', verification: 'source', proof: undefined });
    expect(readBody(body, unverified)).toMatchObject({ verification: 'email_code', proof: undefined });
  });

  it.each<[string, unknown, string, string | undefined]>([
    ['no proof', { request_id: 'r1', subject_email: 'ada@example.com' }, 'VALIDATION_FAILED', '/identity_proof_hash'],
    ['the short shape', { email: 'ada@example.com' }, 'VALIDATION_FAILED', '/identity_proof_hash'],
    ['a short proof', { request_id: 'r1', subject_email: 'ada@example.com', identity_proof_hash: 'abc' }, 'VALIDATION_FAILED', '/identity_proof_hash'],
    ['no id', { subject_email: 'ada@example.com', identity_proof_hash: proof }, 'VALIDATION_FAILED', '/request_id'],
    ['an id with a blank', { request_id: 'r 1', subject_email: 'ada@example.com', identity_proof_hash: proof }, 'VALIDATION_FAILED', '/request_id'],
    ['nobody', { request_id: 'r1', identity_proof_hash: proof }, 'IDENTIFIER_MISSING', undefined],
    ['a number that is none', { request_id: 'r1', subject_phone: 'call me', identity_proof_hash: proof }, 'IDENTIFIER_INVALID', '/subject_phone'],
  ])('for a proof, with %s is refused', (_what, body, code, field) => {
    expect(refusal(body, { ...verified, verify: 'proof' })).toMatchObject({ code, field });
  });

  it.each<[string, unknown, string, string | undefined]>([
    ['nobody', {}, 'IDENTIFIER_MISSING', undefined],
    ['a jurisdiction only', { jurisdiction: 'DE' }, 'IDENTIFIER_MISSING', undefined],
    ['an empty list', { subject: { identifiers: [] } }, 'IDENTIFIER_MISSING', undefined],
    ['no list', { subject: {} }, 'VALIDATION_FAILED', '/subject/identifiers'],
    ['a right only', { right: 'erasure' }, 'VALIDATION_FAILED', '/subject'],
    ['a right that there is not', { right: 'oblivion', subject: { identifiers: [] } }, 'VALIDATION_FAILED', '/right'],
    ['a rectification of nothing', { right: 'rectification', subject: { identifiers: [{ kind: 'email', value: 'ada@example.com' }] } }, 'VALIDATION_FAILED', '/corrections'],
    ['corrections of an erasure', { right: 'erasure', subject: { identifiers: [{ kind: 'email', value: 'ada@example.com' }] }, corrections: [{ field: 'name', to: 'Ada' }] }, 'VALIDATION_FAILED', '/corrections'],
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

  it('of a rectification carries what is to be put right, and the language that the person is written to in', () => {
    const corrections = [{ field: 'email', from: 'ada@example.com', to: 'ada@example.org' }, { field: 'name', to: 'Ada Example' }];
    const parsed = readBody({ right: 'rectification', subject: { identifiers: [{ kind: 'user_id', value: 'u1' }] }, corrections, language: 'de' }, verified);
    expect(parsed).toMatchObject({ right: 'rectification', corrections, language: 'de' });
    expect(parsed.corrections[1]).not.toHaveProperty('from');
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
