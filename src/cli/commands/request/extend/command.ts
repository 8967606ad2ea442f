import { buildCommand } from '@stricli/core';
import { delayReasons } from '../../../../contract/justifications.ts';
import { describe, jsonFlag } from '../../../context.ts';
import { requestIdParameter } from '../../../request-id.ts';

/** `quittance request extend`. */
export const command = buildCommand({
  loader: async () => (await import('./run.ts')).run,
  parameters: {
    flags: {
      json: jsonFlag,
      reason: { kind: 'enum', values: delayReasons, brief: 'Why, as the notice to the person says it' },
      until: { kind: 'parsed', parse: String, optional: true, brief: 'The new date (2026-12-31), where the law sets no length' },
    },
    positional: requestIdParameter,
  },
  docs: describe('Extend the answer once, with a coded reason, and tell the person', 'quittance request extend req_01h8xkq2v3n4p5r6s7t8v9w0x1 --reason complexity_of_process'),
});
