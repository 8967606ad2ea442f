import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { IdentifierKind } from '../../../contract/identifiers.ts';
import { isFailure } from '../../../platform/failure.ts';
import { normalise } from './normal-forms.ts';

const options = { defaultCountry: 'US', field: '/email' };

function problemOf(kind: IdentifierKind, text: string): { code: string; detail: string; field: string | undefined } {
  try {
    normalise(kind, text, options);
  } catch (error) {
    if (isFailure(error)) return { code: error.code, detail: error.detail, field: error.field };
    throw error;
  }
  throw new Error('it was accepted');
}

describe('an e-mail address', () => {
  it.each([
    ['ada@example.com', 'ada@example.com'],
    ['  Ada.Example@EXAMPLE.com ', 'ada.example@example.com'],
    ['ada+news@example.com', 'ada+news@example.com'],
    ['ada@Exämple.com', 'ada@xn--exmple-cua.com'],
    ['ada@xn--exmple-cua.com', 'ada@xn--exmple-cua.com'],
    ['andré@example.com', 'andré@example.com'],
    ['andre\u0301@example.com', 'andré@example.com'],
    ['анна@пример.example', 'анна@xn--e1afmkfd.example'],
    ['山田taro@example.com', '山田taro@example.com'],
  ])('%s has the normal form %s', (given, value) => {
    expect(normalise('email', given, options).value).toBe(value);
  });

  it('keeps the form that was given where it is another, and only then', () => {
    expect(normalise('email', 'Ada@example.com', options)).toEqual({ value: 'ada@example.com', raw: 'Ada@example.com' });
    expect(normalise('email', 'ada@example.com', options)).toEqual({ value: 'ada@example.com' });
  });

  it.each([
    ['a Cyrillic а in a Latin name', 'аda@example.com', 'look-alikes'],
    ['a Greek ο in a Latin name', 'rοse@example.com', 'look-alikes'],
    ['an Armenian օ in a Latin name', 'rօse@example.com', 'look-alikes'],
    ['a Cyrillic е in a Latin domain', 'ada@еxample.com', 'look-alikes'],
    ['the same as punycode', 'ada@xn--xample-2of.com', 'look-alikes'],
    ['a control character', 'ada\u0000@example.com', 'control characters'],
    ['a line break, which would write headers', 'ada@example.com\r\nBcc: x', 'control characters'],
    ['a zero-width space', 'ada\u200b@example.com', 'invisible'],
    ['a right-to-left override', 'ada\u202e@example.com', 'invisible'],
    ['a variation selector', 'ada\ufe0f@example.com', 'invisible'],
    ['a full-width letter', 'ａda@example.com', 'compatibility'],
    ['no @', 'ada.example.com', 'exactly one @'],
    ['two @', 'ada@example@example.com', 'exactly one @'],
    ['no name', '@mail.example', 'exactly one @'],
    ['a space', 'ada lovelace@example.com', 'no mailbox has'],
    ['a quoted name', '"ada"@example.com', 'no mailbox has'],
    ['a comma, which would be two addresses', 'ada,eve@example.com', 'no mailbox has'],
    ['an empty label', 'ada@example..com', 'internet domain'],
    ['a domain without a dot', 'ada@localhost', 'internet domain'],
    ['an address in brackets', 'ada@[192.0.2.1]', 'internet domain'],
    ['an address in hexadecimal', 'ada@0x7f.1', 'internet domain'],
    ['an encoded domain', 'ada@ex%61mple.com', 'internet domain'],
    ['a name of 65 bytes', `${'a'.repeat(65)}@example.com`, '64 bytes'],
    ['an address of 255 bytes', `ada@${'a'.repeat(60)}.${'b'.repeat(60)}.${'c'.repeat(60)}.${'d'.repeat(60)}.example`, '254 bytes'],
    ['half a surrogate pair', 'ada\ud800@example.com', 'control characters'],
  ])('with %s is refused, naming the field and the remedy and not the value', (_what, given, remedy) => {
    const problem = problemOf('email', given);
    expect(problem.code).toBe('IDENTIFIER_INVALID');
    expect(problem.field).toBe('/email');
    expect(problem.detail).toContain(remedy);
    expect(problem.detail).not.toContain(given);
  });

  it('is its own normal form once normalised, whatever is given', () => {
    let accepted = 0;
    const local = fc.string({ unit: 'binary', minLength: 1, maxLength: 12 });
    const plain = fc.stringMatching(/^[A-Za-zÀ-ÿ0-9.+_-]{1,12}$/u);
    const domain = fc.oneof(fc.domain(), fc.stringMatching(/^[A-Za-zß-ÿа-я-]{1,10}\.example$/u));
    fc.assert(
      fc.property(fc.oneof(local, plain), domain, (name, host) => {
        let value: string;
        try {
          value = normalise('email', `${name}@${host}`, options).value;
        } catch (error) {
          if (!isFailure(error)) throw error;
          return;
        }
        accepted += 1;
        expect(normalise('email', value, options)).toEqual({ value });
        const ascii = /^[!-~]+$/u.test(value);
        if (ascii) expect(normalise('email', ` ${value.toUpperCase()}`, options).value).toBe(value);
      }),
      { numRuns: 2000 },
    );
    expect(accepted).toBeGreaterThan(300);
  });
});

