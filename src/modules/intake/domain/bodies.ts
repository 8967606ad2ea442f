import { z } from 'zod';
import { identifierKindSchema, type IdentifierKind } from '../../../contract/identifiers.ts';
import { rightSchema, type Right } from '../../../contract/outcomes.ts';
import { Failure } from '../../../platform/failure.ts';
import { normalise, type NewIdentifier } from '../../identity/index.ts';

/** Longer than any identifier in any kind's rule: what is longer is refused before anything looks at it. */
const textMax = 1024;
/** More identifiers than a person gives; what systems know beside them is found by resolution. */
const identifiersMax = 20;

const jurisdictionSchema = z
  .string()
  .regex(/^[A-Z]{2}(-[A-Z0-9]{1,3})?$/u, 'must be an ISO 3166 code such as DE or US-CA')
  .describe('ISO 3166: the law that applies; the source’s own when absent.');
const text = z.string().max(textMax);

/** The short shape: what identifies the person, by name. */
export const flatBodySchema = z
  .strictObject({
    email: text.optional(),
    phone: text.optional().describe('E.164, or as written in the configured default country.'),
    stripe_customer_id: text.optional(),
    user_id: text.optional(),
    jurisdiction: jurisdictionSchema.optional(),
  })
  .describe('Any subset that identifies the person.');

/** Quittance's own shape. */
export const fullBodySchema = z.strictObject({
  right: rightSchema.optional(),
  subject: z.strictObject({ identifiers: z.array(z.strictObject({ kind: identifierKindSchema, value: text })).max(identifiersMax) }),
  jurisdiction: jurisdictionSchema.optional(),
});

/** What a body asks for, normalised. */
export interface ParsedBody {
  readonly right: Right | undefined;
  readonly jurisdiction: string | undefined;
  readonly identifiers: readonly NewIdentifier[];
}

/** What reading a body depends on. */
export interface BodyOptions {
  /** ISO 3166. */
  readonly defaultCountry: string;
  /** False when the person has yet to prove the e-mail address by a code; the rest is then the source's word. */
  readonly subjectVerified: boolean;
}

const flatKinds: readonly (readonly [keyof z.infer<typeof flatBodySchema>, IdentifierKind])[] = [
  ['email', 'email'],
  ['phone', 'phone'],
  ['stripe_customer_id', 'stripe_customer'],
  ['user_id', 'user_id'],
];

interface GivenText {
  readonly kind: IdentifierKind;
  readonly text: string;
  readonly field: string;
}

function validate<Schema extends z.ZodType>(schema: Schema, body: unknown): z.infer<Schema> {
  const parsed = schema.safeParse(body);
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0];
  const field = `/${issue?.path.join('/') ?? ''}`;
  if (issue?.code === 'unrecognized_keys') {
    // Not by its name: a key of the body may be anything, a person's address or number too. The path to it has known names only.
    throw new Failure('VALIDATION_FAILED', `${field} has a field that is not known here; remove it or correct its name (/openapi.json describes those that are)`, { field });
  }
  throw new Failure('VALIDATION_FAILED', `${field}: ${issue?.message ?? 'is not valid'}`, { field });
}

/**
 * Reads a parsed body of either shape. Fails with `VALIDATION_FAILED`, `IDENTIFIER_INVALID` or `IDENTIFIER_MISSING`, naming the field at
 * fault and never its value.
 */
export function readBody(body: unknown, options: BodyOptions): ParsedBody {
  if (typeof body !== 'object' || body === null || Array.isArray(body)) throw new Failure('VALIDATION_FAILED', 'The body must be a JSON object', { field: '/' });
  const full = Object.hasOwn(body, 'subject') || Object.hasOwn(body, 'right') ? validate(fullBodySchema, body) : undefined;
  const flat = full === undefined ? validate(flatBodySchema, body) : undefined;
  const given: readonly GivenText[] =
    full?.subject.identifiers.map(({ kind, value }, index) => ({ kind, text: value, field: `/subject/identifiers/${index}/value` })) ??
    flatKinds.flatMap(([name, kind]) => (flat?.[name] === undefined ? [] : [{ kind, text: flat[name], field: `/${name}` }]));
  if (given.length === 0) {
    throw new Failure('IDENTIFIER_MISSING', 'Name the person by at least one of e-mail address, phone number, Stripe customer id or user id');
  }
  return { right: full?.right, jurisdiction: (full ?? flat)?.jurisdiction, identifiers: readIdentifiers(given, options) };
}

function readIdentifiers(given: readonly GivenText[], options: BodyOptions): readonly NewIdentifier[] {
  const identifiers = new Map<string, NewIdentifier>();
  for (const each of given) {
    const form = normalise(each.kind, each.text, { defaultCountry: options.defaultCountry, field: each.field });
    const proven = options.subjectVerified || each.kind === 'email';
    if (!options.subjectVerified && each.kind === 'email' && [...identifiers.values()].some((known) => known.kind === 'email' && known.value !== form.value)) {
      // The code proves one address. A second one could be anybody's, and would be erased with it.
      throw new Failure('VALIDATION_FAILED', `${each.field} is a second e-mail address, and a code can prove only one; send a request for each`, { field: each.field });
    }
    const key = `${each.kind}:${form.value}`;
    if (!identifiers.has(key)) identifiers.set(key, { kind: each.kind, ...form, foundBy: 'given', confidence: proven ? 1 : 0.5 });
  }
  return [...identifiers.values()];
}
