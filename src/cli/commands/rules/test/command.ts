import { buildCommand } from '@stricli/core';
import { describe, jsonFlag } from '../../../context.ts';

/** `quittance rules test`. */
export const command = buildCommand({
  loader: async () => (await import('./run.ts')).run,
  parameters: {
    flags: {
      json: jsonFlag,
      event: { kind: 'parsed', parse: String, brief: 'File of the event: as EventBridge has it, or a CloudEvent' },
      rule: { kind: 'parsed', parse: String, optional: true, brief: 'Only this rule' },
    },
  },
  docs: describe('Say of each rule whether it matches an event, why not, and what would leave; sends nothing. Exit code 3 where none matches', 'quittance rules test --event erasure.json', 'quittance rules test --event erasure.json --rule anonymise-profile'),
});
