import { createApiClient, readAnswer } from '../../../api-client.ts';
import { logKeySchema } from '../../../api-schemas.ts';
import { print, printJson, type CliContext, type JsonFlag } from '../../../context.ts';

interface Flags extends JsonFlag {
  readonly overlapDays?: number;
}

/** Has the server make a new key of the log. */
export async function run(this: CliContext, flags: Flags): Promise<void> {
  const answer = await createApiClient(this).post('/v1/audit/keys', flags.overlapDays === undefined ? {} : { overlap_days: flags.overlapDays });
  const key = readAnswer(logKeySchema, answer);
  if (flags.json) printJson(this, answer);
  else print(this, `The key ${key.id} is announced in the log, and signs once a signed head covers that (seconds, while a worker runs).`, key.verifier_key, 'Give it to whoever verifies: it is at /.well-known/quittance-log-key from then on. See it take over: quittance keys status');
}
