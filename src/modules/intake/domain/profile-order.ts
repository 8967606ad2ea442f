import { z } from 'zod';
import { Failure } from '../../../platform/failure.ts';
import { readIdempotencyKey } from './idempotency-key.ts';
import { validate } from './bodies.ts';

const nothing = z.null('must be null: no identifier of the person travels here');

/** What an event bus asks for of a profile. `identifiers` are those to be taken away, which is always both: no connector takes away one of them. */
export const profileOrderSchema = z.strictObject({
  profile_id: z.string().min(1).max(256),
  action: z.literal('anonymize', 'must be anonymize'),
  identifiers: z.strictObject({ email: nothing, phone: nothing }),
  event_id: z.string().regex(/^[!-~]{1,255}$/u, 'must be 1 to 255 printable ASCII characters without spaces').optional().describe('The id of the event that led to this, where the header Idempotency-Key does not carry it.'),
});

/** What is asked for. */
export interface ProfileOrder {
  readonly profileId: string;
  readonly action: 'anonymize';
  /** The bus's own id of the event, where it gave one. */
  readonly eventId: string | undefined;
}

/** Reads a parsed body and the header. Fails with `VALIDATION_FAILED`, naming the field at fault and never its value. */
export function readProfileOrder(body: unknown, idempotencyKey: string | readonly string[] | undefined): ProfileOrder {
  const order = validate(profileOrderSchema, body);
  const key = readIdempotencyKey(idempotencyKey);
  if (key !== undefined && order.event_id !== undefined && key !== order.event_id) {
    throw new Failure('VALIDATION_FAILED', '/event_id is another than Idempotency-Key; one of them is enough', { field: '/event_id' });
  }
  return { profileId: order.profile_id, action: order.action, eventId: order.event_id ?? key };
}
