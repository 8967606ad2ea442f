import { actOnRequest } from '../../../act-on-request.ts';
import type { CliContext, JsonFlag } from '../../../context.ts';
import type { RejectionReason } from '../../../operator-choices.ts';

interface Flags extends JsonFlag {
  readonly reason: RejectionReason;
}

/** Refuses a request. */
export async function run(this: CliContext, flags: Flags, id: string): Promise<void> {
  await actOnRequest(this, flags, id, 'reject', { reason_code: flags.reason });
}
