import { z } from 'zod';
import { holdsSchema } from '../../contract/holds.ts';
import { identifierKindSchema } from '../../contract/identifiers.ts';
import { rightSchema } from '../../contract/outcomes.ts';
import { eventsSchema } from './events.ts';
import { consumeSchema, destinationsSchema } from './intake-events.ts';
import { jurisdiction, nameRule, origin, secretReference, secretReferenceOrUrl } from './rules.ts';

/** How it is proven who a person is: by the source's word, by a one-time code, or by the word of the verification service. */
const verifySchema = z.enum(['source', 'email_code', 'sms_code', 'proof']);

const proofServiceSchema = z.strictObject({
  url: secretReferenceOrUrl.describe('Is asked by POST whether a proof belongs to a person; https, except on this machine.'),
  token: secretReference.describe('Sent as the bearer token.'),
  timeout_seconds: z.number().positive().max(60).default(10).describe('How long one answer may take; it is asked again, later and later, until the request expires.'),
});

const smsSchema = z
  .strictObject({
    account_sid: z.union([secretReference, z.string().regex(/^AC[0-9a-fA-F]{32}$/u, 'must be AC and 32 hexadecimal digits')]).describe('The Twilio account.'),
    auth: z.union([z.strictObject({ auth_token: secretReference }), z.strictObject({ api_key: secretReference, api_secret: secretReference })]),
    verify_service: z.string().regex(/^VA[0-9a-fA-F]{32}$/u, 'must be VA and 32 hexadecimal digits').optional().describe('Twilio Verify makes, sends and checks the codes; otherwise they are sent as plain messages.'),
    from: z.string().regex(/^(\+[1-9]\d{6,14}|MG[0-9a-fA-F]{32})$/u, 'must be a number such as +12025550100, or the MG… of a Messaging Service').optional().describe('The sender of plain messages.'),
    hosts: z.strictObject({ api: origin.default('https://api.twilio.com'), verify: origin.default('https://verify.twilio.com') }).prefault({}),
  })
  .refine((sms) => sms.verify_service !== undefined || sms.from !== undefined, 'must have verify_service, from, or both');

const sourceSchema = z.strictObject({
  scheme: z
    .enum(['standard-webhooks', 'hmac-sha256-hex', 'hmac-sha256-base64', 'jwt', 'bearer', 'api-key', 'pubsub-push'])
    .default('standard-webhooks')
    .describe('How the body is signed. bearer, api-key and pubsub-push sign nothing and only say who sends: for event buses, which can do no more.'),
  secret: secretReference.optional().describe('The shared secret of the HMAC schemes, whsec_… for standard-webhooks; the token of bearer and api-key.'),
  header: z.string().regex(/^[A-Za-z0-9-]{1,64}$/u, 'must be the name of a header').default('x-api-key').describe('For api-key: the header that carries it.'),
  jwks_url: z.url().optional().describe('For jwt and pubsub-push: where the keys of the sender are; Google’s for pubsub-push when absent.'),
  issuer: z.string().optional().describe('For jwt: the expected iss. For pubsub-push: Google when absent.'),
  audience: z.string().optional().describe('For jwt and pubsub-push: the expected aud.'),
  service_account: z.email().optional().describe('For pubsub-push: the service account whose tokens the subscription sends.'),
  consume: consumeSchema.optional().describe('Has the worker read the requests from a bus; nothing of this source is taken over HTTP then.'),
  verify: verifySchema
    .default('email_code')
    .describe('How it is proven who the person is: the source has verified them already, an e-mailed code, a code by SMS, or identity_proof_hash at the verification service.'),
  right: rightSchema.default('erasure'),
  jurisdiction: jurisdiction.optional().describe('Assumed when the request does not say.'),
  tolerance_seconds: z.int().min(10).max(3600).default(300).describe('How old or how far ahead a timestamp may be.'),
  rate_limit_per_minute: z.int().min(1).max(1_000_000).default(600),
});

const connectionSchema = z.looseObject({
  connector: nameRule.describe('The vendor folder: stripe, twilio, segment.'),
  after: z.array(nameRule).default([]).describe('Connections whose tasks come first: settled, or with a person.'),
  action: z.enum(['erase', 'anonymise']).default('erase'),
  concurrency: z.int().min(1).max(1000).optional().describe('Tasks at once, over all processes.'),
  calls_per_second: z.number().positive().max(10_000).optional().describe('Calls to the vendor, over all processes.'),
  timeout_seconds: z.number().positive().max(120).default(30).describe('How long one call may take.'),
  window_hours: z.number().positive().max(24 * 60).optional().describe('A task not settled by then goes to a person.'),
  holds: holdsSchema.optional().describe('What its records are, by their type: what a package of an access request says of them.'),
});

const bucketName = z.string().regex(/^[a-z0-9][a-z0-9._-]{1,220}[a-z0-9]$/u, 'must be the name of a bucket');
const prefix = z.string().regex(/^(?:[A-Za-z0-9_-]+\/)*$/u, 'must be folders such as quittance/exports/, with a / at the end').default('').describe('Goes before every name.');

