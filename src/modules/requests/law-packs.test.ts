import { describe, expect, test } from 'vitest';
import { documentSchema } from '../../platform/config/document.ts';
import { isFailure } from '../../platform/failure.ts';
import { isDraft, type LawClock, type LawPack, type Period } from './domain/law-pack.ts';
import { createHolidayNames } from './holiday-names.ts';
import { checkLaw, createLawClocks, type LawClocks } from './law-clocks.ts';
import { readLawPack, shippedLawPacks } from './law-packs.ts';

const packs = shippedLawPacks();

/** A period as the published tables write it: m months, d days, bd business days, h hours. */
const short = (period: Period | 'stated' | undefined): string => {
  if (period === undefined) return '-';
  if (period === 'stated') return 'stated';
  const [unit = '', count = 0] = Object.entries(period)[0] ?? [];
  return `${count}${{ months: 'm', days: 'd', business_days: 'bd', hours: 'h' }[unit] ?? '?'}`;
};
const response = (clock: LawClock): string => ('without_delay' in clock.response ? `no number${clock.response.guidance === undefined ? '' : `, ${short(clock.response.guidance)}`}` : short(clock.response));

/** Law, right, answer, extension / notice of it, acknowledgement, appeal (+ extension), grade; by hand from the table of statutory clocks. */
const rows: readonly (readonly [law: string, right: LawClock['rights'][number], answer: string, extension: string, acknowledgement: string, appeal: string, grade: string])[] = [
  ['gdpr', 'erasure', '1m', '2m/1m', '-', '-', 'V/S'],
  ['gdpr', 'access', '1m', '2m/1m', '-', '-', 'V/S'],
  ['gdpr', 'automated_decision', '1m', '2m/1m', '-', '-', 'V/S'],
  ['gdpr', 'opt_out_sale', '1m', '2m/1m', '-', '-', 'K'],
  ['uk_gdpr', 'erasure', '1m', '2m/1m', '-', '-', 'S'],
  ['uk_gdpr', 'opt_out_sale', '1m', '2m/1m', '-', '-', 'K'],
  ['ccpa', 'erasure', '45d', '45d/45d', '10bd', '-', 'V'],
  ['ccpa', 'access', '45d', '45d/45d', '10bd', '-', 'V'],
  ['ccpa', 'rectification', '45d', '45d/45d', '10bd', '-', 'V'],
  ['ccpa', 'opt_out_sale', '15bd', '-', '-', '-', 'V/K'],
  ['ccpa', 'limit_sensitive', '15bd', '-', '-', '-', 'V/K'],
  ['ca_delete_act', 'erasure', '45d', '-', '-', '-', 'S'],
  ['vcdpa', 'erasure', '45d', '45d/45d', '-', '60d', 'S/K'],
  ['colorado_cpa', 'erasure', '45d', '45d/45d', '-', '45d+60d', 'S/K'],
  ['connecticut_ctdpa', 'erasure', '45d', '45d/45d', '-', '60d', 'S/K'],
  ['utah_ucpa', 'erasure', '45d', '45d/45d', '-', '-', 'S/K'],
  ['texas_tdpsa', 'erasure', '45d', '45d/45d', '-', '60d', 'S/K'],
  ['oregon_ocpa', 'erasure', '45d', '45d/45d', '-', '45d', 'S/K'],
  ['montana_mcdpa', 'erasure', '45d', '45d/45d', '-', '60d', 'S/K'],
  ['iowa_icdpa', 'erasure', '90d', '45d/90d', '-', '60d', 'S/K'],
  ['delaware_dpdpa', 'erasure', '45d', '45d/45d', '-', '60d', 'S/K'],
  ['new_hampshire', 'erasure', '45d', '45d/45d', '-', '60d', 'S/K'],
  ['new_jersey_njdpa', 'erasure', '45d', '45d/45d', '-', '45d', 'S/K ?'],
  ['nebraska_ndpa', 'erasure', '45d', '45d/45d', '-', '60d', 'S/K ?'],
  ['tennessee_tipa', 'erasure', '45d', '45d/45d', '-', '60d', 'S/K ?'],
  ['minnesota_mcdpa', 'erasure', '45d', '45d/45d', '-', '45d+60d', 'S/K ?'],
  ['maryland_modpa', 'erasure', '45d', '45d/45d', '-', '60d', 'S/K ?'],
  ['indiana_icdpa', 'erasure', '45d', '45d/45d', '-', '60d', 'S/K'],
  ['kentucky_kcdpa', 'erasure', '45d', '45d/45d', '-', '60d', 'S/K ?'],
  ['rhode_island', 'erasure', '45d', '45d/45d', '-', '60d', 'S/K'],
  ['florida_fdbr', 'erasure', '45d', '15d/45d', '-', '60d', 'S/K ?'],
  ['nevada_sale_opt_out', 'opt_out_sale', '60d', '30d/60d', '-', '-', 'S'],
  ['lgpd', 'access', '15d', '-', '-', '-', 'S'],
  ['lgpd', 'erasure', 'no number', '-', '-', '-', 'K/?'],
  ['pipeda', 'access', '30d', '30d/30d', '-', '-', 'S/K'],
  ['quebec_law', 'access', '30d', '-', '-', '-', 'S'],
  ['alberta_pipa', 'access', '45d', '30d/45d', '-', '-', '?'],
  ['bc_pipa', 'access', '30bd', '30bd/30bd', '-', '-', '?'],
  ['popia', 'access', '30d', '30d/30d', '-', '-', 'K'],
  ['popia', 'erasure', '30d', '-', '-', '-', 'S'],
  ['appi', 'erasure', 'no number', '-', '-', '-', 'S/K'],
  ['dpdp', 'erasure', 'no number', '-', '-', '-', 'S'],
  ['swiss_fadp', 'access', '30d', 'stated/30d', '-', '-', 'K'],
  ['korea_pipa', 'access', '10d', 'stated/10d', '-', '-', 'S'],
  ['korea_pipa', 'erasure', '10d', 'stated/10d', '-', '-', 'S'],
  ['singapore_pdpa', 'access', '30d', 'stated/30d', '-', '-', 'K/S'],
  ['australia_app', 'access', 'no number, 30d', '-', '-', '-', 'S'],
  ['new_zealand_pa', 'access', '20bd', 'stated/20bd', '-', '-', 'K'],
  ['pipl', 'erasure', '30d', '-', '-', '-', '?'],
  ['hong_kong_pdpo', 'access', '40d', 'stated/40d', '-', '-', 'K'],
  ['hong_kong_pdpo', 'rectification', '40d', 'stated/40d', '-', '-', 'K'],
  ['taiwan_pdpa', 'access', '15d', '15d/15d', '-', '-', 'K'],
  ['taiwan_pdpa', 'erasure', '30d', '30d/30d', '-', '-', 'K'],
  ['thailand_pdpa', 'access', '30d', '-', '-', '-', 'K/S'],
  ['indonesia_pdp', 'erasure', '72h', '-', '-', '-', 'S/K'],
  ['vietnam_pdp', 'erasure', '72h', '-', '-', '-', '?'],
  ['malaysia_pdpa', 'access', '21d', '14d/21d', '-', '-', 'K'],
  ['kvkk', 'erasure', '30d', '-', '-', '-', 'K/S'],
  ['saudi_pdpl', 'erasure', '30d', '30d/30d', '-', '-', 'K/S'],
  ['difc', 'erasure', '1m', '2m/1m', '-', '-', '?'],
  ['adgm', 'erasure', '2m', '1m/2m', '-', '-', '?'],
  ['kenya_dpa', 'access', '7d', '-', '-', '-', 'K/?'],
  ['kenya_dpa', 'erasure', '14d', '-', '-', '-', 'K/?'],
  ['kenya_dpa', 'portability', '30d', '-', '-', '-', 'K/?'],
  ['nigeria_ndpa', 'erasure', '30d', '-', '-', '-', '?'],
  ['egypt_pdpl', 'erasure', '6bd', '-', '-', '-', '?'],
  ['argentina_pdpa', 'access', '10d', '-', '-', '-', 'K'],
  ['argentina_pdpa', 'erasure', '5bd', '-', '-', '-', 'K'],
  ['mexico_lfpdppp', 'access', '20d', '20d/20d', '-', '-', '?'],
  ['chile_lpdp', 'erasure', '30d', '30d/30d', '-', '-', 'K/?'],
  ['colombia_habeas_data', 'access', '10bd', '5bd/10bd', '-', '-', 'K'],
  ['colombia_habeas_data', 'erasure', '15bd', '8bd/15bd', '-', '-', 'K'],
];

