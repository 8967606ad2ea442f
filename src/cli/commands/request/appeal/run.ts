import type { RefusalReason } from '../../../../contract/justifications.ts';
import { CommandError } from '../../../command-error.ts';
import { exitCodes, type CliContext, type JsonFlag } from '../../../context.ts';
import type { AppealDecision } from '../../../operator-choices.ts';
import { actOnClock } from '../../../show-clock.ts';

interface Flags extends JsonFlag {
  readonly decision?: AppealDecision;
  readonly reason?: RefusalReason;
}

/** Records or decides an appeal. */
export async function run(this: CliContext, flags: Flags, id: string): Promise<void> {
  const { decision, reason } = flags;
  if ((reason !== undefined) !== (decision === 'denied')) throw new CommandError(exitCodes.misuse, 'What is denied needs --reason, and nothing else takes it');
  if (decision === undefined) await actOnClock(this, flags, id, 'appeal');
  else await actOnClock(this, flags, id, 'appeal/decision', { decision, reason_code: reason });
}
