import { buildCommand } from '@stricli/core';
import { describe, jsonFlag } from '../../../context.ts';
import { requestIdParameter } from '../../../request-id.ts';

/** `quittance request retry`. */
export const command = buildCommand({
  loader: async () => (await import('./run.ts')).run,
  parameters: { flags: { json: jsonFlag }, positional: requestIdParameter },
  docs: describe('Send every task that waits for a person back to work, but those in doubt about whose they are', 'quittance request retry req_01h8xkq2v3n4p5r6s7t8v9w0x1'),
});