/** What the laws count beside requests. */
const others: readonly (readonly [law: string, name: string, within: string])[] = [
  ['gdpr', 'refusal_reasons', '1m'],
  ['gdpr', 'breach_authority', '72h'],
  ['uk_gdpr', 'complaint_acknowledgement', '30d'],
  ['uk_gdpr', 'breach_authority', '72h'],
  ['ccpa', 'ask_again_after', '12m'],
  ['ca_delete_act', 'drop_access_every', '45d'],
  ['ca_delete_act', 'delete_again_every', '45d'],
  ['ca_delete_act', 'report_within', '90d'],
  ['connecticut_ctdpa', 'consent_revocation', '15d'],
  ['oregon_ocpa', 'consent_revocation', '15d'],
  ['montana_mcdpa', 'consent_revocation', '45d'],
  ['delaware_dpdpa', 'consent_revocation', '15d'],
  ['new_hampshire', 'consent_revocation', '15d'],
  ['new_jersey_njdpa', 'consent_revocation', '15d'],
  ['minnesota_mcdpa', 'consent_revocation', '15d'],
  ['maryland_modpa', 'consent_revocation', '30d'],
  ['rhode_island', 'consent_revocation', '15d'],
  ['lgpd', 'breach_authority', '3bd'],
  ['appi', 'breach_preliminary', '3d'],
  ['appi', 'breach_final', '30d'],
  ['dpdp', 'grievance', '90d'],
  ['dpdp', 'notice_before_erasure', '48h'],
  ['dpdp', 'breach_details', '72h'],
  ['korea_pipa', 'breach_authority', '72h'],
  ['singapore_pdpa', 'breach_authority', '3d'],
  ['thailand_pdpa', 'breach_authority', '72h'],
  ['indonesia_pdp', 'breach_authority', '72h'],
  ['kvkk', 'breach_authority', '72h'],
  ['saudi_pdpl', 'breach_authority', '72h'],
  ['kenya_dpa', 'breach_authority', '72h'],
  ['nigeria_ndpa', 'breach_authority', '72h'],
  ['mexico_lfpdppp', 'execution', '15d'],
];

