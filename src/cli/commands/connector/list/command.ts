import { buildCommand } from '@stricli/core';
import { describe, jsonFlag } from '../../../context.ts';

/** `quittance connector list`. */
export const command = buildCommand({
  loader: async () => (await import('./run.ts')).run,
  parameters: { flags: { json: jsonFlag } },
  docs: describe('List the connectors that the server uses, and the hosts that each may call', 'quittance connector list'),
});