const exportsSchema = z
  .strictObject({
    storage: z
      .discriminatedUnion('kind', [
        z.strictObject({ kind: z.literal('local').describe('The folder exports in QUITTANCE_DATA_DIR.') }),
        z.strictObject({
          kind: z.literal('s3'),
          bucket: bucketName,
          region: z.string().regex(/^[a-z0-9-]{2,40}$/u),
          prefix,
          endpoint: origin.optional().describe('Of another service that speaks the protocol of S3.'),
          path_style: z.boolean().default(false).describe('Whether the bucket is in the path and not in the host name.'),
          access_key: z.strictObject({ id: secretReference, secret: secretReference }).optional().describe('The role of the machine when absent.'),
          server_side_encryption: z.enum(['AES256', 'aws:kms']).default('AES256').describe('Asked of S3, which has to say that it did.'),
          kms_key_id: z.string().min(1).max(300).optional(),
        }),
        z.strictObject({
          kind: z.literal('gcs'),
          bucket: bucketName,
          prefix,
          endpoint: origin.optional().describe('Of a service that stands in for Google Cloud Storage.'),
          credentials: secretReference.optional().describe('The JSON key of a service account; the account of the machine when absent.'),
          kms_key_name: z.string().regex(/^projects\/[^/]+\/locations\/[^/]+\/keyRings\/[^/]+\/cryptoKeys\/[^/]+$/u).optional().describe('Asked of Google, which has to say that it used it.'),
        }),
      ])
      .prefault({ kind: 'local' }),
    encryption: z
      .enum(['age', 'storage'])
      .default('age')
      .describe('age: a key made for each package, so that the storage never has it in clear. storage: the server-side encryption of s3 or gcs, so that a download comes from there.'),
    complaint: z.string().min(1).max(1000).optional().describe('What a package says about where to complain: the supervisory authority and its address.'),
    automated_decisions: z.string().min(1).max(2000).optional().describe('What a package says about decisions by machines alone, and their logic (Art. 15(1)(h) GDPR).'),
  })
  .refine(({ storage, encryption }) => storage.kind !== 'local' || encryption === 'age', 'encryption: storage needs the storage s3 or gcs');

const lawName = z.string().regex(/^[a-z][a-z_]{1,20}$/u, 'must be a law in lower case, such as gdpr');
const hours = z.number().positive().max(24 * 90);
const language = z.string().regex(/^[a-z]{2,3}(-[A-Z]{2})?$/u, 'must be a language such as de or pt-BR');
const noticeTemplate = z.strictObject({
  subject: z.string().max(300).default('').describe('One line; empty for messages to telephones.'),
  text: z.string().min(1).max(10_000).describe('Paragraphs between empty lines; {placeholders} as the guide lists them.'),
});

const recipientName = z.string().min(1).max(500).describe('As /connections/*/holds/*/recipients names it.');
const recipientSchema = z.union([
  z.strictObject({
    name: recipientName,
    contact: z.email().describe('Is written to when data that was disclosed to it is erased, corrected or restricted (Art. 19 GDPR).'),
    identifiers: z.array(identifierKindSchema).min(1).describe('By which of their names the person is told of there: those by which the recipient knows them, and no other.'),
    corrections: z.array(z.string().regex(/^[a-z][a-z0-9_]{0,63}$/u)).max(100).default([]).describe('Fields whose corrected value it is told.'),
    reference: z.string().min(1).max(100).optional().describe('What it knows the disclosure by: a contract, an account. Nothing of a person.'),
    language: language.optional(),
  }),
  z.strictObject({ name: recipientName, connection: nameRule.describe('The connection whose own tasks do there what is asked: nobody writes beside it.') }),
]);

