import type { DestinationConfig } from '../../../platform/config/events.ts';

type Of<Kind extends DestinationConfig['kind']> = Extract<DestinationConfig, { readonly kind: Kind }>;

/** The settings of an API destination: as configured, with the secrets themselves where the configuration has references to them. So for each that follows. */
export type HttpSettings = Of<'http'>;
/** The settings of a Standard Webhooks receiver. */
export type WebhookSettings = Of<'webhook'>;
/** The settings of an event bus of Amazon EventBridge. */
export type EventbridgeSettings = Of<'eventbridge'>;
/** The settings of a topic of Google Cloud Pub/Sub. */
export type PubsubSettings = Of<'pubsub'>;
/** The settings of a topic of Kafka, with the brokers that the process names where the destination names none. */
export type KafkaSettings = Omit<Of<'kafka'>, 'brokers'> & { readonly brokers: readonly string[] };
/** The settings of a stream of Redis, with the address that the process names where the destination names none. */
export type RedisSettings = Omit<Of<'redis'>, 'url'> & { readonly url: string };
/** The settings of any of them. */
export type TargetSettings = HttpSettings | WebhookSettings | EventbridgeSettings | PubsubSettings | KafkaSettings | RedisSettings;
