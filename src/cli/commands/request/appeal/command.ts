import { buildCommand } from '@stricli/core';
import { refusalReasons } from '../../../../contract/justifications.ts';
import { describe, jsonFlag } from '../../../context.ts';
import { appealDecisions } from '../../../operator-choices.ts';
import { requestIdParameter } from '../../../request-id.ts';

/** `quittance request appeal`. */
export const command = buildCommand({
  loader: async () => (await import('./run.ts')).run,
  parameters: {
    flags: {
      json: jsonFlag,
      decision: { kind: 'enum', values: appealDecisions, optional: true, brief: 'Decide the appeal that is open, instead of recording one' },
      reason: { kind: 'enum', values: refusalReasons, optional: true, brief: 'With denied: why, as the notice to the person says it' },
    },
    positional: requestIdParameter,
  },
  docs: describe(
    'Record a person’s appeal against how their request ended, or decide it',
    'quittance request appeal req_01h8xkq2v3n4p5r6s7t8v9w0x1',
    'quittance request appeal req_01h8xkq2v3n4p5r6s7t8v9w0x1 --decision denied --reason legally_exempted',
  ),
});
