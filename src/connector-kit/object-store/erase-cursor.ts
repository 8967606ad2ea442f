import { createHash } from 'node:crypto';
import { z } from 'zod';
import { countsSchema } from '../../contract/outcomes.ts';
import { Failure } from '../../platform/failure.ts';
import type { Json } from '../connector.ts';
import type { ObjectPlace } from './name-template.ts';
import type { StoredObject } from './object-store.ts';

const keptSchema = z.strictObject({ count: z.int().positive(), first: z.int().optional(), last: z.int().optional(), isOpen: z.boolean() });

const cursorSchema = z.strictObject({
  phase: z.enum(['erasing', 'over']),
  /** Of the places: with others the position says nothing. */
  of: z.string(),
  place: z.int().nonnegative(),
  list: z.int().nonnegative(),
  page: z.string().optional(),
  /** Marks of what was to be deleted at last and was not seen gone yet. */
  sent: z.array(z.string()),
  /** Marks of those among them which the vendor called deleted. */
  claimed: z.array(z.string()),
  /** Marks of what stays on the page at hand. */
  stays: z.array(z.string()),
  counts: countsSchema,
  /** What stays, by list and reason: `versions legal_hold`. */
  kept: z.record(z.string(), keptSchema),
  /** What goes by itself, by list. */
  reported: z.record(z.string(), z.strictObject({ count: z.int().positive(), last: z.int().optional() })),
});
/** What an erasure of objects keeps between its steps; it has marks and no names of objects, but the page's token may hold one. */
export type EraseCursor = z.output<typeof cursorSchema>;

/** The mark by which an object is known again: another object under the same name has another. */
export function markOf({ name, id, at }: StoredObject): string {
  return createHash('sha256').update(JSON.stringify([name, id, at])).digest('base64url').slice(0, 16);
}

/** Tells lists of places apart. */
export function fingerprintOf(places: readonly ObjectPlace[]): string {
  return createHash('sha256').update(JSON.stringify(places)).digest('hex').slice(0, 16);
}

/** The cursor of an erasure that begins. `counts` are those of an earlier run. */
export function beginning(places: readonly ObjectPlace[], counts: EraseCursor['counts'] = {}): EraseCursor {
  return { phase: 'erasing', of: fingerprintOf(places), place: 0, list: 0, sent: [], claimed: [], stays: [], counts, kept: {}, reported: {} };
}

/** Reads what an earlier step kept; undefined for none. One of another shape is a bug and throws `INTERNAL`. */
export function parseCursor(cursor: Json): EraseCursor | undefined {
  if (cursor === null) return undefined;
  const parsed = cursorSchema.safeParse(cursor);
  if (!parsed.success) throw new Failure('INTERNAL', 'The kept cursor is not one of an erasure of objects');
  return parsed.data;
}

/** The cursor as JSON: fields that are absent stay absent. */
export function toJson(cursor: EraseCursor): Json {
  return JSON.parse(JSON.stringify(cursor)) as Json;
}
