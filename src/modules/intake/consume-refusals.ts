import type { ErrorCode } from '../../contract/errors.ts';
import { isoTime, type Clock } from '../../platform/clock.ts';
import { tablesOf, type Database, type Tx } from '../../platform/db/database.ts';
import type { Log } from '../../platform/log.ts';
import { forgetRefusals, insertRefusal } from './consume-store.ts';
import type { IntakeTables } from './tables.ts';

/** What keeping refusals needs. */
export interface RefusalsDeps {
  readonly database: Database;
  readonly clock: Clock;
  readonly log: Log;
  /** Tells the data protection officer, once for each occasion. */
  readonly alertOfficer: (tx: Tx, occasion: string) => Promise<void>;
}

/** Messages of buses that can never be accepted. Nothing of what they say is kept. */
export interface Refusals {
  /** Keeps where a message is and why it was refused, once, and tells the officer once a day for each source and code. */
  readonly refuse: (source: string, place: string, code: ErrorCode) => Promise<void>;
  /** Tells the officer, once a day, that a bus cannot be read. */
  readonly unreadable: (source: string, code: ErrorCode) => Promise<void>;
  /** Forgets what was refused so long ago that no bus has the message any more. */
  readonly forget: () => Promise<void>;
}

/** Pub/Sub keeps what nobody took for 31 days at most, Kafka usually for 7. */
const keptDays = 90;

/** Makes them. */
export function createRefusals(deps: RefusalsDeps): Refusals {
  const tell = (tx: Tx, what: 'refused' | 'unreadable', source: string, code: ErrorCode): Promise<void> => deps.alertOfficer(tx, `${what}:${source}:${code}:${isoTime(deps.clock.now()).slice(0, 10)}`);
  return {
    refuse: async (source, place, code) => {
      deps.log.warn({ source, place, error_code: code }, 'a message of a bus was refused');
      await deps.database.transaction(async (tx) => {
        const isNew = await insertRefusal(tablesOf<IntakeTables>(tx), { source, place, code, refused_at: new Date(deps.clock.now()) });
        if (isNew) await tell(tx, 'refused', source, code);
      });
    },
    unreadable: (source, code) => deps.database.transaction((tx) => tell(tx, 'unreadable', source, code)),
    forget: () => forgetRefusals(deps.database.read<IntakeTables>(), new Date(deps.clock.now() - keptDays * 86_400_000)),
  };
}
