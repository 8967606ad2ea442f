import { buildCommand } from '@stricli/core';
import { describe, jsonFlag } from '../../../context.ts';
import { requestIdParameter } from '../../../request-id.ts';

/** `quittance request resume`. */
export const command = buildCommand({
  loader: async () => (await import('./run.ts')).run,
  parameters: { flags: { json: jsonFlag }, positional: requestIdParameter },
  docs: describe('Let a stopped clock run again', 'quittance request resume req_01h8xkq2v3n4p5r6s7t8v9w0x1'),
});
