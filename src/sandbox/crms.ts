import { examplePeople, type ExamplePerson } from './example-people.ts';
import { startHubspot } from './hubspot/index.ts';
import { startIntercom } from './intercom/index.ts';
import { startSalesforce } from './salesforce/index.ts';
import type { Simulator } from './simulator.ts';
import { startZendesk } from './zendesk/index.ts';

/** Which port each CRM listens on; any free port where absent. */
export interface CrmPorts {
  readonly hubspot?: number;
  readonly salesforce?: number;
  readonly zendesk?: number;
  readonly intercom?: number;
}

/** The CRMs that have a ready declaration, on 127.0.0.1. */
export interface Crms extends Readonly<Record<keyof CrmPorts, Simulator>> {
  readonly close: () => Promise<void>;
}

/** Starts the simulators of the CRMs, empty; when one cannot start, those that did are closed again and the cause is thrown. */
export async function startCrms(ports: CrmPorts = {}): Promise<Crms> {
  const started: Simulator[] = [];
  const keep = async (start: typeof startHubspot, port: number | undefined): Promise<Simulator> => {
    const simulator = await start(port === undefined ? {} : { port });
    started.push(simulator);
    return simulator;
  };
  const close = async (): Promise<void> => {
    await Promise.all(started.map(async (each) => each.close()));
  };
  try {
    const hubspot = await keep(startHubspot, ports.hubspot);
    const salesforce = await keep(startSalesforce, ports.salesforce);
    const zendesk = await keep(startZendesk, ports.zendesk);
    const intercom = await keep(startIntercom, ports.intercom);
    return { hubspot, salesforce, zendesk, intercom, close };
  } catch (error) {
    await close();
    throw error;
  }
}

/** Plants the same people in every CRM, with a case, a ticket or a conversation each. */
export function plantCrmPeople(crms: Readonly<Record<keyof CrmPorts, Pick<Simulator, 'seed'>>>, people: readonly ExamplePerson[] = examplePeople): void {
  const split = people.map((each) => ({ ...each, first: each.name.split(' ')[0] ?? '', last: each.name.split(' ').at(-1) ?? '' }));
  crms.hubspot.seed({ contacts: split.map(({ email, phone, first, last }) => ({ properties: { email, phone, firstname: first, lastname: last } })) });
  crms.salesforce.seed({
    records: split.flatMap(({ email, phone, first, last }, at) => {
      const id = `0035g0000${String(at).padStart(6, '0')}AAA`;
      return [
        { object: 'Contact', Id: id, fields: { Email: email, Phone: phone, FirstName: first, LastName: last } },
        { object: 'Case', fields: { ContactId: id, Subject: `A question of ${first}` } },
      ];
    }),
  });
  crms.zendesk.seed({
    users: people.map(({ email, phone, name, userId }) => ({ email, phone, name, external_id: userId })),
    tickets: people.map(({ email, name }) => ({ requester: email, subject: `A ticket of ${name}`, status: 'open' })),
  });
  crms.intercom.seed({
    contacts: people.map(({ email, phone, name, userId }) => ({ email, phone, name, external_id: userId })),
    conversations: people.map(({ userId, name }) => ({ with: [userId], body: `A conversation of ${name}` })),
  });
}
