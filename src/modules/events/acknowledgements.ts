import { z } from 'zod';
import { isoTime, type Clock } from '../../platform/clock.ts';
import { tablesOf, type Database } from '../../platform/db/database.ts';
import { Failure } from '../../platform/failure.ts';
import { acknowledge, deliveriesOf, findEvent } from './store.ts';
import type { EventTables } from './tables.ts';

/** What a receiver says that it did on an event. `nothing_held`: it looked, and knows nobody by what it was told. */
export const acknowledgedSchema = z.enum(['done', 'erased', 'anonymised', 'nothing_held', 'retained', 'failed']);
/** What a receiver says that it did on an event. */
export type Acknowledged = z.infer<typeof acknowledgedSchema>;

/** What noting needs. */
export interface AcknowledgeDeps {
  readonly database: Database;
  readonly clock: Clock;
  /** Has whoever waits for the acknowledgements of an event look at them. */
  readonly onAcknowledged: (connection: string, eventId: string) => Promise<void>;
}

/** An acknowledgement as it was noted. */
export interface Noted {
  readonly event_id: string;
  readonly subscriber: string;
  readonly outcome: Acknowledged;
  readonly acknowledged_at: string;
}

/**
 * Notes what a receiver says that it did. The first word counts: the same again changes nothing, another one fails with `CONFLICT`. An event that is not there, or that
 * this receiver was not asked to acknowledge, fails with `NOT_FOUND`, and the two cannot be told apart.
 */
export function createAcknowledge(deps: AcknowledgeDeps): (eventId: string, destination: string, outcome: Acknowledged) => Promise<Noted> {
  const db = deps.database.read<EventTables>();
  return async (eventId, destination, outcome) => {
    const at = new Date(deps.clock.now());
    const noted = await deps.database.transaction((tx) => acknowledge(tablesOf<EventTables>(tx), eventId, destination, { at, by: destination, as: outcome }));
    if (noted.length > 0) {
      const event = await findEvent(db, eventId);
      const system = event?.detail['system'];
      if (typeof system === 'string') await deps.onAcknowledged(system, eventId);
      return { event_id: eventId, subscriber: destination, outcome, acknowledged_at: isoTime(at.getTime()) };
    }
    const before = (await deliveriesOf(db, eventId)).find((each) => each.destination === destination && each.acknowledged_at !== null);
    if (before === undefined || before.acknowledged_at === null) throw new Failure('NOT_FOUND', 'There is no such event for this receiver to acknowledge');
    if (before.acknowledged_as !== outcome) throw new Failure('CONFLICT', 'This event was acknowledged before, with another outcome');
    return { event_id: eventId, subscriber: destination, outcome, acknowledged_at: before.acknowledged_at.toISOString() };
  };
}
