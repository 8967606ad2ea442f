import { buildCommand } from '@stricli/core';
import { describe, jsonFlag } from '../../../context.ts';

/** `quittance keys rotate`. */
export const command = buildCommand({
  loader: async () => (await import('./run.ts')).run,
  parameters: { flags: { json: jsonFlag } },
  docs: describe(
    'Bring every key under the current master key while requests run, and wait until it is done; repeating is safe. docs/guides/keys.md has the steps before and after',
    'quittance keys rotate',
  ),
});
