import type { Right } from '../../../contract/outcomes.ts';

/** What somebody is about to do with a person's data. */
export interface Processing {
  /** A code: `direct_marketing`, `sale`, `storage`. */
  readonly purpose: string;
  /** A code of GDPR Art. 6(1): `consent`, `contract`, `legal_obligation`, `vital_interests`, `public_task`, `legitimate_interests`. */
  readonly legalBasis: string | undefined;
}

/** What stays allowed under a restriction (GDPR Art. 18(2)): keeping the data, and what courts, others' rights or a public interest need. */
const allowedUnderRestriction: readonly string[] = ['storage', 'legal_claims', 'protection_of_others', 'public_interest'];
/** Art. 21(2) and (3): there is nothing to weigh. */
const marketing: readonly string[] = ['direct_marketing', 'profiling_for_marketing', 'targeted_advertising'];
/** The bases that one can object to (Art. 21(1)). */
const objectable: readonly string[] = ['public_task', 'legitimate_interests'];
/** 11 CCR § 7026: selling, sharing, and advertising across contexts. */
const saleOrSharing: readonly string[] = ['sale', 'sharing', 'targeted_advertising'];

/**
 * Says whether a right that a person exercised stops some processing. Where the legal basis is not told, an objection stops it: whoever knows
 * that the basis is one that cannot be objected to says so.
 */
export function stops(right: Right, { purpose, legalBasis }: Processing): boolean {
  switch (right) {
    case 'restriction':
      return !allowedUnderRestriction.includes(purpose);
    case 'objection':
      return marketing.includes(purpose) || (purpose !== 'storage' && (legalBasis === undefined || objectable.includes(legalBasis)));
    case 'opt_out_sale':
      return saleOrSharing.includes(purpose);
    case 'limit_sensitive':
      return purpose === 'sensitive_data';
    case 'automated_decision':
      return purpose === 'automated_decision';
    case 'erasure':
    case 'access':
    case 'portability':
    case 'rectification':
      return false;
  }
}
