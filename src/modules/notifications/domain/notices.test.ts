import { describe, expect, test } from 'vitest';
import { delayReasons, justificationIri, refusalReasons } from '../../../contract/justifications.ts';
import { outcomeSchema, rightSchema } from '../../../contract/outcomes.ts';
import { documentSchema } from '../../../platform/config/document.ts';
import { isFailure } from '../../../platform/failure.ts';
import type { ClosureFacts, MessageText, RequestFacts } from '../notification.ts';
import { isMaskedAddress } from './masked-address.ts';
import { createNoticeCatalogue, shippedTexts } from './notice-catalogue.ts';
import { noticePlaceholders, type NoticeName } from './notice-texts.ts';
import { closedMessage, closedText, codeMessage, codeText, erasureMessage, readyMessage, readyText, requestMessage, type RequestNotice, type Writing } from './person-notices.ts';
import { recipientLiftedMessage, recipientMessage } from './recipient-notices.ts';
import type { MailedRecipient } from './recipients.ts';

const configOf = (notices: object = {}) => documentSchema.parse({ version: 1, controller: { name: 'Shop', contact: 'privacy@shop.example' }, notices }).notices;
const sender = { name: 'Shop', contact: 'privacy@shop.example' };
const catalogue = createNoticeCatalogue(configOf());
const writingIn = (language: string): Writing => ({ sender, texts: catalogue.textsFor(language) });

const told: RequestFacts = {
  reference: 'Q-7K3M-9D2F',
  right: 'erasure',
  law: 'EU GDPR',
  receivedAt: '2026-11-21T23:30:00.000Z',
  dueAt: '2027-02-22T07:59:59.000Z',
  timeZone: 'America/Los_Angeles',
  reasonCode: 'legally_exempted',
  decision: 'denied',
  mayAppeal: true,
};
const closure: ClosureFacts = {
  reference: 'Q-7K3M-9D2F',
  right: 'erasure',
  verdict: 'fulfilled_with_retention',
  closedAt: '2026-11-21T10:00:00.000Z',
  tasks: [
    { system: 'shop-db', outcome: 'anonymised', confirmation: 'verified_absent', residue: [{ what: 'invoices', why: 'legal_obligation', count: 2, legal_basis: 'AO § 147', until: '2033-12-31T00:00:00Z' }] },
    { system: 'crm', outcome: 'erased', confirmation: 'attested_by_vendor', residue: [] },
  ],
  erasedUnder: undefined,
  certificate: Buffer.from('{}'),
};
const disclosure = { nonce: Buffer.alloc(32, 7), email: 'ada@example.com' };
const fetched = { url: 'https://privacy.shop.example/v1/exports/abc?x=1&y=2', expiresAt: '2026-12-21T10:00:00.000Z', reference: 'Q-7K3M-9D2F', right: 'access' } as const;
const requestNotices: readonly RequestNotice[] = ['receipt', 'verified', 'extended', 'refused', 'appeal_decided'];

const recipient: MailedRecipient = { code: 'parcel', name: 'Parcel Example', contact: 'privacy@parcel.example', identifiers: ['email'], corrections: ['email'], reference: 'Q-7K3M-9D2F', language: undefined };

/** Every notice that a person, a recipient of the data, or the officer of an erasure, can get. */
function everyMessage(writing: Writing): Record<string, MessageText> {
  const code = { reference: 'Q-7K3M-9D2F', right: 'erasure', code: '04711815', minutes: 30 } as const;
  return {
    ...Object.fromEntries(requestNotices.map((name) => [name, requestMessage(writing, name, told)])),
    code: codeMessage(writing, 'code', code),
    export_code: codeMessage(writing, 'export_code', code),
    code_sms: { subject: 'sms', text: codeText(writing, code) },
    ready: readyMessage(writing, fetched),
    ready_sms: { subject: 'sms', text: readyText(writing, fetched) },
    closed: closedMessage(writing, closure, disclosure),
    closed_sms: { subject: 'sms', text: closedText(writing, closure) },
    recipient: recipientMessage(writing, recipient, { right: 'rectification', about: told, names: [{ kind: 'email', value: 'ada@example.com' }], corrections: [{ field: 'email', to: 'ada@example.org' }, { field: 'phone', to: '+12025550199' }] }),
    recipient_lifted: recipientLiftedMessage(writing, recipient, { names: [{ kind: 'email', value: 'ada@example.com' }], liftedAt: '2026-11-21T10:00:00.000Z' }),
    dpo_erasure: erasureMessage(writing, closure, 'req_00000000000000000000000000'),
  };
}

