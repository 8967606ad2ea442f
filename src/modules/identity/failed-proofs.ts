import type { Clock } from '../../platform/clock.ts';
import { tablesOf, type Tx } from '../../platform/db/database.ts';
import { countFailedProof, failedProofs } from './store.ts';
import type { IdentityTables } from './tables.ts';

/** What the limit needs. */
export interface FailedProofsDeps {
  readonly clock: Clock;
  /** Wrong codes and proofs that a source may have in an hour, over all its requests. */
  readonly perHour: number;
}

/** Limits how often proofs fail, for each source: who holds many requests of one could guess at each of them. */
export interface FailedProofs {
  /** How long nothing of a source is judged, in milliseconds; 0 when it is. Tries that come at once may each pass before one is counted. */
  readonly waitMs: (tx: Tx, source: string) => Promise<number>;
  /** Counts one that failed. */
  readonly count: (tx: Tx, source: string) => Promise<void>;
}

const hourMs = 3_600_000;

/** Makes the limit. The hour begins with the first failure; an hour after it, the count begins anew. */
export function createFailedProofs(deps: FailedProofsDeps): FailedProofs {
  const start = (): Date => new Date(deps.clock.now() - hourMs);
  return {
    waitMs: async (tx, source) => {
      const failed = await failedProofs(tablesOf<IdentityTables>(tx), source, start());
      if (failed === undefined || failed.count < deps.perHour) return 0;
      return Math.max(1, failed.since.getTime() + hourMs - deps.clock.now());
    },
    count: (tx, source) => countFailedProof(tablesOf<IdentityTables>(tx), source, new Date(deps.clock.now()), start()),
  };
}
