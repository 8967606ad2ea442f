import { createFrontDoor } from '../front-door.ts';
import { startSimulator, type Simulator, type VendorDefinition } from '../simulator.ts';
import { contactRoutes } from './contacts.ts';
import { enterIntercom, intercomRefusal } from './gate.ts';
import { createIntercomState, plantIntercom } from './state.ts';

export type { IntercomSeed } from './state.ts';

/** One Intercom workspace, empty; each call gives a separate workspace. */
export function intercomDefinition(): VendorDefinition {
  let state = createIntercomState();
  let clock: () => number = Date.now;
  return {
    vendor: 'intercom',
    routes: (context) => {
      clock = context.now;
      const add = createFrontDoor(context, { enter: (request) => enterIntercom(state, context.now(), request), refusal: intercomRefusal });
      contactRoutes(add, () => state, context);
    },
    seed: (data) => plantIntercom(state, data, clock()),
    dump: () => ({ contacts: [...state.contacts.values()], conversations: [...state.conversations.values()], account: state.account }),
    errorBody: (status) => intercomRefusal(status).body,
    reset: () => {
      state = createIntercomState();
    },
  };
}

/** Starts an Intercom simulator on 127.0.0.1; any bearer token that does not contain `revoked` is accepted. */
export async function startIntercom(options: { port?: number } = {}): Promise<Simulator> {
  return startSimulator(intercomDefinition(), options);
}
