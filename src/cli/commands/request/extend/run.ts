import type { DelayReason } from '../../../../contract/justifications.ts';
import type { CliContext, JsonFlag } from '../../../context.ts';
import { actOnClock } from '../../../show-clock.ts';

interface Flags extends JsonFlag {
  readonly reason: DelayReason;
  readonly until?: string;
}

/** Extends a request. */
export async function run(this: CliContext, flags: Flags, id: string): Promise<void> {
  await actOnClock(this, flags, id, 'extend', { reason_code: flags.reason, until: flags.until });
}
