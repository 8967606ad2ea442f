import { buildCommand } from '@stricli/core';
import { connectionParameter } from '../../../act-on-connection.ts';
import { describe, jsonFlag } from '../../../context.ts';

/** `quittance connector check`. */
export const command = buildCommand({
  loader: async () => (await import('./run.ts')).run,
  parameters: { flags: { json: jsonFlag }, positional: connectionParameter },
  docs: describe('Call a vendor once, reading only, to see that the credentials work; a declared system (connector http) is put to the test, to which erasures of people who do not exist are sent', 'quittance connector check stripe'),
});
