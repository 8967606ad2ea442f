import { z } from 'zod';
import type { Correction } from '../../../connector-kit/index.ts';
import { identifierKindSchema, type IdentifierKind } from '../../../contract/identifiers.ts';
import { rightSchema, type Right } from '../../../contract/outcomes.ts';
import type { VerifyPolicy } from '../../../platform/config/document.ts';
import { Failure } from '../../../platform/failure.ts';
import { normalise, verificationMethodFor, type NewIdentifier, type VerificationMethod } from '../../identity/index.ts';

/** Longer than any identifier in any kind's rule: what is longer is refused before anything looks at it. */
const textMax = 1024;
/** More corrections than one request has. */
const correctionsMax = 20;
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
  corrections: z
    .array(
      z.strictObject({
        field: z.string().regex(/^[a-z][a-z0-9_]{0,63}$/u, 'must be a name such as email or postal_address'),
        from: text.optional().describe('What is there now: a system that holds something else is left as it is.'),
        to: text,
      }),
    )
    .min(1)
    .max(correctionsMax)
    .optional()
    .describe('For a rectification: what is to be put right, by the names that the systems agree on.'),
  language: z.string().regex(/^[a-z]{2,3}(-[A-Z]{2})?$/u, 'must be a language such as de or pt-BR').optional().describe('In which the person is written to.'),
});

/** The shape of a source that has its own ids and, perhaps, a proof of who the person is. */
export const subjectBodySchema = z
  .strictObject({
    request_id: z
      .string()
      .regex(/^[!-~]{1,256}$/u, 'must be 1 to 256 printable ASCII characters without spaces')
      .describe('The source’s own id of the request: the same id gets the first answer, in whatever message it comes.'),
    subject_email: text.optional(),
    subject_phone: text.optional().describe('E.164, or as written in the configured default country.'),
    identity_proof_hash: z
      .string()
      .regex(/^[!-~]{16,512}$/u, 'must be 16 to 512 printable ASCII characters without spaces')
      .optional()
      .describe('For a source with verify: proof. Another one under the same request_id is another try.'),
    jurisdiction: jurisdictionSchema.optional(),
  })
  .describe('With the source’s own id and a proof.');

/** What a body asks for, normalised. */
export interface ParsedBody {
  /** The source's own id of the request, where its body carries one. */
  readonly requestId: string | undefined;
  /** How it is to be proven who the person is. */
  readonly verification: 'source' | VerificationMethod;
  /** For the method `proof`. */
  readonly proof: string | undefined;
  readonly right: Right | undefined;
  readonly jurisdiction: string | undefined;
  readonly identifiers: readonly NewIdentifier[];
  readonly corrections: readonly Correction[];
  readonly language: string | undefined;
}

/** What reading a body depends on. */
export interface BodyOptions {
  /** ISO 3166. */
  readonly defaultCountry: string;
  /** What proves who the person is. A code proves what it was sent to; the rest is then the source's word. */
  readonly verify: VerifyPolicy;
  /** What is asked for where the body does not say. */
  readonly right: Right;
}

const flatKinds: readonly (readonly [name: string, kind: IdentifierKind])[] = [
  ['email', 'email'],
  ['phone', 'phone'],
  ['stripe_customer_id', 'stripe_customer'],
  ['user_id', 'user_id'],
];
const subjectKinds: typeof flatKinds = [
  ['subject_email', 'email'],
  ['subject_phone', 'phone'],
];

interface GivenText {
  readonly kind: IdentifierKind;
  readonly text: string;
  readonly field: string;
}

