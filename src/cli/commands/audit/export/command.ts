import { buildCommand } from '@stricli/core';
import { describe, jsonFlag } from '../../../context.ts';

/** `quittance audit export`. */
export const command = buildCommand({
  loader: async () => (await import('./run.ts')).run,
  parameters: {
    flags: {
      json: jsonFlag,
      database: { kind: 'boolean', default: false, withNegated: false, brief: 'Export from the configured database itself, without a server' },
    },
    positional: { kind: 'tuple', parameters: [{ brief: 'Where to write it; an earlier export is brought up to date', parse: String, placeholder: 'folder' }] },
  },
  docs: describe('Export the signed audit log as static files (c2sp.org/tlog-tiles), with every signed head seen', 'quittance audit export ./audit-export'),
});
