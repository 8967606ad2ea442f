import type { EraseContext } from '../../connector-kit/index.ts';
import type { Identifier } from '../../contract/identifiers.ts';
import type { TwilioConfig } from './config.ts';

/** The forms in which messages, calls and conversations carry a number. */
export function phoneForms(phone: string): readonly string[] {
  return [phone, `whatsapp:${phone}`];
}

/** Says whether a number or e-mail address is the account's own, so that it names no subject. */
export function isOwn(config: TwilioConfig, identifier: Identifier): boolean {
  return (identifier.kind === 'phone' && config.own_numbers.includes(identifier.value)) || config.own_identities.includes(identifier.value);
}

/** Those of whom it is sure that they are the person: what the task is about, and what is proven. What was merely found may be somebody else's. */
export function sureOf({ identifier, proven }: Pick<EraseContext, 'identifier' | 'proven'>): readonly Identifier[] {
  return [identifier, ...proven];
}

/** Every address and chat identity, in lower case, by which a conversation can show the person. */
export function addressesOfPerson(config: TwilioConfig, identifiers: readonly Identifier[]): ReadonlySet<string> {
  const forms = identifiers
    .filter((each) => !isOwn(config, each))
    .flatMap(({ kind, value }) => (kind === 'phone' ? phoneForms(value) : kind === 'email' || kind === 'user_id' ? [value] : []));
  return new Set(forms.map((each) => each.toLowerCase()));
}

/** Every address and chat identity, in lower case, that is the account's own. */
export function ownAddresses(config: TwilioConfig): ReadonlySet<string> {
  return new Set([...config.own_numbers.flatMap(phoneForms), ...config.own_identities].map((each) => each.toLowerCase()));
}

/** What an identifier of a Memory profile is to Quittance; undefined when it is neither a number nor an e-mail address. */
export function fromMemory(raw: string): Identifier | undefined {
  const value = raw.trim().replace(/^(?:whatsapp|sms|rcs|tel|mailto):/iu, '');
  if (/^[^\s@]+@[^\s@]+$/u.test(value)) return { kind: 'email', value: value.normalize('NFC').toLowerCase() };
  const digits = value.replaceAll(/[\s().-]/gu, '');
  return /^\+[1-9]\d{6,14}$/u.test(digits) ? { kind: 'phone', value: digits } : undefined;
}

/** A key to compare identifiers by. */
export function keyOf(identifier: Identifier): string {
  return `${identifier.kind}:${identifier.value}`;
}
