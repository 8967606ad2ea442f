import { buildCommand } from '@stricli/core';
import { describe, jsonFlag } from '../../../context.ts';

/** `quittance events resume`. */
export const command = buildCommand({
  loader: async () => (await import('./run.ts')).run,
  parameters: {
    flags: { json: jsonFlag },
    positional: { kind: 'tuple', parameters: [{ brief: 'The name of the destination', parse: String, placeholder: 'destination' }] },
  },
  docs: describe('Send to a destination again that wanted nothing any more, or at once to one that failed', 'quittance events resume crm'),
});
