import { buildCommand } from '@stricli/core';
import { describe, jsonFlag } from '../../../context.ts';
import { parseRequestId } from '../../../request-id.ts';

/** `quittance manual-task list`. */
export const command = buildCommand({
  loader: async () => (await import('./run.ts')).run,
  parameters: {
    flags: {
      json: jsonFlag,
      request: { kind: 'parsed', parse: parseRequestId, optional: true, brief: 'Only those of this request', placeholder: 'id' },
      all: { kind: 'boolean', default: false, withNegated: false, brief: 'Settled ones too' },
    },
  },
  docs: describe('List what waits for a person, oldest first', 'quittance manual-task list'),
});
