import { z } from 'zod';
import { Failure, type Json } from '../../connector-kit/index.ts';
import { subjectSchema, termSchema } from './gdpr-api.ts';

const partSchema = z.object({
  subject: subjectSchema,
  /** Of a correction: what is replaced. */
  terms: z.array(termSchema).optional(),
  /** True from just before the request is made: from then on it may be at Genesys, whatever was heard. */
  posted: z.boolean(),
  request: z.string().optional(),
  adopted: z.boolean(),
  since: z.number(),
  /** `lost`: Genesys knows the request no more. */
  state: z.enum(['open', 'completed', 'failed', 'lost']),
});
/** One subject to delete or to correct, and its request. */
export type Part = z.output<typeof partSchema>;

const cursorSchema = z.object({
  api: z.literal('gdpr'),
  parts: z.array(partSchema),
  /** The page of the organisation's requests to look at next; absent when all were. */
  page: z.int().positive().optional(),
  /** The first request of the page before it, to see that pages do not repeat. */
  first: z.string().optional(),
  /** True when a request that may have been made was not listed at first and was given time to appear. */
  waited: z.boolean(),
  /** Requests that had their turn: a person's retry makes new ones instead of finding these again. */
  abandoned: z.array(z.string()),
  /** Of a correction: fields that hold something else than the person said, which a retry leaves as they are. */
  left: z.array(z.string()).optional(),
  /** When the last request was seen to have ended. */
  endedAt: z.number().optional(),
});
/** What an erasure or a correction by the GDPR API keeps between its steps. Holds subjects: the orchestrator keeps cursors encrypted. */
export type GdprCursor = z.output<typeof cursorSchema>;

/** Reads what an earlier step kept; undefined for the first step. A cursor of another shape is a bug and throws `INTERNAL`. */
export function parseCursor(cursor: Json): GdprCursor | undefined {
  if (cursor === null) return undefined;
  const parsed = cursorSchema.safeParse(cursor);
  if (!parsed.success) throw new Failure('INTERNAL', 'The kept cursor is not one of the GDPR API');
  return parsed.data;
}

/** Reads what an earlier turn left for a person's retry; undefined also where that was made by the other API, before the configuration was changed. */
export function parsePrevious(cursor: Json): GdprCursor | undefined {
  return cursorSchema.safeParse(cursor).data;
}

/** The cursor as JSON: fields that are absent stay absent. */
export function toJson(cursor: GdprCursor): Json {
  return JSON.parse(JSON.stringify(cursor)) as Json;
}
