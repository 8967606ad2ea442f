import type { Transport } from '../connector-kit/index.ts';
import { parseId } from '../contract/ids.ts';
import { createEvents, type DestinationDefaults, type Events } from '../modules/events/index.ts';
import type { Vault } from '../modules/identity/index.ts';
import type { Notify } from '../modules/notifications/index.ts';
import type { OrchestrationTables } from '../modules/orchestration/index.ts';
import { isoTime, type Clock } from '../platform/clock.ts';
import type { ConfigDocument } from '../platform/config/document.ts';
import type { SecretSources } from '../platform/config/load.ts';
import type { Settings } from '../platform/config/settings.ts';
import type { Database } from '../platform/db/database.ts';
import type { Jobs } from '../platform/jobs/jobs.ts';
import type { Log } from '../platform/log.ts';
import type { Random } from '../platform/random.ts';

/** What the events of a process are made of. */
export interface EventParts {
  readonly settings: Settings;
  readonly config: ConfigDocument;
  readonly secrets: SecretSources;
  readonly database: Database;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly jobs: Jobs;
  readonly vault: Vault;
  readonly transport: Transport;
  readonly notify: Notify;
  readonly onAcknowledged: (connection: string, eventId: string) => Promise<void>;
}

/** What the process says for destinations that do not say it themselves. */
export function destinationDefaults(settings: Settings): DestinationDefaults {
  return { kafkaBrokers: settings.kafkaBrokers, redisUrl: settings.redisUrl?.reveal() };
}

/** Makes the events module, and has the data protection officer told of what could not be delivered: once a day for each destination and reason. */
export async function makeEvents(parts: EventParts): Promise<Events> {
  const { settings, config, database, clock, notify } = parts;
  return createEvents(config.events, {
    ...parts,
    defaults: destinationDefaults(settings),
    onDead: (tx, { destination, code }) => notify(tx, { requestId: null, template: 'dpo_event_alert', recipient: 'dpo', occasion: `${destination}:${code}:${isoTime(clock.now()).slice(0, 10)}` }),
    isStillAsked: async (taskId) => {
      const id = parseId('task', taskId);
      if (id === undefined) return false;
      const row = await database.read<OrchestrationTables>().selectFrom('task').select('status').where('id', '=', id).executeTakeFirst();
      return row?.status === 'running';
    },
    systemOf: async (taskId) => {
      const id = parseId('task', taskId);
      if (id === undefined) throw new Error('A task has an id that is none');
      const row = await database.read<OrchestrationTables>().selectFrom('task').select('connection').where('id', '=', id).executeTakeFirstOrThrow();
      return row.connection;
    },
  });
}
