import { buildCommand } from '@stricli/core';
import { describe, jsonFlag } from '../../../context.ts';
import { requestIdParameter } from '../../../request-id.ts';

/** `quittance request dry-run`. */
export const command = buildCommand({
  loader: async () => (await import('./run.ts')).run,
  parameters: { flags: { json: jsonFlag }, positional: requestIdParameter },
  docs: describe('Say what the erasing tasks of a request would do now, system by system, without doing any of it; ends with 1 where a system did not answer', 'quittance request dry-run req_01h8xkq2v3n4p5r6s7t8v9w0x1'),
});
