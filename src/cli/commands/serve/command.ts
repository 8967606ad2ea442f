import { buildCommand } from '@stricli/core';
import { describe } from '../../context.ts';

const services = ['http', 'worker', 'scheduler'] as const;

/** `quittance serve`. */
export const command = buildCommand({
  loader: async () => (await import('./run.ts')).run,
  parameters: {
    flags: {
      services: { kind: 'enum', values: services, optional: true, variadic: ',', brief: 'What this process does; everything when absent' },
      sandbox: { kind: 'boolean', default: false, withNegated: false, brief: 'Start the vendor simulators too, with example people, and a configuration for them' },
    },
  },
  docs: describe('Run the server until it is told to stop', 'quittance serve', 'quittance serve --sandbox', 'quittance serve --services=http,worker'),
});
