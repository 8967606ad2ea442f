import { z } from 'zod';
import { identifierKindSchema } from '../../contract/identifiers.ts';
import { nameRule, origin, secretReference, secretReferenceOrUrl } from './rules.ts';

const seconds = (most: number): z.ZodNumber => z.number().positive().max(most);
/** As EventBridge names rules, targets, connections and API destinations. */
const busName = z.string().regex(/^[.\-_A-Za-z0-9]{1,64}$/u, 'must be 1 to 64 letters, digits, dots, dashes and underscores');
const headerName = z.string().regex(/^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,512}$/u, 'must be the name of a header');

const awsSchema = {
  region: z.string().regex(/^[a-z]{2}(-[a-z]+)+-\d$/u, 'must be a region such as eu-central-1'),
  bus: z.string().regex(/^[/.\-_A-Za-z0-9]{1,256}$/u).default('default').describe('The name of the event bus.'),
  endpoint: origin.optional().describe('Of a service that stands in for EventBridge.'),
  access_key: z.strictObject({ id: secretReference, secret: secretReference }).optional().describe('The role of the machine when absent.'),
};

/** How an API destination knows who calls; the kinds of EventBridge, and bearer, which is there an API key named Authorization. */
const authSchema = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('basic'), username: z.string().min(1).max(512), password: secretReference }),
  z.strictObject({ kind: z.literal('bearer'), token: secretReference }),
  z.strictObject({ kind: z.literal('api_key'), name: headerName, value: secretReference }),
  z.strictObject({
    kind: z.literal('oauth'),
    token_url: z.url({ protocol: /^https?$/u }),
    method: z.enum(['GET', 'POST', 'PUT']).default('POST'),
    client_id: z.string().min(1).max(512),
    client_secret: secretReference,
    scope: z.string().max(512).optional(),
  }),
]);

const every = {
  attempts: z.int().min(1).max(186).default(186).describe('How often a delivery is tried: once, and EventBridge’s 185 times again.'),
  age_hours: z.number().positive().max(24 * 30).default(24).describe('A delivery older than this is a dead letter.'),
  acknowledges_with: secretReference.optional().describe('The bearer token by which the receiver says what it did, at POST /v1/events/{id}/acknowledgements.'),
  recipient: z.string().min(1).max(200).optional().describe('Who receives it, as the data map and the packages of access requests name them.'),
};

const destinationSchema = z.discriminatedUnion('kind', [
  z.strictObject({
    kind: z.literal('http').describe('An API destination, as EventBridge calls them: its own rules call it here, or EventBridge does.'),
    ...every,
    endpoint: z.url({ protocol: /^https?$/u }).describe('Each * in its path or query is filled by a path parameter of the target.'),
    method: z.enum(['POST', 'GET', 'HEAD', 'OPTIONS', 'PUT', 'PATCH', 'DELETE']).default('POST'),
    auth: authSchema,
    headers: z.record(headerName, z.string().max(512)).default({}),
    calls_per_second: z.int().min(1).max(300).default(300),
    timeout_seconds: seconds(30).default(5).describe('EventBridge waits 5 s.'),
    allow_private_network: z.boolean().default(false),
  }),
  z.strictObject({ kind: z.literal('eventbridge'), ...every, ...awsSchema }),
  z.strictObject({
    kind: z.literal('kafka'),
    ...every,
    brokers: z.array(z.string().regex(/^[^\s:]+:\d{1,5}$/u, 'must be host:port')).min(1).optional().describe('QUITTANCE_KAFKA_BROKERS when absent.'),
    topic: z.string().regex(/^[A-Za-z0-9._-]{1,249}$/u, 'must be a topic’s name'),
    tls: z.boolean().default(false),
    sasl: z.strictObject({ mechanism: z.enum(['PLAIN', 'SCRAM-SHA-256', 'SCRAM-SHA-512']), username: z.string().min(1), password: secretReference }).optional(),
  }),
  z.strictObject({
    kind: z.literal('pubsub'),
    ...every,
    topic: z.string().regex(/^projects\/[a-z0-9:.-]{1,100}\/topics\/[A-Za-z][\w.~%+-]{2,254}$/u, 'must be projects/<project>/topics/<name>'),
    ordered: z.boolean().default(true).describe('With an ordering key, the same for all events about one person.'),
    endpoint: origin.default('https://pubsub.googleapis.com'),
    credentials: secretReference.describe('The JSON key of a service account with roles/pubsub.publisher on the topic.'),
  }),
  z.strictObject({
    kind: z.literal('redis'),
    ...every,
    url: secretReference.optional().describe('redis:// or rediss://; QUITTANCE_REDIS_URL when absent.'),
    stream: z.string().min(1).max(200).describe('The key of the stream.'),
    length_max: z.int().min(1000).max(100_000_000).default(1_000_000).describe('The stream is trimmed to about this many entries.'),
    projection: z.string().min(1).max(200).optional().describe('Before the subject, the key of a hash that has the newest event about that person.'),
    projection_days: z.int().min(1).max(3650).default(30).describe('How long that hash is kept after the last event about the person.'),
  }),
  z.strictObject({
    kind: z.literal('webhook').describe('Standard Webhooks 1.0.0.'),
    ...every,
    url: secretReferenceOrUrl,
    secret: secretReference.describe('whsec_… for v1 (HMAC-SHA256), whsk_… for v1a (Ed25519).'),
    timeout_seconds: seconds(30).default(20),
    allow_private_network: z.boolean().default(false),
  }),
]);

