import type { AuditEntry } from '../../contract/audit-entry.ts';
import type { RequestId } from '../../contract/ids.ts';
import { isoTime, type Clock } from '../../platform/clock.ts';
import { tablesOf, type Database, type Tx } from '../../platform/db/database.ts';
import { Failure } from '../../platform/failure.ts';
import type { Jobs } from '../../platform/jobs/jobs.ts';
import { datesOf, explainClock } from './clock-of-request.ts';
import { readClocked, wakeForDates } from './clock-reminders.ts';
import { decideAppeal, endPause, findAppeal, insertAppeal, startPause } from './clock-store.ts';
import type { DelayReason, RefusalReason } from '../../contract/justifications.ts';
import type { PauseCondition } from './domain/law-pack.ts';
import { endedStatuses } from './domain/life.ts';
import { requestAdvance } from './jobs.ts';
import type { LawClocks } from './law-clocks.ts';
import type { Say } from './say.ts';
import { moveRequest } from './move-request.ts';
import { findRequest, lockRequest, outsideId, updateRequest, type RequestCore } from './store.ts';
import type { RequestTables } from './tables.ts';

/** What acting on a clock needs. */
export interface ClockActionDeps {
  readonly database: Database;
  readonly clock: Clock;
  readonly clocks: LawClocks;
  readonly record: (tx: Tx, entry: AuditEntry) => Promise<void>;
  readonly notify: Say;
  /** When the person was first written to, in milliseconds since the epoch; undefined until then. */
  readonly acknowledgedAt: (id: RequestId) => Promise<number | undefined>;
  readonly jobs: Pick<Jobs, 'send'>;
  /** A person who never proves who they are: after this a request that was opened again expires. */
  readonly unverifiedDays: number;
  /** Has what a request left undone done anew, in the transaction that opens it again; the request is as it was before that. */
  readonly carryOutAnew: (tx: Tx, request: RequestCore) => Promise<void>;
}

/** A request's clock as the API shows it. */
export type ExplainedClock = ReturnType<typeof explainClock>;

/** What operators can do with a request's clock. All answer the clock as it is then, and fail with `NOT_FOUND` for an unknown request. */
export interface ClockActions {
  readonly explain: (id: RequestId) => Promise<ExplainedClock>;
  /** Once, with a coded reason, within the law's time for telling the person; `until` (a date) only where the law sets no length. */
  readonly extend: (id: RequestId, operator: string, reason: DelayReason, until?: string) => Promise<ExplainedClock>;
  /** Stops the clock, where the law allows it for that. */
  readonly pause: (id: RequestId, operator: string, condition: PauseCondition) => Promise<ExplainedClock>;
  readonly resume: (id: RequestId, operator: string) => Promise<ExplainedClock>;
  /** The person is against how their request ended. */
  readonly appeal: (id: RequestId, operator: string) => Promise<ExplainedClock>;
  /** Denied needs a coded reason; granted opens the request again, to be done by the date of the appeal. */
  readonly decide: (id: RequestId, operator: string, decision: { readonly decision: 'granted' } | { readonly decision: 'denied'; readonly reason: RefusalReason }) => Promise<ExplainedClock>;
}

const dayMs = 86_400_000;

