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
      stdin: { kind: 'boolean', default: false, withNegated: false, brief: 'Read the JSON body from standard input; an identifier given by a flag stands in the shell’s history, and other users of the machine can read it' },
      idempotencyKey: { kind: 'parsed', parse: String, optional: true, brief: 'Your own id of this request; repeating it gives the first answer' },
    },
  },
  docs: describe(
    'Open an erasure request',
    'quittance request create --stdin < request.json',
    'quittance request create --email ada@example.com --jurisdiction DE',
  ),
});
