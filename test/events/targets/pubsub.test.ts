import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest';
import { createPubsubTarget } from '../../../src/modules/events/targets/pubsub.ts';
import type { PubsubSettings } from '../../../src/modules/events/targets/settings.ts';
import type { EventTarget, Outgoing } from '../../../src/modules/events/target.ts';
import { pubsubAccountKey, pubsubNames, startPubsub } from '../../../src/sandbox/pubsub/index.ts';
import type { Simulator } from '../../../src/sandbox/simulator.ts';
import { freePort } from '../../support/embedded-postgres.ts';
import { inShort, outgoing, targetDeps, unending } from '../../support/outgoing.ts';
import { startScriptedServer, type Received, type ScriptedServer } from '../../support/scripted-server.ts';
import { hasten } from './hasten.ts';

interface Stored {
  readonly messageId: string;
  readonly data: string;
  readonly attributes: Readonly<Record<string, string>>;
  readonly orderingKey?: string;
}
interface Published {
  readonly messages: readonly { readonly data: string; readonly orderingKey?: string }[];
}

let simulator: Simulator;
let server: ScriptedServer;
const opened: EventTarget[] = [];
const open = (rest: Partial<PubsubSettings> = {}): EventTarget => {
  const target = createPubsubTarget({ kind: 'pubsub', attempts: 186, age_hours: 24, topic: pubsubNames.topic, ordered: true, endpoint: simulator.url, credentials: pubsubAccountKey, ...rest }, targetDeps);
  opened.push(target);
  return target;
};
const short = async (target: EventTarget, batch: readonly Outgoing[], signal = unending): Promise<readonly string[]> => inShort(await target.deliver(batch, signal));
const stored = (): readonly Stored[] => (simulator.dump() as { events: readonly Stored[] }).events;
const nOf = (data: string): number => (JSON.parse(Buffer.from(data, 'base64').toString('utf8')) as { data: { n: number } }).data.n;
/** The numbers of the events of each call, as the scripted server saw them. */
const callsOf = (received: readonly Received[]): readonly (readonly number[])[] => received.map(({ body }) => (JSON.parse(body) as Published).messages.map(({ data }) => nOf(data)));
const accept = ({ body }: Received): { status: number; body: string } => ({ status: 200, body: JSON.stringify({ messageIds: (JSON.parse(body) as Published).messages.map(({ data }) => `message-${nOf(data)}`) }) });
const google = (status: number, word: string): { status: number; body: string } => ({ status, body: JSON.stringify({ error: { code: status, message: 'ada@example.com', status: word } }) });

beforeAll(async () => {
  [simulator, server] = await Promise.all([startPubsub(), startScriptedServer()]);
});
afterAll(async () => {
  await Promise.all([simulator.close(), server.close()]);
});
beforeEach(() => {
  simulator.reset();
  server.received.length = 0;
  server.answerWith(accept);
});
afterEach(async () => {
  vi.restoreAllMocks();
  await Promise.all(opened.splice(0).map(async (each) => each.close()));
});

