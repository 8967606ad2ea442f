import type { Transport } from '../../../connector-kit/index.ts';
import type { Clock } from '../../../platform/clock.ts';
import type { RateDecision } from '../../../platform/db/rate-limit.ts';

/** What every target is given besides its settings. */
export interface TargetDeps {
  /** Where the destination is configured, `/events/destinations/crm`: named when a setting turns out to be wrong. */
  readonly at: string;
  readonly clock: Clock;
  /** Takes a place in the destination's own limit, which holds across processes. Asked once for each try of a delivery to an API destination, by nobody else. */
  readonly acquire: () => Promise<RateDecision>;
  /** Carries calls over HTTP; the network when absent. */
  readonly transport?: Transport;
}