/** Makes the actions. They fail with `LAW_FORBIDS`, naming the law, where it does not allow them, and with `CONFLICT` where the request's life does not. */
export function createClockActions(deps: ClockActionDeps): ClockActions {
  const { clocks } = deps;
  const entryOf = (request: RequestCore, operator: string, now: number): Omit<AuditEntry, 'type'> => ({
    at: isoTime(now),
    actor: { role: 'operator', id: operator },
    request_id: outsideId(request.id),
    right: request.request_right,
    law: request.law,
  });
  const act = async (id: RequestId, change: (tx: Tx, request: RequestCore, now: number) => Promise<void>): Promise<ExplainedClock> => {
    const acknowledgedAt = await deps.acknowledgedAt(id);
    return deps.database.transaction(async (tx) => {
      const trx = tablesOf<RequestTables>(tx);
      const request = await lockRequest(trx, id);
      if (request === undefined) throw new Failure('NOT_FOUND', 'There is no such request');
      const now = deps.clock.now();
      await change(tx, request, now);
      const changed = await findRequest(trx, id);
      if (changed === undefined) throw new Error('A locked request vanished');
      const clocked = await readClocked(tx, changed, acknowledgedAt);
      await wakeForDates(tx, clocks, clocked, now);
      return explainClock(clocks, clocked, now);
    });
  };
  /** Opens a request again whose appeal was granted. What it came to stays in the log. */
  const openAgain = async (tx: Tx, request: RequestCore, operator: string, now: number): Promise<void> => {
    const trx = tablesOf<RequestTables>(tx);
    const { id, status } = request;
    if (request.wake_at === null) throw new Failure('CONFLICT', 'What was known of the person is destroyed, so that nothing can be carried out anew; take a new request');
    const appeal = await findAppeal(trx, id);
    const dueAt = Math.max(request.due_at.getTime(), appeal?.due_at.getTime() ?? 0);
    await updateRequest(trx, id, { due_at: new Date(dueAt) });
    await deps.notify(tx, { requestId: id, template: 'dpo_clock', recipient: 'dpo', occasion: `appeal_granted:${isoTime(dueAt)}` });
    await deps.carryOutAnew(tx, request);
    // One that has come of age in the meantime is open already.
    if (!endedStatuses.includes(status)) return;
    const to = status === 'closed' ? 'executing' : request.verified_at === null ? 'verifying' : 'verified';
    const wakeAt = to === 'verifying' ? now + deps.unverifiedDays * dayMs : now;
    await moveRequest(tx, deps, request, {
      to,
      at: now,
      type: 'request.reopened',
      actor: { role: 'operator', id: operator },
      entry: { reason_code: 'appeal_granted', proof: { due_before: request.due_at.toISOString(), due_after: isoTime(dueAt) } },
      change: { verdict: null, reason_code: null, closed_at: null, certificate: null, attempt: 0, wake_at: new Date(wakeAt), ...(status === 'closed' ? {} : { planned_at: null }) },
    });
    await deps.jobs.send(tx, requestAdvance, { request_id: id });
  };
  return {
    explain: async (id) => {
      const acknowledgedAt = await deps.acknowledgedAt(id);
      return deps.database.transaction(async (tx) => {
        const request = await findRequest(tablesOf<RequestTables>(tx), id);
        if (request === undefined) throw new Failure('NOT_FOUND', 'There is no such request');
        return explainClock(clocks, await readClocked(tx, request, acknowledgedAt), deps.clock.now());
      });
    },
    extend: (id, operator, reason, until) =>
      act(id, async (tx, request, now) => {
        mustBeOpen(request);
        if (request.extended_at !== null) throw new Failure('CONFLICT', 'The request was extended before; a law extends once');
        const clocked = await readClocked(tx, request, undefined);
        mustAllowExtension(datesOf(clocks, clocked, now), { reason, until, now });
        const at = new Date(now);
        const extended: RequestCore = { ...request, extended_at: at, extension_reason: reason, extended_until: until ?? null };
        const { due } = datesOf(clocks, { ...clocked, request: extended }, now);
        // Never earlier than what the person was told before, whatever the data of the law says today.
        const dueAt = Math.max(due.at, request.due_at.getTime());
        await updateRequest(tablesOf<RequestTables>(tx), id, { extended_at: at, extension_reason: reason, extended_until: until ?? null, due_at: new Date(dueAt) });
        const proof = { due_before: request.due_at.toISOString(), due_after: isoTime(dueAt) };
        await deps.record(tx, { ...entryOf(request, operator, now), type: 'request.extended', reason_code: reason, proof });
        await deps.notify(tx, { requestId: id, template: 'extended', recipient: 'subject', occasion: 'extended' });
      }),
    pause: (id, operator, condition) =>
      act(id, async (tx, request, now) => {
        mustBeOpen(request);
        mayPause(clocks, request, condition, now);
        if (!(await startPause(tablesOf<RequestTables>(tx), id, new Date(now), condition))) throw new Failure('CONFLICT', 'The clock of this request stands still already');
        await deps.record(tx, { ...entryOf(request, operator, now), type: 'request.paused', reason_code: condition });
      }),
    resume: (id, operator) =>
      act(id, async (tx, request, now) => {
        const trx = tablesOf<RequestTables>(tx);
        if (!(await endPause(trx, id, new Date(now)))) throw new Failure('CONFLICT', 'The clock of this request does not stand still');
        const { due } = datesOf(clocks, await readClocked(tx, request, undefined), now);
        const dueAt = Math.max(due.at, request.due_at.getTime());
        await updateRequest(trx, id, { due_at: new Date(dueAt) });
        const proof = { due_before: request.due_at.toISOString(), due_after: isoTime(dueAt) };
        await deps.record(tx, { ...entryOf(request, operator, now), type: 'request.resumed', proof });
      }),
    appeal: (id, operator) =>
      act(id, async (tx, request, now) => {
        if (request.status !== 'closed' && request.status !== 'rejected') throw new Failure('CONFLICT', `A request that is ${request.status} has no end to appeal against`);
        if (request.wake_at === null) throw new Failure('CONFLICT', 'What was known of the person is destroyed, so nobody could be answered; take a new request');
        const due = clocks.appealDue(request.law, now);
        if (due === undefined) throw new Failure('LAW_FORBIDS', `${clocks.pack(request.law).title} knows no appeal to the controller; a complaint goes to the supervisory authority`);
        if (!(await insertAppeal(tablesOf<RequestTables>(tx), id, new Date(now), new Date(due.at)))) throw new Failure('CONFLICT', 'There is an appeal of this request already');
        await deps.record(tx, { ...entryOf(request, operator, now), type: 'request.appealed', proof: { due_at: isoTime(due.at) } });
        await deps.notify(tx, { requestId: id, template: 'dpo_clock', recipient: 'dpo', occasion: `appeal_opened:${isoTime(due.at)}` });
      }),
    decide: (id, operator, choice) =>
      act(id, async (tx, request, now) => {
        const reason = choice.decision === 'denied' ? choice.reason : null;
        const trx = tablesOf<RequestTables>(tx);
        if (!(await decideAppeal(trx, id, { decision: choice.decision, reason_code: reason, decided_at: new Date(now), decided_by: operator }))) throw new Failure('CONFLICT', 'No appeal of this request waits for a decision');
        await deps.record(tx, { ...entryOf(request, operator, now), type: 'request.appeal_decided', to: choice.decision, ...(reason === null ? {} : { reason_code: reason }) });
        await deps.notify(tx, { requestId: id, template: 'appeal_decided', recipient: 'subject', occasion: 'appeal_decided' });
        if (choice.decision === 'granted') await openAgain(tx, request, operator, now);
      }),
  };
}

