import { z } from 'zod';
import { Failure, type Json } from '../../connector-kit/index.ts';

/** What hangs on a customer, in the order in which it is counted. */
export const heldKinds = ['charges', 'payment_intents', 'invoices', 'subscriptions', 'tax_ids', 'payment_methods'] as const;
/** A kind of object that hangs on a customer. */
export type HeldKind = (typeof heldKinds)[number];

/** How many of a kind there are, and when the newest was made, in seconds since the epoch. */
const heldSchema = z.strictObject({ count: z.int().nonnegative(), newest: z.int().nonnegative() });
/** How many of a kind there are, and when the newest was made, in seconds since the epoch. */
export type Held = z.output<typeof heldSchema>;

const progressSchema = z.strictObject({
  id: z.string(),
  /**
   * What comes next; the last row of stages are ends. A stage that changes something is kept before it is entered, so that a process that
   * comes after a death knows that the change may have been made.
   */
  stage: z.enum([
    ...['look', 'count', 'clear', 'scrub', 'read_mark', 'delete', 'poll', 'adopt', 'create', 'follow', 'validate', 'literal', 'read_literal'] as const,
    ...['erased', 'anonymised', 'marked', 'too_young', 'absent', 'unknown'] as const,
  ]),
  /** Set once, so that a repeated update is the same update. Milliseconds since the epoch. */
  startedAt: z.int(),
  held: z.record(z.string(), heldSchema),
  /** The kind that is being counted and the last object that was. */
  counting: z.strictObject({ kind: z.enum(heldKinds), after: z.string().optional() }).optional(),
  /** The first object of the last page that was cleared: seen again, it did not go. */
  cleared: z.string().optional(),
  /** How often in a row a read-back has not shown what was answered. */
  looks: z.int(),
  /** Goes up when a person sends the task on: the work is done anew then, not replayed. */
  round: z.int(),
  job: z.string().optional(),
  /** How often the job was polled. */
  polls: z.int(),
  /** When the youngest transaction is old enough, milliseconds since the epoch. */
  oldEnoughAt: z.int().optional(),
});
/** How far one customer's erasure is. */
export type Progress = z.output<typeof progressSchema>;

const cursorSchema = z.strictObject({ v: z.literal(1), searched: z.boolean(), customers: z.array(progressSchema) });
/** How far a task is; holds Stripe's ids and nothing else of the person. */
export type TaskCursor = z.output<typeof cursorSchema>;

/** Stages at which nothing further happens to a customer in this task. */
export const endStages: readonly Progress['stage'][] = ['erased', 'anonymised', 'marked', 'too_young', 'absent', 'unknown'];

/** A customer of whom nothing is known yet. */
export function startProgress(id: string, now: number): Progress {
  return { id, stage: 'look', startedAt: now, held: {}, looks: 0, round: 1, polls: 0 };
}

/**
 * What idempotency keys of one run of a task share: a run that begins anew, because a person sent the task on or its time came round
 * again, is new work, and would otherwise be answered with what was kept of the old.
 */
export function runOf(progress: Progress): string {
  return `${progress.startedAt}.${progress.round}`;
}

/** Reads a kept cursor; undefined when there is none. One that cannot be read is a bug, not a vendor's fault. */
export function readCursor(cursor: Json): TaskCursor | undefined {
  if (cursor === null) return undefined;
  const parsed = cursorSchema.safeParse(cursor);
  if (!parsed.success) throw new Failure('INTERNAL', 'The kept cursor of a Stripe task cannot be read');
  return parsed.data;
}

/** The cursor as it is kept; `undefined` fields are dropped. */
export function keepCursor(task: TaskCursor): Json {
  return JSON.parse(JSON.stringify(task)) as Json;
}
