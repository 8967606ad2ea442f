import { z } from 'zod';
import type { ConfirmResult, EraseResult, RectifyConfirmation } from '../../connector-kit/index.ts';
import { proofSchema } from '../../contract/audit-entry.ts';
import { errorTable } from '../../contract/errors.ts';
import { identifierKindSchema } from '../../contract/identifiers.ts';
import { countsSchema, residueSchema, type Action, type Outcome } from '../../contract/outcomes.ts';
import { Failure } from '../../platform/failure.ts';

const observed = { counts: countsSchema, residue: z.array(residueSchema).max(50) };
const waitMs = z.number().min(0);
/** It is in the log for ever: an id, and nothing that could be an address. */
const vendorJob = z.string().regex(/^[\w.:/-]{1,200}$/u);

const eraseSchema = z.discriminatedUnion('state', [
  z.object({ state: z.literal('continue'), done: z.int().min(0).optional(), total: z.int().min(0).optional() }),
  z.object({ state: z.literal('wait'), afterMs: waitMs, vendorJob: vendorJob.optional() }),
  z.object({
    state: z.literal('done'),
    ...observed,
    outcome: z.enum(['erased', 'anonymised', 'corrected', 'exported', 'already_absent', 'nothing_matched', 'retained', 'refreshed']),
    proof: proofSchema.optional(),
    vendorJob: vendorJob.optional(),
    revisitAt: z.number().optional(),
  }),
  z.object({ state: z.literal('operator'), ...observed, code: z.string().refine((code) => Object.hasOwn(errorTable, code)) }),
]);

const confirmSchema = z.discriminatedUnion('state', [
  z.object({ state: z.literal('absent') }),
  z.object({ state: z.literal('attested') }),
  z.object({ state: z.literal('later'), afterMs: waitMs }),
  z.object({ state: z.literal('present'), found: z.array(z.object({ kind: identifierKindSchema, value: z.string().min(1) })) }),
]);

function check<Result>(schema: z.ZodType, result: Result): Result {
  const parsed = schema.safeParse(result);
  if (parsed.success) return result;
  throw new Failure('INTERNAL', `A connector reported something malformed at ${parsed.error.issues.map((issue) => `/${issue.path.map(String).join('/')}`).join(', ')}`);
}

const ofErasure: readonly Outcome[] = ['erased', 'anonymised', 'already_absent', 'nothing_matched', 'retained'];

/** What each action may come to. */
const outcomesOf: Readonly<Record<Action, readonly Outcome[]>> = {
  erase: ofErasure,
  anonymise: ofErasure,
  export: ['exported', 'nothing_matched'],
  rectify: ['corrected', 'nothing_matched'],
  refresh: ['refreshed', 'nothing_matched'],
  locate: [],
};

/**
 * Refuses what a connector must not report of what it did: states, outcomes and codes that do not exist, free text where codes belong, fractions.
 * It is a bug of the connector, and must end with a person and not in a loop. Fails with `INTERNAL`, naming the field and never the value.
 */
export function checkActResult(action: Action, result: EraseResult): EraseResult {
  check(eraseSchema, result);
  if (result.state === 'done' && !outcomesOf[action].includes(result.outcome)) {
    throw new Failure('INTERNAL', `A connector reported at /outcome what is not of the action ${action}`);
  }
  return result;
}

const rectifyConfirmSchema = z.discriminatedUnion('state', [
  z.object({ state: z.literal('as_asked') }),
  z.object({ state: z.literal('attested') }),
  z.object({ state: z.literal('later'), afterMs: waitMs }),
  z.object({ state: z.literal('otherwise'), fields: z.array(z.string().regex(/^[a-z][a-z0-9_]{0,63}$/u)).min(1) }),
]);

/** Refuses what a connector must not report of the read-back of a correction, likewise. */
export function checkRectifyConfirmation(result: RectifyConfirmation): RectifyConfirmation {
  return check(rectifyConfirmSchema, result);
}

/** Refuses what a connector must not report of a read-back, likewise. */
export function checkConfirmResult(result: ConfirmResult): ConfirmResult {
  return check(confirmSchema, result);
}
