import { createFrontDoor } from '../front-door.ts';
import { startSimulator, type Simulator, type VendorDefinition } from '../simulator.ts';
import { bulkRoutes } from './bulk.ts';
import { enterSalesforce, issueToken, salesforceRefusal, tokenPath } from './gate.ts';
import { recordRoutes } from './records.ts';
import { createSalesforceState, plantSalesforce } from './state.ts';

export type { SalesforceSeed } from './state.ts';

/** One Salesforce org, empty; each call gives a separate org. Tokens survive a reset, as they would a deletion of data. */
export function salesforceDefinition(): VendorDefinition {
  let state = createSalesforceState();
  let clock: () => number = Date.now;
  return {
    vendor: 'salesforce',
    routes: (context) => {
      clock = context.now;
      for (const type of ['text/csv', 'multipart/form-data', 'application/x-www-form-urlencoded']) context.app.addContentTypeParser(type, { parseAs: 'string' }, (_request, body, done) => done(null, body));
      const add = createFrontDoor(context, { enter: (request) => enterSalesforce(state, context.now(), request), refusal: salesforceRefusal });
      add('POST', tokenPath, (request) => issueToken(state, context.now(), request));
      recordRoutes(add, () => state, context);
      bulkRoutes(add, () => state, context);
    },
    seed: (data) => plantSalesforce(state, data, clock()),
    dump: () => ({ records: [...state.records.values()], jobs: [...state.jobs.values()], account: state.account }),
    errorBody: (status) => salesforceRefusal(status).body,
    reset: () => {
      const { sessions } = state;
      state = createSalesforceState();
      for (const [token, at] of sessions) state.sessions.set(token, at);
    },
  };
}

/** Starts a Salesforce simulator on 127.0.0.1; the client `client` with the secret `secret` gets access tokens. */
export async function startSalesforce(options: { port?: number } = {}): Promise<Simulator> {
  return startSimulator(salesforceDefinition(), options);
}
