import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest';
import { createEventbridgeTarget } from '../../../src/modules/events/targets/eventbridge.ts';
import type { EventbridgeSettings } from '../../../src/modules/events/targets/settings.ts';
import type { EventTarget } from '../../../src/modules/events/target.ts';
import { freePort } from '../../support/embedded-postgres.ts';
import { inShort, nowMs, outgoing, targetDeps, unending } from '../../support/outgoing.ts';
import { startScriptedServer, type Answer, type Received, type ScriptedServer } from '../../support/scripted-server.ts';
import { hasten } from './hasten.ts';

interface Entry {
  readonly Time: number;
  readonly Source: string;
  readonly DetailType: string;
  readonly Detail: string;
  readonly EventBusName: string;
  readonly Resources?: readonly string[];
}

let server: ScriptedServer;
const opened: EventTarget[] = [];
const open = (rest: Partial<EventbridgeSettings> = {}): EventTarget => {
  const settings: EventbridgeSettings = { kind: 'eventbridge', attempts: 186, age_hours: 24, region: 'eu-central-1', bus: 'privacy', endpoint: server.url, access_key: { id: 'AKIAEXAMPLE', secret: 'secret' }, ...rest };
  const target = createEventbridgeTarget(settings, targetDeps);
  opened.push(target);
  return target;
};
const entriesOf = ({ body }: Received): readonly Entry[] => (JSON.parse(body) as { Entries: Entry[] }).Entries;
const nOf = ({ Detail }: Entry): unknown => (JSON.parse(Detail) as { n?: unknown }).n;
/** Answers each entry with what the test says of it, as PutEvents does: with 200, whatever became of them. */
const answerEntries = (of: (entry: Entry) => object): ((request: Received) => Answer) => (request) => {
  const results = entriesOf(request).map(of);
  return { status: 200, headers: { 'content-type': 'application/x-amz-json-1.1' }, body: JSON.stringify({ FailedEntryCount: results.filter((each) => 'ErrorCode' in each).length, Entries: results }) };
};
const refusal = (status: number, type: string, headers: Readonly<Record<string, string>> = {}): Answer => ({ status, headers: { 'content-type': 'application/x-amz-json-1.1', 'x-amzn-errortype': type, ...headers }, body: JSON.stringify({ __type: type, message: 'ada@example.com' }) });
const batchOf = (count: number): ReturnType<typeof outgoing>[] => Array.from({ length: count }, (_, n) => outgoing(n, { subject: `req_${n}` }));

beforeAll(async () => {
  server = await startScriptedServer();
});
afterAll(async () => server.close());
beforeEach(() => {
  server.received.length = 0;
  server.answerWith(answerEntries((entry) => ({ EventId: `event-${String(nOf(entry))}` })));
});
afterEach(async () => {
  vi.restoreAllMocks();
  await Promise.all(opened.splice(0).map(async (each) => each.close()));
});

