import { buildCommand, numberParser } from '@stricli/core';
import { describe, jsonFlag } from '../../../context.ts';

/** `quittance events deliveries`. */
export const command = buildCommand({
  loader: async () => (await import('./run.ts')).run,
  parameters: {
    flags: {
      json: jsonFlag,
      status: { kind: 'enum', values: ['waiting', 'delivered', 'dead'], optional: true, brief: 'Only those that stand so; dead are dead letters' },
      destination: { kind: 'parsed', parse: String, optional: true, brief: 'Only those for this destination' },
      rule: { kind: 'parsed', parse: String, optional: true, brief: 'Only those by this rule' },
      unacknowledged: { kind: 'boolean', default: false, withNegated: false, brief: 'Only those whose receiver was asked for an acknowledgement and gave none' },
      limit: { kind: 'parsed', parse: numberParser, default: '20', brief: 'How many, at most 200' },
      cursor: { kind: 'parsed', parse: String, optional: true, brief: 'Go on where the last page ended' },
    },
  },
  docs: describe('List deliveries of events, newest first', 'quittance events deliveries --status dead'),
});
