import { buildCommand } from '@stricli/core';
import { describe, jsonFlag } from '../../../context.ts';
import { pauseConditions } from '../../../operator-choices.ts';
import { requestIdParameter } from '../../../request-id.ts';

/** `quittance request pause`. */
export const command = buildCommand({
  loader: async () => (await import('./run.ts')).run,
  parameters: { flags: { json: jsonFlag, condition: { kind: 'enum', values: pauseConditions, brief: 'What is waited for' } }, positional: requestIdParameter },
  docs: describe('Stop a request’s clock, where the law allows it', 'quittance request pause req_01h8xkq2v3n4p5r6s7t8v9w0x1 --condition identity_verification_required'),
});
