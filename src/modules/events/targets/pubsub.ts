import type { v1 } from '@google-cloud/pubsub';
import { createGoogleCalls, createGuardedFetch, googleAccountSchema, networkTransport, type GoogleCalls, type NetworkRules } from '../../../connector-kit/index.ts';
import { Failure } from '../../../platform/failure.ts';
import type { DeliveryResult, EventTarget, Outgoing } from '../target.ts';
import { cutIntoCalls } from './cut-into-calls.ts';
import { attemptBatch, type Attempt } from './attempt.ts';
import { again, heldBack, holdBackBehindFailed, interrupted, refused } from './delivery-result.ts';
import { openOnce } from './open-once.ts';
import { sendInOrder, type Sent } from './send-in-order.ts';
import type { PubsubSettings } from './settings.ts';
import type { TargetDeps } from './target-deps.ts';
import { unlessAborted } from './unless-aborted.ts';

const scope = 'https://www.googleapis.com/auth/pubsub';
const batchMax = 500;
/** What one call takes: 1,000 messages and 10 MB, of which the envelope is a part; a message is counted as it travels, in base64. */
const callMost = { items: 1000, bytes: 9_500_000 };
/** How many calls run side by side; with ordering keys each is about another person. */
const callsMax = 8;
const timeoutMs = 15_000;
/** The SDK tries nothing again, leaves it to the guard to end a call, and does not make one call of several side by side, which would mix ordering keys. */
const once = { retry: null, timeout: 600_000, isBundling: false } as const;

/** The message itself is found wrong, or the call too large. */
class MessageRefused extends Error {
  readonly code: string;

  constructor(status: number) {
    super('Pub/Sub refused a message');
    this.code = `HTTP_${status}`;
  }
}

interface Message {
  readonly index: number;
  readonly data: Buffer;
  readonly attributes: Record<string, string>;
  readonly orderingKey?: string;
}

/**
 * Publishes events on a topic of Google Cloud Pub/Sub by its SDK, with `event_id`, `type`, `subject` and `content-type` as attributes. Where the topic is ordered, the
 * pseudonym of the person is the ordering key, a call has the messages of one person only, and after one that failed nothing of that person is published until it
 * came through or is given up: the SDK's own publisher, which would pause the key in the process, is not between. A call is taken whole or not at all; a repetition has another
 * message id and the same `event_id`. Fails with `CONFIG_INVALID` for credentials that are none.
 */
export function createPubsubTarget(settings: PubsubSettings, deps: TargetDeps): EventTarget {
  const account = googleAccountSchema.safeParse(settings.credentials);
  if (!account.success) throw new Failure('CONFIG_INVALID', `${deps.at}/credentials must be the JSON key of a service account, with client_email and private_key`);
  const network: NetworkRules = { refusesPrivate: false };
  const guarded = createGuardedFetch({ egress: [settings.endpoint], timeoutMs, network, ...(deps.transport === undefined ? {} : { transport: deps.transport }) });
  const fetch: typeof globalThis.fetch = async (url, init) => {
    const answer = await guarded(url, init);
    if (answer.status === 400 || answer.status === 413) throw new MessageRefused(answer.status);
    return answer;
  };
  const calls = createGoogleCalls({ service: 'Pub/Sub', endpoint: settings.endpoint, credentials: account.data, scope }, { fetch, now: deps.clock.now });
  const client = openOnce(async (): Promise<v1.PublisherClient> => {
    const { v1: sdk } = await import('@google-cloud/pubsub');
    return new sdk.PublisherClient(calls.clientOptions as ConstructorParameters<typeof v1.PublisherClient>[0]);
  });
  return {
    batchMax,
    order: settings.ordered ? 'in-batch' : 'one-by-one',
    deliver: async (batch, signal) =>
      attemptBatch(batch, signal, async (attempt) => {
        const publisher = await unlessAborted(client.get(), attempt.signal);
        const results: DeliveryResult[] = batch.map(() => refused('EVENT_TOO_LARGE'));
        const groups = groupsOf(batch, settings.ordered);
        const lane = async (): Promise<void> => {
          for (let group = groups.shift(); group !== undefined; group = groups.shift()) {
            const answers = attempt.signal.aborted ? [] : await publishGroup(group, settings.topic, publisher, calls, attempt);
            // What the time of the batch did not reach has not been tried.
            for (const [place, { index }] of group.entries()) results[index] = answers[place] ?? again(signal.aborted ? interrupted : heldBack);
          }
        };
        await Promise.all(Array.from({ length: callsMax }, lane));
        return settings.ordered ? holdBackBehindFailed(batch, results) : results;
      }),
    close: async () => {
      await (await client.opened())?.close();
      await networkTransport.release(network);
    },
  };
}

/** The messages that belong into one order: those of a person, or, without ordering keys, all. What is too large for any call is left out. */
function groupsOf(batch: readonly Outgoing[], ordered: boolean): Message[][] {
  const messages = batch.map(({ event, body, contentType }, index): Message => {
    const attributes = { event_id: event.id, type: event.type, 'content-type': contentType, ...(event.subject === undefined ? {} : { subject: event.subject }) };
    return { index, data: Buffer.from(body, 'utf8'), attributes, ...(ordered && event.subject !== undefined ? { orderingKey: event.subject } : {}) };
  });
  return [...Map.groupBy(messages.filter((each) => sizeOf(each) <= callMost.bytes), ({ orderingKey }) => orderingKey).values()];
}

function sizeOf({ data, attributes, orderingKey = '' }: Message): number {
  const envelopeBytes = 200;
  return envelopeBytes + Math.ceil(data.length / 3) * 4 + Buffer.byteLength(JSON.stringify(attributes)) + Buffer.byteLength(orderingKey);
}

async function publishGroup(group: readonly Message[], topic: string, publisher: v1.PublisherClient, calls: GoogleCalls, attempt: Attempt): Promise<readonly DeliveryResult[]> {
  const results: DeliveryResult[] = [];
  for (const chunk of cutIntoCalls(group, sizeOf, callMost)) {
    // Of the same person, or at a service that has just not answered: the rest waits for the next try.
    const failed = results.findLast(({ kind }) => kind === 'again');
    const answers = failed === undefined ? await sendInOrder(chunk, async (some) => publish(some, topic, publisher, calls, attempt)) : chunk.map(() => failed);
    results.push(...answers);
  }
  return results;
}

async function publish(messages: readonly Message[], topic: string, publisher: v1.PublisherClient, calls: GoogleCalls, { signal, resultOf }: Attempt): Promise<Sent> {
  try {
    signal.throwIfAborted();
    const call = calls.run(async () => publisher.publish({ topic, messages: messages.map(({ index: _index, ...message }) => message) }, once), signal);
    const [{ messageIds }] = await unlessAborted(call, signal);
    if (messageIds?.length !== messages.length || messageIds.some((id) => !/^[\w-]{1,100}$/u.test(id))) return { kind: 'failed', result: again('VENDOR_MALFORMED') };
    return { kind: 'sent', results: messageIds.map((reference) => ({ kind: 'delivered', reference })) };
  } catch (error) {
    if (error instanceof MessageRefused) return { kind: 'fault', code: error.code };
    return { kind: 'failed', result: resultOf(error) };
  }
}
