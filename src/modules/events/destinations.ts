import type { Transport } from '../../connector-kit/index.ts';
import type { Clock } from '../../platform/clock.ts';
import type { DestinationConfig, EventsConfig } from '../../platform/config/events.ts';
import { resolveSecrets, type SecretSources } from '../../platform/config/load.ts';
import type { Database } from '../../platform/db/database.ts';
import { takePlace } from '../../platform/db/rate-limit.ts';
import { Failure } from '../../platform/failure.ts';
import type { Destination } from './dispatch.ts';
import { busDestination } from './domain/routing.ts';
import { createTarget } from './targets/create-target.ts';
import type { TargetSettings } from './targets/settings.ts';

/** What the process says for destinations that do not say it themselves. */
export interface DestinationDefaults {
  readonly kafkaBrokers: readonly string[] | undefined;
  readonly redisUrl: string | undefined;
}

/** What destinations are opened with. */
export interface DestinationDeps {
  readonly database: Database;
  readonly clock: Clock;
  readonly secrets: SecretSources;
  readonly defaults: DestinationDefaults;
  readonly transport: Transport;
}

/** Every destination of a process. */
export interface Destinations {
  readonly byName: ReadonlyMap<string, Destination>;
  readonly takesBusEvents: (name: string) => boolean;
  readonly close: () => Promise<void>;
}

const placeOf = (name: string): string => (name === busDestination ? '/events/eventbridge' : `/events/destinations/${name}`);

const hourMs = 3_600_000;
/** How long a call waits for its place in a destination's limit. */
const patienceMs = 1000;

/** The destinations that a configuration has, the event bus among them where rules run there. */
export function destinationsOf(config: EventsConfig): ReadonlyMap<string, DestinationConfig> {
  const all = new Map<string, DestinationConfig>(Object.entries(config.destinations));
  if (config.eventbridge?.runs_rules === true) {
    const { region, bus, endpoint, access_key } = config.eventbridge;
    all.set(busDestination, { kind: 'eventbridge', attempts: 186, age_hours: 24, region, bus, ...(endpoint === undefined ? {} : { endpoint }), ...(access_key === undefined ? {} : { access_key }) });
  }
  return all;
}

/**
 * Gives a destination's settings with its secrets. Fails with `CONFIG_INVALID` where a secret is not set, or where neither the destination nor the process says
 * where the broker is.
 */
export function settingsOf(name: string, config: DestinationConfig, sources: SecretSources, defaults: DestinationDefaults): TargetSettings {
  const at = placeOf(name);
  const resolved = resolveSecrets(config, at, sources) as DestinationConfig;
  if (resolved.kind === 'kafka') {
    const brokers = resolved.brokers ?? defaults.kafkaBrokers;
    if (brokers === undefined) throw new Failure('CONFIG_INVALID', `${at}/brokers: say where the brokers are, here or in QUITTANCE_KAFKA_BROKERS`, { field: `${at}/brokers` });
    return { ...resolved, brokers };
  }
  if (resolved.kind === 'redis') {
    const url = resolved.url ?? defaults.redisUrl;
    if (url === undefined) throw new Failure('CONFIG_INVALID', `${at}/url: say where Redis is, here or in QUITTANCE_REDIS_URL`, { field: `${at}/url` });
    return { ...resolved, url };
  }
  return resolved;
}

/** Prepares every destination; nothing is called before the first delivery. Fails with `CONFIG_INVALID`. */
export function createDestinations(config: EventsConfig, deps: DestinationDeps): Destinations {
  const configured = destinationsOf(config);
  const byName = new Map<string, Destination>();
  for (const [name, each] of configured) {
    const perSecond = each.kind === 'http' ? each.calls_per_second : 1;
    const target = createTarget(settingsOf(name, each, deps.secrets, deps.defaults), {
      at: placeOf(name),
      clock: deps.clock,
      transport: deps.transport,
      acquire: () => takePlace(deps.database, `event:${name}`, { perSecond, burst: perSecond }, patienceMs),
    });
    byName.set(name, { name, attemptsMax: each.attempts, ageMsMax: each.age_hours * hourMs, target });
  }
  return {
    byName,
    takesBusEvents: (name) => configured.get(name)?.kind === 'http',
    close: async () => {
      for (const { target } of byName.values()) await target.close();
    },
  };
}
