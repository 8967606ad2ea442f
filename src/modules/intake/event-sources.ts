import { googleAccountSchema, type Transport } from '../../connector-kit/index.ts';
import type { Clock } from '../../platform/clock.ts';
import type { ConfigDocument } from '../../platform/config/document.ts';
import type { ConsumeConfig } from '../../platform/config/intake-events.ts';
import { resolveSecret, resolveSecrets, type SecretSources } from '../../platform/config/load.ts';
import type { Database } from '../../platform/db/database.ts';
import { Failure } from '../../platform/failure.ts';
import { Secret } from '../../platform/secret.ts';
import { createKafkaReader } from './consume-kafka.ts';
import type { KafkaSource } from './consume-kafka-cluster.ts';
import { createPubsubReader, type PubsubSource } from './consume-pubsub.ts';
import type { Refusals } from './consume-refusals.ts';
import type { BusReader } from './consume.ts';

/** What the buses of the configuration are read with. */
export interface EventSourcesDeps {
  readonly database: Database;
  readonly clock: Clock;
  readonly refusals: Pick<Refusals, 'refuse'>;
  /** The network when absent. */
  readonly transport?: Transport;
}

/** Where what the configuration leaves out comes from. */
export interface EventSourcesDefaults {
  readonly secrets: SecretSources;
  /** Of the process, for sources that name none. */
  readonly kafkaBrokers: readonly string[] | undefined;
}

/** A token that is shorter could be guessed. */
const tokenLengthMin = 16;

/** The settings of a source's bus, with the secrets themselves. */
function settingsOf(source: string, consume: ConsumeConfig, { secrets, kafkaBrokers }: EventSourcesDefaults): PubsubSource | KafkaSource {
  const at = `/sources/${source}/consume`;
  const resolved = resolveSecrets(consume, at, secrets) as ConsumeConfig;
  if (resolved.kind === 'pubsub') {
    const account = googleAccountSchema.safeParse(resolved.credentials);
    if (!account.success) throw new Failure('CONFIG_INVALID', `${at}/credentials must be the JSON key of a service account, with client_email and private_key`);
    return { ...resolved, credentials: account.data };
  }
  const brokers = resolved.brokers ?? kafkaBrokers;
  if (brokers === undefined) throw new Failure('CONFIG_INVALID', `${at}/brokers is missing, and QUITTANCE_KAFKA_BROKERS is not set`);
  return { ...resolved, brokers };
}

/** Makes the reader of a source's bus; it connects when it reads. Fails with `CONFIG_INVALID` where secrets or brokers are missing, or credentials are none. */
export function createBusReader(source: string, consume: ConsumeConfig, defaults: EventSourcesDefaults, deps: EventSourcesDeps): BusReader {
  const settings = settingsOf(source, consume, defaults);
  if (settings.kind === 'pubsub') return createPubsubReader(settings, { clock: deps.clock, ...(deps.transport === undefined ? {} : { transport: deps.transport }) });
  return createKafkaReader(settings, { source, database: deps.database, refusals: deps.refusals });
}

/** The token by which an event bus may have profiles anonymised. Fails with `CONFIG_INVALID` where it is missing or could be guessed. */
export function profilesToken(reference: string, secrets: SecretSources): Secret {
  const at = '/destinations/profiles/token';
  const token = resolveSecret(reference, at, secrets);
  if (token.length < tokenLengthMin) throw new Failure('CONFIG_INVALID', `${at} must have at least ${tokenLengthMin} characters`);
  return new Secret(token);
}

/** Refuses what a start would refuse of the buses and of what they may have done here, without a call. Fails with `CONFIG_INVALID`. */
export function checkEventSources(config: Pick<ConfigDocument, 'sources' | 'destinations' | 'connections'>, defaults: EventSourcesDefaults): void {
  for (const [name, { consume }] of Object.entries(config.sources)) if (consume !== undefined) settingsOf(name, consume, defaults);
  const { profiles } = config.destinations;
  if (profiles === undefined) return;
  profilesToken(profiles.token, defaults.secrets);
  for (const [index, system] of profiles.systems.entries()) {
    if (config.connections[system] === undefined) throw new Failure('CONFIG_INVALID', `/destinations/profiles/systems/${index} is not the name of a connection`);
  }
}
