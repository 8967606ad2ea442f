import type { AuditEntry } from '../../contract/audit-entry.ts';
import type { RequestId } from '../../contract/ids.ts';
import type { Clock } from '../../platform/clock.ts';
import { tablesOf, type Database, type Tx } from '../../platform/db/database.ts';
import { Failure } from '../../platform/failure.ts';
import type { Jobs } from '../../platform/jobs/jobs.ts';
import { datesOf } from './clock-of-request.ts';
import { readClocked, wakeForDates } from './clock-reminders.ts';
import type { RefusalReason } from '../../contract/justifications.ts';
import { endedStatuses } from './domain/life.ts';
import { requestAdvance } from './jobs.ts';
import type { LawClocks } from './law-clocks.ts';
import { moveRequest, type Move } from './move-request.ts';
import type { RequestSummary } from './requests.ts';
import type { Say } from './say.ts';
import { findRequest, lockRequest, summarise, updateRequest, type RequestCore } from './store.ts';
import type { RequestTables } from './tables.ts';

/** What the actions need. */
export interface ActDeps {
  readonly database: Database;
  readonly clock: Clock;
  readonly jobs: Pick<Jobs, 'send'>;
  readonly record: (tx: Tx, entry: AuditEntry) => Promise<void>;
  readonly notify: Say;
  readonly clocks: LawClocks;
}

/** What an operator has seen of who the person is, as the codes that the log keeps. */
export const evidenceCodes = ['account_login', 'called_back', 'identity_document', 'known_in_person'] as const;
/** What an operator has seen of who the person is. */
export type EvidenceCode = (typeof evidenceCodes)[number];

/** What people can do with a request before anything is deleted. */
export interface RequestActions {
  /** The person proved who they are. False when the request has ended, and nothing will come of it. */
  readonly subjectVerified: (tx: Tx, id: RequestId, method: string) => Promise<boolean>;
  /** An operator has seen evidence of who the person is: for whom no code can be sent. */
  readonly verifyByOperator: (id: RequestId, operator: string, evidence: EvidenceCode) => Promise<RequestSummary>;
  /** An operator lets the plan run. */
  readonly approve: (id: RequestId, operator: string) => Promise<RequestSummary>;
  /** An operator refuses, with a coded reason that the law knows; the person is told. Fails with `LAW_FORBIDS` for another. */
  readonly reject: (id: RequestId, operator: string, code: RefusalReason) => Promise<RequestSummary>;
  /** The person or an operator takes the request back. */
  readonly withdraw: (id: RequestId, operator: string) => Promise<RequestSummary>;
}