describe('a phone number', () => {
  it.each([
    ['+1 202-555-0143', '+12025550143'],
    ['(202) 555-0143', '+12025550143'],
    ['whatsapp:+12025550143', '+12025550143'],
    ['WhatsApp:+1 202 555 0143', '+12025550143'],
  ])('%s has the normal form %s', (given, value) => {
    expect(normalise('phone', given, options)).toEqual({ value, raw: given });
  });

  it('without a country code is read in the default country', () => {
    expect(normalise('phone', '030 23125 000', { defaultCountry: 'DE', field: '/phone' }).value).toBe('+493023125000');
  });

  it.each([['call me'], ['+999123'], ['12'], ['+1202555014399999'], ['+1 202-555-0143 ext. 3'], ['+1202555\u00000143'], ['1'.repeat(5000)]])(
    '%j is refused',
    (given) => {
      expect(problemOf('phone', given).code).toBe('IDENTIFIER_INVALID');
    },
  );

  it('is its own normal form once normalised', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 9999 }), fc.constantFrom('+1 202-555-', '202 555 ', 'whatsapp:+1202555'), (line, prefix) => {
        const { value } = normalise('phone', prefix + String(line).padStart(4, '0'), options);
        expect(normalise('phone', value, options)).toEqual({ value });
      }),
    );
  });
});

describe('an id that a system gave', () => {
  it.each([
    ['stripe_customer', 'cus_NffrFeUfNV2Hib'],
    ['twilio_profile', 'mem_profile_01h9krwprkeee8fzqspvwy6nq8'],
    ['user_id', 'user 42/ä'],
    ['user_id', ' 42 '],
    ['anonymous_id', '5f1d…'],
  ] as const)('%s is kept as the system writes it', (kind, given) => {
    expect(normalise(kind, given, options)).toEqual({ value: given });
  });

  it.each([
    ['stripe_customer', 'CUS_NffrFeUfNV2Hib'],
    ['stripe_customer', 'cus_1'],
    ['stripe_customer', 'cus_../../charges'],
    ['twilio_profile', '../Messages'],
    ['user_id', ''],
    ['user_id', '   '],
    ['user_id', 'a\u0007'],
    ['user_id', 'u'.repeat(257)],
    ['anonymous_id', '\udc00'],
  ] as const)('%s %j is refused', (kind, given) => {
    expect(problemOf(kind, given).code).toBe('IDENTIFIER_INVALID');
  });
});
