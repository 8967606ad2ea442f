import type { CliContext, JsonFlag } from '../../../context.ts';
import type { PauseCondition } from '../../../operator-choices.ts';
import { actOnClock } from '../../../show-clock.ts';

interface Flags extends JsonFlag {
  readonly condition: PauseCondition;
}

/** Stops a request's clock. */
export async function run(this: CliContext, flags: Flags, id: string): Promise<void> {
  await actOnClock(this, flags, id, 'pause', { condition: flags.condition });
}
