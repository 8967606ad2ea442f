import { buildCommand } from '@stricli/core';
import { describe, jsonFlag } from '../../../context.ts';

/** `quittance events replay`. */
export const command = buildCommand({
  loader: async () => (await import('./run.ts')).run,
  parameters: {
    flags: {
      json: jsonFlag,
      rule: { kind: 'parsed', parse: String, brief: 'The rule whose events are sent once more' },
      target: { kind: 'parsed', parse: String, optional: true, brief: 'Only to this target of the rule' },
      from: { kind: 'parsed', parse: String, brief: 'From when on, ISO 8601 in UTC' },
      to: { kind: 'parsed', parse: String, optional: true, brief: 'Until before when; now when absent' },
      only: { kind: 'enum', values: ['all', 'dead'], default: 'all', brief: 'All that the rule matches, or the dead letters among its deliveries' },
    },
  },
  docs: describe('Send the events of a time once more by a rule, and wait until they are on their way. Receivers are idempotent by the event’s id', 'quittance events replay --rule anonymise-profile --from 2026-11-20T00:00:00Z --only dead'),
});
