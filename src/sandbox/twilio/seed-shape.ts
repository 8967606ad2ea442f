import { z } from 'zod';

const instant = z.iso.datetime({ offset: true }).optional();
const inFlight = z.strictObject({ ms: z.int().min(0).default(60_000), tries: z.int().min(1).default(3) }).optional();
const list = <T extends z.ZodType>(item: T) => z.array(item).default([]);

const recording = z.strictObject({
  call_sid: z.string().optional(),
  conference_sid: z.string().optional(),
  status: z.string().default('completed'),
  date_created: instant,
  in_flight: inFlight,
  transcriptions: list(z.string()),
  add_on_results: z.int().min(0).default(0),
});

const message = z.strictObject({
  to: z.string(),
  from: z.string(),
  body: z.string().default(''),
  status: z.string().default('delivered'),
  direction: z.enum(['inbound', 'outbound-api', 'outbound-call', 'outbound-reply']).optional(),
  date_created: instant,
  /** How long a message with a status that is not final refuses deletion. */
  in_flight: inFlight,
  /** Media with the same `key` are one medium, shared. */
  media: list(z.strictObject({ content_type: z.string().default('image/jpeg'), key: z.string().optional() })),
});

const call = z.strictObject({
  to: z.string(),
  from: z.string(),
  status: z.string().default('completed'),
  direction: z.string().default('outbound-api'),
  date_created: instant,
  in_flight: inFlight,
  recordings: list(recording),
});

const conversation = z.strictObject({
  friendly_name: z.string().optional(),
  state: z.enum(['active', 'inactive', 'closed']).default('active'),
  participants: list(z.strictObject({ address: z.string().optional(), proxy_address: z.string().optional(), identity: z.string().optional() })),
  messages: list(z.strictObject({ author: z.string(), body: z.string() })),
});

const profile = z.strictObject({
  /** A name by which `merged_into` of another profile points here. */
  key: z.string().optional(),
  store: z.string().default('sandbox'),
  traits: z.record(z.string(), z.record(z.string(), z.unknown())).default({}),
  identifiers: z.record(z.string(), z.array(z.string())).default({}),
  observations: list(z.string()),
  summaries: list(z.string()),
  merged_into: z.string().optional(),
  /** The id under which the literal endpoint also knows the profile. */
  profile_sid: z.string().optional(),
});

const bulk = z.strictObject({ to: z.string(), from: z.string(), count: z.int().min(0).max(1_000_000), body: z.string().default('Bulk message') });

/** What can be planted in the simulator. Unknown fields are refused, so that a misspelt seed fails instead of planting less. */
export const seedShape = z.strictObject({
  account_sid: z.string().regex(/^AC[0-9a-f]{32}$/u).optional(),
  auth_token: z.string().optional(),
  api_keys: z.array(z.strictObject({ sid: z.string(), secret: z.string() })).optional(),
  literal_profiles: z.boolean().optional(),
  /** How long Memory's readers see the state before an accepted change; `reads: 0` for at once. */
  visibility: z.strictObject({ reads: z.int().min(0), ms: z.int().min(0).default(5000) }).optional(),
  rate_limit: z.strictObject({ per_second: z.int().min(1) }).optional(),
  messages: list(message),
  bulk: z.union([bulk.transform((one) => [one]), z.array(bulk)]).default([]),
  calls: list(call),
  recordings: list(recording),
  conversations: list(conversation),
  users: list(z.strictObject({ identity: z.string(), friendly_name: z.string().optional() })),
  stores: list(z.strictObject({ display_name: z.string() })),
  profiles: list(profile),
  orchestrated_conversations: list(z.strictObject({ name: z.string().optional(), addresses: list(z.string()) })),
});

/** A seed as it is written. */
export type TwilioSeed = z.input<typeof seedShape>;
/** A seed with its defaults filled in. */
export type ParsedTwilioSeed = z.output<typeof seedShape>;
