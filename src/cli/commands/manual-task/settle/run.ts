import { CommandError } from '../../../command-error.ts';
import { createApiClient } from '../../../api-client.ts';
import { exitCodes, print, printJson, type CliContext, type JsonFlag } from '../../../context.ts';
import type { Settlement } from '../../../operator-choices.ts';

interface Flags extends JsonFlag {
  readonly how: Settlement;
  readonly evidence?: string;
  readonly reason?: string;
}

/** Settles a manual task. */
export async function run(this: CliContext, flags: Flags, id: string): Promise<void> {
  const { how, evidence, reason } = flags;
  if ((evidence !== undefined) !== (how === 'done_manually')) throw new CommandError(exitCodes.misuse, 'What was done by hand needs --evidence, a reference such as ticket:4711, and nothing else takes it');
  if ((reason !== undefined) !== (how === 'skipped_by_operator')) throw new CommandError(exitCodes.misuse, 'What is left out needs --reason, a code such as test_system, and nothing else takes it');
  const answer = await createApiClient(this).post(`/v1/manual-tasks/${id}/settle`, { how, evidence, reason });
  if (flags.json) printJson(this, answer);
  else print(this, `${id} is settled: ${how}`);
}
