import { buildCommand, numberParser } from '@stricli/core';
import { describe, jsonFlag } from '../../../context.ts';

/** `quittance events list`. */
export const command = buildCommand({
  loader: async () => (await import('./run.ts')).run,
  parameters: {
    flags: {
      json: jsonFlag,
      type: { kind: 'parsed', parse: String, optional: true, brief: 'Only events of this type, such as erasure.completed' },
      request: { kind: 'parsed', parse: String, optional: true, brief: 'Only events of this request, req_…' },
      limit: { kind: 'parsed', parse: numberParser, default: '20', brief: 'How many, at most 200' },
      cursor: { kind: 'parsed', parse: String, optional: true, brief: 'Go on where the last page ended' },
    },
  },
  docs: describe('List privacy events, newest first', 'quittance events list --type erasure.completed'),
});
