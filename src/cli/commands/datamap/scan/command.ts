import { buildCommand } from '@stricli/core';
import { describe, jsonFlag } from '../../../context.ts';

/** `quittance datamap scan`. */
export const command = buildCommand({
  loader: async () => (await import('./run.ts')).run,
  parameters: {
    flags: {
      write: { kind: 'boolean', brief: 'Write the draft to a file named after the database, which must not be there yet', default: false, withNegated: false },
      json: jsonFlag,
    },
    positional: { kind: 'tuple', parameters: [{ brief: 'postgres://… or mysql://…, or a reference to it such as ${env:APP_DATABASE_URL}', placeholder: 'url', parse: String }] },
  },
  docs: describe('Draft the declaration of a database connection from its schema; every guess is marked for review', "quittance datamap scan '${env:APP_DATABASE_URL}' --write"),
});