const pathSchema = z.string().min(1).max(256);
const targetSchema = z.strictObject({
  id: busName,
  destination: nameRule,
  InputPathsMap: z.record(z.string().regex(/^[A-Za-z0-9_-]{1,256}$/u), pathSchema).refine((map) => Object.keys(map).length <= 100, 'must have at most 100 paths').optional(),
  InputTemplate: z.string().min(1).max(8192).optional(),
  PathParameterValues: z.array(z.string().min(1)).max(20).default([]).describe('For each * of the endpoint: a value, or a path such as $.detail.request_id.'),
  acknowledgement: z.enum(['none', 'required']).default('none').describe('required: the receiver says later, by the event’s id, what it did.'),
});

const ruleSchema = z.strictObject({
  description: z.string().max(512).optional(),
  state: z.enum(['enabled', 'disabled']).default('enabled'),
  EventPattern: z.record(z.string(), z.unknown()).describe('As Amazon EventBridge documents it.'),
  identifiers: z.array(identifierKindSchema).default([]).describe('What of the person leaves with the events of this rule, as detail.identifiers.<kind>; nothing when empty.'),
  targets: z.array(targetSchema).min(1).max(5).refine((all) => new Set(all.map(({ id }) => id)).size === all.length, 'must have ids that differ'),
});

/** The part `events` of the configuration: where privacy events go. */
export const eventsSchema = z.strictObject({
  source: z.string().regex(/^(?!aws\.)[^\s]{1,256}$/u, 'must not start with aws. nor have spaces').default('quittance').describe('The source of every event.'),
  names: z.record(z.string(), z.string().min(1).max(128)).default({}).describe('Types of events under names of your own, such as erasure.completed: gdpr.deletion.complete.'),
  keep_days: z.int().min(1).max(365).default(30).describe('How long events are kept for replay.'),
  destinations: z.record(nameRule, destinationSchema).default({}),
  rules: z.record(busName, ruleSchema).default({}),
  eventbridge: z
    .strictObject({
      ...awsSchema,
      account: z.string().regex(/^\d{12}$/u, 'must be the 12 digits of the account').default('000000000000'),
      runs_rules: z.boolean().default(false).describe('true: rules whose targets are API destinations run at EventBridge; Quittance puts their events on the bus.'),
      prefix: z.string().regex(/^[A-Za-z][A-Za-z0-9-]{0,19}$/u).default('quittance').describe('Before the names of all that is provisioned.'),
    })
    .optional(),
});

/** Where privacy events go. */
export type EventsConfig = z.infer<typeof eventsSchema>;
/** One place that events can be sent to. */
export type DestinationConfig = z.infer<typeof destinationSchema>;
/** One rule. */
export type RuleConfig = z.infer<typeof ruleSchema>;
/** One target of a rule. */
export type TargetConfig = z.infer<typeof targetSchema>;
