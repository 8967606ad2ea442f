import type { AuditEntry } from '../../contract/audit-entry.ts';
import type { RequestId } from '../../contract/ids.ts';
import { mayFollow, requestLife } from '../../contract/life.ts';
import type { RequestStatus } from '../../contract/outcomes.ts';
import { isoTime } from '../../platform/clock.ts';
import { tablesOf, type Tx } from '../../platform/db/database.ts';
import { Failure } from '../../platform/failure.ts';
import { outsideId, updateRequest, type RequestCore, type RequestRow } from './store.ts';
import type { RequestTables } from './tables.ts';

/** What a move needs. */
export interface MoveDeps {
  readonly record: (tx: Tx, entry: AuditEntry) => Promise<void>;
}

/** A move to another state: why, who moved it, and what else changes with it. */
export interface Move {
  readonly to: RequestStatus;
  readonly at: number;
  readonly actor?: AuditEntry['actor'];
  /** The entry's type where it has one of its own; `request.status_changed` otherwise. */
  readonly type?: AuditEntry['type'];
  readonly entry?: Partial<AuditEntry>;
  readonly change?: Partial<Pick<RequestRow, 'verdict' | 'reason_code' | 'verified_at' | 'verified_by' | 'planned_at' | 'closed_at' | 'wake_at' | 'certificate' | 'attempt'>>;
}

/**
 * Moves a locked request to another state and records it, in the caller's transaction.
 * Fails with `CONFLICT` when the table of the request's life does not allow it.
 */
export async function moveRequest(tx: Tx, deps: MoveDeps, request: RequestCore, move: Move): Promise<void> {
  if (!mayFollow(requestLife, request.status, move.to)) {
    throw new Failure('CONFLICT', `A request that is ${request.status} cannot become ${move.to}`);
  }
  await updateRequest(tablesOf<RequestTables>(tx), request.id, { status: move.to, moved_at: new Date(move.at), ...move.change });
  await deps.record(tx, {
    type: move.type ?? 'request.status_changed',
    at: isoTime(move.at),
    actor: move.actor ?? { role: 'system' },
    request_id: outsideId(request.id),
    right: request.request_right,
    from: request.status,
    to: move.to,
    ...move.entry,
  });
}

/** Says when a request is to be looked at next, without any other change. */
export async function wakeRequest(tx: Tx, id: RequestId, at: number | null): Promise<void> {
  await updateRequest(tablesOf<RequestTables>(tx), id, { wake_at: at === null ? null : new Date(at) });
}
