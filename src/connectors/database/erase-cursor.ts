import { createHash } from 'node:crypto';
import { z } from 'zod';
import { Failure, type Json } from '../../connector-kit/index.ts';
import type { DatabaseConfig } from './config.ts';

const subjects = z.array(z.record(z.string(), z.string().nullable()));
const key = z.array(z.string());
const count = z.int().nonnegative();

const tallySchema = z.object({
  counts: z.record(z.string(), count),
  deleted: count,
  anonymised: count,
  unlinked: count,
  /** Rows of the person that were looked at, changed or not. */
  seen: count,
  /** Those among them that stay by law. */
  keptRows: count,
  kept: z.array(z.object({ what: z.string(), legalBasis: z.string(), count, until: z.number() })),
});
/** What was done so far. */
export type Tally = z.output<typeof tallySchema>;

/** Where an erasure stands: which of the person's rows, which stage, behind which key. */
const placeSchema = z.object({ subject: count, stage: count, after: key.optional(), tally: tallySchema });
/** Where an erasure stands. */
export type Place = z.output<typeof placeSchema>;

const workingSchema = z.object({
  phase: z.literal('working'),
  /** A hash of the data map: places mean nothing under another. */
  declared: z.string(),
  subjects,
  /** The moment by which ends are judged, the same for all rows and for the read-back. */
  asOf: z.number(),
  place: placeSchema,
  /** How often it began anew, because a row that was deleted was referred to again meanwhile. */
  restarts: count,
  /** A batch that may have been committed: by its first row it can be seen whether it was. */
  pending: z.object({ key, how: z.enum(['delete', 'update']), next: placeSchema }).optional(),
});
/** An erasure on its way. */
export type Working = z.output<typeof workingSchema>;

const overSchema = z.object({
  phase: z.literal('over'),
  subjects,
  asOf: z.number(),
  /** How far a read-back came. */
  checked: z.object({ subject: count, stage: count, after: key.optional() }).optional(),
});
/** An erasure that is over; the read-back looks for the rows by what is kept here. */
export type Over = z.output<typeof overSchema>;

/** An identifier found several people; a person decides. */
const doubtSchema = z.object({ phase: z.literal('doubt'), keys: z.array(z.string()) });

/** A correction on its way: who is corrected is kept from before what finds them is. */
const correctingSchema = z.object({ phase: z.literal('correcting'), subjects });

const cursorSchema = z.discriminatedUnion('phase', [workingSchema, overSchema, doubtSchema, correctingSchema]);
/** What is kept between steps. Holds what the person's rows are found by: the orchestrator keeps cursors encrypted. */
export type Cursor = z.output<typeof cursorSchema>;

/** Reads what an earlier step kept; undefined for the first. Another shape is a bug and throws `INTERNAL`. */
export function parseCursor(cursor: Json): Cursor | undefined {
  if (cursor === null) return undefined;
  const parsed = cursorSchema.safeParse(cursor);
  if (!parsed.success) throw new Failure('INTERNAL', 'The kept cursor is not one of the database connector');
  return parsed.data;
}

/** The cursor as JSON: fields that are absent stay absent. */
export function toJson(cursor: Cursor): Json {
  return JSON.parse(JSON.stringify(cursor)) as Json;
}

/** A hash of what decides on places. */
export function declaredBy({ subject, tables }: DatabaseConfig): string {
  return createHash('sha256').update(JSON.stringify([subject, tables])).digest('hex').slice(0, 32);
}

/** Nothing done yet. */
export const emptyTally: Tally = { counts: {}, deleted: 0, anonymised: 0, unlinked: 0, seen: 0, keptRows: 0, kept: [] };
