import { z } from 'zod';

const eventSchema = z.object({ id: z.string(), type: z.string(), subject: z.string().optional(), at: z.string(), detail: z.record(z.string(), z.unknown()) });
const deliverySchema = z.object({
  id: z.string(),
  event_id: z.string(),
  rule: z.string(),
  target: z.string(),
  destination: z.string(),
  status: z.string(),
  attempts: z.int(),
  created_at: z.string(),
  next_at: z.string().nullable(),
  code: z.string().nullable(),
  acknowledgement: z.object({ outcome: z.string(), at: z.string() }).nullable(),
  needs_acknowledgement: z.boolean(),
});
/** A delivery, as far as the command line shows it. */
export type Delivery = z.infer<typeof deliverySchema>;

/** A page of events. */
export const eventListSchema = z.object({ items: z.array(eventSchema), next_cursor: z.string().nullable() });
/** An event with its deliveries. */
export const eventWithDeliveriesSchema = eventSchema.extend({ deliveries: z.array(deliverySchema) });
/** A page of deliveries. */
export const deliveryListSchema = z.object({ items: z.array(deliverySchema), next_cursor: z.string().nullable() });
/** The destinations of events. */
export const eventDestinationsSchema = z.object({
  items: z.array(z.object({ name: z.string(), state: z.string(), failures: z.int(), disabled_code: z.string().nullable(), waiting: z.int(), dead: z.int(), oldest_waiting_at: z.string().nullable() })),
});
/** How far a replay is. */
export const eventReplaySchema = z.object({ id: z.string(), looked_at: z.int(), sent: z.int(), done_at: z.string().nullable() });
