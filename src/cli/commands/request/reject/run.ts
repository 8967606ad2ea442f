import type { RefusalReason } from '../../../../contract/justifications.ts';
import { actOnRequest } from '../../../act-on-request.ts';
import type { CliContext, JsonFlag } from '../../../context.ts';

interface Flags extends JsonFlag {
  readonly reason: RefusalReason;
}

/** Refuses a request. */
export async function run(this: CliContext, flags: Flags, id: string): Promise<void> {
  await actOnRequest(this, flags, id, 'reject', { reason_code: flags.reason });
}
