import { z } from 'zod';
import { identifierKindSchema } from '../../contract/identifiers.ts';
import { jurisdiction, nameRule, origin, secretReference } from './rules.ts';

/** Messages of one source that are being accepted at once; a bus waits, a database does not get faster. */
const inFlight = z.int().min(1).max(100).default(10).describe('Messages that are accepted at once.');

/** A bus that the worker reads requests from. */
export const consumeSchema = z.discriminatedUnion('kind', [
  z.strictObject({
    kind: z.literal('pubsub'),
    subscription: z.string().regex(/^projects\/[a-z0-9:.-]{1,100}\/subscriptions\/[A-Za-z][\w.~%+-]{2,254}$/u, 'must be projects/<project>/subscriptions/<name>'),
    endpoint: origin.default('https://pubsub.googleapis.com'),
    credentials: secretReference.describe('The JSON key of a service account with roles/pubsub.subscriber on the subscription.'),
    in_flight: inFlight,
  }),
  z.strictObject({
    kind: z.literal('kafka'),
    brokers: z.array(z.string().regex(/^[^\s:]+:\d{1,5}$/u, 'must be host:port')).min(1).optional().describe('QUITTANCE_KAFKA_BROKERS when absent.'),
    topic: z.string().regex(/^[A-Za-z0-9._-]{1,249}$/u, 'must be a topic’s name'),
    tls: z.boolean().default(false),
    sasl: z.strictObject({ mechanism: z.enum(['PLAIN', 'SCRAM-SHA-256', 'SCRAM-SHA-512']), username: z.string().min(1), password: secretReference }).optional(),
    in_flight: inFlight,
  }),
]);

/** What event buses may have done here, beside opening requests at a source. */
export const destinationsSchema = z.strictObject({
  profiles: z
    .strictObject({
      token: secretReference.describe('The bearer token of the bus, at least 16 characters; it is good for nothing else.'),
      identifier: identifierKindSchema.describe('What profile_id is: stripe_customer where the bus passes on the customer id of Stripe.'),
      systems: z.array(nameRule).min(1).max(50).describe('The connections in which the person is anonymised, and no other; erased where a connector cannot anonymise.'),
      jurisdiction: jurisdiction.optional(),
      rate_limit_per_minute: z.int().min(1).max(1_000_000).default(600),
    })
    .optional()
    .describe('POST /v1/destinations/profiles: anonymises a person across channels, for the API destination of an event bus.'),
});

/** A bus that the worker reads requests from. */
export type ConsumeConfig = z.infer<typeof consumeSchema>;
/** How people are anonymised for an event bus. */
export type ProfilesConfig = NonNullable<z.infer<typeof destinationsSchema>['profiles']>;
