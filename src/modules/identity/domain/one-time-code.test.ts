import { createHash } from 'node:crypto';
import * as fc from 'fast-check';
import { expect, it } from 'vitest';
import { codeOf, judgeCode } from './one-time-code.ts';

const fresh = { attempts: 0, expiresAt: 1000, verified: false };
const code = '04711815';

it('is eight digits for every MAC', () => {
  fc.assert(fc.property(fc.uint8Array({ minLength: 32, maxLength: 32 }), (mac) => /^[0-9]{8}$/u.test(codeOf(Buffer.from(mac)))));
  expect(codeOf(createHash('sha256').update('one').digest())).not.toBe(codeOf(createHash('sha256').update('two').digest()));
});

it('verifies with the right code in time, to the last millisecond', () => {
  expect(judgeCode(fresh, code, code, 999, 5)).toBe('verified');
  expect(judgeCode(fresh, code, code, 1000, 5)).toBe('expired');
});

it('is wrong for anything but the eight digits', () => {
  for (const given of ['04711816', '', '4711815', '004711815', '0471181५', 'abcdefgh']) expect(judgeCode(fresh, given, code, 0, 5)).toBe('wrong');
  expect(judgeCode(fresh, 'abcdefgh', '00000000', 0, 5)).toBe('wrong');
});

it('is locked after the last attempt, for the right code too', () => {
  expect(judgeCode({ ...fresh, attempts: 4 }, code, code, 0, 5)).toBe('verified');
  expect(judgeCode({ ...fresh, attempts: 5 }, code, code, 0, 5)).toBe('locked');
});

it('says that it was given before, however late it comes again', () => {
  expect(judgeCode({ ...fresh, verified: true }, code, code, 5000, 5)).toBe('already_verified');
  expect(judgeCode({ ...fresh, verified: true }, '00000000', code, 0, 5)).toBe('wrong');
});
