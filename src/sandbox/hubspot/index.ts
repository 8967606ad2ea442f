import { createFrontDoor } from '../front-door.ts';
import { startSimulator, type Simulator, type VendorDefinition } from '../simulator.ts';
import { contactRoutes, enterHubspot, hubspotRefusal } from './contacts.ts';
import { createHubspotState, plantHubspot } from './state.ts';

export type { HubspotSeed } from './state.ts';

/** One HubSpot account, empty; each call gives a separate account. */
export function hubspotDefinition(): VendorDefinition {
  let state = createHubspotState();
  let clock: () => number = Date.now;
  return {
    vendor: 'hubspot',
    routes: (context) => {
      clock = context.now;
      const add = createFrontDoor(context, { enter: (request) => enterHubspot(state, context.now(), request), refusal: hubspotRefusal });
      contactRoutes(add, () => state, context);
    },
    seed: (data) => plantHubspot(state, data, clock()),
    dump: () => ({ contacts: [...state.contacts.values()], blocklist: [...state.blocklist], account: state.account }),
    errorBody: (status) => hubspotRefusal(status).body,
    reset: () => {
      state = createHubspotState();
    },
  };
}

/** Starts a HubSpot simulator on 127.0.0.1; any token that does not contain `revoked` is accepted. */
export async function startHubspot(options: { port?: number } = {}): Promise<Simulator> {
  return startSimulator(hubspotDefinition(), options);
}
