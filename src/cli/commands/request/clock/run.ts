import { createApiClient } from '../../../api-client.ts';
import type { CliContext, JsonFlag } from '../../../context.ts';
import { requestPath } from '../../../request-id.ts';
import { printClock } from '../../../show-clock.ts';

/** Explains a request's dates. */
export async function run(this: CliContext, flags: JsonFlag, id: string): Promise<void> {
  printClock(this, flags, await createApiClient(this).get(`${requestPath(id)}/clock`));
}