/** Whether an appeal of a request waits for its decision: until then the person must be reachable. Of a request that the caller has locked, it stays as it is until the transaction ends. */
export async function appealWaits(database: Pick<Database, 'read'> | Tx, id: RequestId): Promise<boolean> {
  const appeal = await findAppeal('read' in database ? database.read<RequestTables>() : tablesOf<RequestTables>(database), id);
  return appeal !== undefined && appeal.decision === null;
}

function mustBeOpen(request: RequestCore): void {
  if (endedStatuses.includes(request.status)) throw new Failure('CONFLICT', `A request that is ${request.status} has no clock any more`);
}

function mustAllowExtension({ pack, clock, extensionNotice, due }: ReturnType<typeof datesOf>, asked: { readonly reason: DelayReason; readonly until: string | undefined; readonly now: number }): void {
  const { extension } = clock;
  if (extension === undefined || extensionNotice === undefined) throw new Failure('LAW_FORBIDS', `${pack.title} (${clock.source}) knows no extension`);
  if (extension.reasons !== undefined && !extension.reasons.includes(asked.reason)) throw new Failure('LAW_FORBIDS', `${pack.title} (${extension.source}) extends for ${extension.reasons.join(' or ')} only`);
  if (asked.now > extensionNotice.at) throw new Failure('LAW_FORBIDS', `${pack.title} (${extension.source}) has the person told of an extension by ${isoTime(extensionNotice.at)}, which has passed`);
  if (extension.by !== 'stated' && asked.until !== undefined) throw new Failure('VALIDATION_FAILED', `${pack.title} sets how long an extension is; leave until out`, { field: '/until' });
  if (extension.by === 'stated' && (asked.until === undefined || Date.parse(asked.until) <= due.at)) {
    throw new Failure('VALIDATION_FAILED', `${pack.title} sets no length: until must be a date after ${isoTime(due.at)}, and is told to the person`, { field: '/until' });
  }
}

function mayPause(clocks: LawClocks, request: RequestCore, condition: PauseCondition, now: number): void {
  const { title, pauses, clocks: all } = clocks.pack(request.law);
  const allowed = pauses.find((each) => each.condition === condition && (each.from === undefined || Date.parse(each.from) <= now));
  if (allowed !== undefined) return;
  const source = (all.find((each) => each.rights.includes(request.request_right)) ?? all[0])?.source ?? '';
  throw new Failure('LAW_FORBIDS', `${title} (${source}) does not let the clock stand still for ${condition}`);
}
