import { createHash } from 'node:crypto';
import { Failure, type Json } from '../../connector-kit/index.ts';

/** What can be done with a value on its way into a request. A closed list: a declaration holds no code. */
const filters: Readonly<Record<string, (value: string) => string>> = {
  lower: (value) => value.toLowerCase(),
  upper: (value) => value.toUpperCase(),
  /** Lower-case hex of the UTF-8 bytes. */
  sha256: (value) => createHash('sha256').update(value, 'utf8').digest('hex'),
  /** Digits only: a telephone number without its plus sign. */
  digits: (value) => value.replaceAll(/\D/gu, ''),
  /** For a quoted word of a query language: backslashes and both quotes get a backslash in front. The quotes stand in the template. */
  escaped: (value) => value.replaceAll(/[\\'"]/gu, (sign) => `\\${sign}`),
};

/** The names of the filters. */
export const filterNames = Object.keys(filters);

/** What a template's names stand for; a name that is absent has no value at this time. */
export type TemplateValues = Readonly<Record<string, string | undefined>>;

/** One `{{name | filter}}` of a template; with `?` the whole text is left out when the name has no value. */
export interface Placeholder {
  readonly name: string;
  readonly filters: readonly string[];
  readonly isOptional: boolean;
}

const placeholderPattern = /\{\{\s*([a-z_]+(?:\.[a-z0-9_-]+)?)(\?)?\s*((?:\|\s*[a-z0-9_]+\s*)*)\}\}/gu;

/** The placeholders of a text, in order. Whatever else stands in double braces is answered by `strayBraces`. */
export function placeholdersOf(text: string): readonly Placeholder[] {
  return [...text.matchAll(placeholderPattern)].map(([, name = '', optional, chain = '']) => ({
    name,
    filters: chain.split('|').flatMap((each) => (each.trim() === '' ? [] : [each.trim()])),
    isOptional: optional === '?',
  }));
}

/** True where a text has double braces that are no placeholder: most likely a mistyped one. */
export function strayBraces(text: string): boolean {
  return /\{\{|\}\}/u.test(text.replaceAll(placeholderPattern, ''));
}

/**
 * A text with its placeholders filled in, each value passed through `encode`; undefined where an optional one has no value. What is filled in is
 * never read as a template again. Fails with `UNSUPPORTED` where a value is missing that is not optional, or empty.
 */
export function renderText(text: string, values: TemplateValues, encode: (value: string) => string = (value) => value): string | undefined {
  const found = placeholdersOf(text);
  if (found.some((each) => each.isOptional && valueOf(values, each.name) === undefined)) return undefined;
  let at = 0;
  return text.replaceAll(placeholderPattern, () => {
    const placeholder = found[at];
    at += 1;
    if (placeholder === undefined) throw new Failure('INTERNAL', 'A template has more placeholders than were read');
    const value = valueOf(values, placeholder.name);
    if (value === undefined) throw new Failure('UNSUPPORTED', `The declaration needs {{${placeholder.name}}}, which this task does not have`);
    const filled = placeholder.filters.reduce((text_, name) => filters[name]?.(text_) ?? text_, value);
    // `/contacts/` would be all of them.
    if (filled === '') throw new Failure('UNSUPPORTED', `Nothing is left of {{${placeholder.name}}} to be filled in`);
    return encode(filled);
  });
}

function valueOf(values: TemplateValues, name: string): string | undefined {
  return Object.hasOwn(values, name) ? values[name] : undefined;
}

/** A JSON value with every text in it filled in. Values get into texts only, so that none can become structure; names of fields are left alone. */
export function renderJson(template: Json, values: TemplateValues): Json | undefined {
  if (typeof template === 'string') return renderText(template, values);
  if (Array.isArray(template)) return (template as readonly Json[]).flatMap((each) => renderJson(each, values) ?? []);
  if (typeof template !== 'object' || template === null) return template;
  const entries = Object.entries(template).flatMap(([name, each]) => {
    const value = renderJson(each, values);
    return value === undefined ? [] : [[name, value] as const];
  });
  return Object.fromEntries(entries);
}
