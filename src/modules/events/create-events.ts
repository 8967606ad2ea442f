import type { Connector } from '../../connector-kit/index.ts';
import type { RequestId } from '../../contract/ids.ts';
import { createAuthenticate, type ApiKey, type Authenticate } from '../access/index.ts';
import type { Vault } from '../identity/index.ts';
import type { Clock } from '../../platform/clock.ts';
import type { EventsConfig } from '../../platform/config/events.ts';
import { resolveSecret, type SecretSources } from '../../platform/config/load.ts';
import { tablesOf, type Database, type Tx } from '../../platform/db/database.ts';
import { Failure } from '../../platform/failure.ts';
import type { HttpServer } from '../../platform/http/server.ts';
import type { Jobs } from '../../platform/jobs/jobs.ts';
import type { Log } from '../../platform/log.ts';
import type { Random } from '../../platform/random.ts';
import { Secret } from '../../platform/secret.ts';
import { createAcknowledge } from './acknowledgements.ts';
import { createAskSubscribers } from './ask-subscribers.ts';
import { createDestinations, destinationsOf, settingsOf, type DestinationDefaults, type DestinationDeps } from './destinations.ts';
import { createDispatch } from './dispatch.ts';
import { createRouting } from './domain/routing.ts';
import { eventsDispatch, eventsReplay } from './jobs.ts';
import { createPublish, type Publish } from './publish.ts';
import { createReplays } from './replay.ts';
import { registerEventRoutes } from './routes.ts';
import { buryDeliveries, dueDestinations, freeDestinations, insertDestinations, isOnItsWay, openReplays, pruneEvents, waitingDestinations } from './store.ts';
import { createSubscribersConnector } from './subscribers-connector.ts';
import type { EventTables } from './tables.ts';

/** What the events module needs. */
export interface EventsDeps extends DestinationDeps {
  readonly database: Database;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly jobs: Jobs;
  readonly vault: Vault;
  readonly onDead: (tx: Tx, finding: { readonly destination: string; readonly code: string }) => Promise<void>;
  /** Whether a task, by its outside id, still waits for what its event asks for. */
  readonly isStillAsked: (taskId: string) => Promise<boolean>;
  readonly onAcknowledged: (connection: string, eventId: string) => Promise<void>;
  /** The connection that a task is for, by its outside id. */
  readonly systemOf: (taskId: string) => Promise<string>;
}

/** Events, from the transaction that they come from to whom they are for. */
export interface Events {
  readonly publish: Publish;
  /** The connector of systems that erase on an event. */
  readonly connector: Connector;
  readonly dispatch: (destination: string, signal: AbortSignal) => Promise<void>;
  readonly runReplay: (id: string, signal: AbortSignal) => Promise<void>;
  /** Whether something of a person is still on its way by an event of this request: until then the vault is needed; a week at the most, and not for a destination that wants nothing any more. */
  readonly needsVault: (requestId: RequestId) => Promise<boolean>;
  /** Has everything sent that is due and nobody looks at. */
  readonly sweep: () => Promise<number>;
  /** Deletes what is older than it is kept. */
  readonly prune: (signal: AbortSignal) => Promise<number>;
  /** Frees what a process that died held, where there can be no other. */
  readonly recover: () => Promise<void>;
  readonly registerRoutes: (app: HttpServer, authenticate: Authenticate) => void;
  readonly close: () => Promise<void>;
}

const dayMs = 86_400_000;
const prunePage = 1000;
const vaultMsMax = 7 * dayMs;
const tokenLengthMin = 16;

/** Refuses rules and destinations that a start would refuse, without a database and without a call. Fails with `CONFIG_INVALID`. */
export function checkEvents(config: EventsConfig, secrets: SecretSources, defaults: DestinationDefaults): void {
  createRouting(config);
  readReceivers(config, secrets);
  for (const [name, each] of destinationsOf(config)) settingsOf(name, each, secrets, defaults);
}

