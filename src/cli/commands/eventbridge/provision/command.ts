import { buildCommand } from '@stricli/core';
import { describe, jsonFlag } from '../../../context.ts';

/** `quittance eventbridge provision`. */
export const command = buildCommand({
  loader: async () => (await import('./run.ts')).run,
  parameters: {
    flags: {
      yes: { kind: 'boolean', brief: 'Do not ask', default: false, withNegated: false },
      rewriteSecrets: { kind: 'boolean', brief: 'Write the credentials of every connection once more, after they were changed: nobody can see whether they are the same', default: false, withNegated: false },
      json: jsonFlag,
    },
  },
  docs: describe('Make at Amazon EventBridge what the event rules need: connections, API destinations, rules, targets, a dead-letter queue, a role', 'quittance eventbridge provision', 'quittance eventbridge provision --yes --rewrite-secrets'),
});