const refusal = (notices: object): string => {
  try {
    createNoticeCatalogue(configOf(notices));
  } catch (error) {
    if (isFailure(error) && error.code === 'CONFIG_INVALID') return error.detail;
    throw error;
  }
  throw new Error('the configuration was taken');
};

describe.each(Object.keys(shippedTexts))('the notices in %s', (language) => {
  const messages = everyMessage(writingIn(language));

  test('are all there, and no placeholder is left in any of them', () => {
    expect(Object.keys(messages).toSorted()).toEqual(Object.keys(noticePlaceholders).toSorted());
    for (const [name, message] of Object.entries(messages)) {
      for (const part of [message.subject, message.text, message.html ?? '']) {
        expect(part, name).not.toMatch(/\{[a-z_]+\}/u);
        expect(part, name).not.toContain('undefined');
      }
      expect(message.subject, name).not.toBe('');
      expect(message.text, name).toContain('Q-7K3M-9D2F');
    }
  });

  test('tell a recipient the corrections that its declaration names, and no other', () => {
    const { text = '' } = messages['recipient'] ?? {};
    expect(text).toContain('ada@example.org');
    expect(text).not.toContain('+12025550199');
    expect(text).toContain('Parcel Example');
    expect(recipientLiftedMessage(writingIn(language), { ...recipient, reference: undefined }, { names: [], liftedAt: '2026-11-21T10:00:00.000Z' }).text).not.toMatch(/\{|undefined/u);
  });

  test('say of a copy that came too late for an erasure that data was erased, and never that nothing was there', () => {
    const writing = writingIn(language);
    const nothing = { ...closure, right: 'access', verdict: 'nothing_held', tasks: [] } as const;
    const { words } = catalogue.textsFor(language);
    expect(closedMessage(writing, nothing, disclosure).text).toContain(words.verdict_nothing_held);
    for (const text of [closedMessage(writing, { ...nothing, erasedUnder: 'Q-2222-2222-2222' }, disclosure).text, closedText(writing, { ...nothing, erasedUnder: 'Q-2222-2222-2222' })]) {
      expect(text).toContain('Q-2222-2222-2222');
      expect(text).not.toContain(words.verdict_nothing_held);
    }
    const rest = closedMessage(writing, { ...nothing, verdict: 'fulfilled', erasedUnder: 'Q-2222-2222-2222' }, disclosure).text;
    expect(rest).toContain(words.verdict_fulfilled);
    expect(rest).toContain('Q-2222-2222-2222');
  });

  test('say in HTML what they say in text, in a document that fetches nothing and runs nothing', () => {
    for (const [name, { text, html = '' }] of Object.entries(messages).filter(([, each]) => each.html !== undefined)) {
      expect(html, name).toMatch(/^<!doctype html>/u);
      expect(html, name).toContain(`<html lang="${language}"`);
      expect(html, name).toMatch(/<title>[^<]+<\/title>/u);
      expect(html, name).not.toMatch(/<script|<img|<link|<iframe|<style|src=|url\(|@import|\son[a-z]+=/iu);
      expect([...html.matchAll(/https?:\/\/[^\s"<]+/gu)].map((match) => match[0]).filter((url) => !url.startsWith('https://privacy.shop.example/')), name).toEqual([]);
      const plain = html.slice(html.indexOf('</h1>')).replaceAll(/<[^>]+>/gu, ' ').replaceAll('&amp;', '&').replaceAll('&#39;', "'").replaceAll('&quot;', '"');
      const wordsOf = (part: string): string[] => part.split(/\s+/u).filter((each) => each !== '');
      expect(wordsOf(plain), name).toEqual(wordsOf(text));
    }
  });

  test('pass the checks that texts of one’s own must pass', () => {
    const { templates, words } = shippedTexts[language] ?? { templates: {}, words: {} };
    expect(() => createNoticeCatalogue(configOf({ texts: { [language]: { templates, words } } }))).not.toThrow();
  });

  test('have a word for every outcome, right and reason', () => {
    const { words } = catalogue.textsFor(language);
    for (const name of [...outcomeSchema.options.map((each) => `outcome_${each}`), ...rightSchema.options.map((each) => `right_${each}`), ...[...refusalReasons, ...delayReasons].map((each) => `reason_${each}`)]) {
      expect((words as Record<string, string>)[name], name).toMatch(/\S/u);
    }
  });
});

describe('a notice', () => {
  test('says dates as people write them, in the time zone of the law: a deadline at midnight in California is not a day late', () => {
    expect(requestMessage(writingIn('de'), 'extended', told).text).toContain('bis zum 21. Februar 2027');
    expect(requestMessage(writingIn('fr'), 'extended', told).text).toContain('21 février 2027');
    expect(requestMessage(writingIn('es'), 'extended', told).text).toContain('21 de febrero de 2027');
    expect(requestMessage(writingIn('en'), 'extended', told).text).toContain('February 21, 2027');
  });

  test('of the end says what was erased, and what is kept and why, for each system', () => {
    const { text, attachments } = closedMessage(writingIn('de'), closure, disclosure);
    expect(text).toContain('shop-db: anonymisiert, und nachgesehen: es ist weg');
    expect(text).toContain('      bleibt: 2 invoices (gesetzliche Pflicht, AO § 147; bis 2033-12-31)');
    expect(text).toContain('crm: gelöscht, nach Angabe des Systems');
    expect(text).toContain(`  key:  ${'07'.repeat(32)}\n  text: email:ada@example.com\n`);
    expect(attachments?.[0]?.filename).toBe('certificate-Q-7K3M-9D2F.json');
    expect(closedMessage(writingIn('de'), { ...closure, certificate: undefined }, disclosure).text).not.toContain('07070707');
  });

  test('calls an erasure that was done erased, and another right carried out', () => {
    expect(closedMessage(writingIn('en'), { ...closure, verdict: 'fulfilled' }, disclosure).text).toMatch(/^Your data was erased\./u);
    expect(closedMessage(writingIn('en'), { ...closure, verdict: 'fulfilled', right: 'access' }, disclosure).text).toMatch(/^Your request was carried out\./u);
  });

  test('of a refusal names the appeal only where the law gives one', () => {
    expect(requestMessage(writingIn('en'), 'refused', told).text).toContain('You can appeal');
    expect(requestMessage(writingIn('en'), 'refused', { ...told, mayAppeal: false }).text).not.toContain('You can appeal');
  });

  test('of the officer holds neither an address nor the key', () => {
    const { text, html } = erasureMessage(writingIn('en'), closure, 'req_1');
    for (const part of [text, html ?? '']) {
      expect(part).toContain('shop-db');
      expect(part).not.toMatch(/ada@|0707/u);
    }
  });

  test('with hostile values shows them as text, takes no placeholder from them, and keeps its subject on one line', () => {
    const hostile: Writing = { sender: { name: '<script>alert(1)</script>{code}\r\nBcc: eve@example.com', contact: '"><img src=x>' }, texts: catalogue.textsFor('en') };
    const { subject, html = '', text } = codeMessage(hostile, 'code', { reference: 'Q-1', right: 'erasure', code: '04711815', minutes: 30 });
    expect(subject).not.toMatch(/[\r\n]/u);
    expect(html).not.toMatch(/<script|<img/u);
    expect(html).toContain('&lt;script&gt;alert(1)&lt;/script&gt;{code}');
    expect(text.match(/04711815/gu)).toHaveLength(1);
  });
});

describe('the catalogue', () => {
  test('falls back from a country to its language, and from an unknown language to the default', () => {
    expect(catalogue.textsFor('de-AT').language).toBe('de');
    expect(catalogue.textsFor('tlh').language).toBe('en');
    expect(catalogue.textsFor(undefined).language).toBe('en');
    expect(createNoticeCatalogue(configOf({ language: 'fr' })).textsFor('tlh').language).toBe('fr');
  });

  test('takes a text of one’s own in the place of a shipped one, and a whole language beside them', () => {
    const receipt = { subject: 'Eingang {reference}', text: 'Hallo.\n\nAktenzeichen {reference}' };
    const own = createNoticeCatalogue(configOf({ texts: { de: { templates: { receipt } } } }));
    const writing = { sender, texts: own.textsFor('de') };
    expect(requestMessage(writing, 'receipt', told)).toMatchObject({ subject: 'Eingang Q-7K3M-9D2F', text: 'Hallo.\n\nAktenzeichen Q-7K3M-9D2F\n' });
    expect(requestMessage(writing, 'verified', told).text).toContain('bearbeiten ihn jetzt');
    const whole = createNoticeCatalogue(configOf({ texts: { it: shippedTexts['es'] ?? {} } }));
    expect(whole.textsFor('it').language).toBe('it');
    expect(whole.languages).toContain('it');
  });

  const { templates, words } = shippedTexts['en'] ?? { templates: {}, words: {} };
  const without = (from: object, name: string): object => Object.fromEntries(Object.entries(from).filter(([each]) => each !== name));
  test.each<[string, object, RegExp]>([
    ['a language without a notice', { texts: { it: { templates: without(templates, 'refused'), words } } }, /^\/notices\/texts\/it\/templates\/refused: is missing/u],
    ['a language without a word', { texts: { it: { templates, words: without(words, 'right_access') } } }, /^\/notices\/texts\/it\/words\/right_access: is missing/u],
    ['a notice that there is not', { texts: { de: { templates: { birthday: { subject: 'x', text: 'y' } } } } }, /^\/notices\/texts\/de\/templates\/birthday: there is no such notice/u],
    ['a word that there is not', { texts: { de: { words: { right_of_way: 'x' } } } }, /^\/notices\/texts\/de\/words\/right_of_way: there is no such word/u],
    ['an unknown placeholder', { texts: { de: { templates: { receipt: { subject: '{reference}', text: '{email}' } } } } }, /^\/notices\/texts\/de\/templates\/receipt\/text: \{email\} is unknown here/u],
    ['a placeholder that is missing', { texts: { de: { templates: { code: { subject: 'Code', text: '{reference} {minutes}' } } } } }, /^\/notices\/texts\/de\/templates\/code\/text: \{code\} is missing/u],
    ['a list inside a sentence', { texts: { de: { templates: { closed: { subject: '{reference}', text: '{verdict}\n\nIn {systems}\n\n{proof}' } } } } }, /^\/notices\/texts\/de\/templates\/closed\/text: \{systems\} must be a paragraph/u],
    ['a mail without a subject', { texts: { de: { templates: { receipt: { text: '{reference}' } } } } }, /^\/notices\/texts\/de\/templates\/receipt\/subject: is missing/u],
    ['a word without its placeholder', { texts: { de: { words: { stays_until: 'bald' } } } }, /^\/notices\/texts\/de\/words\/stays_until: must have exactly these placeholders: date/u],
    ['a default language without texts', { language: 'it' }, /^\/notices\/language: there are no texts in it/u],
  ])('refuses %s, and names the place', (_what, notices, says) => {
    expect(refusal(notices)).toMatch(says);
  });

  test('asks of no notice for a placeholder that it does not have', () => {
    for (const [name, { needed, more }] of Object.entries(noticePlaceholders) as [NoticeName, { needed: readonly string[]; more: readonly string[] }][]) expect(needed.filter((each) => more.includes(each)), name).toEqual([]);
  });
});

test.each(['deleted-a1b2c3d4@example.com', 'Deleted_user@example.com', 'anonymised.77@example.com', 'erased+1@example.com', 'deleted@example.com', 'a***@example.com', 'gone@example.invalid', 'redacted-user@example.com'])('%s looks like what an erasure left', (address) => {
  expect(isMaskedAddress(address)).toBe(true);
});

test.each(['ada@example.com', 'deletedscenes@example.com', 'maria.deleted@example.com', 'ada@invalid.example', 'masko@example.com', 'removedale@example.com'])('%s does not', (address) => {
  expect(isMaskedAddress(address)).toBe(false);
});

test('a reason is a term of the Data Privacy Vocabulary', () => {
  expect(justificationIri('identity_verification_failure')).toBe('https://w3id.org/dpv/justifications#IdentityVerificationFailure');
  expect(justificationIri('high_volume_of_processes')).toBe('https://w3id.org/dpv/justifications#HighVolumeOfProcesses');
});