/** The tokens by which receivers are known, each of one destination. Fails with `CONFIG_INVALID` for one that is short, or that two have. */
function readReceivers(config: EventsConfig, secrets: SecretSources): readonly ApiKey[] {
  const known = new Map<string, string>();
  return Object.entries(config.destinations).flatMap(([name, { acknowledges_with: reference }]) => {
    if (reference === undefined) return [];
    const field = `/events/destinations/${name}/acknowledges_with`;
    const token = resolveSecret(reference, field, secrets);
    if (token.length < tokenLengthMin) throw new Failure('CONFIG_INVALID', `${field} must have at least ${tokenLengthMin} characters`, { field });
    const other = known.get(token);
    if (other !== undefined) throw new Failure('CONFIG_INVALID', `${field} is the token of ${other} too; each destination has its own, or one could speak for the other`, { field });
    known.set(token, name);
    return [{ name, verify: 'source' as const, key: new Secret(token) }];
  });
}

/** Makes the module. Fails with `CONFIG_INVALID`. */
export async function createEvents(config: EventsConfig, deps: EventsDeps): Promise<Events> {
  const { database, clock, jobs } = deps;
  const routing = createRouting(config);
  const destinations = createDestinations(config, deps);
  const names = [...destinations.byName.keys()];
  const db = database.read<EventTables>();
  await insertDestinations(db, names);
  const publishing = { clock, jobs, routing, source: config.source };
  const dispatch = createDispatch({ ...publishing, database, random: deps.random, log: deps.log, vault: deps.vault, isStillAsked: deps.isStillAsked, destinations: destinations.byName, takesBusEvents: destinations.takesBusEvents, onDead: deps.onDead });
  const replays = createReplays({ ...publishing, database });
  const receivers = createAuthenticate(readReceivers(config, deps.secrets));
  // Not at once: while a new version is rolled out, another process may know a place that this one does not.
  const buryUnknown = async (now: Date): Promise<void> => {
    for (const destination of (await waitingDestinations(db)).filter((each) => !destinations.byName.has(each))) {
      const code = 'DESTINATION_REMOVED';
      const bury = async (tx: Tx): Promise<number> => {
        const buried = await buryDeliveries(tablesOf<EventTables>(tx), destination, code, new Date(now.getTime() - dayMs), now, prunePage);
        if (buried > 0) await deps.onDead(tx, { destination, code });
        return buried;
      };
      while ((await database.transaction(bury)) === prunePage);
    }
  };
  return {
    publish: createPublish(publishing),
    connector: createSubscribersConnector(createAskSubscribers({ ...publishing, database, vault: deps.vault, systemOf: deps.systemOf })) as Connector,
    dispatch,
    runReplay: replays.run,
    needsVault: (requestId) => isOnItsWay(db, requestId, routing.rulesWithIdentifiers, new Date(clock.now() - vaultMsMax)),
    sweep: async () => {
      const now = new Date(clock.now());
      await buryUnknown(now);
      const due = await dueDestinations(db, names, now);
      for (const destination of due) await jobs.poke(eventsDispatch, { destination });
      for (const id of await openReplays(db)) await jobs.poke(eventsReplay, { replay_id: id });
      return due.length;
    },
    prune: async (signal) => {
      const before = new Date(clock.now() - config.keep_days * dayMs);
      let pruned = 0;
      for (let page = prunePage; page === prunePage && !signal.aborted; pruned += page) page = await pruneEvents(db, before, prunePage);
      return pruned;
    },
    recover: () => freeDestinations(db),
    registerRoutes: (app, authenticate) =>
      registerEventRoutes(app, { database, authenticate, authenticateReceiver: receivers, replays, routing, config, acknowledge: createAcknowledge({ database, clock, onAcknowledged: deps.onAcknowledged }), wake: (destination) => jobs.poke(eventsDispatch, { destination }), now: clock.now }),
    close: destinations.close,
  };
}
