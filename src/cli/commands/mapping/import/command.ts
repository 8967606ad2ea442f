import { buildCommand } from '@stricli/core';
import { describe, jsonFlag } from '../../../context.ts';

/** `quittance mapping import`. */
export const command = buildCommand({
  loader: async () => (await import('./run.ts')).run,
  parameters: { flags: { json: jsonFlag }, positional: { kind: 'tuple', parameters: [{ brief: 'CSV whose columns are identifier kinds, one person a row', parse: String, placeholder: 'csv' }] } },
  docs: describe('Import which identifiers belong to one person; importing again changes nothing', 'quittance mapping import people.csv     (columns: email,phone,stripe_customer,user_id)'),
});
