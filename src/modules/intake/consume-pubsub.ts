import type { protos, v1 } from '@google-cloud/pubsub';
import { createGoogleCalls, createGuardedFetch, networkTransport, type GoogleAccount, type NetworkRules, type Transport } from '../../connector-kit/index.ts';
import type { Clock } from '../../platform/clock.ts';
import type { ConsumeConfig } from '../../platform/config/intake-events.ts';
import { Failure } from '../../platform/failure.ts';
import type { BusReader, BusRecord } from './consume.ts';
import { lowerCase } from './pubsub-push.ts';

/** The settings of a subscription, with the account itself. */
export type PubsubSource = Omit<Extract<ConsumeConfig, { readonly kind: 'pubsub' }>, 'credentials'> & { readonly credentials: GoogleAccount };

/** What reading a subscription needs. */
export interface PubsubReaderDeps {
  readonly clock: Clock;
  /** The network when absent. */
  readonly transport?: Transport;
}

const scope = 'https://www.googleapis.com/auth/pubsub';
/** Pub/Sub holds a pull open while there is no message, for about a minute and a half; longer is no answer. */
const timeoutMs = 120_000;
/** The SDK tries nothing again, and leaves it to the guard to end a call. */
const once = { retry: null, timeout: 600_000 } as const;
/** Messages pulled at once for each that is accepted at once: few enough to be through before their deadline, 10 seconds unless the subscription has another. */
const pulledForEach = 2;

/** A message, and the id by which it is acknowledged. */
interface PubsubRecord extends BusRecord {
  readonly ackId: string;
}

/**
 * Pulls a subscription by Google's SDK. A message that is not settled is given again after its deadline, by any number of processes to any of them. Messages with an ordering key are taken in
 * their order.
 */
export function createPubsubReader(settings: PubsubSource, deps: PubsubReaderDeps): BusReader {
  const network: NetworkRules = { refusesPrivate: false };
  const fetch = createGuardedFetch({ egress: [settings.endpoint], timeoutMs, network, ...(deps.transport === undefined ? {} : { transport: deps.transport }) });
  const { clientOptions, run } = createGoogleCalls({ service: 'Pub/Sub', endpoint: settings.endpoint, credentials: settings.credentials, scope }, { fetch, now: deps.clock.now });
  const { subscription } = settings;
  let opening: Promise<v1.SubscriberClient> | undefined;
  const open = async (): Promise<v1.SubscriberClient> => {
    const { v1: sdk } = await import('@google-cloud/pubsub');
    return new sdk.SubscriberClient(clientOptions as ConstructorParameters<typeof v1.SubscriberClient>[0]);
  };
  const client = (): Promise<v1.SubscriberClient> => (opening ??= open());
  const idsOf = (records: readonly BusRecord[]): string[] => (records as readonly PubsubRecord[]).map(({ ackId }) => ackId);
  return {
    isOrdered: false,
    read: async (signal) => {
      const subscriber = await client();
      try {
        const messages = await run(async () => {
          const [{ receivedMessages }] = await subscriber.pull({ subscription, maxMessages: settings.in_flight * pulledForEach }, once);
          return receivedMessages ?? [];
        }, signal);
        return { records: messages.map((each) => recordOf(each)), failure: undefined };
      } catch (error) {
        if (signal.aborted) return { records: [], failure: undefined };
        throw error;
      }
    },
    settle: async (records) => {
      const subscriber = await client();
      await run(async () => subscriber.acknowledge({ subscription, ackIds: idsOf(records) }, once));
    },
    giveBack: async (records) => {
      const subscriber = await client();
      await run(async () => subscriber.modifyAckDeadline({ subscription, ackIds: idsOf(records), ackDeadlineSeconds: 0 }, once));
    },
    close: async () => {
      await (await opening)?.close();
      await networkTransport.release(network);
    },
  };
}

function recordOf({ ackId, message, deliveryAttempt }: protos.google.pubsub.v1.IReceivedMessage): PubsubRecord {
  const { messageId, data, attributes, orderingKey } = message ?? {};
  if (typeof ackId !== 'string' || ackId === '' || typeof messageId !== 'string' || !/^[\w-]{1,100}$/u.test(messageId)) {
    throw new Failure('VENDOR_MALFORMED', 'Pub/Sub answered with something of another shape');
  }
  const hasKey = typeof orderingKey === 'string' && orderingKey !== '';
  return {
    ackId,
    attributes: lowerCase(attributes ?? {}),
    body: Buffer.from(data ?? ''),
    busId: messageId,
    place: `pubsub:${messageId}`,
    lane: hasKey ? `key:${orderingKey}` : `message:${messageId}`,
    hasDeadLetters: typeof deliveryAttempt === 'number' && deliveryAttempt > 0,
  };
}