/** The configuration file `quittance.yaml`: everything that is not secret. */
export const documentSchema = z.strictObject({
  version: z.literal(1),
  controller: z.strictObject({
    name: z.string().min(1).max(200).describe('Who answers for the processing, as the certificate names it.'),
    contact: z.email().describe('Where people write to.'),
    dpo: z.email().optional().describe('Data protection officer: alerted when something waits for a person.'),
  }),
  identity: z
    .strictObject({
      default_country: z.string().regex(/^[A-Z]{2}$/u, 'must be an ISO 3166 country code such as US').default('US').describe('For phone numbers without a country code.'),
      code_minutes: z.int().min(1).max(1440).default(30).describe('How long a code is valid.'),
      code_attempts: z.int().min(1).max(20).default(5).describe('How often a code may be tried; and how many proofs a request may give.'),
      failed_proofs_per_hour: z.int().min(1).max(1_000_000).default(500).describe('Wrong codes and proofs in an hour, over all requests of a source; after that its people wait for the next hour.'),
      unverified_days: z.int().min(1).max(90).default(14).describe('A request that nobody verified expires then.'),
      proof_service: proofServiceSchema.optional().describe('For verify: proof.'),
      sms: smsSchema.optional().describe('For verify: sms_code; and to tell who has no proven e-mail address that their request is closed.'),
    })
    .prefault({}),
  requests: z
    .strictObject({
      approval: z.enum(['none', 'required']).default('none').describe('Whether a person approves each plan before anything is deleted.'),
      window_hours: z.number().positive().max(24 * 60).default(72).describe('A task not settled by then goes to a person.'),
      grace_days: z.number().min(0).max(365).default(30).describe('After closure, how long until the data key is destroyed.'),
      confirm_attempts: z.int().min(1).max(20).default(5).describe('How often a system is read back before a person is asked.'),
      default_law: lawName.default('gdpr').describe('The law whose clock runs when the jurisdiction does not tell.'),
    })
    .prefault({}),
  clocks: z
    .strictObject({
      target_hours: z
        .strictObject({ access: hours.default(48), erasure: hours.default(72), other: hours.default(72) })
        .prefault({})
        .describe('Internal targets, from verification on; beside the law, never in place of it.'),
      without_delay_days: z.int().min(1).max(90).default(15).describe('The internal target where a law says "without delay" and no number.'),
      also: z.array(lawName).default([]).describe('Laws that hold for every request beside that of its jurisdiction; the strictest wins.'),
      confirmed_drafts: z.array(lawName).default([]).describe('Law packs that ship as drafts and that your counsel has confirmed; they are used as the others then.'),
    })
    .prefault({})
    .describe('Legal clocks; the laws are in law-packs.'),
  notices: z
    .strictObject({
      language: language.default('en').describe('For a request that names no language, or one that there are no texts for.'),
      texts: z
        .record(language, z.strictObject({ templates: z.record(z.string(), noticeTemplate).default({}), words: z.record(z.string(), z.string().min(1).max(1000)).default({}) }))
        .default({})
        .describe('Texts of your own, by language. A language that does not ship needs every template and every word.'),
    })
    .prefault({})
    .describe('What is said to people, in which language.'),
  access: z
    .strictObject({
      api_keys: z.array(z.strictObject({ name: nameRule, key: secretReference, verify: verifySchema.default('source') })).default([]),
    })
    .prefault({}),
  mail: z
    .strictObject({
      smtp_url: z.union([secretReference, z.string().regex(/^smtps?:\/\/[^@]+$/u, 'must be an smtp:// or smtps:// URL without a password; with one it must be a reference, ${env:NAME}')]),
      from: z.string().min(3).max(200),
    })
    .optional(),
  alerts: z
    .strictObject({
      webhook: z.strictObject({ url: secretReferenceOrUrl, secret: secretReference }).optional().describe('Posts each alert, signed as Standard Webhooks; the secret is whsec_…'),
      chat: z.strictObject({ url: secretReference }).optional().describe('The incoming webhook of a chat: {"text": "…"}. Its URL is a secret.'),
    })
    .prefault({})
    .describe('Where the data protection officer is alerted beside e-mail.'),
  sources: z.record(nameRule, sourceSchema).default({}),
  destinations: destinationsSchema.prefault({}).describe('What event buses may have done here, beside opening requests.'),
  gdpr_request: z
    .strictObject({
      jwks_url: secretReferenceOrUrl.describe('Where the public keys are that the application signs its users’ tokens with.'),
      issuer: z.string().min(1).describe('The iss of these tokens.'),
      audience: z.string().min(1).describe('The aud of these tokens.'),
      user_claim: z.string().min(1).max(64).default('sub').describe('The claim that has the user’s id.'),
      users: nameRule.describe('The connection that knows the accounts by user_id.'),
      jurisdiction: jurisdiction.optional(),
    })
    .optional()
    .describe('POST /gdpr-request, for the users of the company’s own application.'),
  connections: z.record(nameRule, connectionSchema).default({}),
  recipients: z.record(nameRule, recipientSchema).default({}).describe('Who data was disclosed to, and how they are told what became of it.'),
  events: eventsSchema.prefault({}).describe('Where privacy events go.'),
  exports: exportsSchema.prefault({}).describe('Where the packages of access and portability requests are, and how they are encrypted.'),
  audit: z
    .strictObject({
      origin: z.string().regex(/^[a-z0-9][a-z0-9./-]{1,99}$/u, 'must be a name such as example.com/quittance').default('quittance.local/log').describe('The name of the log, in every checkpoint.'),
      checkpoint_seconds: z.number().positive().max(3600).default(2),
    })
    .prefault({}),
});

/** The configuration after parsing, secrets still as references. */
export type ConfigDocument = z.infer<typeof documentSchema>;
/** How it is proven who a person is, as a source or an API key is configured. */
export type VerifyPolicy = z.infer<typeof verifySchema>;
/** The verification service that is asked about proofs. */
export type ProofServiceConfig = z.infer<typeof proofServiceSchema>;
/** How messages to telephones are sent. */
export type SmsConfig = z.infer<typeof smsSchema>;
/** One configured source of requests. */
export type SourceConfig = z.infer<typeof sourceSchema>;
/** Where packages are, and how they are encrypted. */
export type ExportsConfig = z.infer<typeof exportsSchema>;
/** One configured connection; what its connector wants beside the common part is still unparsed. */
export type ConnectionConfig = z.infer<typeof connectionSchema>;
