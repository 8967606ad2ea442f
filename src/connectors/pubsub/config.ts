import { z } from 'zod';
import { googleAccountSchema } from '../../connector-kit/index.ts';
import { identifierKindSchema } from '../../contract/identifiers.ts';

const origin = z
  .url({ protocol: /^https?$/u })
  .refine((text) => URL.canParse(text) && new URL(text).pathname === '/' && new URL(text).search === '' && new URL(text).hash === '', 'must be an origin without a path')
  .transform((text) => new URL(text).origin);
const word = z.string().regex(/^[\w.:-]{1,100}$/u, 'letters, digits, _, ., : and - only');
/** Names as Google allows them: no other word fits into the path of an address unescaped. */
const resource = (kind: 'topics' | 'subscriptions'): z.ZodType<string> =>
  z.string().regex(new RegExp(`^projects/[a-z0-9:.-]{1,100}/${kind}/[A-Za-z][\\w.~%+-]{2,254}$`, 'u'), `must be projects/<project>/${kind}/<name>`);

const probeSchema = z.strictObject({
  url: z
    .url({ protocol: /^https?$/u })
    .refine((text) => text.includes('{key}'), 'must have {key}, which becomes the event’s idempotency key')
    .refine((text) => URL.canParse(text) && !/[{}]/u.test(new URL(text).host) && new URL(text).username === '' && !/[{}]/u.test(text.replaceAll('{key}', '')), 'must be an address without credentials, and with {key} behind its host'),
  bearer_token: z.string().min(1).optional(),
  answers: z
    .array(
      z.strictObject({
        status: z.int().min(200).max(599),
        field: z.string().regex(/^\w{1,64}$/u).optional().describe('A field of the JSON answer; the status alone decides when absent.'),
        equals: z.array(z.union([z.string(), z.number(), z.boolean()])).min(1).optional(),
        is: z.enum(['done', 'nothing_held', 'pending', 'failed']).describe('nothing_held: the service looked, and had nothing of this person.'),
      }),
    )
    .min(1)
    .refine((all) => all.every(({ field, equals }) => (field === undefined) === (equals === undefined)), 'field and equals belong together')
    .refine((all) => all.some((each) => each.is === 'done'), 'must say which answer is done'),
  proves_absence: z.boolean().default(false).describe('True where done means that the service looked and holds nothing: the erasure then counts as read back.'),
});

/** What a Pub/Sub connection is configured with; secrets are already resolved. */
export const pubsubConfigSchema = z
  .strictObject({
    topic: resource('topics'),
    endpoint: origin.default('https://pubsub.googleapis.com'),
    credentials: googleAccountSchema.describe('The JSON key of a service account with roles/pubsub.publisher and roles/pubsub.viewer on the topic, and roles/pubsub.subscriber on the subscription.'),
    event: word.default('workstation.delete'),
    reason: word.default('gdpr_erasure'),
    identifiers: z.array(identifierKindSchema).min(1).default(['user_id']).describe('By which kinds the service knows people: each known identifier of these is sent in an event of its own.'),
    ordered: z.boolean().default(false).describe('With an ordering key, the same for all events about one identifier: a hash, never the identifier itself.'),
    acknowledgement: z.strictObject({ subscription: resource('subscriptions'), event: word.default('workstation.deleted') }).optional(),
    probe: probeSchema.optional(),
  })
  .refine(({ acknowledgement, probe }) => acknowledgement !== undefined || probe !== undefined, 'must have acknowledgement or probe: that an event was published says nothing of what became of it');

/** What a Pub/Sub connection is configured with. */
export type PubsubConfig = z.output<typeof pubsubConfigSchema>;
/** How the service is asked what became of an event. */
export type Probe = z.output<typeof probeSchema>;
