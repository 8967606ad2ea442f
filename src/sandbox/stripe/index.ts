import { startSimulator, type Simulator, type SimulatorContext, type VendorDefinition } from '../simulator.ts';
import { customerRoutes } from './customers.ts';
import { createGate } from './gate.ts';
import { plantStripe } from './plant.ts';
import { bodyForStatus } from './problem.ts';
import { recordRoutes } from './records.ts';
import { redactionRoutes } from './redaction.ts';
import { createStripeState, dumpState } from './state.ts';

export type { StripeSeed } from './plant.ts';

/** One Stripe sandbox account, empty, with the behaviour that Stripe documents; each call gives a separate account. */
export function stripeDefinition(): VendorDefinition {
  let state = createStripeState();
  let clock: () => number = Date.now;
  return {
    vendor: 'stripe',
    routes: (context: SimulatorContext) => {
      clock = context.now;
      const add = createGate(() => state, context);
      customerRoutes(add, () => state, context);
      recordRoutes(add, () => state, context);
      redactionRoutes(add, () => state, context);
    },
    seed: (data) => plantStripe(state, data, clock()),
    dump: () => dumpState(state),
    errorBody: bodyForStatus,
    reset: () => {
      state = createStripeState();
    },
  };
}

/** Starts a Stripe simulator on 127.0.0.1; any key that begins with `sk_test_` or `rk_test_` and does not contain `revoked` is accepted. */
export async function startStripe(options: { port?: number } = {}): Promise<Simulator> {
  return startSimulator(stripeDefinition(), options);
}
