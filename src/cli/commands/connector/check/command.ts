import { buildCommand } from '@stricli/core';
import { connectionParameter } from '../../../act-on-connection.ts';
import { describe, jsonFlag } from '../../../context.ts';

/** `quittance connector check`. */
export const command = buildCommand({
  loader: async () => (await import('./run.ts')).run,
  parameters: { flags: { json: jsonFlag }, positional: connectionParameter },
  docs: describe('Call a vendor once, harmlessly, to see that the credentials work; a declared system (connector http) is put to the test with people who do not exist', 'quittance connector check stripe'),
});
