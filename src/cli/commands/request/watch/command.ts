import { buildCommand } from '@stricli/core';
import { describe, jsonFlag } from '../../../context.ts';
import { requestIdParameter } from '../../../request-id.ts';

/** `quittance request watch`. */
export const command = buildCommand({
  loader: async () => (await import('./run.ts')).run,
  parameters: { flags: { json: jsonFlag }, positional: requestIdParameter },
  docs: describe(
    'Follow a request live until it has ended or waits for a person (exit code 3)',
    'quittance request watch req_01h8xkq2v3n4p5r6s7t8v9w0x1',
    'quittance request watch req_01h8xkq2v3n4p5r6s7t8v9w0x1 --json     one JSON event a line',
  ),
});
