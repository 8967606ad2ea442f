import { Failure } from '../../../platform/failure.ts';

/**
 * How sure a row is: V, the statute was read; S, a secondary source; K, general knowledge. A privacy team has its counsel confirm what is
 * not V.
 */
export type Grade = 'V' | 'S' | 'K';

/** The clock of one law for a request of erasure. */
export interface LawClock {
  readonly law: string;
  readonly title: string;
  /** The time to answer: calendar months or calendar days, from the day of receipt, which is not counted. */
  readonly response: { readonly months: number } | { readonly days: number };
  /** The calendar in which the days are counted. */
  readonly timeZone: string;
  readonly source: string;
  readonly grade: Grade;
}

/** The laws whose clocks this version runs. */
export const laws: Readonly<Record<string, LawClock>> = {
  gdpr: { law: 'gdpr', title: 'GDPR', response: { months: 1 }, timeZone: 'Europe/Brussels', source: 'Regulation (EU) 2016/679 Art. 12(3); Regulation 1182/71 Art. 3', grade: 'V' },
  uk_gdpr: { law: 'uk_gdpr', title: 'UK GDPR', response: { months: 1 }, timeZone: 'Europe/London', source: 'UK GDPR Art. 12(3), 12A', grade: 'S' },
  ccpa: { law: 'ccpa', title: 'CCPA/CPRA', response: { days: 45 }, timeZone: 'America/Los_Angeles', source: '11 CCR § 7021; Cal. Civ. Code 1798.130(a)(2)', grade: 'V' },
  vcdpa: { law: 'vcdpa', title: 'Virginia CDPA', response: { days: 45 }, timeZone: 'America/New_York', source: 'Va. Code 59.1-577', grade: 'S' },
  lgpd: { law: 'lgpd', title: 'LGPD', response: { days: 15 }, timeZone: 'America/Sao_Paulo', source: 'Lei 13.709 Art. 19', grade: 'S' },
};

/** Refuses a law that has no clock here. Fails with `CONFIG_INVALID`, naming those that have. */
export function checkLaw(law: string, at: string): void {
  if (!Object.hasOwn(laws, law)) throw new Failure('CONFIG_INVALID', `${at}: there is no clock for this law; known: ${Object.keys(laws).join(', ')}`);
}

/** Members of the European Economic Area, where the GDPR applies (EEA Joint Committee Decision 154/2018). */
const eea = 'AT BE BG CY CZ DE DK EE ES FI FR GR HR HU IE IS IT LI LT LU LV MT NL NO PL PT RO SE SI SK'.split(' ');

/** Gives the law for a jurisdiction, or `fallback` where this version has none for it. */
export function lawFor(jurisdiction: string | undefined, fallback: string): string {
  if (jurisdiction === undefined) return fallback;
  if (jurisdiction === 'US-CA') return 'ccpa';
  if (jurisdiction === 'US-VA') return 'vcdpa';
  const country = jurisdiction.slice(0, 2);
  if (country === 'GB') return 'uk_gdpr';
  if (country === 'BR') return 'lgpd';
  return eea.includes(country) ? 'gdpr' : fallback;
}
