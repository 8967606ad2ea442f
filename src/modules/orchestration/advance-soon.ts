import type { RequestId } from '../../contract/ids.ts';
import type { Tx } from '../../platform/db/database.ts';
import { requestAdvance } from '../requests/index.ts';
import type { OrchestrationDeps } from './deps.ts';

/** Asks for a look at a request, in the transaction in which something of it changed. */
export async function advanceSoon(deps: Pick<OrchestrationDeps, 'jobs'>, tx: Tx, requestId: RequestId): Promise<void> {
  await deps.jobs.send(tx, requestAdvance, { request_id: requestId });
}
