import { buildCommand } from '@stricli/core';
import { describe, jsonFlag } from '../../../context.ts';

/** `quittance config check`. */
export const command = buildCommand({
  loader: async () => (await import('./run.ts')).run,
  parameters: { flags: { json: jsonFlag } },
  docs: describe('Check settings, quittance.yaml and that every secret it refers to is there; opens no database and calls nobody', 'QUITTANCE_CONFIG=quittance.yaml quittance config check'),
});
