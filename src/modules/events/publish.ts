import { uuidv7 } from 'uuidv7';
import type { AuditEntry } from '../../contract/audit-entry.ts';
import { formatId, parseId, type RequestId } from '../../contract/ids.ts';
import type { Clock } from '../../platform/clock.ts';
import { tablesOf, type Tx } from '../../platform/db/database.ts';
import { newEventId } from '../../platform/ids.ts';
import type { Jobs } from '../../platform/jobs/jobs.ts';
import type { PrivacyEvent } from './domain/event.ts';
import { eventsOfEntry, type EventContent } from './domain/events-of-entry.ts';
import type { Route, Routing } from './domain/routing.ts';
import { eventsDispatch } from './jobs.ts';
import { insertDeliveries, insertEvent, type EventRow, type NewDelivery } from './store.ts';
import type { EventTables } from './tables.ts';

/** What publishing needs. */
export interface PublishDeps {
  readonly clock: Clock;
  readonly jobs: Pick<Jobs, 'send'>;
  readonly routing: Routing;
  readonly source: string;
}

/** Publishes what an audit entry says, in its transaction: the event leaves if and only if the transaction commits. */
export type Publish = (tx: Tx, entry: AuditEntry, eventId: string) => Promise<void>;

/** The pseudonym by which an event names the person. */
export const subjectOf = (requestId: RequestId | null): { readonly subject?: string } => (requestId === null ? {} : { subject: formatId('request', requestId) });

/** Gives a stored event as it is matched and sent. */
export function eventOf(row: Pick<EventRow, 'id' | 'seq' | 'type' | 'request_id' | 'at' | 'detail'>, naming: { readonly source: string; readonly nameOf: (type: string) => string }): PrivacyEvent {
  return { id: row.id, seq: row.seq, type: naming.nameOf(row.type), source: naming.source, ...subjectOf(row.request_id), at: row.at.getTime(), detail: row.detail };
}

/** Makes the deliveries of an event for its routes. */
export function deliveriesFor(event: Pick<EventRow, 'id' | 'seq' | 'request_id'>, routes: readonly Route[], now: Date, round = 0): readonly NewDelivery[] {
  return routes.map((route) => ({
    id: uuidv7(),
    event_id: event.id,
    seq: event.seq,
    lane: event.request_id ?? event.id,
    rule: route.rule,
    target: route.target,
    destination: route.destination,
    round,
    created_at: now,
    next_at: now,
    needs_acknowledgement: route.needsAcknowledgement,
  }));
}

/** Wakes whoever sends to these destinations, if the transaction commits. */
export async function wakeDestinations(jobs: Pick<Jobs, 'send'>, tx: Tx, destinations: Iterable<string>): Promise<void> {
  for (const destination of new Set(destinations)) await jobs.send(tx, eventsDispatch, { destination });
}

/** Stores one event and a delivery for each route of it, in the caller's transaction, and has them sent. */
export async function storeEvent(deps: PublishDeps, tx: Tx, content: EventContent, about: { readonly id: string; readonly requestId: RequestId | null; readonly at: Date }): Promise<void> {
  const trx = tablesOf<EventTables>(tx);
  const detail = { event_id: about.id, ...content.detail, occurred_at: about.at.toISOString() };
  const row = { id: about.id, type: content.type, request_id: about.requestId, at: about.at, detail };
  const seq = await insertEvent(trx, row);
  const routes = deps.routing.routesOf(eventOf({ ...row, seq }, { source: deps.source, nameOf: deps.routing.nameOf }));
  await insertDeliveries(trx, deliveriesFor({ ...row, seq }, routes, new Date(deps.clock.now())));
  await wakeDestinations(deps.jobs, tx, routes.map(({ destination }) => destination));
}

/** Makes the use case. Without a rule nothing is stored. */
export function createPublish(deps: PublishDeps): Publish {
  return async (tx, entry, eventId) => {
    if (deps.routing.isEmpty) return;
    const requestId = entry.request_id === undefined ? null : (parseId('request', entry.request_id) ?? null);
    const [own, ...more] = eventsOfEntry(entry);
    if (own === undefined) return;
    const at = new Date(entry.at);
    await storeEvent(deps, tx, own, { id: eventId, requestId, at });
    for (const each of more) await storeEvent(deps, tx, each, { id: newEventId(), requestId, at });
  };
}
