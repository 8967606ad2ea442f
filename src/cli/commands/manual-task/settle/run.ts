import { createApiClient } from '../../../api-client.ts';
import { print, printJson, type CliContext, type JsonFlag } from '../../../context.ts';
import type { Settlement } from '../../../operator-choices.ts';

interface Flags extends JsonFlag {
  readonly how: Settlement;
}

/** Settles a manual task. */
export async function run(this: CliContext, flags: Flags, id: string): Promise<void> {
  const answer = await createApiClient(this).post(`/v1/manual-tasks/${id}/settle`, { how: flags.how });
  if (flags.json) printJson(this, answer);
  else print(this, `${id} is settled: ${flags.how}`);
}
