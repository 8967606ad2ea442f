import type { RequestId } from '../../contract/ids.ts';
import { isoTime, type Clock } from '../../platform/clock.ts';
import { tablesOf, type Database, type Tx } from '../../platform/db/database.ts';
import { watchedDates, type ClockedRequest } from './clock-of-request.ts';
import { dueClocks, findAppeal, pausesOf, wakeClock } from './clock-store.ts';
import { dueReminders, type Reminder } from './domain/reminders.ts';
import type { LawClocks } from './law-clocks.ts';
import type { Say } from './say.ts';
import { lockRequest, type RequestCore } from './store.ts';
import type { RequestTables } from './tables.ts';

/** What reminding needs. */
export interface ClockReminderDeps {
  readonly database: Database;
  readonly clock: Clock;
  readonly clocks: LawClocks;
  readonly notify: Say;
  /** When the person was first written to, in milliseconds since the epoch; undefined until then. */
  readonly acknowledgedAt: (id: RequestId) => Promise<number | undefined>;
}

/** How many requests are read at a time. */
const batchSize = 500;
/** A request whose dates cannot be computed is looked at again then, so that it keeps no other from being announced. */
const putOffMs = 3_600_000;

/**
 * Makes the sweep that tells the data protection officer, once each, that a date of a request is near and that it has passed: acknowledgement,
 * notice of an extension, internal target, deadline, appeal. Answers how many requests it looked at. Safe to run at any time, any number of times.
 * What cannot be computed (the law of a request is not there any more) is put off by an hour and thrown when all others were looked at.
 */
export function createClockReminders(deps: ClockReminderDeps): () => Promise<number> {
  const remind = async (id: RequestId): Promise<void> => {
    const acknowledgedAt = await deps.acknowledgedAt(id);
    await deps.database.transaction(async (tx) => {
      const request = await lockRequest(tablesOf<RequestTables>(tx), id);
      const now = deps.clock.now();
      if (request === undefined || request.clock_wake_at === null || request.clock_wake_at.getTime() > now) return;
      const clocked = await readClocked(tx, request, acknowledgedAt);
      const { due, nextAt } = dueReminders(watchedDates(deps.clocks, clocked, now), now);
      for (const each of due) await deps.notify(tx, noticeOf(request, each));
      await wakeClock(tablesOf<RequestTables>(tx), id, nextAt === undefined ? null : new Date(nextAt));
    });
  };
  const putOff = (id: RequestId): Promise<void> => deps.database.transaction((tx) => wakeClock(tablesOf<RequestTables>(tx), id, new Date(deps.clock.now() + putOffMs)));
  return async () => {
    const errors: unknown[] = [];
    let looked = 0;
    for (;;) {
      const ids = await dueClocks(deps.database.read<RequestTables>(), new Date(deps.clock.now()), batchSize);
      for (const id of ids) {
        try {
          await remind(id);
        } catch (error) {
          errors.push(error);
          await putOff(id);
        }
      }
      looked += ids.length;
      if (ids.length < batchSize) break;
    }
    if (errors.length > 0) throw new AggregateError(errors, `The dates of ${errors.length} requests could not be computed`);
    return looked;
  };
}

/** Reads what a locked request's clock depends on, in the same transaction. */
export async function readClocked(tx: Tx, request: RequestCore, acknowledgedAt: number | undefined): Promise<ClockedRequest> {
  const trx = tablesOf<RequestTables>(tx);
  return { request, pauses: await pausesOf(trx, request.id), appeal: await findAppeal(trx, request.id), acknowledgedAt };
}

/** Says when the dates of a locked request are looked at next; to be called when any of them has changed. */
export async function wakeForDates(tx: Tx, clocks: LawClocks, clocked: ClockedRequest, now: number): Promise<void> {
  const { due, nextAt } = dueReminders(watchedDates(clocks, clocked, now), now);
  const at = due.length > 0 ? now : nextAt;
  await wakeClock(tablesOf<RequestTables>(tx), clocked.request.id, at === undefined ? null : new Date(at));
}

/** One notice for each date: a date that was moved is a new one. */
function noticeOf(request: RequestCore, { kind, when, at }: Reminder): Parameters<Say>[1] {
  return { requestId: request.id, recipient: 'dpo', template: 'dpo_clock', occasion: `${kind}_${when}:${isoTime(at)}` };
}
