import { buildCommand } from '@stricli/core';
import { connectionParameter } from '../../../act-on-connection.ts';
import { describe, jsonFlag } from '../../../context.ts';

/** `quittance connector check`. */
export const command = buildCommand({
  loader: async () => (await import('./run.ts')).run,
  parameters: { flags: { json: jsonFlag }, positional: connectionParameter },
  docs: describe('Call a vendor once, harmlessly, to see that the credentials work', 'quittance connector check stripe'),
});
