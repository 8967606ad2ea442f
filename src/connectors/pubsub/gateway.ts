import type { v1 } from '@google-cloud/pubsub';
import { Failure, createGoogleCalls, type ConnectorContext } from '../../connector-kit/index.ts';
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

/** Makes the gateway for one step. */
export async function createPubsubGateway(config: PubsubConfig, context: ConnectorContext): Promise<PubsubGateway> {
  const sdk = await import('@google-cloud/pubsub');
  const { clientOptions, run } = createGoogleCalls({ service: 'Pub/Sub', endpoint: config.endpoint, credentials: config.credentials, scope }, context);
  const publisher = new sdk.v1.PublisherClient(clientOptions as ConstructorParameters<typeof v1.PublisherClient>[0]);
  const subscriber = new sdk.v1.SubscriberClient(clientOptions as ConstructorParameters<typeof v1.SubscriberClient>[0]);
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
