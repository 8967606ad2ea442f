import type { Clock } from '../../platform/clock.ts';
import type { Database } from '../../platform/db/database.ts';
import type { JobKind, Jobs } from '../../platform/jobs/jobs.ts';
import type { ProofVerification } from '../identity/index.ts';
import { forgetMessages } from './store.ts';
import type { IntakeTables } from './tables.ts';

/** Forgets answers kept for repetitions. Once a day is enough. */
export const replaySweep: JobKind = { name: 'intake-replay-sweep', concurrency: 1 };

/** Asks the verification service about a request's proof. Carries `request_id`. Expires after the service's longest time-out. */
export const proofAsk: JobKind = { name: 'proof-ask', concurrency: 4, expireSeconds: 120 };
/** Looks for proofs that are due and whose job was lost with its process. Every minute. */
export const proofSweep: JobKind = { name: 'proof-sweep', concurrency: 1 };

/** Makes the handler of `proofSweep`. */
export function createProofSweep(deps: { readonly proofs: Pick<ProofVerification, 'due'>; readonly jobs: Pick<Jobs, 'poke'> }): () => Promise<void> {
  return async () => {
    for (const id of await deps.proofs.due()) await deps.jobs.poke(proofAsk, { request_id: id });
  };
}

/**
 * For how long a repetition gets the first answer: longer than any webhook sender retries (Stripe's three days, Svix's five). After it the
 * request itself still knows its id, so that no second one is opened; the answer then tells how it stands by now.
 */
const replayDays = 30;

/** Makes the handler of `replaySweep`. `forgetMore` is what else is kept for repetitions and is over. */
export function createReplaySweep(deps: { readonly database: Database; readonly clock: Clock; readonly forgetMore: () => Promise<void> }): () => Promise<void> {
  return async () => {
    await forgetMessages(deps.database.read<IntakeTables>(), new Date(deps.clock.now() - replayDays * 86_400_000));
    await deps.forgetMore();
  };
}
