import { buildCommand } from '@stricli/core';
import { connectionParameter } from '../../../act-on-connection.ts';
import { describe, jsonFlag } from '../../../context.ts';

/** `quittance connection suspend`. */
export const command = buildCommand({
  loader: async () => (await import('./run.ts')).run,
  parameters: { flags: { json: jsonFlag }, positional: connectionParameter },
  docs: describe('Stop starting tasks on a connection; what has started is finished', 'quittance connection suspend stripe'),
});
