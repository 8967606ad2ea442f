import { buildCommand, numberParser } from '@stricli/core';
import { describe, jsonFlag } from '../../../context.ts';

/** `quittance keys rotate-log-key`. */
export const command = buildCommand({
  loader: async () => (await import('./run.ts')).run,
  parameters: {
    flags: {
      json: jsonFlag,
      overlapDays: { kind: 'parsed', parse: numberParser, optional: true, brief: 'How long the old key signs beside the new one; 30 unless given, 0 for a key that leaked', placeholder: 'days' },
    },
  },
  docs: describe('Make a new key that signs the audit log: it is announced in the log first, and the old key signs beside it for a while', 'quittance keys rotate-log-key --overlap-days 60'),
});
