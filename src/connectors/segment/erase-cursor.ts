import { z } from 'zod';
import { Failure, type Json } from '../../connector-kit/index.ts';

/** Regulations that this task gave up on; a retry by a person makes a new one instead of finding these again. */
const abandoned = z.array(z.string()).default([]);

/** Profiles of the person that no regulation reaches, since they have no user id. */
const stranded = z.int().nonnegative();

/** Looking for a regulation to adopt before one is created. */
const lookingSchema = z.object({
  phase: z.literal('looking'),
  subjects: z.array(z.string()).min(1),
  stranded,
  page: z.string().optional(),
  /** True when a regulation may have been created of which no answer came. */
  posted: z.boolean(),
  /** True when it was not listed at first and was given time to appear. */
  waited: z.boolean(),
  abandoned,
});
/** Looking for a regulation to adopt before one is created. */
export type Looking = z.output<typeof lookingSchema>;

/** Following a regulation until it ends. */
const followingSchema = z.object({
  phase: z.literal('following'),
  subjects: z.array(z.string()).min(1),
  stranded,
  regulation: z.string(),
  /** When it was created, by our clock, or by Segment's when adopted. */
  since: z.number(),
  adopted: z.boolean(),
  abandoned,
});
/** Following a regulation until it ends. */
export type Following = z.output<typeof followingSchema>;

/** Over, one way or the other. The read-back starts from here, and so does a new attempt that a person asks for. */
const overSchema = z.object({
  phase: z.literal('over'),
  at: z.number(),
  abandoned,
  /** How far a read-back over many identifiers came, and over which (a hash of them). */
  checked: z.object({ upTo: z.int().nonnegative(), of: z.string() }).optional(),
});
/** Over, one way or the other. */
export type Over = z.output<typeof overSchema>;

const cursorSchema = z.discriminatedUnion('phase', [lookingSchema, followingSchema, overSchema]);
/** What an erasure keeps between its steps. Holds user ids: the orchestrator keeps cursors encrypted. */
export type EraseCursor = z.output<typeof cursorSchema>;

/** Reads what an earlier step kept; undefined for the first step. A cursor of another shape is a bug and throws `INTERNAL`. */
export function parseCursor(cursor: Json): EraseCursor | undefined {
  if (cursor === null) return undefined;
  const parsed = cursorSchema.safeParse(cursor);
  if (!parsed.success) throw new Failure('INTERNAL', 'The kept cursor is not one of the Segment connector');
  return parsed.data;
}

/** The cursor as JSON: fields that are absent stay absent. */
export function toJson(cursor: EraseCursor): Json {
  return JSON.parse(JSON.stringify(cursor)) as Json;
}