describe('the shipped law packs', () => {
  test.each(rows)('%s answers %s within %s', (law, right, answer, extension, acknowledgement, appeal, grade) => {
    const pack = packs.get(law);
    const clock = pack?.clocks.find((each) => each.rights.includes(right));
    if (pack === undefined || clock === undefined) throw new Error(`no clock of ${law} for ${right}`);
    expect({
      answer: response(clock),
      extension: clock.extension === undefined ? '-' : `${short(clock.extension.by)}/${short(clock.extension.notice_by)}`,
      acknowledgement: short(clock.acknowledgement?.within),
      appeal: pack.appeal === undefined ? '-' : `${short(pack.appeal.within)}${pack.appeal.extension === undefined ? '' : `+${short(pack.appeal.extension)}`}`,
      grade: clock.grade,
      draft: isDraft(pack, clock),
      source: clock.source !== '',
    }).toEqual({ answer, extension, acknowledgement, appeal, grade, draft: grade.includes('?'), source: true });
  });

  test('have no clock that the table above does not check, and the table none that they do not have', () => {
    const named = rows.map(([law, right]) => `${law} ${packs.get(law)?.clocks.findIndex((clock) => clock.rights.includes(right))}`);
    const shipped = [...packs.values()].flatMap((pack) => pack.clocks.map((_clock, index) => `${pack.law} ${index}`));
    expect([...new Set(named)].toSorted()).toEqual(shipped.toSorted());
  });

  test('have exactly these other clocks', () => {
    const shipped = [...packs.values()].flatMap((pack) => pack.other_clocks.map((clock) => `${pack.law} ${clock.name} ${short(clock.within)}`));
    expect(shipped.toSorted()).toEqual(others.map((each) => each.join(' ')).toSorted());
  });

  test('name holiday calendars that there are', () => {
    const holidayName = createHolidayNames();
    for (const pack of packs.values()) expect(() => holidayName(pack.calendar.holidays, '2026-06-15'), pack.law).not.toThrow();
    expect(holidayName('US-CA', '2026-12-25')).toMatch(/Christmas/u);
    expect(holidayName('BE', '2026-07-21')).toBeDefined();
    expect(holidayName('BE', '2026-07-22')).toBeUndefined();
    expect(() => holidayName('QQ', '2026-06-15')).toThrow(/QQ/u);
  });

  test('let the clock stand still only in the European Union and the United Kingdom, and there only since the law says so', () => {
    expect([...packs.values()].flatMap((pack) => pack.pauses.map((each) => `${pack.law} ${each.condition} ${each.from ?? ''}`.trim()))).toEqual([
      'gdpr identity_verification_required',
      'uk_gdpr identity_verification_required 2026-02-05',
      'uk_gdpr information_required 2026-02-05',
    ]);
  });
});