describe('a topic of Pub/Sub', () => {
  test('has each event once, with its id, type and person as attributes and the person as the ordering key', async () => {
    const results = await open().deliver([outgoing(1), outgoing(2, { subject: null }), outgoing(3, { shaped: '{"cid":"ü"}' })], unending);
    const messages = stored();
    expect(messages).toHaveLength(3);
    for (const [index, sent] of [outgoing(1), outgoing(2, { subject: null }), outgoing(3, { shaped: '{"cid":"ü"}' })].entries()) {
      const { event } = sent;
      const result = results[index];
      const message = messages.find(({ messageId }) => result?.kind === 'delivered' && messageId === result.reference);
      expect(message).toMatchObject({ data: Buffer.from(sent.body).toString('base64'), attributes: { event_id: event.id, type: 'request.closed', 'content-type': sent.contentType, ...(event.subject === undefined ? {} : { subject: event.subject }) } });
      expect(message?.orderingKey).toBe(event.subject);
    }
  });

  test('has the events of each person in their order, by calls that have one person each', async () => {
    const batch = Array.from({ length: 40 }, (_, n) => outgoing(n, { subject: `req_${n % 5}` }));
    expect(await short(open({ endpoint: server.url }), batch)).toEqual(batch.map(() => 'delivered'));
    const calls = callsOf(server.received);
    expect(calls.map((each) => each.length)).toEqual([8, 8, 8, 8, 8]);
    for (const call of calls) expect(call).toEqual(Array.from({ length: 8 }, (_, at) => (call[0] ?? 0) + at * 5));
    expect((JSON.parse(server.received[0]?.body ?? '') as Published).messages.map(({ orderingKey }) => orderingKey)).toEqual(Array.from({ length: 8 }, () => `req_${callsOf(server.received)[0]?.[0]}`));
  });

  test('that has no order takes the events of all persons in one call, without a key', async () => {
    expect(await short(open({ ordered: false }), [outgoing(1, { subject: 'req_a' }), outgoing(2, { subject: 'req_b' })])).toEqual(['delivered', 'delivered']);
    expect(simulator.calls).toHaveLength(1);
    expect(stored().map(({ orderingKey }) => orderingKey)).toEqual([undefined, undefined]);
  });

  test('is called with less than 10 MB at once, and an event that is larger alone is refused', async () => {
    const large = (n: number, bytes: number): Outgoing => outgoing(n, { detail: { n, text: 'x'.repeat(bytes) } });
    expect(await short(open({ endpoint: server.url }), [large(1, 4_000_000), large(2, 4_000_000), large(3, 8_000_000)])).toEqual(['delivered', 'delivered', 'refused EVENT_TOO_LARGE']);
    expect(callsOf(server.received)).toEqual([[1], [2]]);
  });

  test('that refuses one message of a person has that one refused, and those behind it published once, and the others’ messages', async () => {
    server.answerWith((request) => (callsOf([request])[0]?.includes(3) ? google(400, 'INVALID_ARGUMENT') : accept(request)));
    const batch = [1, 2, 3, 4].map((n) => outgoing(n, { subject: 'req_a' }));
    expect(await short(open({ endpoint: server.url }), [...batch, outgoing(5, { subject: 'req_b' })])).toEqual(['delivered', 'delivered', 'refused HTTP_400', 'delivered', 'delivered']);
  });

  test('where one person’s call fails has nothing more of that person published, while another’s goes on', async () => {
    server.answerWith((request) => (callsOf([request])[0]?.includes(1) ? google(503, 'UNAVAILABLE') : accept(request)));
    expect(await short(open({ endpoint: server.url }), [outgoing(1, { subject: 'req_a' }), outgoing(2, { subject: 'req_b' }), outgoing(3, { subject: 'req_a' })])).toEqual(['again VENDOR_UNAVAILABLE', 'delivered', 'again VENDOR_UNAVAILABLE']);
    expect(callsOf(server.received).toSorted(([one = 0], [other = 0]) => one - other)).toEqual([[1, 3], [2]]);
  });

  test('keeps apart what becomes of calls that run side by side', async () => {
    const answers = new Map<number, { status: number; body?: string; headers?: Record<string, string> }>([
      [1, google(429, 'RESOURCE_EXHAUSTED')],
      [2, google(401, 'UNAUTHENTICATED')],
      [3, google(404, 'NOT_FOUND')],
      [4, google(500, 'INTERNAL')],
      [5, { status: 200, body: '{"messageIds": [' }],
      [6, { status: 200, body: '{}' }],
      [7, google(400, 'INVALID_ARGUMENT')],
    ]);
    server.answerWith((request) => answers.get(callsOf([request])[0]?.[0] ?? 0) ?? accept(request));
    const results = await short(open({ endpoint: server.url }), [1, 2, 3, 4, 5, 6, 7, 8].map((n) => outgoing(n, { subject: `req_${n}` })));
    expect(results).toEqual([
      'again VENDOR_RATE_LIMITED', 'again CONNECTION_AUTH', 'again CONNECTION_REFUSED', 'again VENDOR_UNAVAILABLE', 'again VENDOR_MALFORMED', 'again VENDOR_MALFORMED', 'refused HTTP_400', 'delivered',
    ]);
  });

  test('that asks for time is given it', async () => {
    simulator.fault({ kind: 'status', status: 429, retryAfter: 45 });
    expect(await open().deliver([outgoing(1)], unending)).toEqual([{ kind: 'again', code: 'VENDOR_RATE_LIMITED', retryAfterMs: 45_000 }]);
    expect(stored()).toEqual([]);
  });

  test('whose answer was lost has the event twice, under one event id', async () => {
    simulator.fault({ kind: 'lost' });
    const target = open();
    expect(await short(target, [outgoing(1)])).toEqual(['again VENDOR_UNAVAILABLE']);
    expect(await short(target, [outgoing(1)])).toEqual(['delivered']);
    expect(stored().map(({ attributes }) => attributes['event_id'])).toEqual([outgoing(1).event.id, outgoing(1).event.id]);
  });

  test('that is down, or says nothing until the sender stops, has the event again', async () => {
    expect(await short(open({ endpoint: `http://127.0.0.1:${await freePort()}` }), [outgoing(1)])).toEqual(['again VENDOR_UNAVAILABLE']);
    const stop = new AbortController();
    server.answerWith(() => {
      stop.abort();
      return 'hang';
    });
    expect(await short(open({ endpoint: server.url }), [outgoing(1), outgoing(2)], stop.signal)).toEqual(['again INTERRUPTED', 'again INTERRUPTED']);
  });

  test('that says nothing has the events again when the time of the try has passed, and those that it did not come to untried', async () => {
    const target = open({ endpoint: server.url });
    expect(await short(target, [outgoing(99)])).toEqual(['delivered']);
    server.received.length = 0;
    server.answerWith((request) => (callsOf([request])[0]?.includes(1) ? accept(request) : 'hang'));
    const batch = Array.from({ length: 40 }, (_, n) => outgoing(n + 1, { subject: `req_${n}` }));
    // A call ends after 15 s by itself, and a try after 30 s: two calls in each lane.
    hasten(20);
    const results = await short(target, batch);
    expect(results[0]).toBe('delivered');
    expect(results.filter((each) => each === 'again VENDOR_TIMEOUT').length).toBe(server.received.length - 1);
    expect(results.filter((each) => each === 'again HELD_BACK').length).toBe(40 - server.received.length);
    expect(server.received.length).toBeLessThan(30);
  });

  test('has no connection left when its target is closed', async () => {
    const target = open({ endpoint: server.url });
    expect(await short(target, [outgoing(1)])).toEqual(['delivered']);
    await target.close();
    await expect.poll(() => server.connections()).toBe(0);
  });

  test('with credentials that are none is refused at the start, without quoting them', () => {
    expect(() => open({ credentials: '{"private_key": "hush"}' })).toThrow('/events/destinations/test/credentials must be the JSON key of a service account');
  });
});
