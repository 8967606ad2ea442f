import type { Identifier } from '../../contract/identifiers.ts';
import { formatId, parseId } from '../../contract/ids.ts';
import { tablesOf, type Database } from '../../platform/db/database.ts';
import type { Vault } from '../identity/index.ts';
import { eventOf, storeEvent, type PublishDeps } from './publish.ts';
import { deliveriesOf, findEvent } from './store.ts';
import type { EventTables } from './tables.ts';

/** How one subscriber stands to an event that asks for an erasure. */
export interface AskedSubscriber {
  readonly subscriber: string;
  readonly state: 'waiting' | 'undelivered' | 'erased' | 'anonymised' | 'nothing_held' | 'retained' | 'failed';
}

/** Asks subscribers to erase, and reads what they said. */
export interface AskSubscribers {
  /** Publishes `erasure.requested`, once for each event id, and answers whom it asks for an acknowledgement; nobody where no rule does. */
  readonly request: (about: { readonly eventId: string; readonly requestId: string; readonly taskId: string; readonly identifier: Identifier }) => Promise<readonly AskedSubscriber[]>;
  readonly answers: (eventId: string) => Promise<readonly AskedSubscriber[]>;
}

/** What asking needs. */
export interface AskDeps extends PublishDeps {
  readonly database: Database;
  readonly vault: Pick<Vault, 'unlock'>;
  /** The connection that a task is for, by its outside id. */
  readonly systemOf: (taskId: string) => Promise<string>;
}

const said = ['erased', 'anonymised', 'nothing_held', 'retained', 'failed'] as const;

/** Makes what the connector of subscribers speaks to. */
export function createAskSubscribers(deps: AskDeps): AskSubscribers {
  const answers: AskSubscribers['answers'] = async (eventId) => {
    const all = (await deliveriesOf(deps.database.read<EventTables>(), eventId)).filter((each) => each.needs_acknowledgement);
    return all.map(({ destination, status, acknowledged_at: at, acknowledged_as: as }) => {
      if (at !== null) return { subscriber: destination, state: said.find((each) => each === as) ?? 'erased' };
      return { subscriber: destination, state: status === 'dead' ? 'undelivered' : 'waiting' };
    });
  };
  return {
    answers,
    request: async ({ eventId, requestId, taskId, identifier }) => {
      const id = parseId('request', requestId);
      if (id === undefined) throw new Error('A task has a request id that is none');
      const { identifiers } = await deps.vault.unlock(id);
      const known = identifiers.find((each) => each.kind === identifier.kind && each.value === identifier.value);
      if (known === undefined) throw new Error('A task is about an identifier that its vault does not have');
      if ((await findEvent(deps.database.read<EventTables>(), eventId)) === undefined) {
        const system = await deps.systemOf(taskId);
        // The event names the identifier by its id in the vault, and by its kind: what leaves is looked up as it leaves.
        const content = { type: 'erasure.requested', detail: { request_id: requestId, task_id: taskId, system, right: 'erasure', action: 'erase', identifier_id: formatId('identifier', known.id), identifier_kind: known.kind } };
        const at = new Date(deps.clock.now());
        const routes = deps.routing.routesOf(eventOf({ id: eventId, seq: 0, type: content.type, request_id: id, at, detail: content.detail }, { source: deps.source, nameOf: deps.routing.nameOf }));
        const asked = routes.filter((each) => each.needsAcknowledgement);
        // One who is asked without being told whom would answer that all is done.
        if (asked.length === 0 || asked.some((each) => !each.identifiers.includes(known.kind))) return [];
        await deps.database.transaction(async (tx) => {
          if ((await findEvent(tablesOf<EventTables>(tx), eventId)) !== undefined) return;
          await storeEvent(deps, tx, content, { id: eventId, requestId: id, at });
        });
      }
      return answers(eventId);
    },
  };
}