const config = (clocks: object = {}) => documentSchema.parse({ version: 1, controller: { name: 'Shop', contact: 'privacy@shop.example' }, clocks }).clocks;
const at = Date.parse('2026-11-21T10:00:00Z');
const choice = (clocks: LawClocks, jurisdiction: string | undefined, right: LawClock['rights'][number] = 'erasure', receivedAt = at) => clocks.choose({ right, jurisdiction, facts: { receivedAt, now: receivedAt } });

describe('the law of a request', () => {
  const clocks = createLawClocks(config(), 'gdpr');
  test.each([
    ['DE', 'erasure', 'gdpr'],
    ['DE-BY', 'erasure', 'gdpr'],
    ['NO', 'erasure', 'gdpr'],
    ['GB', 'erasure', 'uk_gdpr'],
    ['US-CA', 'erasure', 'ccpa'],
    ['US-TX', 'erasure', 'texas_tdpsa'],
    ['US-WA', 'erasure', 'gdpr'],
    ['BR', 'access', 'lgpd'],
    ['CA-QC', 'access', 'quebec_law'],
    ['CA-ON', 'access', 'pipeda'],
    ['US-NV', 'opt_out_sale', 'nevada_sale_opt_out'],
    [undefined, 'erasure', 'gdpr'],
  ] as const)('in %s, for %s, is %s', (jurisdiction, right, law) => {
    expect(choice(clocks, jurisdiction, right).pack.law).toBe(law);
  });

  test('is never a doubtful one, whatever the jurisdiction and the right, and says what the doubtful one would have given', () => {
    const doubtful = [...packs.values()].flatMap((pack: LawPack) => pack.clocks.filter((clock) => isDraft(pack, clock)).flatMap((clock) => pack.jurisdictions.flatMap((place) => clock.rights.map((right) => ({ pack, place, right })))));
    expect(doubtful.length).toBeGreaterThan(50);
    for (const { pack, place, right } of doubtful) {
      const chosen = choice(clocks, place, right, Date.parse('2027-06-01T10:00:00Z'));
      expect(isDraft(chosen.pack, chosen.clock), `${place} ${right}`).toBe(false);
      expect(chosen.drafts.map((each) => each.law), `${place} ${right}`).toContain(pack.law);
    }
  });

  test('is a doubtful one once the configuration says that it is confirmed', () => {
    const confirmed = createLawClocks(config({ confirmed_drafts: ['kenya_dpa'] }), 'gdpr');
    expect(choice(confirmed, 'KE').pack.law).toBe('kenya_dpa');
    expect(choice(confirmed, 'EG').pack.law).toBe('gdpr');
  });

  test('asked for by name is refused while it is a draft or not there, and taken once it is confirmed', () => {
    expect(() => checkLaw('kenya_dpa', '/requests/default_law')).toThrow(/\/requests\/default_law.*draft/u);
    expect(() => createLawClocks(config({ also: ['kenya_dpa'] }), 'gdpr')).toThrow(/\/clocks\/also\/0.*draft/u);
    expect(() => createLawClocks(config({ confirmed_drafts: ['lex_nullius'] }), 'gdpr')).toThrow(/\/clocks\/confirmed_drafts\/0/u);
    expect(() => checkLaw('lex_nullius', '/requests/default_law')).toThrow(/known: .*gdpr/u);
    expect(() => checkLaw('kenya_dpa', '/requests/default_law', ['kenya_dpa'])).not.toThrow();
    expect(() => checkLaw('gdpr', '/requests/default_law')).not.toThrow();
  });

  test('is not one before it is in force', () => {
    const confirmed = createLawClocks(config({ confirmed_drafts: ['chile_lpdp'] }), 'gdpr');
    expect(choice(confirmed, 'CL', 'erasure', Date.parse('2026-11-30T10:00:00Z')).pack.law).toBe('gdpr');
    expect(choice(confirmed, 'CL', 'erasure', Date.parse('2026-12-02T10:00:00Z')).pack.law).toBe('chile_lpdp');
  });

  test('is the strictest of those that hold', () => {
    const both = createLawClocks(config({ also: ['gdpr'] }), 'gdpr');
    expect(choice(both, 'US-CA').pack.law).toBe('gdpr');
    expect(choice(both, 'US-CA').why).toContain('ccpa, gdpr');
    expect(choice(both, 'KR').pack.law).toBe('korea_pipa');
    expect(choice(clocks, 'US-CA').pack.law).toBe('ccpa');
  });

  test('that says without delay has the target of the configuration, and says so', () => {
    const quick = createLawClocks(config({ without_delay_days: 5 }), 'gdpr');
    const chosen = choice(quick, 'JP');
    expect(new Date(chosen.due.at).toISOString()).toBe('2026-11-26T14:59:59.000Z');
    expect(chosen.due.steps[0]?.what).toContain('/clocks/without_delay_days');
    expect(choice(quick, 'AU', 'access').due.steps[0]?.what).toContain('the guidance is 30 days');
  });
});

