import { uuidv7 } from 'uuidv7';
import type { Clock } from '../../platform/clock.ts';
import { tablesOf, type Database } from '../../platform/db/database.ts';
import { Failure } from '../../platform/failure.ts';
import type { Jobs } from '../../platform/jobs/jobs.ts';
import type { Routing } from './domain/routing.ts';
import { eventsReplay } from './jobs.ts';
import { deliveriesFor, eventOf, wakeDestinations } from './publish.ts';
import { eventsBetween, findReplay, insertDeliveries, insertReplay, lockReplay, markReplay, reviveDead, roundsOf, type EventRow, type ReplayRow } from './store.ts';
import type { EventTables } from './tables.ts';

/** What replaying needs. */
export interface ReplayDeps {
  readonly database: Database;
  readonly clock: Clock;
  readonly jobs: Pick<Jobs, 'send' | 'poke'>;
  readonly routing: Routing;
  readonly source: string;
}

/** What is to be sent once more: the events of a time, from `from` on and before `to`, that a rule matches now, or only the dead letters among its deliveries. */
export interface ReplayOrder {
  readonly rule: string;
  readonly target?: string | undefined;
  readonly from: Date;
  readonly to: Date;
  readonly onlyDead: boolean;
}

/** Sends events once more. */
export interface Replays {
  /** Notes the order and has it carried out. Fails with `NOT_FOUND` where there is no such rule or target. */
  readonly order: (order: ReplayOrder, operator: string) => Promise<ReplayRow>;
  readonly find: (id: string) => Promise<ReplayRow | undefined>;
  /** Carries out an order, page by page; goes on where one that died stopped. */
  readonly run: (id: string, signal: AbortSignal) => Promise<void>;
}

const pageSize = 500;

/** Makes the use case. */
export function createReplays(deps: ReplayDeps): Replays {
  const { database, routing } = deps;

  const sendPage = async (tx: Parameters<Parameters<Database['transaction']>[0]>[0], replay: ReplayRow, page: readonly EventRow[]): Promise<number> => {
    const trx = tablesOf<EventTables>(tx);
    const now = new Date(deps.clock.now());
    const ids = page.map(({ id }) => id);
    if (replay.only_dead) {
      const revived = await reviveDead(trx, ids, replay.rule, replay.target, now);
      await wakeDestinations(deps.jobs, tx, revived);
      return revived.length;
    }
    const rounds = await roundsOf(trx, ids, replay.rule);
    const rows = page.flatMap((row) => {
      const routes = routing.routesByRule(eventOf(row, { source: deps.source, nameOf: routing.nameOf }), replay.rule).filter(({ target }) => replay.target === null || target === replay.target);
      return deliveriesFor(row, routes, now, (rounds.get(row.id) ?? -1) + 1);
    });
    const sent = await insertDeliveries(trx, rows);
    await wakeDestinations(deps.jobs, tx, rows.map(({ destination }) => destination));
    return sent;
  };

  return {
    order: async (order, operator) => {
      const { rule, target = null } = order;
      if (!routing.hasRule(rule)) throw new Failure('NOT_FOUND', 'There is no such rule', { field: '/rule' });
      if (target !== null && routing.route(rule, target) === undefined) throw new Failure('NOT_FOUND', 'The rule has no such target', { field: '/target' });
      const id = uuidv7();
      return database.transaction(async (tx) => {
        const trx = tablesOf<EventTables>(tx);
        await insertReplay(trx, { id, rule, target, only_dead: order.onlyDead, from_at: order.from, to_at: order.to, requested_by: operator, requested_at: new Date(deps.clock.now()) });
        await deps.jobs.send(tx, eventsReplay, { replay_id: id });
        const made = await lockReplay(trx, id);
        if (made === undefined) throw new Error('A replay that was just stored is not there');
        return made;
      });
    },
    find: (id) => findReplay(database.read<EventTables>(), id),
    run: async (id, signal) => {
      while (!signal.aborted) {
        const isDone = await database.transaction(async (tx) => {
          const trx = tablesOf<EventTables>(tx);
          const replay = await lockReplay(trx, id);
          if (replay === undefined || replay.done_at !== null) return true;
          const page = await eventsBetween(trx, { from: replay.from_at, to: replay.to_at, afterSeq: replay.after_seq }, pageSize);
          const last = page.at(-1);
          if (last === undefined) {
            await markReplay(trx, id, { done_at: new Date(deps.clock.now()) });
            return true;
          }
          const sent = await sendPage(tx, replay, page);
          await markReplay(trx, id, { after_seq: last.seq, looked_at: replay.looked_at + page.length, sent: replay.sent + sent });
          return false;
        });
        if (isDone) return;
      }
    },
  };
}
