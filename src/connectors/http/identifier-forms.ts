import { identifierKindSchema, type Identifier, type IdentifierKind } from '../../contract/identifiers.ts';
import type { LookUp } from './declaration.ts';
import { valuesAt } from './json-path.ts';

/** Two writings of one identifier meet here: addresses without case, numbers by their digits, everything else exactly. */
export function looseForm(kind: IdentifierKind, value: string): string {
  if (kind === 'email') return value.trim().normalize('NFC').toLowerCase();
  return kind === 'phone' ? value.replaceAll(/\D/gu, '') : value;
}

/** The texts at a path of a record, numbers too; several addresses in one text are taken apart. */
export function textsAt(kind: IdentifierKind, record: unknown, path: string): readonly string[] {
  const texts = valuesAt(record, path).flatMap((each) => (typeof each === 'string' || typeof each === 'number' ? [String(each)] : []));
  return kind === 'email' ? texts.flatMap((each) => each.split(/[;,]/u)) : texts;
}

/** The identifiers that a record ties to the person, in normal form. */
export function tiedTo(lookUp: LookUp, record: unknown): readonly Identifier[] {
  return identifierKindSchema.options.flatMap((kind) => {
    const path = lookUp.found[kind];
    return (path === undefined ? [] : textsAt(kind, record, path)).flatMap((text) => {
      const value = normalForm(kind, text);
      return value === undefined ? [] : [{ kind, value }];
    });
  });
}

/** What is not in a form that all systems share is not handed on: `5550101` or `unknown` could meet somebody else at the next. */
function normalForm(kind: IdentifierKind, text: string): string | undefined {
  const trimmed = text.trim();
  if (kind === 'email') return /^[^\s@]+@[^\s@]+$/u.test(trimmed) ? trimmed.normalize('NFC').toLowerCase() : undefined;
  if (kind === 'phone') {
    const digits = trimmed.replaceAll(/[\s().-]/gu, '');
    return /^\+[1-9]\d{6,14}$/u.test(digits) ? digits : undefined;
  }
  return trimmed === '' ? undefined : text;
}
