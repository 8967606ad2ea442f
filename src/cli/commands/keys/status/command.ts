import { buildCommand } from '@stricli/core';
import { describe, jsonFlag } from '../../../context.ts';

/** `quittance keys status`. */
export const command = buildCommand({
  loader: async () => (await import('./run.ts')).run,
  parameters: { flags: { json: jsonFlag } },
  docs: describe('See how many keys each master key wraps, which one is missing or no longer needed, and the keys of the audit log; exit code 3 when one is missing', 'quittance keys status'),
});
