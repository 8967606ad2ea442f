import { z } from 'zod';
import { createApiClient, readAnswer } from '../../../api-client.ts';
import { print, printJson, type CliContext, type JsonFlag } from '../../../context.ts';
import { requestPath } from '../../../request-id.ts';

/** Sends the waiting tasks of a request back to work, and says how many there were. */
export async function run(this: CliContext, flags: JsonFlag, id: string): Promise<void> {
  const answer = await createApiClient(this).post(`${requestPath(id)}/retry`, {});
  if (flags.json) {
    printJson(this, answer);
    return;
  }
  const { retried } = readAnswer(z.object({ retried: z.int() }), answer);
  print(this, retried === 0 ? 'Nothing of this request waits for a person.' : `${retried} ${retried === 1 ? 'task goes' : 'tasks go'} back to work. Follow it: quittance request watch ${id}`);
}
