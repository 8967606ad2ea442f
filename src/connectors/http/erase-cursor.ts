import { createHash } from 'node:crypto';
import { z } from 'zod';
import { Failure, type Json } from '../../connector-kit/index.ts';
import { countsSchema, residueSchema } from '../../contract/outcomes.ts';
import type { Declaration } from './declaration.ts';

/** Where one record, or the identifier itself, stands on its way through its steps. */
const unitSchema = z.object({
  /** The record's place in the worklist; absent where the identifier itself is erased. */
  ordinal: z.int().nonnegative().optional(),
  /** The step in the declaration's list. */
  step: z.int().nonnegative(),
  /** True once it was accepted: then its job is polled, where there is a poll, and it is repeated otherwise. */
  accepted: z.boolean(),
  /** The job that is polled. */
  job: z.string().optional(),
  /** The job that was named first for this key; another one is a contradiction. */
  known: z.string().optional(),
  /** True once a step said that it erased something. */
  did: z.boolean(),
  /** True from just before it is asked for until something was answered: what is gone after that may have gone by this very call. */
  asked: z.boolean(),
  /** When this step was first asked for, milliseconds since the epoch. */
  since: z.number(),
  /** How often its job was unknown to the system. */
  lost: z.int().nonnegative(),
});
/** Where one record, or the identifier itself, stands on its way through its steps. */
export type Unit = z.output<typeof unitSchema>;

const cursorSchema = z.object({
  phase: z.enum(['working', 'over']),
  /** The digest of the declaration that the places below are of. */
  declared: z.string(),
  /** Goes up with each new start that a person asks for: idempotency keys and collected records are of one generation. */
  generation: z.int().nonnegative(),
  /** The step whose turn it is, as its place in the declaration; the steps of one type are taken together. */
  step: z.int().nonnegative(),
  /** Where collecting the records of this step's type stands; absent while they are erased. */
  collecting: z.object({ done: z.array(z.string()), at: z.object({ page: z.string(), count: z.int().nonnegative(), pages: z.int().nonnegative() }).optional() }).optional(),
  unit: unitSchema.optional(),
  /** What steps without records came to. */
  succeeded: z.int().nonnegative(),
  none: z.int().nonnegative(),
  counts: countsSchema,
  retained: z.array(residueSchema),
  /** What the worklist had settled in earlier generations. */
  before: z.object({ deleted: countsSchema, absent: countsSchema }),
  /** The job that was heard of last. */
  vendorJob: z.string().optional(),
  /** When the erasure was over, milliseconds since the epoch. */
  at: z.number().optional(),
  /**
   * The digests of records that may be somebody else's, about which a person was asked. By a retry the person lets it run for these; a record that is
   * none of them is asked about anew.
   */
  doubts: z.array(z.string()),
  /** What identifiers the records carry that were looked at, as digests. */
  ties: z.record(z.string(), z.string()),
  /** True where only a new start can help: the job failed, or contradicted itself. */
  isSpent: z.boolean().optional(),
});
/** What an erasure keeps between its steps. */
export type EraseCursor = z.output<typeof cursorSchema>;

/**
 * The digest of what a cursor's places are places of: the look-ups and the steps. Headers count by their names only, since a secret in one may be
 * replaced while a task runs.
 */
export function declaredBy({ locate, erase }: Pick<Declaration, 'locate' | 'erase'>): string {
  const withoutSecrets = (name: string, value: unknown): unknown => (name === 'headers' && typeof value === 'object' && value !== null ? Object.keys(value) : value);
  return createHash('sha256').update(JSON.stringify({ locate, erase }, withoutSecrets), 'utf8').digest('base64url').slice(0, 22);
}

/** Reads what an earlier step kept; undefined for the first step. A cursor of another shape is a bug and throws `INTERNAL`. */
export function parseCursor(cursor: Json): EraseCursor | undefined {
  if (cursor === null) return undefined;
  const parsed = cursorSchema.safeParse(cursor);
  if (!parsed.success) throw new Failure('INTERNAL', 'The kept cursor is not one of the http connector');
  return parsed.data;
}

/** The cursor as JSON: fields that are absent stay absent. */
export function toJson(cursor: EraseCursor): Json {
  return JSON.parse(JSON.stringify(cursor)) as Json;
}