describe('a bus of EventBridge', () => {
  test('is put an event with its time, its source and type, and its own id in the detail', async () => {
    expect(await open().deliver([outgoing(1)], unending)).toEqual([{ kind: 'delivered', reference: 'event-1' }]);
    const [call] = server.received;
    if (call === undefined) throw new Error('Nothing was called.');
    expect(call.headers).toMatchObject({ 'x-amz-target': 'AWSEvents.PutEvents', 'content-type': 'application/x-amz-json-1.1' });
    expect(call.headers.authorization).toContain('AWS4-HMAC-SHA256 Credential=AKIAEXAMPLE/');
    const [entry] = entriesOf(call);
    const { event } = outgoing(1);
    expect(entry).toEqual({ Time: (nowMs + 1) / 1000, Source: 'quittance', DetailType: 'request.closed', Detail: JSON.stringify({ ...event.detail, event_id: event.id }), EventBusName: 'privacy' });
  });

  test('is put ten events a call and no more', async () => {
    const results = await open().deliver(batchOf(23), unending);
    expect(inShort(results)).toEqual(Array.from({ length: 23 }, () => 'delivered'));
    expect(server.received.map((each) => entriesOf(each).length)).toEqual([10, 10, 3]);
  });

  test('is put less than 256 KB a call, as AWS counts, and an event that is larger alone is refused without holding up the others', async () => {
    // 14 for the time, 9 for the source, 14 for the type; the detail is given so that the entry has exactly this many bytes.
    const sized = (n: number, bytes: number): ReturnType<typeof outgoing> => {
      const empty = JSON.stringify({ n, text: '', event_id: outgoing(n).event.id }).length;
      return outgoing(n, { subject: `req_${n}`, detail: { n, text: 'é'.repeat((bytes - 37 - empty) >> 1) + 'x'.repeat((bytes - 37 - empty) & 1) } });
    };
    const limit = 256 * 1024;
    const results = await open().deliver([sized(1, 100_000), sized(2, limit - 100_001), sized(3, 200_000), sized(4, limit), sized(5, limit - 1)], unending);
    expect(inShort(results)).toEqual(['delivered', 'delivered', 'delivered', 'refused EVENT_TOO_LARGE', 'delivered']);
    expect(server.received.map((each) => entriesOf(each).map(nOf))).toEqual([[1, 2], [3], [5]]);
  });

  test('that takes some entries and not others has only those again that may come again', async () => {
    server.answerWith(
      answerEntries((entry) => {
        const n = nOf(entry);
        if (n === 1) return { ErrorCode: 'ThrottlingException', ErrorMessage: 'slow' };
        if (n === 2) return { ErrorCode: 'InternalFailure', ErrorMessage: 'ours' };
        if (n === 3) return { ErrorCode: 'MalformedDetail', ErrorMessage: 'ada@example.com' };
        if (n === 4) return { ErrorCode: 'ada@example.com' };
        return n === 5 ? {} : { EventId: `event-${String(n)}` };
      }),
    );
    expect(inShort(await open().deliver(batchOf(7), unending))).toEqual([
      'delivered', 'again ThrottlingException', 'again InternalFailure', 'refused MalformedDetail', 'refused VENDOR_MALFORMED', 'again VENDOR_MALFORMED', 'delivered',
    ]);
    expect(server.received).toHaveLength(1);
  });

  test('that finds a call wrong because of one entry is put each alone, and only that one is refused', async () => {
    server.answerWith((request) => (entriesOf(request).some((entry) => nOf(entry) === 2) ? refusal(400, 'ValidationException') : answerEntries(() => ({ EventId: 'event' }))(request)));
    expect(inShort(await open().deliver(batchOf(4), unending))).toEqual(['delivered', 'delivered', 'refused ValidationException', 'delivered']);
    expect(server.received).toHaveLength(5);
  });

  test.each([
    [refusal(400, 'ThrottlingException', { 'retry-after': '30' }), 'again ThrottlingException'],
    [refusal(500, 'InternalException'), 'again InternalException'],
    [refusal(503, 'ServiceUnavailable'), 'again ServiceUnavailable'],
    [refusal(400, 'AccessDeniedException'), 'again AccessDeniedException'],
    [refusal(400, 'UnrecognizedClientException'), 'again UnrecognizedClientException'],
    [refusal(400, 'ExpiredTokenException'), 'again ExpiredTokenException'],
    [refusal(400, 'ResourceNotFoundException'), 'again ResourceNotFoundException'],
    [{ status: 200, body: '{"Entries": [' }, 'again VENDOR_MALFORMED'],
    [{ status: 200, body: '{"Entries": []}' }, 'again VENDOR_MALFORMED'],
    [{ status: 302, headers: { location: 'http://127.0.0.1:1/' } }, 'again VENDOR_MALFORMED'],
    ['drop', 'again VENDOR_UNAVAILABLE'],
    ['cut', 'again VENDOR_UNAVAILABLE'],
  ] as const)('that answers a call as a whole with %j has every event of it again, after one call', async (answer, expected) => {
    server.answerWith(() => answer);
    expect(inShort(await open().deliver(batchOf(2), unending))).toEqual([expected, expected]);
    expect(server.received).toHaveLength(1);
  });

  test('that is down is not called again for the rest of a batch', async () => {
    server.answerWith(() => refusal(503, 'ServiceUnavailable'));
    expect(inShort(await open().deliver(batchOf(25), unending))).toEqual(Array.from({ length: 25 }, () => 'again ServiceUnavailable'));
    expect(server.received).toHaveLength(1);
  });

  test('that is not there has its events again', async () => {
    expect(inShort(await open({ endpoint: `http://127.0.0.1:${await freePort()}` }).deliver(batchOf(2), unending))).toEqual(['again VENDOR_UNAVAILABLE', 'again VENDOR_UNAVAILABLE']);
  });

  test('that says nothing has its events again when the sender stops', async () => {
    const stop = new AbortController();
    server.answerWith(() => {
      stop.abort();
      return 'hang';
    });
    expect(inShort(await open().deliver(batchOf(12), stop.signal))).toEqual(Array.from({ length: 12 }, () => 'again INTERRUPTED'));
  });

  test('that takes call after call slowly has the rest of a batch again when the time of the try has passed, and keeps what it took', async () => {
    const target = open();
    expect(inShort(await target.deliver([outgoing(99)], unending))).toEqual(['delivered']);
    hasten(20);
    server.answerWith((request) => {
      // Within the time of a call, and three of them are beyond that of the try.
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 400);
      return answerEntries(() => ({ EventId: 'event' }))(request);
    });
    const results = inShort(await target.deliver(batchOf(100), unending));
    expect(results[0]).toBe('delivered');
    expect(results.at(-1)).toBe('again VENDOR_TIMEOUT');
    expect(server.received.length).toBeLessThan(7);
  });

  test('has no socket left when its target is closed', async () => {
    const target = open();
    await target.deliver([outgoing(1)], unending);
    await target.close();
    await expect.poll(() => server.connections()).toBe(0);
  });
});
