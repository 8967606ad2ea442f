import type { v1 } from '@google-cloud/pubsub';
import { Failure, createGoogleTokens, vendorFailure, type ConnectorContext } from '../../connector-kit/index.ts';
import type { PubsubConfig } from './config.ts';

const scope = 'https://www.googleapis.com/auth/pubsub';

/** Without retries: the orchestrator does that, and each call of its own is counted. The guard's time-out ends a call long before this one. */
const once = { retry: null, timeout: 600_000 } as const;

/** A message as it was pulled. */
export interface Pulled {
  readonly ackId: string;
  readonly data: string;
}

/** Calls to Pub/Sub through the official SDK's REST transport, over the guarded fetch. Throws failures only. */
export interface PubsubGateway {
  /** Publishes one message and answers its id. */
  readonly publish: (message: { readonly data: string; readonly attributes: Readonly<Record<string, string>>; readonly orderingKey: string | undefined }) => Promise<string>;
  readonly pull: (subscription: string, max: number) => Promise<readonly Pulled[]>;
  readonly acknowledge: (subscription: string, ackIds: readonly string[]) => Promise<void>;
  /** Gives messages back at once, for whom they are meant. */
  readonly release: (subscription: string, ackIds: readonly string[]) => Promise<void>;
  /** Sees that the topic is there, and the subscription. */
  readonly look: (subscription: string | undefined) => Promise<void>;
}

/** What the SDK asks of what authenticates its calls and carries them; with it no call goes past the guard, and none asks the machine for credentials. */
interface Carrier {
  readonly fetch: (url: string, init: RequestInit) => Promise<Response>;
  readonly getRequestHeaders: () => Promise<Headers>;
  readonly universeDomain: string;
}

const wordIn = (text: string): string | undefined => /"status"\s*:\s*"([A-Z_]{1,40})"/u.exec(text)?.[1];

function carrierOf(config: PubsubConfig, context: ConnectorContext, note: (thrown: unknown) => void): Carrier {
  const tokenOf = createGoogleTokens(config.credentials, scope, context);
  const carry = async (url: string, init: RequestInit): Promise<Response> => {
    const headers = new Headers(init.headers);
    headers.set('authorization', `Bearer ${tokenOf()}`);
    headers.delete('content-length');
    const answer = await context.fetch(url, { method: init.method ?? 'GET', headers, ...(init.body === undefined ? {} : { body: init.body }) });
    if (!answer.ok) {
      const code = wordIn(await answer.text());
      throw vendorFailure(answer.status, { retryAfter: answer.headers.get('retry-after'), ...(code === undefined ? {} : { vendorCode: code }), now: context.now() });
    }
    return answer;
  };
  return {
    fetch: async (url, init) =>
      carry(url, init).catch((error: unknown) => {
        note(error);
        throw error;
      }),
    getRequestHeaders: async () => new Headers({ authorization: `Bearer ${tokenOf()}` }),
    universeDomain: 'googleapis.com',
  };
}

/** Makes the gateway for one step. */
export async function createPubsubGateway(config: PubsubConfig, context: ConnectorContext): Promise<PubsubGateway> {
  const sdk = await import('@google-cloud/pubsub');
  let thrown: unknown;
  const { protocol, hostname, port } = new URL(config.endpoint);
  const options = {
    fallback: true,
    auth: carrierOf(config, context, (error) => {
      thrown = error;
    }),
    apiEndpoint: hostname,
    port: port === '' ? (protocol === 'http:' ? 80 : 443) : Number(port),
    protocol: protocol.slice(0, -1),
    universeDomain: 'googleapis.com',
  };
  const publisher = new sdk.v1.PublisherClient(options as unknown as ConstructorParameters<typeof v1.PublisherClient>[0]);
  const subscriber = new sdk.v1.SubscriberClient(options as unknown as ConstructorParameters<typeof v1.SubscriberClient>[0]);
  const run = async <Value>(call: () => Promise<Value>): Promise<Value> => {
    thrown = undefined;
    try {
      return await call();
    } catch (error) {
      if (thrown !== undefined) throw thrown;
      if (error instanceof Failure) throw error;
      // The SDK stumbled over the answer. Its error may quote it, so it goes no further.
      throw malformed();
    }
  };
  return {
    publish: async ({ data, attributes, orderingKey }) =>
      run(async () => {
        const message = { data: Buffer.from(data), attributes: { ...attributes }, ...(orderingKey === undefined ? {} : { orderingKey }) };
        const [{ messageIds }] = await publisher.publish({ topic: config.topic, messages: [message] }, once);
        const [id] = messageIds ?? [];
        if (id === undefined || !/^[\w-]{1,100}$/u.test(id)) throw malformed();
        return id;
      }),
    pull: async (subscription, max) =>
      run(async () => {
        // Without it the call would wait for a message, and the step has other work.
        const [{ receivedMessages }] = await subscriber.pull({ subscription, maxMessages: max, returnImmediately: true }, once);
        return (receivedMessages ?? []).map(({ ackId, message }) => {
          if (typeof ackId !== 'string' || ackId === '' || message === null || message === undefined) throw malformed();
          return { ackId, data: Buffer.from(message.data ?? '').toString('utf8') };
        });
      }),
    acknowledge: async (subscription, ackIds) =>
      run(async () => {
        await subscriber.acknowledge({ subscription, ackIds: [...ackIds] }, once);
      }),
    release: async (subscription, ackIds) =>
      run(async () => {
        await subscriber.modifyAckDeadline({ subscription, ackIds: [...ackIds], ackDeadlineSeconds: 0 }, once);
      }),
    look: async (subscription) =>
      run(async () => {
        const [topic] = await publisher.getTopic({ topic: config.topic }, once);
        if (topic.name !== config.topic) throw malformed();
        if (subscription === undefined) return;
        const [found] = await subscriber.getSubscription({ subscription }, once);
        if (found.name !== subscription) throw malformed();
      }),
  };
}

function malformed(): Failure {
  return new Failure('VENDOR_MALFORMED', 'Pub/Sub answered with something of another shape');
}
