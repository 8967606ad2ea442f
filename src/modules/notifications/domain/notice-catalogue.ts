import type { ConfigDocument } from '../../../platform/config/document.ts';
import { Failure } from '../../../platform/failure.ts';
import { blockPlaceholders, noticePlaceholders, type NoticeName, type NoticeTexts, type WordName } from './notice-texts.ts';
import { german } from './texts/de.ts';
import { english } from './texts/en.ts';
import { spanish } from './texts/es.ts';
import { french } from './texts/fr.ts';

/** The texts of one language, and which it is. */
export interface LanguageTexts extends NoticeTexts {
  readonly language: string;
}

/** What is said, by language. */
export interface NoticeCatalogue {
  /** The texts for a language: its own, those of the language without its country, or those of the default. */
  readonly textsFor: (language: string | undefined) => LanguageTexts;
  readonly languages: readonly string[];
}

/** The languages that ship. */
export const shippedTexts: Readonly<Record<string, NoticeTexts>> = { en: english, de: german, fr: french, es: spanish };

const names = Object.keys(noticePlaceholders) as NoticeName[];
const wordNames = Object.keys(english.words) as WordName[];

/**
 * Makes the catalogue of a configuration. Fails with `CONFIG_INVALID` that names language, notice and field for a text that is missing in a language that
 * does not ship, for a name that there is not, and for a placeholder that is unknown, missing, or not alone in its paragraph where it must be.
 */
export function createNoticeCatalogue(config: ConfigDocument['notices']): NoticeCatalogue {
  const all = new Map<string, LanguageTexts>(Object.entries(shippedTexts).map(([language, texts]) => [language, { language, ...texts }]));
  for (const [language, own] of Object.entries(config.texts)) {
    const at = `/notices/texts/${language}`;
    const base = all.get(language);
    for (const name of Object.keys(own.templates)) if (!Object.hasOwn(noticePlaceholders, name)) throw wrong(`${at}/templates/${name}`, `there is no such notice; there are ${names.join(', ')}`);
    for (const name of Object.keys(own.words)) if (!Object.hasOwn(english.words, name)) throw wrong(`${at}/words/${name}`, 'there is no such word');
    const templates = Object.fromEntries(
      names.map((name) => {
        const template = own.templates[name] ?? base?.templates[name];
        if (template === undefined) throw wrong(`${at}/templates/${name}`, 'is missing: a language that does not ship needs every notice');
        checkTemplate(name, template, `${at}/templates/${name}`);
        return [name, template];
      }),
    ) as unknown as NoticeTexts['templates'];
    const words = Object.fromEntries(
      wordNames.map((name) => {
        const word = own.words[name] ?? base?.words[name];
        if (word === undefined) throw wrong(`${at}/words/${name}`, 'is missing: a language that does not ship needs every word');
        checkSame(word, english.words[name], `${at}/words/${name}`);
        return [name, word];
      }),
    ) as NoticeTexts['words'];
    all.set(language, { language, templates, words });
  }
  const fallback = all.get(config.language);
  if (fallback === undefined) throw wrong('/notices/language', `there are no texts in ${config.language}; there are ${[...all.keys()].join(', ')}`);
  return {
    languages: [...all.keys()],
    textsFor: (language) => (language === undefined ? undefined : (all.get(language) ?? all.get(language.split('-')[0] ?? ''))) ?? fallback,
  };
}

const wrong = (at: string, what: string): Failure => new Failure('CONFIG_INVALID', `${at}: ${what}`);

const placeholdersOf = (text: string): readonly string[] => [...text.matchAll(/\{([^{}]*)\}/gu)].map((match) => match[1] ?? '');

function checkTemplate(name: NoticeName, template: { readonly subject: string; readonly text: string }, at: string): void {
  const { needed, more }: { readonly needed: readonly string[]; readonly more: readonly string[] } = noticePlaceholders[name];
  const known = [...needed, ...more];
  for (const field of ['subject', 'text'] as const) {
    const unknown = placeholdersOf(template[field]).find((each) => !known.includes(each));
    if (unknown !== undefined) throw wrong(`${at}/${field}`, `{${unknown}} is unknown here; known are ${known.map((each) => `{${each}}`).join(', ')}`);
    const misplaced = placeholdersOf(template[field]).find((each) => blockPlaceholders.includes(each) && (field === 'subject' || !template.text.split(/\n{2,}/u).some((paragraph) => paragraph.trim() === `{${each}}`)));
    if (misplaced !== undefined) throw wrong(`${at}/${field}`, `{${misplaced}} must be a paragraph of its own, between empty lines`);
  }
  const missing = needed.find((each) => !placeholdersOf(`${template.subject} ${template.text}`).includes(each));
  if (missing !== undefined) throw wrong(`${at}/text`, `{${missing}} is missing`);
  if (template.subject === '' && !name.endsWith('_sms')) throw wrong(`${at}/subject`, 'is missing');
  if (template.subject.includes('\n')) throw wrong(`${at}/subject`, 'must be one line');
}

function checkSame(word: string, model: string, at: string): void {
  const [own, wanted] = [placeholdersOf(word), placeholdersOf(model)].map((each) => [...new Set(each)].toSorted().join(' '));
  if (own !== wanted) throw wrong(at, `must have exactly these placeholders: ${wanted === '' ? 'none' : wanted}`);
}
