import { buildCommand } from '@stricli/core';
import { connectionParameter } from '../../../act-on-connection.ts';
import { describe, jsonFlag } from '../../../context.ts';

/** `quittance connection resume`. */
export const command = buildCommand({
  loader: async () => (await import('./run.ts')).run,
  parameters: { flags: { json: jsonFlag }, positional: connectionParameter },
  docs: describe('Start tasks on a connection again', 'quittance connection resume stripe'),
});
