import { z } from 'zod';
import { errorTable, type ErrorCode } from '../../contract/errors.ts';
import type { Failure } from '../failure.ts';

/** The body of every error: RFC 9457 problem details, with Quittance's code and, where one is at fault, the field. */
export const problemSchema = z
  .object({
    type: z.string(),
    title: z.string(),
    status: z.int(),
    detail: z.string(),
    code: z.string(),
    field: z.string().optional().describe('JSON pointer of the field at fault'),
  })
  .describe('Problem details (RFC 9457)');

/** A problem as it is sent. */
export type Problem = z.infer<typeof problemSchema>;

/** Gives the problem for a code and a detail. */
export function toProblem(code: ErrorCode, detail: string, field?: string): Problem {
  const row = errorTable[code];
  return {
    type: `urn:quittance:error:${code.toLowerCase().replaceAll('_', '-')}`,
    title: row.title,
    status: row.status,
    detail,
    code,
    ...(field === undefined ? {} : { field }),
  };
}

/** Gives the problem of a failure. */
export function problemOf(failure: Failure): Problem {
  return toProblem(failure.code, failure.detail, failure.field);
}
