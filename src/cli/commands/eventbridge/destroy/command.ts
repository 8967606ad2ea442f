import { buildCommand } from '@stricli/core';
import { describe, jsonFlag } from '../../../context.ts';

/** `quittance eventbridge destroy`. */
export const command = buildCommand({
  loader: async () => (await import('./run.ts')).run,
  parameters: {
    flags: {
      yes: { kind: 'boolean', brief: 'Do not ask', default: false, withNegated: false },
      discardDeadLetters: { kind: 'boolean', brief: 'Delete the dead-letter queue with what is in it', default: false, withNegated: false },
      json: jsonFlag,
    },
  },
  docs: describe('Delete at Amazon EventBridge what Quittance made there: only what has its prefix and its mark', 'quittance eventbridge destroy --yes'),
});
