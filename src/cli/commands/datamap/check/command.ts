import { buildCommand } from '@stricli/core';
import { describe } from '../../../context.ts';

/** `quittance datamap check`. */
export const command = buildCommand({
  loader: async () => (await import('./run.ts')).run,
  parameters: {
    flags: {
      format: { kind: 'enum', values: ['text', 'json', 'sarif'], default: 'text', brief: 'For people, for machines, or for code scanning' },
      json: { kind: 'boolean', brief: 'The same as --format json', default: false, withNegated: false },
    },
  },
  docs: describe('Check the data map of every database connection, against its database where that can be reached; exit code 3 where something is found', 'quittance datamap check', 'quittance datamap check --format sarif > datamap.sarif'),
});
