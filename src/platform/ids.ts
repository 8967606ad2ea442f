import { uuidv7 } from 'uuidv7';
import type { Id, IdKind } from '../contract/ids.ts';

/** Makes a new id of one kind: a UUID version 7, which sorts by the time of its making. */
export function newId<Kind extends IdKind>(_kind: Kind): Id<Kind> {
  return uuidv7() as Id<Kind>;
}

/** Makes the id of an event, the key by which it reaches the audit log only once. */
export function newEventId(): string {
  return uuidv7();
}
