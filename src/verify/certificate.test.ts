import canonicalize from 'canonicalize';
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { makeCertificate, testNonce, testOrigin, testSigner } from '../../test/vectors/audit/make-log.ts';
import { canonicalJson } from './canonical-json.ts';
import { formatCertificate, verifyCertificate, type CertificateParts, type Disclosure } from './certificate.ts';
import type { Statement } from './statement.ts';

const keys = [testSigner().verifierKey.text];
const { bytes } = await makeCertificate();

interface CertificateFile extends Omit<CertificateParts, 'leaf' | 'timestamps' | 'proof' | 'policy'> {
  leaf: string;
  proof: string;
  policy: string;
  timestamps: string[];
  statement: Statement;
  disclosure?: Disclosure;
}

const parsed = (): CertificateFile => JSON.parse(bytes.toString('utf8')) as CertificateFile;
/** Seals changed parts anew, as somebody would who holds the log's key: the inner checks must still find what does not fit. */
const reseal = (file: CertificateFile, signer = testSigner()): Buffer =>
  formatCertificate(
    {
      statement: file.statement,
      leaf: Buffer.from(file.leaf, 'base64'),
      proof: file.proof,
      policy: file.policy,
      timestamps: file.timestamps.map((each) => Buffer.from(each, 'base64')),
      ...(file.disclosure === undefined ? {} : { disclosure: file.disclosure }),
    },
    signer,
  );
const changed = (change: (file: CertificateFile) => void): Buffer => {
  const file = parsed();
  change(file);
  return reseal(file);
};

