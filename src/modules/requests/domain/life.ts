import { endsOf, requestLife } from '../../../contract/life.ts';
import type { RequestStatus } from '../../../contract/outcomes.ts';

/** States in which nothing more will happen by itself. */
export const endedStatuses: readonly RequestStatus[] = endsOf(requestLife);

/** States in which nothing is done about a request: it has ended, or nobody has verified the person yet. */
export const notUnderWayStatuses: readonly RequestStatus[] = [...endedStatuses, 'received', 'verifying'];

/** States in which destructive calls may be made. */
export const executingStatuses: readonly RequestStatus[] = ['executing', 'confirming', 'escalated'];