describe('a broken pack', () => {
  const whole = `
pack: 1
law: example_law
title: Example
version: '2026-01-01'
applies: by_jurisdiction
jurisdictions: [QQ]
effective: { from: '2026-01-01', grade: V }
calendar: { time_zone: UTC, holidays: BE }
clocks:
  - { rights: [erasure], response: { days: 30 }, start: receipt, source: 'Art. 1', grade: V }
`;
  test('is refused with its file and the place named, and a whole one is read', () => {
    expect(readLawPack(whole, 'law-packs/example.yaml').law).toBe('example_law');
    const broken: readonly (readonly [change: readonly [string, string], says: RegExp])[] = [
      [['days: 30', 'days: -1'], /law-packs\/example\.yaml: \/clocks\/0\/response/u],
      [['days: 30', 'weeks: 4'], /law-packs\/example\.yaml: \/clocks\/0\/response/u],
      [['grade: V }\n', "grade: '?' }\n"], /law-packs\/example\.yaml: \/clocks\/0: a row graded \? must be a draft/u],
      [['time_zone: UTC', 'time_zone: Nowhere/City'], /law-packs\/example\.yaml: \/calendar\/time_zone/u],
      [["source: 'Art. 1', ", ''], /law-packs\/example\.yaml: \/clocks\/0\/source/u],
      [['[erasure]', '[erasure, erasure]'], /law-packs\/example\.yaml: \/clocks\/0\/rights: erasure has a clock already/u],
      [['[erasure]', '[oblivion]'], /law-packs\/example\.yaml: \/clocks\/0\/rights\/0/u],
      [['law: example_law', 'law: [unclosed'], /law-packs\/example\.yaml, line/u],
    ];
    for (const [[from, to], says] of broken) {
      const text = from.startsWith('grade') ? whole.replace(/grade: V \}\n$/u, to) : whole.replace(from, to);
      expect(text).not.toBe(whole);
      try {
        readLawPack(text, 'law-packs/example.yaml');
        throw new Error(`${to} was taken`);
      } catch (error) {
        expect(isFailure(error) && error.code === 'CONFIG_INVALID' ? error.detail : String(error)).toMatch(says);
      }
    }
  });
});
