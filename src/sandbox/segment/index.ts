import { startSimulator, type Simulator, type SimulatorContext, type VendorDefinition } from '../simulator.ts';
import { bodyForStatus, createGate } from './gate.ts';
import { profileRoutes } from './profiles.ts';
import { regulationRoutes } from './regulations.ts';
import { createSegmentState, plantSegment } from './state.ts';

export type { SegmentSeed } from './state.ts';

/** One Segment workspace with one space, empty: the Profile API and the Public API on one port; each call gives a separate workspace. */
export function segmentDefinition(): VendorDefinition {
  let state = createSegmentState();
  let clock: () => number = Date.now;
  return {
    vendor: 'segment',
    routes: (context: SimulatorContext) => {
      clock = context.now;
      const add = createGate(context);
      profileRoutes(add, () => state, context);
      regulationRoutes(add, () => state, context);
    },
    seed: (data) => plantSegment(state, data, clock()),
    dump: () => ({
      profiles: [...state.profiles.values()],
      regulations: [...state.regulations.values()],
      suppressed: [...state.suppressed],
      account: state.account,
    }),
    errorBody: bodyForStatus,
    reset: () => {
      state = createSegmentState();
    },
  };
}

/** Starts a Segment simulator on 127.0.0.1; any token that does not contain `revoked` is accepted. */
export async function startSegment(options: { port?: number } = {}): Promise<Simulator> {
  return startSimulator(segmentDefinition(), options);
}
