import { buildCommand } from '@stricli/core';
import { describe, jsonFlag } from '../../../context.ts';
import { parseRequestId } from '../../../request-id.ts';

/** `quittance certificate save`. */
export const command = buildCommand({
  loader: async () => (await import('./run.ts')).run,
  parameters: {
    flags: { json: jsonFlag },
    positional: {
      kind: 'tuple',
      parameters: [
        { brief: 'The request’s id (req_…)', parse: parseRequestId, placeholder: 'id' },
        { brief: 'Where to write it', parse: String, placeholder: 'file' },
      ],
    },
  },
  docs: describe('Save the certificate of a closed request, as the exact bytes that verify', 'quittance certificate save req_01h8xkq2v3n4p5r6s7t8v9w0x1 certificate.json'),
});
