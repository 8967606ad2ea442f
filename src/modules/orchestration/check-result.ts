import { z } from 'zod';
import type { EraseResult } from '../../connector-kit/index.ts';
import { proofSchema } from '../../contract/audit-entry.ts';
import { errorTable } from '../../contract/errors.ts';
import { countsSchema, residueSchema } from '../../contract/outcomes.ts';
import { Failure } from '../../platform/failure.ts';

const observedSchema = z.object({ counts: countsSchema, residue: z.array(residueSchema).max(50), proof: proofSchema.optional() });

/**
 * Refuses what a connector must not report: free text where codes belong, fractions, unknown codes. It is a bug of the connector, and must end
 * with a person and not in a loop. Fails with `INTERNAL`, naming the field and never the value.
 */
export function checkEraseResult(result: EraseResult): EraseResult {
  if (result.state !== 'done' && result.state !== 'operator') return result;
  const parsed = observedSchema.safeParse(result);
  if (!parsed.success) {
    throw new Failure('INTERNAL', `A connector reported something malformed at ${parsed.error.issues.map((issue) => `/${issue.path.map(String).join('/')}`).join(', ')}`);
  }
  if (result.state === 'operator' && !Object.hasOwn(errorTable, result.code)) throw new Failure('INTERNAL', 'A connector reported an unknown error code');
  return result;
}