/** Makes the actions. All fail with `NOT_FOUND` for an unknown id and with `CONFLICT` where the request's life does not allow them. */
export function createRequestActions(deps: ActDeps): RequestActions {
  const act = async (id: RequestId, move: (request: RequestCore, now: number) => Move, advance: boolean, afterMove?: (tx: Tx, id: RequestId) => Promise<void>): Promise<RequestSummary> =>
    deps.database.transaction(async (tx) => {
      const trx = tablesOf<RequestTables>(tx);
      const request = await lockRequest(trx, id);
      if (request === undefined) throw new Failure('NOT_FOUND', 'There is no such request');
      await moveRequest(tx, deps, request, move(request, deps.clock.now()));
      if (advance) await deps.jobs.send(tx, requestAdvance, { request_id: id });
      await afterMove?.(tx, id);
      const changed = await findRequest(trx, id);
      if (changed === undefined) throw new Error('A locked request vanished');
      return summarise(changed);
    });
  /** The clock may begin with verification, and the internal target does; the person hears that it goes on. */
  const startClock = async (tx: Tx, id: RequestId): Promise<void> => {
    const trx = tablesOf<RequestTables>(tx);
    const now = deps.clock.now();
    const request = await findRequest(trx, id);
    if (request === undefined) throw new Error('A locked request vanished');
    const clocked = await readClocked(tx, request, undefined);
    const { clock, due } = datesOf(deps.clocks, clocked, now);
    if (clock.start === 'verification') await updateRequest(trx, id, { due_at: new Date(due.at) });
    await wakeForDates(tx, deps.clocks, clocked, now);
    await deps.notify(tx, { requestId: id, template: 'verified', recipient: 'subject', occasion: 'verified' });
  };
  return {
    subjectVerified: async (tx, id, method) => {
      const request = await lockRequest(tablesOf<RequestTables>(tx), id);
      if (request === undefined) throw new Failure('NOT_FOUND', 'There is no such request');
      if (request.status !== 'verifying') return !endedStatuses.includes(request.status);
      const now = deps.clock.now();
      await moveRequest(tx, deps, request, {
        to: 'verified',
        at: now,
        type: 'request.verified',
        actor: { role: 'subject' },
        entry: { verification_method: method },
        change: { verified_at: new Date(now), verified_by: method, wake_at: new Date(now) },
      });
      await startClock(tx, id);
      await deps.jobs.send(tx, requestAdvance, { request_id: id });
      return true;
    },
    verifyByOperator: (id, operator, evidence) =>
      act(
        id,
        (request, now) => {
          if (request.status !== 'verifying') throw new Failure('CONFLICT', `A request that is ${request.status} does not wait for verification`);
          return {
            to: 'verified',
            at: now,
            type: 'request.verified',
            actor: { role: 'operator', id: operator },
            entry: { verification_method: `operator:${evidence}` },
            change: { verified_at: new Date(now), verified_by: 'operator', wake_at: new Date(now) },
          };
        },
        true,
        startClock,
      ),
    approve: (id, operator) =>
      act(
        id,
        (request, now) => {
          if (request.status !== 'awaiting_approval') throw new Failure('CONFLICT', `A request that is ${request.status} does not wait for approval`);
          return { to: 'executing', at: now, type: 'request.approved', actor: { role: 'operator', id: operator }, change: { wake_at: new Date(now) } };
        },
        true,
      ),
    reject: (id, operator, code) =>
      act(
        id,
        (request, now) => {
          mustBeUntouched(request);
          mustBeGround(deps.clocks, request, code);
          return {
            to: 'rejected',
            at: now,
            type: 'request.rejected',
            actor: { role: 'operator', id: operator },
            entry: { reason_code: code },
            change: { reason_code: code, verdict: 'refused', closed_at: new Date(now), wake_at: new Date(now) },
          };
        },
        true,
        (tx) => deps.notify(tx, { requestId: id, template: 'refused', recipient: 'subject', occasion: 'refused' }),
      ),
    withdraw: (id, operator) =>
      act(
        id,
        (request, now) => {
          mustBeUntouched(request);
          return {
            to: 'withdrawn',
            at: now,
            type: 'request.withdrawn',
            actor: { role: 'operator', id: operator },
            change: { closed_at: new Date(now), wake_at: new Date(now) },
          };
        },
        true,
      ),
  };
}

/** A request is escalated before it has a plan, where nothing was called that changes anything, or after, where something may be deleted. */
function mustBeUntouched(request: RequestCore): void {
  if (request.status === 'escalated' && request.planned_at !== null) throw new Failure('CONFLICT', 'Something may be deleted already; settle the tasks that wait instead');
}

/** Where somebody has gone through a law's grounds of refusal, only they are taken. */
function mustBeGround(clocks: Pick<LawClocks, 'pack'>, request: RequestCore, code: RefusalReason): void {
  const { title, refusals } = clocks.pack(request.law);
  if (refusals === undefined || refusals.some((each) => each.reason === code)) return;
  throw new Failure('LAW_FORBIDS', `${title} does not know ${code} as a ground of refusal; it knows ${refusals.map((each) => each.reason).join(', ')}`);
}
