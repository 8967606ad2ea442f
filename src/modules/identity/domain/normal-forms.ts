import { parsePhoneNumberFromString, type CountryCode } from 'libphonenumber-js';
import type { IdentifierKind } from '../../../contract/identifiers.ts';
import { Failure } from '../../../platform/failure.ts';
import { normaliseEmail } from './email.ts';

/** An identifier's normal form, and the form that was given where that is another. */
export interface NormalForm {
  readonly value: string;
  readonly raw?: string;
}

/** What normal forms depend on. */
export interface NormalFormOptions {
  /** ISO 3166: the country of phone numbers that are given without one. */
  readonly defaultCountry: string;
  /** JSON pointer of the field, for the failure. */
  readonly field: string;
}

/** Longer than any id a vendor gives; a person's id in a company's own systems is theirs to choose. */
const opaqueMax = 256;
/** Longer than any way to write a phone number. */
const phoneTextMax = 64;

type Result = { readonly value: string } | { readonly problem: string };

function normalisePhone(text: string, defaultCountry: string): Result {
  if (text.length > phoneTextMax || /\p{Cc}/u.test(text)) return { problem: 'is not a phone number; write it as +12025550143' };
  const number = parsePhoneNumberFromString(text.trim().replace(/^whatsapp:/iu, ''), { defaultCountry: defaultCountry as CountryCode, extract: false });
  // Possible, not valid: numbering plans change faster than their tables, and a person with a new number may ask too.
  if (number === undefined || !number.isPossible()) return { problem: 'is not a phone number; write it with its country code, as +12025550143' };
  if (number.ext !== undefined) return { problem: 'has an extension; leave it out' };
  return { value: number.number };
}

function normaliseOpaque(text: string): Result {
  if (text.trim() === '') return { problem: 'is empty; leave the field out instead' };
  if (text.length > opaqueMax) return { problem: `may have at most ${opaqueMax} characters` };
  if (!text.isWellFormed() || /\p{Cc}/u.test(text)) return { problem: 'has control characters; remove them' };
  return { value: text };
}

const matching = (text: string, rule: RegExp, problem: string): Result => (rule.test(text) ? { value: text } : { problem });

const normalForms: Record<IdentifierKind, (text: string, defaultCountry: string) => Result> = {
  email: normaliseEmail,
  phone: normalisePhone,
  stripe_customer: (text) => matching(text, /^cus_[A-Za-z0-9]{6,64}$/u, 'must be the id of a Stripe customer, cus_ and 6 to 64 letters and digits'),
  twilio_profile: (text) => matching(text, /^[A-Za-z0-9_-]{1,128}$/u, 'must be the id of a Twilio profile, as Twilio writes it'),
  user_id: normaliseOpaque,
  anonymous_id: normaliseOpaque,
  external_id: normaliseOpaque,
};

/**
 * Gives an identifier's normal form; what it gives is its own normal form. Fails with `IDENTIFIER_INVALID`, which names the field and the
 * remedy and never the value.
 */
export function normalise(kind: IdentifierKind, text: string, options: NormalFormOptions): NormalForm {
  const result = normalForms[kind](text, options.defaultCountry);
  if ('problem' in result) throw new Failure('IDENTIFIER_INVALID', `${options.field} ${result.problem}`, { field: options.field });
  const given = text.trim();
  return text === result.value || given === result.value ? { value: result.value } : { value: result.value, raw: given };
}
