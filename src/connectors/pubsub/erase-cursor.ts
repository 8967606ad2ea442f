import { z } from 'zod';
import { Failure, type Json } from '../../connector-kit/index.ts';
import { countsSchema } from '../../contract/outcomes.ts';

/** `generation` counts the events of a task that must not be taken for one another: a service drops what it has dealt with, also where that failed. */
const run = { generation: z.int().positive(), issuedAt: z.int() };

const verdictSchema = z.strictObject({ status: z.enum(['done', 'nothing_held', 'failed', 'partial', 'malformed', 'contradictory']), counts: countsSchema.optional(), at: z.number().optional() });
/** What the service said that it came to. */
export type Verdict = z.output<typeof verdictSchema>;

const publishingSchema = z.strictObject({ phase: z.literal('publishing'), ...run });
/** The event was, or is about to be, published. */
export type Publishing = z.output<typeof publishingSchema>;
const waitingSchema = z.strictObject({ phase: z.literal('waiting'), ...run, message: z.string(), since: z.int() });
/** Published, and nothing heard yet. */
export type Waiting = z.output<typeof waitingSchema>;
const answeredSchema = z.strictObject({ phase: z.literal('answered'), ...run, message: z.string(), verdict: verdictSchema, ackIds: z.array(z.string()) });
/** Heard what it came to; the acknowledgements are still to be taken from the subscription. */
export type Answered = z.output<typeof answeredSchema>;

const cursorSchema = z.discriminatedUnion('phase', [publishingSchema, waitingSchema, answeredSchema]);
/** What an erasure by event keeps between its steps. */
export type EraseCursor = z.output<typeof cursorSchema>;

/** Reads what an earlier step kept; undefined for none. One of another shape is a bug and throws `INTERNAL`. */
export function parseCursor(cursor: Json): EraseCursor | undefined {
  if (cursor === null) return undefined;
  const parsed = cursorSchema.safeParse(cursor);
  if (!parsed.success) throw new Failure('INTERNAL', 'The kept cursor is not one of the Pub/Sub connector');
  return parsed.data;
}

/** The cursor as JSON: fields that are absent stay absent. */
export function toJson(cursor: EraseCursor): Json {
  return JSON.parse(JSON.stringify(cursor)) as Json;
}
