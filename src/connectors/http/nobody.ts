import type { Identifier, IdentifierKind } from '../../contract/identifiers.ts';

/** Somebody whom no system can know: a reserved domain (RFC 2606), a reserved number, an id that says what it is. */
export function nobody(kind: IdentifierKind, mark: string): Identifier {
  if (kind === 'email') return { kind, value: `quittance-${mark}@nobody.example` };
  if (kind === 'phone') return { kind, value: '+12025550199' };
  if (kind === 'stripe_customer') return { kind, value: `cus_nobody${mark.replaceAll(/[^a-z0-9]/giu, '')}` };
  return { kind, value: `quittance-nobody-${mark}` };
}
