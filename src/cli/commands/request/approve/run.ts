import { actOnRequest } from '../../../act-on-request.ts';
import type { CliContext, JsonFlag } from '../../../context.ts';

/** Approves a plan. */
export async function run(this: CliContext, flags: JsonFlag, id: string): Promise<void> {
  await actOnRequest(this, flags, id, 'approve');
}