describe('a certificate', () => {
  it('verifies offline with the key of its log, and shows what it states', () => {
    expect(verifyCertificate(bytes, { keys, origin: testOrigin })).toMatchObject({
      ok: true,
      grade: 'signed_head',
      index: 123,
      size: 300,
      statement: { verdict: 'fulfilled_with_retention', request: { id: 'req_06b0x3m8v1e5rb2k7n9q4tz6wd' } },
      disclosure: { identifiers: [{ normal_form: 'ada.beispiel@example.com' }] },
    });
  });

  it('takes at most 6 kB, and an auditor can have it without the disclosure', async () => {
    expect(bytes.length).toBeLessThan(6000);
    const public_ = await makeCertificate(300, 123, false);
    const verified = verifyCertificate(public_.bytes, { keys });
    expect(verified).toMatchObject({ ok: true });
    expect(verified.ok && verified.disclosure).toBeFalsy();
    expect(public_.bytes.toString('utf8')).not.toContain('beispiel');
  });

  it('fails with any one byte changed, whichever bit of it', () => {
    for (let at = 0; at < bytes.length; at += 1) {
      const copy = Buffer.from(bytes);
      copy[at] = (copy[at] ?? 0) ^ (1 << (at % 8));
      const result = verifyCertificate(copy, { keys });
      expect(result.ok, `byte ${at}`).toBe(false);
      copy[at] = (bytes[at] ?? 0) ^ 0x20;
      expect(verifyCertificate(copy, { keys }).ok, `byte ${at}`).toBe(false);
    }
  });

  it('fails with any byte added or removed', () => {
    for (let at = 0; at <= bytes.length; at += 1) {
      expect(verifyCertificate(Buffer.concat([bytes.subarray(0, at), Buffer.of(0x20), bytes.subarray(at)]), { keys }).ok).toBe(false);
      if (at < bytes.length) expect(verifyCertificate(Buffer.concat([bytes.subarray(0, at), bytes.subarray(at + 1)]), { keys }).ok).toBe(false);
    }
  });

  it('says which check failed, even when it was sealed anew with the right key', async () => {
    const other = await makeCertificate(300, 124);
    const otherFile = JSON.parse(other.bytes.toString('utf8')) as CertificateFile;
    const cases: [string, (file: CertificateFile) => void][] = [
      ['statement-hash', (file) => Object.assign(file.statement, { verdict: 'fulfilled' })],
      ['statement', (file) => Object.assign(file.statement, { systems: [{}] })],
      ['statement', (file) => Object.assign(file.statement, { limited_to: 'twilio' })],
      ['statement', (file) => Object.assign(file.statement, { limited_to: [''] })],
      ['statement-hash', (file) => Object.assign(file.statement, { limited_to: ['twilio'] })],
      ['index', (file) => (file.leaf = otherFile.leaf)],
      ['leaf', (file) => (file.leaf = Buffer.from('{}').toString('base64'))],
      ['leaf', (file) => (file.leaf = Buffer.from(Buffer.from(file.leaf, 'base64').toString('utf8').replace('certificate.issued', 'task.settled')).toString('base64'))],
      ['request', (file) => (file.leaf = Buffer.from(Buffer.from(file.leaf, 'base64').toString('utf8').replace('req_06b0x', 'req_06b0y')).toString('base64'))],
      ['inclusion', (file) => (file.leaf = Buffer.from(Buffer.from(file.leaf, 'base64').toString('utf8').replace('stripe', 'twilio')).toString('base64'))],
      ['inclusion', (file) => (file.proof = file.proof.replace(/index 123\n(.*)\n(.*)\n/u, 'index 123\n$2\n$1\n'))],
      ['signature', (file) => (file.proof = file.proof.replace('\n300\n', '\n301\n'))],
      ['proof-format', (file) => (file.proof = file.proof.replace('index', 'place'))],
      ['note-format', (file) => (file.proof = file.proof.replace('—', '-'))],
      ['policy', (file) => (file.policy = 'quorum none\n')],
      ['disclosure', (file) => Object.assign(file.disclosure?.identifiers[0] ?? {}, { normal_form: 'someone.else@example.com' })],
      ['disclosure', (file) => Object.assign(file.disclosure ?? {}, { nonce: Buffer.alloc(32).toString('base64') })],
      ['disclosure', (file) => Object.assign(file.disclosure ?? {}, { nonce: testNonce.subarray(1).toString('base64') })],
    ];
    for (const [check, change] of cases) expect(verifyCertificate(changed(change), { keys }), check).toMatchObject({ ok: false, check });
    expect(verifyCertificate(changed(() => undefined), { keys })).toMatchObject({ ok: true });
  });

  it('fails when its seal was made by another key, or covers something else', () => {
    expect(verifyCertificate(reseal(parsed(), testSigner(8)), { keys })).toMatchObject({ ok: false, check: 'seal' });
    const file = { ...parsed(), timestamps: [Buffer.from('token').toString('base64')] };
    expect(verifyCertificate(Buffer.from(`${canonicalJson(file)}\n`), { keys })).toMatchObject({ ok: false, check: 'seal' });
  });

  it('fails for a log that is not trusted, or not the one expected', () => {
    expect(verifyCertificate(bytes, { keys: [testSigner(8).verifierKey.text] })).toMatchObject({ ok: false, check: 'signature' });
    expect(verifyCertificate(bytes, { keys: [] })).toMatchObject({ ok: false, check: 'signature' });
    expect(verifyCertificate(bytes, { keys: ['nonsense'] })).toMatchObject({ ok: false, check: 'key-format' });
    expect(verifyCertificate(bytes, { keys, origin: 'other.example' })).toMatchObject({ ok: false, check: 'origin' });
  });

  it('fails on hostile bytes of every kind, and throws on none', () => {
    const hostile = ['', '{', 'null', '[]', '{}', '{"format":"quittance-certificate/1"}\n', '['.repeat(100_000), `{"a":${'9'.repeat(400)}}`, '{"a":1,"a":2}\n', '{"\\ud800":1}\n', '1e999\n', '\u0000'];
    for (const text of hostile) expect(verifyCertificate(Buffer.from(text), { keys }).ok, text.slice(0, 30)).toBe(false);
    expect(verifyCertificate(Buffer.alloc(10_000_000), { keys })).toMatchObject({ ok: false, check: 'size' });
    fc.assert(fc.property(fc.uint8Array({ maxLength: 400 }), (random) => !verifyCertificate(random, { keys }).ok));
    const names = Object.keys(parsed());
    fc.assert(
      fc.property(fc.constantFrom(...names), fc.jsonValue(), (name, value) => {
        const text = canonicalJson({ ...parsed(), [name]: value });
        return text === undefined || `${text}\n` === bytes.toString('utf8') || !verifyCertificate(Buffer.from(`${text}\n`), { keys }).ok;
      }),
    );
  });
});

describe('canonical JSON', () => {
  it('is what RFC 8785 makes of the same value', () => {
    const key = fc.string({ minLength: 1, maxLength: 8, unit: fc.constantFrom('a', 'z', 'A', 'Z', '0', '9', '_', '-', '.', '$', '~', '!', '"', '\\') });
    const leaf = fc.oneof(fc.maxSafeInteger(), fc.boolean(), fc.constant(null), fc.string({ unit: 'grapheme' }));
    const { value } = fc.letrec((tie) => ({
      value: fc.oneof({ maxDepth: 4 }, leaf, fc.array(tie('value'), { maxLength: 4 }), fc.dictionary(key, tie('value'), { maxKeys: 5 })),
    }));
    fc.assert(
      fc.property(value, (each) => {
        expect(canonicalJson(each)).toBe((canonicalize as unknown as (value: unknown) => string)(each));
      }),
    );
  });

  it('refuses what has more than one text, or none', () => {
    for (const each of [0.5, Number.NaN, 2 ** 53, '\ud800', { é: 1 }, { '': 1 }, undefined, 1n, [undefined]]) expect(canonicalJson(each)).toBeUndefined();
    expect(canonicalJson(-0)).toBe('0');
  });
});
