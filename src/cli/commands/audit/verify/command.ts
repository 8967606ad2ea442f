import { buildCommand } from '@stricli/core';
import { describe, jsonFlag } from '../../../context.ts';

/** `quittance audit verify`. */
export const command = buildCommand({
  loader: async () => (await import('./run.ts')).run,
  parameters: {
    flags: {
      json: jsonFlag,
      fromCheckpoint: { kind: 'parsed', parse: String, optional: true, brief: 'A checkpoint kept from an earlier export: believe what is before it, and hold the log to it', placeholder: 'file' },
      folder: { kind: 'parsed', parse: String, optional: true, brief: 'Verify an exported log offline; needs --key', placeholder: 'folder' },
      key: { kind: 'parsed', parse: String, optional: true, brief: 'File with the log’s public key: verify here, trusting nothing but that key', placeholder: 'file' },
      database: { kind: 'boolean', default: false, withNegated: false, brief: 'Verify the configured database itself, without a server' },
    },
  },
  docs: describe(
    'Verify the audit log: every row, hash, link and signed head; exit code 3 when it does not hold',
    'quittance audit verify                                  the running server verifies its own database',
    'quittance audit verify --key log-key                    this machine verifies what the server publishes',
    'quittance audit verify --folder export --key log-key    this machine verifies an export, offline',
    'quittance audit verify --database                       this machine verifies the database, with the server stopped',
  ),
});
