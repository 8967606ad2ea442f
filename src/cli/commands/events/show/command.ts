import { buildCommand } from '@stricli/core';
import { describe, jsonFlag } from '../../../context.ts';

/** `quittance events show`. */
export const command = buildCommand({
  loader: async () => (await import('./run.ts')).run,
  parameters: {
    flags: { json: jsonFlag },
    positional: { kind: 'tuple', parameters: [{ brief: 'The id of the event', parse: String, placeholder: 'id' }] },
  },
  docs: describe('Show an event and what became of each delivery', 'quittance events show 019a9d0e-5a3c-7b52-9f5e-1f2b6a0c4d11'),
});
