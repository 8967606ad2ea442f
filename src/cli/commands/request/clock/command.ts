import { buildCommand } from '@stricli/core';
import { describe, jsonFlag } from '../../../context.ts';
import { requestIdParameter } from '../../../request-id.ts';

/** `quittance request clock`. */
export const command = buildCommand({
  loader: async () => (await import('./run.ts')).run,
  parameters: { flags: { json: jsonFlag }, positional: requestIdParameter },
  docs: describe('Explain every legal date of a request, step by step', 'quittance request clock req_01h8xkq2v3n4p5r6s7t8v9w0x1'),
});
