import { actOnRequest } from '../../../act-on-request.ts';
import type { CliContext, JsonFlag } from '../../../context.ts';

/** Takes a request back. */
export async function run(this: CliContext, flags: JsonFlag, id: string): Promise<void> {
  await actOnRequest(this, flags, id, 'withdraw');
}
