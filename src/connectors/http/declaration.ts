import { z } from 'zod';
import { residueSchema } from '../../contract/outcomes.ts';
import { identifierKindSchema } from '../../contract/identifiers.ts';
import { checkDeclaration } from './check-declaration.ts';
import { jsonPathRule } from './json-path.ts';

const secret = z.string().min(1).describe('A reference: ${env:NAME} or ${file:/path}.');
const url = z.url({ protocol: /^https?$/u }).refine((value) => !/[?#@]/u.test(value), 'must have no credentials, no query and no fragment');
const headerName = z.string().regex(/^[A-Za-z0-9!#$%&'*+.^_`|~-]{1,100}$/u, 'must be the name of a header');
const path = z.string().regex(jsonPathRule, 'must be a path such as $.job.id, $.results[0].id or $.emails[*]');
const code = z.string().regex(/^[a-z][a-z0-9_]{0,63}$/u, 'lower-case letters, digits and underscores, starting with a letter');
const seconds = z.number().min(0).max(30 * 86_400);

const authSchema = z.discriminatedUnion('scheme', [
  z.strictObject({ scheme: z.literal('none') }),
  z.strictObject({ scheme: z.literal('basic'), username: z.string().min(1), password: secret }),
  z.strictObject({ scheme: z.literal('bearer'), token: secret }),
  z.strictObject({ scheme: z.literal('api_key'), in: z.enum(['header', 'query']).default('header'), name: headerName, key: secret }),
  z.strictObject({
    scheme: z.literal('hmac'),
    secret,
    over: z.enum(['request', 'body']).default('request').describe('request: timestamp, method, path with query, and body, joined by line feeds. body: the body alone.'),
    algorithm: z.enum(['sha256', 'sha512']).default('sha256'),
    encoding: z.enum(['hex', 'base64']).default('hex'),
    header: headerName.default('X-Signature'),
    prefix: z.string().max(20).default('').describe('Stands before the signature: sha256=.'),
    timestamp_header: headerName.default('X-Timestamp').describe('Seconds since 1970.'),
  }),
  z.strictObject({
    scheme: z.literal('oauth2'),
    token_url: url,
    client_id: z.string().min(1),
    client_secret: secret,
    scope: z.string().min(1).optional(),
    authentication: z.enum(['basic', 'body']).default('basic'),
  }),
]);

const json: z.ZodType<JsonTemplate> = z.lazy(() => z.union([z.string(), z.number(), z.boolean(), z.null(), z.array(json), z.record(z.string(), json)]));
/** A JSON value whose texts are templates. */
export type JsonTemplate = string | number | boolean | null | readonly JsonTemplate[] | { readonly [name: string]: JsonTemplate };

const requestSchema = z.strictObject({
  method: z.enum(['GET', 'POST', 'PUT', 'PATCH', 'DELETE']).default('GET'),
  path: z.string().regex(/^\/(?!\/)[^?#\\\s]*$/u, 'must start with one slash and have no query, fragment, backslash or space').describe('After base_url. What is filled in is percent-encoded.'),
  headers: z.record(headerName, z.string()).default({}),
  query: z.record(z.string().min(1), z.string()).default({}),
  body: json.optional().describe('Sent as JSON.'),
  text: z
    .strictObject({ content_type: z.string().regex(/^[\w.+-]+\/[\w.+-]+(?:; ?[\w-]+=[\w.-]+)*$/u), body: z.string() })
    .optional()
    .describe('Sent as it is, instead of a body. Only ids are filled in: letters, digits, full stops, dashes and underscores.'),
});

const scalar = z.union([z.string(), z.number(), z.boolean(), z.null()]);
const scalars = z.array(scalar).min(1);
const conditionSchema = z.union([scalar, scalars, z.strictObject({ exists: z.boolean() }), z.strictObject({ every: z.union([scalar, scalars]) })]);
const whenSchema = z
  .record(path, conditionSchema)
  .describe('All must hold: a path and the value or values that the first thing there has; whether something is there; or what everything there is, and there is something.');
const statuses = z.union([z.int().min(100).max(599), z.array(z.int().min(100).max(599)).min(1)]).transform((value) => (Array.isArray(value) ? value : [value]));

const reading = requestSchema.extend({ method: z.enum(['GET', 'POST'], 'only GET and POST: this must change nothing').default('GET') });

const fits = {
  status: statuses,
  when: whenSchema.default({}),
  any_body: z.boolean().default(false).describe('True accepts a body that is not JSON; otherwise such an answer fits no rule, since a proxy may have given it.'),
};
const fitsSchema = z.strictObject(fits);
const job = path.describe('Where the answer has the id of its job.');
const retryAfter = path.describe('Where the answer says in how many seconds to ask again; the header Retry-After is read anyway.');

const erasedAnswers = [
  z.strictObject({ ...fits, is: z.literal('success'), job: job.optional(), counts: z.record(code, path).default({}).describe('A number, or a list to be counted. All zero is nothing_matched.') }),
  z.strictObject({ ...fits, is: z.literal('pending'), job: job.optional(), retry_after: retryAfter.optional() }),
  z.strictObject({ ...fits, is: z.literal('already_gone'), job: job.optional() }),
  z.strictObject({ ...fits, is: z.literal('nothing_matched'), job: job.optional() }),
  z.strictObject({ ...fits, is: z.literal('still_there'), job: job.optional() }).describe('A step that looks, and sees what an earlier one said was gone: a person decides.'),
  z.strictObject({
    ...fits,
    is: z.literal('retained'),
    job: job.optional(),
    what: code,
    why: code.default('legal_obligation'),
    legal_basis: z.union([path, z.string().regex(/^[^$]/u).max(200)]).optional().describe('A path into the answer, or the words themselves.'),
    legal_bases: z.array(z.string().min(1).max(200)).max(50).default([]).describe('The words that the answer may have there. Any other are left out: they could hold a name.'),
    until: path.optional().describe('ISO 8601 date or time.'),
  }),
  z.strictObject({ ...fits, is: z.literal('failure'), job: job.optional(), retry: z.enum(['later', 'operator']), retry_after: retryAfter.optional() }),
] as const;
const eraseAnswerSchema = z.discriminatedUnion('is', [...erasedAnswers]);
const pollAnswerSchema = z.discriminatedUnion('is', [...erasedAnswers, z.strictObject({ ...fits, is: z.literal('unknown_job') })]);
const confirmAnswerSchema = z.strictObject({ ...fits, is: z.enum(['absent', 'present', 'later']) });

const pagingSchema = z.discriminatedUnion('by', [
  z.strictObject({ by: z.literal('cursor'), next: path }).describe('The value at `next` is {{page}} of the next request, until there is none.'),
  z.strictObject({ by: z.literal('number'), first: z.int().min(0).default(1) }).describe('{{page}} counts up until a page is empty.'),
  z.strictObject({ by: z.literal('link'), next: path }).describe('The address of the next page, of the same origin.'),
]);

const lookUpSchema = z.strictObject({
  type: code.describe('What the records are: contacts. Counted under this name.'),
  by: z.array(identifierKindSchema).min(1).optional().describe('The kinds that it can be asked by; all when absent.'),
  of: code.optional().describe('The type whose records these belong to: asked once for each, as {{parent.id}}.'),
  request: reading,
  items: path.default('$').describe('The list of records, or one record.'),
  id: path.default('$.id').describe('In a record: its id.'),
  where: whenSchema.default({}).describe('In a record: others are left out.'),
  match: z.partialRecord(identifierKindSchema, z.union([path, z.array(path).min(1)])).default({}).describe('In a record: where it carries what was asked for, for searches that find more than asked; others are left out.'),
  unmatched: z.enum(['left_out', 'ambiguous']).default('left_out').describe('What becomes of a record that `match` does not recognise: ambiguous gives an erasure or an export to a person.'),
  found: z.partialRecord(identifierKindSchema, path).default({}).describe('In a record: identifiers that it ties to the person. Before a record with one that is not known as the person’s is erased, a person looks.'),
  empty: z.array(fitsSchema).default([]).describe('Answers that mean: nobody.'),
  paging: pagingSchema.optional(),
  at_most: z.int().min(1).max(100_000).default(10_000).describe('More than this goes to a person.'),
});

const stepSchema = z.strictObject({
  each: code.optional().describe('The type of record that it is done to, one by one; absent: once for the identifier.'),
  request: requestSchema,
  answers: z.array(eraseAnswerSchema).min(1).describe('The first that fits decides.'),
  poll: z.strictObject({ request: reading, answers: z.array(pollAnswerSchema).min(1), every_seconds: seconds.min(1).optional() }).optional(),
});

const rectifySchema = z.strictObject({
  each: code.optional().describe('The type of record, under locate, that is corrected one by one; absent: once for the identifier, and the system’s word for it.'),
  fields: z.record(code, path).refine((value) => Object.keys(value).length > 0, 'must name at least one').describe('The corrections that it takes, by the names that requests use, and where a record shows each.'),
  request: requestSchema.describe('With {{correction.email?}} and so on: what is not to be corrected has no value.'),
  answers: z
    .array(z.discriminatedUnion('is', [z.strictObject({ ...fits, is: z.enum(['success', 'nothing_matched']) }), z.strictObject({ ...fits, is: z.literal('failure'), retry: z.enum(['later', 'operator']), retry_after: retryAfter.optional() })]))
    .min(1)
    .describe('The first that fits decides.'),
});

const within = seconds.default(0).describe('How long what was erased may still be seen before that counts as still present.');
const confirmSchema = z.discriminatedUnion('by', [
  z.strictObject({ by: z.literal('locate'), within_seconds: within }),
  z.strictObject({ by: z.literal('request'), request: reading, answers: z.array(confirmAnswerSchema).min(1), within_seconds: within }),
  z.strictObject({ by: z.literal('attestation') }),
]);

/** A purge contract: how one system is asked to look for a person, to erase, and to show that it did, as data. */
export const declarationSchema = z
  .strictObject({
    title: z.string().min(1).max(100).default('Purge contract'),
    base_url: url.transform((value) => value.replace(/\/+$/u, '')),
    auth: authSchema.default({ scheme: 'none' }),
    tls: z
      .strictObject({ certificate: z.string().min(1), client_key: secret, authority: z.string().min(1).optional() })
      .optional()
      .describe('Mutual TLS, with any auth: PEM texts, by reference. authority: who signed the server’s certificate, where that is not a public one.'),
    allow_private_network: z.boolean().default(false).describe('True for a system on a private address, or on this machine.'),
    identifiers: z
      .partialRecord(identifierKindSchema, z.string().min(1).max(100))
      .refine((value) => Object.keys(value).length > 0, 'must name at least one kind')
      .describe('The kinds that the system is asked by, and its name for each: {{identifier.field}}.'),
    check: z
      .strictObject({ request: reading, works: fitsSchema })
      .optional()
      .describe('A harmless call, and the answer that shows that the credentials work; a look-up of nobody when absent.'),
    failures: z
      .array(z.strictObject({ ...fits, retry: z.enum(['later', 'operator']), retry_after: retryAfter.optional() }))
      .default([])
      .describe('Answers that are failures to whatever was asked, before any other rule: a 403 that means too many calls.'),
    locate: z.array(lookUpSchema).default([]),
    erase: z.array(stepSchema).min(1),
    rectify: z.array(rectifySchema).default([]).describe('How what it holds is put right.'),
    access: z.array(lookUpSchema).default([]).describe('What is given to the person: every record that these find.'),
    confirm: confirmSchema.optional().describe('By locate where that is declared, otherwise by the system’s word.'),
    callback: z
      .strictObject({
        secret,
        job,
        signature_header: headerName.default('X-Signature'),
        timestamp_header: headerName.default('X-Timestamp'),
        prefix: z.string().max(20).default(''),
        encoding: z.enum(['hex', 'base64']).default('hex'),
        tolerance_seconds: z.int().min(10).max(3600).default(300),
      })
      .optional()
      .describe('HMAC-SHA-256 over timestamp, a full stop, and the body. It only wakes the task, which then asks.'),
    residue: z
      .array(z.strictObject({ ...residueSchema.omit({ count: true, until: true }).shape, until_days: z.number().positive().max(36_500).optional() }))
      .default([])
      .describe('What stays there after an erasure, whatever is answered.'),
    identity_map: z.boolean().default(false).describe('True where other systems’ look-ups depend on it: erased last.'),
    sequential: z.boolean().default(false).describe('True where it wants one identifier after the other.'),
    sanitization: z.enum(['clear', 'purge', 'destroy']).default('clear'),
    latency: z.strictObject({ typical_seconds: seconds, worst_seconds: seconds }).default({ typical_seconds: 60, worst_seconds: 86_400 }),
    limits: z
      .strictObject({ concurrency: z.int().min(1).max(100).default(4), calls_per_second: z.number().positive().max(1000).default(10), burst: z.int().min(1).max(1000).default(10) })
      .prefault({}),
  })
  .superRefine((declaration, context) => {
    for (const { at, message } of checkDeclaration(declaration)) context.addIssue({ code: 'custom', path: [...at], message });
  });

/** A purge contract after parsing. */
export type Declaration = z.output<typeof declarationSchema>;
/** A purge contract as it is written. */
export type DeclarationInput = z.input<typeof declarationSchema>;
/** How calls are authenticated. */
export type Auth = z.output<typeof authSchema>;
/** A request with templates in it. */
export type RequestTemplate = z.output<typeof requestSchema>;
/** A way to find records. */
export type LookUp = z.output<typeof lookUpSchema>;
/** A step of an erasure. */
export type EraseStep = z.output<typeof stepSchema>;
/** A rule of an erasure's or a poll's answer. */
export type EraseAnswer = z.output<typeof pollAnswerSchema>;
/** A rule of a read-back's answer. */
export type ConfirmAnswer = z.output<typeof confirmAnswerSchema>;
/** Conditions on a JSON value, by path. */
export type When = z.output<typeof whenSchema>;
/** What decides whether a rule is about an answer. */
export type Fits = z.output<typeof fitsSchema>;
