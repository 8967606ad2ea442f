import { buildCommand } from '@stricli/core';
import { describe, jsonFlag } from '../../context.ts';

/** `quittance migrate`. */
export const command = buildCommand({
  loader: async () => (await import('./run.ts')).run,
  parameters: { flags: { json: jsonFlag } },
  docs: describe('Bring both databases up to the newest migration; a server does it by itself when it starts', 'quittance migrate'),
});
