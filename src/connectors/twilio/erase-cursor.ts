import { z } from 'zod';
import { Failure, type Json } from '../../connector-kit/index.ts';
import { countsSchema } from '../../contract/outcomes.ts';

/**
 * A task that a person sent on anew begins without a cursor while its worklist still holds what was settled before. `round` is how many
 * objects those were: it marks the references of this run, so that what the vendor shows again is deleted again. `base` counts the deleted.
 */
const run = { round: z.int().nonnegative(), base: countsSchema };

const targetSchema = z.strictObject({
  store: z.string(),
  id: z.string(),
  /** The profile's own numbers and addresses, for looking it up after it is gone. */
  identifiers: z.array(z.strictObject({ idType: z.string(), value: z.string() })),
});
/** The Memory profile that a task is about. */
export type Target = z.output<typeof targetSchema>;

/** Which time the lists are read, from 0, and how many objects were settled before: a sweep that adds none is the last. */
const sweepSchema = z.strictObject({ number: z.int().nonnegative(), settled: z.int().nonnegative() });

const collectingSchema = z.strictObject({
  phase: z.literal('collecting'),
  ...run,
  sweep: sweepSchema,
  /** Which list is being read, of those that `sourcesOf` names. */
  source: z.int().nonnegative(),
  /** The page, as path and query; the first when absent. */
  page: z.string().optional(),
  /** How many of the page's rows are in the worklist already. */
  at: z.int().nonnegative(),
  /** How many recordings of the row at `at` are. */
  sub: z.int().nonnegative(),
  /** The page of messages of the conversation at `at`. */
  inner: z.string().optional(),
});
/** Walking the lists of messages, calls and conversations. */
export type Collecting = z.output<typeof collectingSchema>;

const profileSchema = z.strictObject({
  phase: z.literal('profile'),
  ...run,
  target: targetSchema,
  list: z.enum(['observations', 'summaries']),
  page: z.string().optional(),
});
/** Walking what a profile has. */
export type CollectingProfile = z.output<typeof profileSchema>;

const deletingSchema = z.strictObject({
  phase: z.literal('deleting'),
  ...run,
  /** Of a number or an address. */
  sweep: sweepSchema.optional(),
  /** Of a profile. */
  target: targetSchema.optional(),
  /** When the vendor first said that something is not final yet, and when to ask again. Milliseconds since the epoch. */
  notFinalSince: z.int().optional(),
  dueAt: z.int().optional(),
});
/** Working through the worklist. */
export type Deleting = z.output<typeof deletingSchema>;

const verifyingSchema = z.strictObject({
  phase: z.literal('verifying'),
  ...run,
  target: targetSchema,
  since: z.int(),
});
/** Looking a profile up until it is gone. */
export type Verifying = z.output<typeof verifyingSchema>;

const literalSchema = z.strictObject({
  phase: z.literal('literal'),
  /** Whether the endpoint showed the profile before it was deleted; it may not answer to reading. */
  seen: z.boolean(),
});
/** A deletion at the literal endpoint was, or is about to be, sent. */
export type Literal = z.output<typeof literalSchema>;

const overSchema = z.strictObject({
  phase: z.literal('over'),
  at: z.int(),
  target: targetSchema.optional(),
  /** How many identifiers a read-back has looked for in vain, and of which list (a hash). */
  checked: z.strictObject({ upTo: z.int().nonnegative(), of: z.string() }).optional(),
});
/** Over; the read-back starts from here. */
export type Over = z.output<typeof overSchema>;

const cursorSchema = z.discriminatedUnion('phase', [collectingSchema, profileSchema, deletingSchema, verifyingSchema, literalSchema, overSchema]);
/** What an erasure keeps between its steps. Holds numbers and addresses: the orchestrator keeps cursors encrypted. */
export type EraseCursor = z.output<typeof cursorSchema>;

/** Reads what an earlier step kept; undefined for the first step. A cursor of another shape is a bug and throws `INTERNAL`. */
export function parseCursor(cursor: Json): EraseCursor | undefined {
  if (cursor === null) return undefined;
  const parsed = cursorSchema.safeParse(cursor);
  if (!parsed.success) throw new Failure('INTERNAL', 'The kept cursor is not one of the Twilio connector');
  return parsed.data;
}

/** The cursor as JSON: fields that are absent stay absent. */
export function toJson(cursor: EraseCursor): Json {
  return JSON.parse(JSON.stringify(cursor)) as Json;
}
