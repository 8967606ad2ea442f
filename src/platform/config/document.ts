import { z } from 'zod';
import { rightSchema } from '../../contract/outcomes.ts';

const nameRule = z.string().regex(/^[a-z][a-z0-9-]{0,39}$/u, 'must be lower-case letters, digits and dashes, starting with a letter, at most 40');

/** A secret by reference: `${env:NAME}` or `${file:/path}`. A value written out is refused. */
const secretReference = z
  .string()
  .regex(/^\$\{(env:[A-Z][A-Z0-9_]*|file:[^}]+)\}$/u, 'must be a reference, ${env:NAME} or ${file:/path}; secrets are not written into the configuration');

const secretReferenceOrUrl = z.union([secretReference, z.url({ protocol: /^https?$/u })]);

/** How it is proven who a person is: by the source's word, by a one-time code, or by the word of the verification service. */
const verifySchema = z.enum(['source', 'email_code', 'sms_code', 'proof']);

const origin = z.url({ protocol: /^https?$/u }).refine((value) => new URL(value).pathname === '/' && !/[?#@]/u.test(value), 'must be an origin: no path, query, fragment or credentials');

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
  scheme: z.enum(['standard-webhooks', 'hmac-sha256-hex', 'hmac-sha256-base64', 'jwt']).default('standard-webhooks').describe('How the body is signed.'),
  secret: secretReference.optional().describe('The shared secret of the HMAC schemes; whsec_… for standard-webhooks.'),
  jwks_url: z.url().optional().describe('For jwt: where the keys of the sender are.'),
  issuer: z.string().optional().describe('For jwt: the expected iss.'),
  audience: z.string().optional().describe('For jwt: the expected aud.'),
  verify: verifySchema
    .default('email_code')
    .describe('How it is proven who the person is: the source has verified them already, an e-mailed code, a code by SMS, or identity_proof_hash at the verification service.'),
  right: rightSchema.default('erasure'),
  jurisdiction: z.string().regex(/^[A-Z]{2}(-[A-Z0-9]{1,3})?$/u, 'must be an ISO 3166 code such as DE or US-CA').optional().describe('Assumed when the request does not say.'),
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
});

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
      default_law: z.string().regex(/^[a-z][a-z_]{1,20}$/u, 'must be a law in lower case, such as gdpr').default('gdpr').describe('The law whose clock runs when the jurisdiction does not tell.'),
    })
    .prefault({}),
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
  connections: z.record(nameRule, connectionSchema).default({}),
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
/** One configured connection; what its connector wants beside the common part is still unparsed. */
export type ConnectionConfig = z.infer<typeof connectionSchema>;
