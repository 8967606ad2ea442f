import { startSimulator, type Simulator, type SimulatorContext, type VendorDefinition } from '../simulator.ts';
import { createCallbacks } from './callbacks.ts';
import { bodyForStatus, createGate } from './gate.ts';
import { gdprRoutes, settleGdpr } from './gdpr-requests.ts';
import { createGenesysState, plantGenesys } from './genesys-state.ts';
import { piiRoutes, settlePii } from './pii-deletions.ts';

export { signCallback } from './callbacks.ts';
export type { GenesysSeed } from './genesys-state.ts';

/**
 * One Genesys Cloud organisation, empty: the login host, the PII deletion form and the GDPR API on one port; each call gives a separate one.
 * Besides the common control routes there are `POST /_sandbox/revoke-tokens` and `POST /_sandbox/callbacks`.
 */
export function genesysDefinition(): VendorDefinition {
  let state = createGenesysState();
  let running: SimulatorContext | undefined;
  return {
    vendor: 'genesys',
    routes: (context) => {
      running = context;
      const add = createGate(context, () => state);
      piiRoutes(add, () => state, context);
      gdprRoutes(add, () => state, context);
      createCallbacks(context, () => state);
    },
    seed: (data) => plantGenesys(state, data),
    dump: () => {
      if (running !== undefined) {
        settlePii(state, running);
        settleGdpr(state, running);
      }
      return {
        contacts: [...state.contacts.values()].map(({ externalId, records }) => ({ external_id: externalId, records: Object.fromEntries(records) })),
        jobs: [...state.jobs.values()],
        subjects: state.subjects.map(({ subject }) => subject),
        requests: [...state.requests.values()],
        aggregates: state.aggregates,
        deliveries: state.deliveries,
        account: state.account,
      };
    },
    errorBody: (status) => bodyForStatus(status),
    reset: () => {
      state = createGenesysState();
    },
  };
}

/** Starts a Genesys simulator on 127.0.0.1; its client is `sandbox-client` with `sandbox-client-secret`. */
export async function startGenesys(options: { port?: number } = {}): Promise<Simulator> {
  return startSimulator(genesysDefinition(), options);
}
