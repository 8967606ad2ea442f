import { z } from 'zod';
import { identifierKindSchema, type Identifier, type IdentifierKind } from '../../contract/identifiers.ts';
import { Failure } from '../../platform/failure.ts';

/** Where one person's objects are: under a prefix that ends in `/`, or, where `isExact`, under this name alone. */
export interface ObjectPlace {
  readonly bucket: string;
  readonly name: string;
  readonly isExact: boolean;
}

/** The names under which a person's objects are stored, as a connection is configured with them. */
export interface ObjectNames {
  readonly buckets: readonly string[];
  /** `users/{user_id}/`. */
  readonly prefixes: readonly string[];
  /** `avatars/{user_id}.png`. */
  readonly objects: readonly string[];
}

const placeholder = /\{([^{}]*)\}/gu;
const isKind = (text: string): text is IdentifierKind => identifierKindSchema.safeParse(text).success;

/** The kind of identifier that a template stands on; undefined where it has none, or a word that is none. */
function kindOf(template: string): IdentifierKind | undefined {
  const [found] = [...template.matchAll(placeholder)];
  const name = found?.[1];
  return name !== undefined && isKind(name) ? name : undefined;
}

function problemOf(template: string): string | undefined {
  const found = [...template.matchAll(placeholder)];
  if (found.length !== 1) return 'must have exactly one identifier in braces, as {user_id}: without one it would be everybody’s';
  if (kindOf(template) === undefined) return `must name a kind of identifier: ${identifierKindSchema.options.map((kind) => `{${kind}}`).join(', ')}`;
  if (/[{}]/u.test(template.replaceAll(placeholder, ''))) return 'has a brace that belongs to no identifier';
  if (template.startsWith('/') || template.includes('//')) return 'must have no empty part between slashes';
  return undefined;
}

const template = z
  .string()
  .min(1)
  .max(400)
  .superRefine((value, context) => {
    const problem = problemOf(value);
    if (problem !== undefined) context.addIssue({ code: 'custom', message: problem });
  });

/** A name under which exactly one object of a person is: `avatars/{user_id}.png`. */
export const objectTemplateSchema = template.refine((value) => !value.endsWith('/'), 'is a prefix, since it ends in /: list it under prefixes');
/**
 * A prefix under which all objects are one person's: `users/{user_id}/`. One that does not end in a slash is refused: `users/1` would be the prefix of
 * `users/12` too.
 */
export const prefixTemplateSchema = template.refine((value) => value.endsWith('/'), 'must end in /, or it would also be the prefix of other people’s objects (users/1 of users/12); a single object’s name goes under objects');

/** Shorter names than this are no person's: a value got lost on the way. */
const nameLengthMin = 4;
/** What programs write where a value is missing: whose objects lie there, nobody can say. */
const lostValues: readonly string[] = ['null', 'undefined', 'nan', 'none', 'nil', 'true', 'false', 'unknown', 'anonymous', '[object object]'];

function render(text: string, value: string): string {
  const isLost = value.trim() === '' || value === '.' || value === '..' || lostValues.includes(value.toLowerCase());
  // With a slash in it, a value could lead into another person's folder.
  const isOther = isLost || /[/\\*?\p{Cc}]/u.test(value);
  const name = text.replaceAll(placeholder, () => value);
  if (isOther || name.length < nameLengthMin) throw new Failure('SUBJECT_AMBIGUOUS', 'With this identifier the configured name of objects could be more than this person’s');
  // The limit of both S3 and Google Cloud Storage.
  if (Buffer.byteLength(name) > 1024) throw new Failure('UNSUPPORTED', 'With this identifier the configured name is longer than the name of an object can be');
  return name;
}

/** The kinds of identifier by which these names can be found. */
export function kindsOf(names: ObjectNames): readonly IdentifierKind[] {
  return [...new Set([...names.prefixes, ...names.objects].flatMap((each) => kindOf(each) ?? []))];
}

/**
 * Every place where the objects of an identifier can be, in each bucket and also under the identifier as it was once spelt: names of objects mind the case.
 * Fails with `SUBJECT_AMBIGUOUS` where a place could be somebody else's, and with `UNSUPPORTED` where it cannot exist.
 */
export function placesOf(names: ObjectNames, identifier: Identifier): readonly ObjectPlace[] {
  const values = [...new Set([identifier.value, ...(identifier.raw === undefined ? [] : [identifier.raw])])];
  const of = (templates: readonly string[], isExact: boolean): { name: string; isExact: boolean }[] =>
    templates.filter((each) => kindOf(each) === identifier.kind).flatMap((each) => values.map((value) => ({ name: render(each, value), isExact })));
  const places = [...of(names.prefixes, false), ...of(names.objects, true)];
  return names.buckets.flatMap((bucket) => places.map((place) => ({ bucket, ...place })));
}
