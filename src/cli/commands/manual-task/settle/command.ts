import { buildCommand } from '@stricli/core';
import { parseId } from '../../../../contract/ids.ts';
import { CommandError } from '../../../command-error.ts';
import { describe, exitCodes, jsonFlag } from '../../../context.ts';
import { settlements } from '../../../operator-choices.ts';

function parseManualTaskId(text: string): string {
  if (parseId('manualTask', text) === undefined) throw new CommandError(exitCodes.misuse, 'A manual task’s id is man_ and 26 letters and digits, as "quittance manual-task list" shows it');
  return text;
}

/** `quittance manual-task settle`. */
export const command = buildCommand({
  loader: async () => (await import('./run.ts')).run,
  parameters: {
    flags: {
      json: jsonFlag,
      how: { kind: 'enum', values: settlements, brief: 'Try the system again, done by hand, or left out on purpose' },
      evidence: { kind: 'parsed', parse: String, optional: true, brief: 'With done_manually: where it can be seen, as a reference such as ticket:4711' },
      reason: { kind: 'parsed', parse: String, optional: true, brief: 'With skipped_by_operator: why, as a code such as test_system' },
    },
    positional: { kind: 'tuple', parameters: [{ brief: 'The manual task’s id (man_…)', parse: parseManualTaskId, placeholder: 'id' }] },
  },
  docs: describe('Settle what waits for a person; the certificate says how', 'quittance manual-task settle man_01h8xkq2v3n4p5r6s7t8v9w0x1 --how done_manually --evidence ticket:4711'),
});
