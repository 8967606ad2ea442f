import { buildCommand } from '@stricli/core';
import { describe, jsonFlag } from '../../../context.ts';

/** `quittance events destinations`. */
export const command = buildCommand({
  loader: async () => (await import('./run.ts')).run,
  parameters: { flags: { json: jsonFlag } },
  docs: describe('List the destinations of events: what waits for each, since when, and what is dead', 'quittance events destinations'),
});
