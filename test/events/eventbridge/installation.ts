import { createServer, type IncomingHttpHeaders } from 'node:http';
import type { AddressInfo } from 'node:net';
import { parseConfig, type SecretSources } from '../../../src/platform/config/load.ts';
import type { ConfigDocument } from '../../../src/platform/config/document.ts';
import { eventBridgeClients } from '../../../src/event-bridge.ts';
import type { Aws } from '../../../src/modules/events/provision/index.ts';
import { eventBridgeCredentials, type EventBridgeSimulator } from '../../../src/sandbox/eventbridge/index.ts';

/** Values that may be nowhere but in a connection. */
export const secretValues = { TOKEN: 'marked-bearer-token', PASSWORD: 'marked-basic-password', CLIENT_SECRET: 'marked-client-secret', AWS_KEY: eventBridgeCredentials.id, AWS_SECRET: eventBridgeCredentials.secret } as const;

/** One call that a receiver got. */
export interface Received {
  readonly method: string;
  readonly url: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

/** A plain receiver of API destinations. */
export interface Receiver {
  readonly url: string;
  readonly received: readonly Received[];
  readonly close: () => Promise<void>;
}

/** Starts a receiver that takes everything; `/token` gives a token. */
export async function startReceiver(): Promise<Receiver> {
  const received: Received[] = [];
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      received.push({ method: request.method ?? '', url: request.url ?? '', headers: request.headers, body: Buffer.concat(chunks).toString('utf8') });
      response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify({ access_token: 'a-token' }));
    });
  });
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    received,
    close: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => {
        server.close(resolve);
      });
    },
  };
}

/** A rule file with a bearer destination, one with basic and one with OAuth; `change` edits the text. */
export function configText(endpoint: string, receiver: string): string {
  return `version: 1
controller: { name: Example Company, contact: privacy@example.com }
events:
  source: compliance.service
  names:
    system.erased: gdpr.deletion.complete
  eventbridge:
    region: eu-central-1
    endpoint: ${endpoint}
    access_key: { id: '\${env:AWS_KEY}', secret: '\${env:AWS_SECRET}' }
    runs_rules: true
  destinations:
    profiles:
      kind: http
      endpoint: ${receiver}/v1/*/profiles
      auth: { kind: bearer, token: '\${env:TOKEN}' }
      headers: { X-Team: privacy }
      calls_per_second: 20
      attempts: 10
      age_hours: 2
    mailing:
      kind: http
      endpoint: ${receiver}/mailing
      auth: { kind: basic, username: quittance, password: '\${env:PASSWORD}' }
    crm:
      kind: http
      endpoint: ${receiver}/crm
      auth: { kind: oauth, token_url: '${receiver}/token', client_id: quittance, client_secret: '\${env:CLIENT_SECRET}', scope: erase }
    unused:
      kind: http
      endpoint: ${receiver}/unused
      auth: { kind: bearer, token: '\${env:NOT_SET}' }
    stream: { kind: redis, stream: privacy-events }
  rules:
    redacted:
      description: A profile is anonymised when the customer is.
      EventPattern: { source: [compliance.service], detail-type: [gdpr.deletion.complete] }
      targets:
        - id: profiles
          destination: profiles
          InputPathsMap: { cid: $.detail.customer_id }
          InputTemplate: '{"profile_id":"<cid>","action":"anonymize","identifiers":{"email":null,"phone":null}}'
          PathParameterValues: [$.detail.customer_id]
        - { id: mailing, destination: mailing }
        - { id: stream, destination: stream }
    closed:
      state: disabled
      EventPattern: { detail-type: [request.closed] }
      targets:
        - { id: crm, destination: crm }
    here-only:
      EventPattern: { detail-type: [request.closed] }
      targets:
        - { id: stream, destination: stream }
`;
}

/** Secrets as an environment has them. */
export const secretSources = (values: Readonly<Record<string, string>> = secretValues): SecretSources => ({ environment: values, readFile: () => '' });

/** The configuration, with its text changed as told. */
export function configOf(simulator: Pick<EventBridgeSimulator, 'url'>, receiver: Pick<Receiver, 'url'>, change: (text: string) => string = (text) => text): ConfigDocument {
  return parseConfig(change(configText(simulator.url, receiver.url)), 'quittance.yaml');
}

/** Clients that die in the middle: when their `nth` call (from 0) that changes something was done, its answer is lost and so is everything after. */
export function dyingClients(config: ConfigDocument, nth: number, isBefore: boolean): { readonly aws: Aws; readonly calls: () => number } {
  const clients = eventBridgeClients(config, secretSources());
  let count = 0;
  const dying = <Client extends object>(client: Client): Client => {
    const { send } = client as unknown as { send: (command: object) => Promise<unknown> };
    return {
      send: async (command: object) => {
        if (/^(Describe|List|Get)/u.test(command.constructor.name)) return send(command);
        count += 1;
        if (isBefore && count > nth) throw new Error('killed');
        const answer = await send(command);
        if (!isBefore && count > nth) throw new Error('killed');
        return answer;
      },
    } as unknown as Client;
  };
  return { aws: { events: dying(clients.events), iam: dying(clients.iam), sqs: dying(clients.sqs), close: clients.close }, calls: () => count };
}
