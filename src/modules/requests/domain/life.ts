import type { RequestStatus } from '../../../contract/outcomes.ts';

/**
 * The life of a request, as the one table from which the code takes it: from each state, the states that may follow.
 * What is absent here cannot happen.
 */
export const requestLife: Readonly<Record<RequestStatus, readonly RequestStatus[]>> = {
  received: ['verifying', 'verified', 'withdrawn'],
  verifying: ['verified', 'expired', 'withdrawn', 'rejected'],
  verified: ['resolving', 'withdrawn', 'rejected'],
  resolving: ['planned', 'escalated', 'withdrawn', 'rejected'],
  planned: ['awaiting_approval', 'executing', 'withdrawn', 'rejected'],
  awaiting_approval: ['executing', 'rejected', 'withdrawn'],
  executing: ['confirming', 'escalated', 'closed'],
  confirming: ['executing', 'escalated', 'closed'],
  // Refused or taken back only where it was escalated before it had a plan: `act-on-request` sees to that.
  escalated: ['resolving', 'executing', 'confirming', 'closed', 'rejected', 'withdrawn'],
  // A closed request opens again when something that was too young to erase has come of age.
  closed: ['executing'],
  rejected: [],
  withdrawn: [],
  expired: [],
};

/** States in which nothing more will happen by itself. */
export const endedStatuses: readonly RequestStatus[] = ['closed', 'rejected', 'withdrawn', 'expired'];

/** States in which destructive calls may be made. */
export const executingStatuses: readonly RequestStatus[] = ['executing', 'confirming', 'escalated'];

/** Says whether a request may go from one state to another. */
export function mayFollow(from: RequestStatus, to: RequestStatus): boolean {
  return requestLife[from].includes(to);
}
