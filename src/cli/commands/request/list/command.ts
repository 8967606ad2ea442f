import { buildCommand, numberParser } from '@stricli/core';
import { requestStatusSchema } from '../../../../contract/outcomes.ts';
import { describe, jsonFlag } from '../../../context.ts';

/** `quittance request list`. */
export const command = buildCommand({
  loader: async () => (await import('./run.ts')).run,
  parameters: {
    flags: {
      json: jsonFlag,
      status: { kind: 'enum', values: requestStatusSchema.options, optional: true, brief: 'Only requests with this status' },
      limit: { kind: 'parsed', parse: numberParser, default: '20', brief: 'How many, at most 100' },
      cursor: { kind: 'parsed', parse: String, optional: true, brief: 'Go on where the last page ended' },
    },
  },
  docs: describe('List requests, newest first', 'quittance request list --status escalated'),
});
