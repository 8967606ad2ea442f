import { buildCommand } from '@stricli/core';
import { identifierKindSchema } from '../../../../contract/identifiers.ts';
import { describe, jsonFlag } from '../../../context.ts';

/** `quittance suppression check`. */
export const command = buildCommand({
  loader: async () => (await import('./run.ts')).run,
  parameters: {
    flags: {
      json: jsonFlag,
      kind: { kind: 'enum', values: identifierKindSchema.options, optional: true, brief: 'What all lines are; otherwise told from each line, or written before it (email:…)' },
    },
  },
  docs: describe(
    'Find identifiers of people who were erased, one a line on standard input; prints those that match and ends with exit code 3',
    'quittance suppression check < identifiers.txt',
  ),
});
