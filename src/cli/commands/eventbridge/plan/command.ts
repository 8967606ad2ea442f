import { buildCommand } from '@stricli/core';
import { describe } from '../../../context.ts';

/** `quittance eventbridge plan`. */
export const command = buildCommand({
  loader: async () => (await import('./run.ts')).run,
  parameters: {
    flags: {
      format: { kind: 'enum', values: ['text', 'json', 'cloudformation', 'terraform'], default: 'text', brief: 'For people, for machines, or a template, for which nothing is asked of Amazon' },
      json: { kind: 'boolean', brief: 'The same as --format json', default: false, withNegated: false },
    },
  },
  docs: describe('Show what the event rules need at Amazon EventBridge and what differs there; exit code 0 with or without differences', 'quittance eventbridge plan', 'quittance eventbridge plan --format cloudformation > quittance-events.json', 'quittance eventbridge plan --format terraform > quittance-events.tf.json'),
});