/** Checks a body by a schema. Fails with `VALIDATION_FAILED`, naming the field at fault and never its value, nor a name that the schema does not have. */
export function validate<Schema extends z.ZodType>(schema: Schema, body: unknown): z.infer<Schema> {
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

/** What a body of any shape says, its identifiers as they were written. */
interface GivenBody {
  readonly right?: Right | undefined;
  readonly jurisdiction?: string | undefined;
  readonly request_id?: string;
  readonly identity_proof_hash?: string | undefined;
  readonly given: readonly GivenText[];
  readonly corrections?: readonly { readonly field: string; readonly from?: string | undefined; readonly to: string }[] | undefined;
  readonly language?: string | undefined;
}

const named = (kinds: typeof flatKinds, body: Readonly<Record<string, string | undefined>>): readonly GivenText[] =>
  kinds.flatMap(([name, kind]) => (body[name] === undefined ? [] : [{ kind, text: body[name], field: `/${name}` }]));

function readShape(body: object): GivenBody {
  const has = (name: string): boolean => Object.hasOwn(body, name);
  if (has('subject') || has('right')) {
    const full = validate(fullBodySchema, body);
    return { ...full, given: full.subject.identifiers.map(({ kind, value }, index) => ({ kind, text: value, field: `/subject/identifiers/${index}/value` })) };
  }
  if (['request_id', 'identity_proof_hash', ...subjectKinds.map(([name]) => name)].some(has)) {
    const subject = validate(subjectBodySchema, body);
    return { ...subject, given: named(subjectKinds, subject) };
  }
  const flat = validate(flatBodySchema, body);
  return { ...flat, given: named(flatKinds, flat) };
}

/**
 * Reads a parsed body of any shape. Fails with `VALIDATION_FAILED`, `IDENTIFIER_INVALID` or `IDENTIFIER_MISSING`, naming the field at
 * fault and never its value.
 */
export function readBody(body: unknown, options: BodyOptions): ParsedBody {
  if (typeof body !== 'object' || body === null || Array.isArray(body)) throw new Failure('VALIDATION_FAILED', 'The body must be a JSON object', { field: '/' });
  const { given, right, jurisdiction, request_id: requestId, identity_proof_hash: proof, corrections = [], language } = readShape(body);
  if (((right ?? options.right) === 'rectification') !== corrections.length > 0) {
    throw new Failure('VALIDATION_FAILED', '/corrections belongs to the right rectification, which needs it', { field: '/corrections' });
  }
  if (given.length === 0) {
    throw new Failure('IDENTIFIER_MISSING', 'Name the person by at least one of e-mail address, phone number, Stripe customer id or user id');
  }
  const isProof = options.verify === 'proof';
  if (isProof && proof === undefined) {
    throw new Failure('VALIDATION_FAILED', '/identity_proof_hash is missing, and this source proves by it who its people are', { field: '/identity_proof_hash' });
  }
  const identifiers = readIdentifiers(given, options);
  const verification = verificationMethodFor(options.verify, identifiers.map((each) => each.kind));
  // A proof that nobody is asked about is not kept.
  return { right, jurisdiction, requestId, verification, proof: isProof ? proof : undefined, identifiers, corrections: corrections.map(({ field, from, to }) => ({ field, to, ...(from === undefined ? {} : { from }) })), language };
}

/** What a code proves: what it was sent to. The word of the source or of the verification service covers all that was given. */
const provenKind: Readonly<Record<VerifyPolicy, IdentifierKind | 'all'>> = { source: 'all', proof: 'all', email_code: 'email', sms_code: 'phone' };
const provenWords: Readonly<Partial<Record<IdentifierKind, string>>> = { email: 'e-mail address', phone: 'phone number' };

function readIdentifiers(given: readonly GivenText[], options: BodyOptions): readonly NewIdentifier[] {
  const identifiers = new Map<string, NewIdentifier>();
  const proves = provenKind[options.verify];
  for (const each of given) {
    const form = normalise(each.kind, each.text, { defaultCountry: options.defaultCountry, field: each.field });
    if (each.kind === proves && [...identifiers.values()].some((known) => known.kind === proves && known.value !== form.value)) {
      // The code proves one. A second one could be anybody's, and would be erased with it.
      throw new Failure('VALIDATION_FAILED', `${each.field} is a second ${provenWords[proves] ?? 'of its kind'}, and a code can prove only one; send a request for each`, { field: each.field });
    }
    const key = `${each.kind}:${form.value}`;
    const isProven = proves === 'all' || each.kind === proves;
    if (!identifiers.has(key)) identifiers.set(key, { kind: each.kind, ...form, foundBy: 'given', confidence: isProven ? 1 : 0.5 });
  }
  return [...identifiers.values()];
}
