import type { CliContext, JsonFlag } from '../../../context.ts';
import { actOnClock } from '../../../show-clock.ts';

/** Lets a request's clock run again. */
export async function run(this: CliContext, flags: JsonFlag, id: string): Promise<void> {
  await actOnClock(this, flags, id, 'resume');
}
