import { createApiClient } from '../../../api-client.ts';
import { print, printJson, type CliContext, type JsonFlag } from '../../../context.ts';

/** Resumes a destination. */
export async function run(this: CliContext, flags: JsonFlag, name: string): Promise<void> {
  const answer = await createApiClient(this).post(`/v1/event-destinations/${encodeURIComponent(name)}/resume`, {});
  if (flags.json) printJson(this, answer);
  else print(this, `${name} is sent to again`);
}
