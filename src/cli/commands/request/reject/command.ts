import { buildCommand } from '@stricli/core';
import { refusalReasons } from '../../../../contract/justifications.ts';
import { describe, jsonFlag } from '../../../context.ts';
import { requestIdParameter } from '../../../request-id.ts';

/** `quittance request reject`. */
export const command = buildCommand({
  loader: async () => (await import('./run.ts')).run,
  parameters: { flags: { json: jsonFlag, reason: { kind: 'enum', values: refusalReasons, brief: 'Why, as the notice to the person says it' } }, positional: requestIdParameter },
  docs: describe('Refuse a request with a coded reason', 'quittance request reject req_01h8xkq2v3n4p5r6s7t8v9w0x1 --reason identity_verification_failure'),
});
