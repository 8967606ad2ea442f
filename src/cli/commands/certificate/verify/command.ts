import { buildCommand } from '@stricli/core';
import { describe, jsonFlag } from '../../../context.ts';

/** `quittance certificate verify`. */
export const command = buildCommand({
  loader: async () => (await import('./run.ts')).run,
  parameters: {
    flags: { json: jsonFlag, key: { kind: 'parsed', parse: String, brief: 'File with the log’s public key; several lines for several keys', placeholder: 'file' } },
    positional: { kind: 'tuple', parameters: [{ brief: 'The certificate', parse: String, placeholder: 'file' }] },
  },
  docs: describe(
    'Verify a certificate offline, with neither database nor network; exit code 3 when it does not hold',
    'quittance certificate verify certificate.json --key log-key',
  ),
});
