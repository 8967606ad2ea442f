import type { Clock } from '../../platform/clock.ts';
import type { Database } from '../../platform/db/database.ts';
import type { JobKind } from '../../platform/jobs/jobs.ts';
import { forgetMessages } from './store.ts';
import type { IntakeTables } from './tables.ts';

/** Forgets answers kept for repetitions. Once a day is enough. */
export const replaySweep: JobKind = { name: 'intake-replay-sweep', concurrency: 1 };

/**
 * For how long a repetition gets the first answer: longer than any webhook sender retries (Stripe's three days, Svix's five). After it the
 * request itself still knows its id, so that no second one is opened; the answer then tells how it stands by now.
 */
const replayDays = 30;

/** Makes the handler of `replaySweep`. */
export function createReplaySweep(deps: { readonly database: Database; readonly clock: Clock }): () => Promise<void> {
  return async () => {
    await forgetMessages(deps.database.read<IntakeTables>(), new Date(deps.clock.now() - replayDays * 86_400_000));
  };
}
