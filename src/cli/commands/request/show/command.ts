import { buildCommand } from '@stricli/core';
import { describe, jsonFlag } from '../../../context.ts';
import { requestIdParameter } from '../../../request-id.ts';

/** `quittance request show`. */
export const command = buildCommand({
  loader: async () => (await import('./run.ts')).run,
  parameters: { flags: { json: jsonFlag }, positional: requestIdParameter },
  docs: describe('Show a request and what became of each of its tasks', 'quittance request show req_01h8xkq2v3n4p5r6s7t8v9w0x1'),
});
