import type { Right } from '../../contract/outcomes.ts';
import type { ConfigDocument } from '../../platform/config/document.ts';
import { Failure } from '../../platform/failure.ts';
import { dateAfter, legalDates, strictestOf, type ClockDate, type ClockFacts, type ClockPolicy, type LegalDates } from './domain/clocks.ts';
import { clockFor, isDraft, type LawClock, type LawPack } from './domain/law-pack.ts';
import { createHolidayNames } from './holiday-names.ts';
import { shippedLawPacks, type LawPacks } from './law-packs.ts';

/** How the configuration has clocks run. */
export type ClockConfig = ConfigDocument['clocks'];

/** A law with its dates for one request. */
export interface LawDates extends LegalDates {
  readonly pack: LawPack;
  readonly clock: LawClock;
}

/** The law whose clock a request runs on, and those that were looked at. */
export interface ChosenLaw extends LawDates {
  /** Why it is this one, in a sentence. */
  readonly why: string;
  /** Doubtful clocks of the jurisdiction, which are never relied on, with the date that they would give. */
  readonly drafts: readonly { readonly law: string; readonly title: string; readonly due: number }[];
}

/** What a request asks, for the choice of its law. */
export interface Asked {
  readonly right: Right;
  /** ISO 3166: `DE`, `US-CA`. */
  readonly jurisdiction: string | undefined;
  readonly facts: ClockFacts;
}

/** The laws and their clocks, as configured. */
export interface LawClocks {
  /** Chooses the law of a new request: the strictest that holds, never a draft, else the default law. */
  readonly choose: (asked: Asked) => ChosenLaw;
  /** The dates of a law that was chosen before. Fails with `CONFIG_INVALID` for a law that this version does not have. */
  readonly dates: (law: string, right: Right, facts: ClockFacts) => LawDates;
  readonly pack: (law: string) => LawPack;
  /** When an appeal that is opened now is to be decided; undefined where the law knows none. */
  readonly appealDue: (law: string, openedAt: number) => ClockDate | undefined;
  /** The internal target, from verification on; undefined until then. */
  readonly target: (right: Right, verifiedAt: number | undefined) => number | undefined;
}

const hourMs = 3_600_000;

const describeKnown = (packs: LawPacks): string => [...packs.keys()].toSorted().join(', ');

/** Refuses a law that has no clock here, and a draft that nobody confirmed. Fails with `CONFIG_INVALID`. */
export function checkLaw(law: string, at: string, confirmedDrafts: readonly string[] = [], packs: LawPacks = shippedLawPacks()): void {
  const pack = packs.get(law);
  if (pack === undefined) throw new Failure('CONFIG_INVALID', `${at}: there is no clock for this law; known: ${describeKnown(packs)}`);
  if (confirmedDrafts.includes(law) || pack.clocks.some((clock) => !isDraft(pack, clock))) return;
  throw new Failure('CONFIG_INVALID', `${at}: the pack of ${law} is a draft, since its source is doubtful; have counsel confirm it and name it in /clocks/confirmed_drafts`);
}

/** Makes the clocks of a configuration. Fails with `CONFIG_INVALID` for a law that there is not, and for a draft that nobody confirmed. */
export function createLawClocks(config: ClockConfig, defaultLaw: string, packs: LawPacks = shippedLawPacks()): LawClocks {
  for (const [index, law] of config.confirmed_drafts.entries()) if (!packs.has(law)) throw new Failure('CONFIG_INVALID', `/clocks/confirmed_drafts/${index}: there is no pack of this law; known: ${describeKnown(packs)}`);
  for (const [index, law] of config.also.entries()) checkLaw(law, `/clocks/also/${index}`, config.confirmed_drafts, packs);
  checkLaw(defaultLaw, '/requests/default_law', config.confirmed_drafts, packs);
  const policy: ClockPolicy = { holidayName: createHolidayNames(), withoutDelayDays: config.without_delay_days };
  const packOf = (law: string): LawPack => {
    const pack = packs.get(law);
    if (pack === undefined) throw new Failure('CONFIG_INVALID', `There is no law pack of ${law}; known: ${describeKnown(packs)}`);
    return pack;
  };
  const usable = (pack: LawPack, clock: LawClock): boolean => !isDraft(pack, clock) || config.confirmed_drafts.includes(pack.law);
  /** A right that a law does not know by name is answered in the shortest time that it knows. */
  const dates: LawClocks['dates'] = (law, right, facts) => {
    const pack = packOf(law);
    const own = clockFor(pack, right);
    if (own !== undefined && usable(pack, own)) return { pack, clock: own, ...legalDates(pack, own, facts, policy) };
    const sure = pack.clocks.filter((clock) => usable(pack, clock));
    return strictestOf((sure.length === 0 ? pack.clocks : sure).map((clock) => ({ pack, clock, ...legalDates(pack, clock, facts, policy) })));
  };
  const inForce = (pack: LawPack, { receivedAt }: ClockFacts): boolean => Date.parse(pack.effective.from) <= receivedAt;
  const of = (pack: LawPack, asked: Asked): readonly LawDates[] => {
    const clock = clockFor(pack, asked.right);
    return clock === undefined ? [] : [{ pack, clock, ...legalDates(pack, clock, asked.facts, policy) }];
  };
  return {
    pack: packOf,
    dates,
    choose: (asked) => {
      const { jurisdiction = '', facts } = asked;
      const here = [...packs.values()].filter((pack) => pack.applies === 'by_jurisdiction' && inForce(pack, facts));
      const [exact, country] = [jurisdiction, jurisdiction.slice(0, 2)].map((place) => here.filter((pack) => pack.jurisdictions.includes(place)).flatMap((pack) => of(pack, asked)));
      const sure = [exact, country].map((all) => (all ?? []).filter(({ pack, clock }) => usable(pack, clock))).find((all) => all.length > 0) ?? [];
      const also = config.also.map(packOf).filter((pack) => inForce(pack, facts)).flatMap((pack) => of(pack, asked)).filter(({ pack, clock }) => usable(pack, clock));
      const doubtful = ((exact ?? []).length > 0 ? (exact ?? []) : (country ?? [])).filter(({ pack, clock }) => !usable(pack, clock));
      const drafts = doubtful.map(({ pack, due }) => ({ law: pack.law, title: pack.title, due: due.at }));
      const candidates = [...sure, ...also];
      if (sure.length > 0) {
        const why = candidates.length === 1 ? `the law of ${jurisdiction}` : `the strictest of ${candidates.map(({ pack }) => pack.law).join(', ')}`;
        return { ...strictestOf(candidates), why, drafts };
      }
      const fallback = dates(defaultLaw, asked.right, facts);
      const why = jurisdiction === '' ? 'no jurisdiction was given: the default law' : `no sure clock for this right in ${jurisdiction}: the default law`;
      return { ...strictestOf([fallback, ...also]), why, drafts };
    },
    appealDue: (law, openedAt) => {
      const { appeal, ...pack } = packOf(law);
      return appeal && dateAfter({ ...pack, appeal }, openedAt, appeal.within, appeal.source, policy.holidayName);
    },
    target: (right, verifiedAt) => {
      const { access, erasure, other } = config.target_hours;
      const hours = right === 'access' || right === 'portability' ? access : right === 'erasure' ? erasure : other;
      return verifiedAt === undefined ? undefined : verifiedAt + hours * hourMs;
    },
  };
}
