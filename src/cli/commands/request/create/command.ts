import { buildCommand } from '@stricli/core';
import { describe, jsonFlag } from '../../../context.ts';

/** `quittance request create`. */
export const command = buildCommand({
  loader: async () => (await import('./run.ts')).run,
  parameters: {
    flags: {
      json: jsonFlag,
      email: { kind: 'parsed', parse: String, optional: true, brief: 'The person’s e-mail address' },
      phone: { kind: 'parsed', parse: String, optional: true, brief: 'The person’s phone number' },
      stripeCustomerId: { kind: 'parsed', parse: String, optional: true, brief: 'The person’s Stripe customer id' },
      userId: { kind: 'parsed', parse: String, optional: true, brief: 'The person’s id in your own systems' },
      jurisdiction: { kind: 'parsed', parse: String, optional: true, brief: 'ISO 3166 code, such as DE or US-CA: which law applies' },
      stdin: { kind: 'boolean', default: false, withNegated: false, brief: 'Read the JSON body from standard input, so that no identifier stands in the shell’s history' },
      idempotencyKey: { kind: 'parsed', parse: String, optional: true, brief: 'Your own id of this request; repeating it gives the first answer' },
    },
  },
  docs: describe(
    'Open an erasure request',
    'quittance request create --email ada@example.com --jurisdiction DE',
    'quittance request create --stdin < request.json',
  ),
});
