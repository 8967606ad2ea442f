import { createFrontDoor } from '../front-door.ts';
import { startSimulator, type Simulator, type VendorDefinition } from '../simulator.ts';
import { createZendeskState, plantZendesk } from './state.ts';
import { ticketRoutes } from './tickets.ts';
import { enterZendesk, userRoutes, zendeskRefusal } from './users.ts';

export type { ZendeskSeed } from './state.ts';

/** One Zendesk account, empty; each call gives a separate account. */
export function zendeskDefinition(): VendorDefinition {
  let state = createZendeskState();
  let clock: () => number = Date.now;
  return {
    vendor: 'zendesk',
    routes: (context) => {
      clock = context.now;
      const add = createFrontDoor(context, { enter: (request) => enterZendesk(state, context.now(), request), refusal: zendeskRefusal });
      userRoutes(add, () => state, context);
      ticketRoutes(add, () => state, context);
    },
    seed: (data) => plantZendesk(state, data, clock()),
    dump: () => ({ users: [...state.users.values()], tickets: [...state.tickets.values()], account: state.account }),
    errorBody: (status) => zendeskRefusal(status).body,
    reset: () => {
      state = createZendeskState();
    },
  };
}

/** Starts a Zendesk simulator on 127.0.0.1; any API token or bearer token that does not contain `revoked` is accepted. */
export async function startZendesk(options: { port?: number } = {}): Promise<Simulator> {
  return startSimulator(zendeskDefinition(), options);
}
