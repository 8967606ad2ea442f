import { Producer } from '@platformatic/kafka';
import { sql } from 'kysely';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { createBusReader, startConsuming, type AcceptRequest, type BusReader, type BusRecord, type Consuming } from '../../../src/modules/intake/index.ts';
import { consumeSchema } from '../../../src/platform/config/intake-events.ts';
import { Failure } from '../../../src/platform/failure.ts';
import { createLog } from '../../../src/platform/log.ts';
import { systemRandom } from '../../../src/platform/random.ts';
import { pubsubNames, startPubsub } from '../../../src/sandbox/pubsub/index.ts';
import type { Simulator } from '../../../src/sandbox/simulator.ts';
import { kafkaMissing, startMockKafka, type MockKafka } from '../../support/kafka.ts';
import { eventually } from '../../support/quittance.ts';
import { openIntakeWorld, type IntakeWorld } from './intake-world.ts';

let world: IntakeWorld;
beforeAll(async () => {
  world = await openIntakeWorld();
});
afterAll(() => world.close());

const running: Consuming[] = [];
let person = '';
let people = 0;
beforeEach(async () => {
  people += 1;
  person = `ada${people}@example.com`;
  world.officerAlerts.length = 0;
  await sql`DELETE FROM bus_refusal`.execute(world.database.read());
});
afterEach(async () => {
  await Promise.all(running.splice(0).map(({ stop }) => stop()));
});

const lines: string[] = [];
const log = createLog('trace', { write: (line) => void lines.push(line) });
const config = { verify: 'source', right: 'erasure', jurisdiction: undefined } as const;

/** Starts a consumer that waits a few milliseconds where another would wait seconds. */
function consume(reader: BusReader, change: { readonly source?: string; readonly acceptRequest?: AcceptRequest; readonly onPause?: (ms: number) => void } = {}): Consuming {
  const pause = (ms: number): Promise<void> =>
    new Promise((resolve) => {
      change.onPause?.(ms);
      setTimeout(resolve, 5);
    });
  const consuming = startConsuming({ source: change.source ?? 'bus', config, inFlight: 4, reader, acceptRequest: change.acceptRequest ?? world.acceptRequest, refusals: world.refusals, clock: world.clock, random: systemRandom, log, pause });
  running.push(consuming);
  return consuming;
}

const requestsOf = async (source: string): Promise<number> => (await sql<{ n: number }>`SELECT count(*)::int AS n FROM privacy_request WHERE source = ${source}`.execute(world.database.read())).rows[0]?.n ?? -1;
const refusals = async (): Promise<unknown[]> => (await sql`SELECT source, place, code FROM bus_refusal ORDER BY place`.execute(world.database.read())).rows;

/** A bus in memory: what was read and not settled is read again. */
function scriptedBus(records: readonly Partial<BusRecord>[], change: Partial<BusReader> = {}): BusReader & { readonly settled: string[]; readonly left: () => number } {
  let waiting = records.map((each, at): BusRecord => ({ attributes: {}, body: Buffer.from('{}'), busId: `message-${people}-${at}`, place: `test:${people}/${at}`, lane: 'one', hasDeadLetters: false, ...each }));
  const settled: string[] = [];
  return {
    settled,
    left: () => waiting.length,
    isOrdered: true,
    read: async () => ({ records: [...waiting], failure: undefined }),
    settle: async (some) => {
      settled.push(...some.map(({ place }) => place));
      waiting = waiting.filter((each) => !some.includes(each));
    },
    giveBack: async () => undefined,
    close: async () => undefined,
    ...change,
  };
}
const body = (value: unknown): Buffer => Buffer.from(JSON.stringify(value));
const until = async (what: string, isSo: () => boolean | Promise<boolean>): Promise<unknown> => eventually(what, async () => ((await isSo()) ? true : undefined));

describe('a consumer', () => {
  test('that dies between accepting and settling accepts once: the next one reads it again and settles it', async () => {
    const before = await requestsOf('bus');
    const bus = scriptedBus([{ body: body({ email: person }) }]);
    const first = consume({ ...bus, settle: async () => Promise.reject(new Failure('VENDOR_UNAVAILABLE', 'the process died here')) });
    await until('The first acceptance', async () => (await requestsOf('bus')) === before + 1);
    await first.stop();
    expect(bus.left()).toBe(1);
    consume(bus);
    await until('The settling', () => bus.left() === 0);
    expect(await requestsOf('bus')).toBe(before + 1);
  });

  test('that is one of two opens one request', async () => {
    const before = await requestsOf('bus');
    const buses = [scriptedBus([{ body: body({ email: person }) }]), scriptedBus([{ body: body({ email: person }) }])];
    for (const bus of buses) consume(bus);
    await until('Both', () => buses.every((bus) => bus.left() === 0));
    expect(await requestsOf('bus')).toBe(before + 1);
  });

  test('takes what can never be accepted out of the way, notes where it is, and goes on behind it', async () => {
    const before = await requestsOf('bus');
    const bus = scriptedBus([{ body: Buffer.from('{') }, { body: body({ email: 'nobody at all' }) }, { body: Buffer.alloc(0) }, { body: Buffer.alloc(70_000, 32) }, { body: body({ email: person }) }]);
    consume(bus);
    await until('The end', () => bus.left() === 0);
    expect(await requestsOf('bus')).toBe(before + 1);
    expect(await refusals()).toEqual(['BODY_MALFORMED', 'IDENTIFIER_INVALID', 'BODY_MALFORMED', 'BODY_TOO_LARGE'].map((code, at) => ({ source: 'bus', place: `test:${people}/${at}`, code })));
    expect(world.officerAlerts).toContain('refused:bus:IDENTIFIER_INVALID:2026-11-21');
    expect(lines.join('\n')).not.toMatch(/ada\d|nobody at all/u);
  });

  test('holds a lane, and no other, while a message in it cannot be accepted for a reason of ours', async () => {
    let isAway = true;
    const accepted: string[] = [];
    const acceptRequest: AcceptRequest = async (message) => {
      if (isAway && message.id === 'held') throw new Failure('KEY_UNAVAILABLE', 'the key is away');
      accepted.push(message.id);
      return world.acceptRequest(message);
    };
    const bus = scriptedBus([
      { lane: 'a', busId: 'held', body: body({ email: person }) },
      { lane: 'a', busId: 'behind', body: body({ email: person, event_id: `${person}-2` }) },
      { lane: 'b', busId: 'other', body: body({ email: person, event_id: `${person}-3` }) },
    ]);
    consume(bus, { acceptRequest });
    await until('The other lane', () => bus.settled.length === 1);
    expect(accepted).toEqual([`${person}-3`]);
    expect(await refusals()).toEqual([]);
    isAway = false;
    await until('The rest', () => bus.left() === 0);
    expect(accepted).toEqual([`${person}-3`, 'held', `${person}-2`]);
  });

  test('tells the officer once a day of what has been held up for ten minutes', async () => {
    let pauses = 0;
    const bus = scriptedBus([{ body: body({ email: person }) }]);
    const consuming = consume(bus, {
      acceptRequest: async () => Promise.reject(new Failure('KEY_UNAVAILABLE', 'the key is away')),
      onPause: () => {
        pauses += 1;
        world.clock.advance(120_000);
      },
    });
    await until('Some time', () => pauses > 9);
    await consuming.stop();
    expect(new Set(world.officerAlerts)).toEqual(new Set(['unreadable:bus:KEY_UNAVAILABLE:2026-11-21']));
    expect(bus.left()).toBe(1);
  });

  test('takes what it can read while a part of the bus cannot be read, and tells the officer of that part after ten minutes', async () => {
    const before = await requestsOf('bus');
    const waits: number[] = [];
    const toldBefore: string[] = [];
    const onPause = (ms: number): void => {
      waits.push(ms);
      if (waits.length === 5) toldBefore.push(...world.officerAlerts);
      world.clock.advance(120_000);
    };
    const away = new Failure('VENDOR_UNAVAILABLE', 'a partition is away');
    const bus = scriptedBus([{ body: body({ email: person }) }]);
    const consuming = consume({ ...bus, read: async (signal) => ({ ...(await bus.read(signal)), failure: away }) }, { onPause });
    await until('Some time', () => waits.length > 9);
    await consuming.stop();
    expect([await requestsOf('bus'), bus.left(), toldBefore]).toEqual([before + 1, 0, []]);
    expect(new Set(world.officerAlerts)).toEqual(new Set(['unreadable:bus:VENDOR_UNAVAILABLE:2026-11-21']));
    // Soon after something came, and later and later while nothing does.
    expect([waits[0], Math.max(...waits) > 5000]).toEqual([1000, true]);
  });

  test('tells nobody of parts of the bus that could be read again within ten minutes', async () => {
    let pauses = 0;
    const onPause = (): void => {
      pauses += 1;
      world.clock.advance(120_000);
    };
    const away = new Failure('VENDOR_UNAVAILABLE', 'a partition is away');
    const consuming = consume({ ...scriptedBus([]), read: async () => ({ records: [], failure: pauses % 4 === 3 ? undefined : away }) }, { onPause });
    await until('Half an hour', () => pauses > 15);
    await consuming.stop();
    expect(world.officerAlerts).toEqual([]);
  });

  test('is not stopped for ever by a message that a bug of ours fails on', async () => {
    const bus = scriptedBus([{ body: body({ email: person }) }, { body: body({ email: person, event_id: `${person}-2` }) }]);
    let tries = 0;
    const acceptRequest: AcceptRequest = async (message) => {
      if (message.id === `${person}-2`) return world.acceptRequest(message);
      tries += 1;
      throw new TypeError('a bug');
    };
    consume(bus, { acceptRequest });
    await until('The end', () => bus.left() === 0);
    expect(tries).toBe(8);
    expect(await refusals()).toEqual([{ source: 'bus', place: `test:${people}/0`, code: 'INTERNAL' }]);
  });

  test('that is stopped finishes what it is accepting, and takes nothing more', async () => {
    let started: () => void = () => undefined;
    const isStarted = new Promise<void>((resolve) => (started = resolve));
    let go: () => void = () => undefined;
    const mayGo = new Promise<void>((resolve) => (go = resolve));
    const accepted: string[] = [];
    const bus = scriptedBus([{ busId: 'first', body: body({ email: person }) }, { busId: 'second', body: body({ email: person }) }]);
    const consuming = consume(bus, {
      acceptRequest: async (message) => {
        started();
        await mayGo;
        accepted.push(message.id);
        return world.acceptRequest(message);
      },
    });
    await isStarted;
    const stopped = consuming.stop();
    go();
    await stopped;
    expect(accepted).toEqual(['first']);
    expect([bus.settled.length, bus.left()]).toEqual([1, 1]);
  });
});

describe.skipIf(kafkaMissing !== undefined)(`reading Kafka${kafkaMissing === undefined ? '' : ` (left out: ${kafkaMissing})`}`, () => {
  let kafka: MockKafka;
  let producer: Producer;
  beforeAll(async () => {
    kafka = await startMockKafka('privacy-requests');
    producer = new Producer({ clientId: 'shop', bootstrapBrokers: [...kafka.brokers], retries: 2 });
  });
  afterAll(async () => {
    await producer.close(true);
    await kafka.stop();
  });
  const produce = async (partition: number, value: unknown, headers: Readonly<Record<string, string>> = {}): Promise<void> => {
    const map = new Map(Object.entries(headers).map(([name, text]) => [Buffer.from(name), Buffer.from(text)]));
    await producer.send({ acks: -1, messages: [{ topic: 'privacy-requests', partition, value: typeof value === 'string' ? Buffer.from(value) : body(value), headers: map }] });
  };
  const reader = (source: string, brokers: readonly string[] = kafka.brokers): BusReader =>
    createBusReader(source, consumeSchema.parse({ kind: 'kafka', topic: 'privacy-requests' }), { secrets: { environment: {}, readFile: () => '' }, kafkaBrokers: brokers }, { database: world.database, clock: world.clock, refusals: world.refusals });
  const position = async (source: string): Promise<bigint> => {
    const { rows } = await sql<{ n: string }>`SELECT coalesce(sum(next_offset), 0)::text AS n FROM bus_position WHERE source = ${source}`.execute(world.database.read());
    return BigInt(rows[0]?.n ?? '0');
  };

  test('takes every request of every partition once, past what can never be one, and a later start goes on behind them', async () => {
    await produce(0, { email: person, event_id: `${person}-1` });
    await produce(0, '{ this is no JSON');
    await produce(0, { email: person, event_id: `${person}-2` });
    await produce(1, { email: person }, { ce_id: `${person}-3`, ce_source: '/shop', ce_specversion: '1.0', ce_type: 'deletion.requested' });
    await produce(1, { email: person }, { ce_id: `${person}-3`, ce_source: '/shop', ce_specversion: '1.0', ce_type: 'deletion.requested' });
    await produce(3, { email: person });
    const first = consume(reader('orders'), { source: 'orders' });
    await until('Everything', async () => (await position('orders')) === 6n);
    await first.stop();
    expect(await requestsOf('orders')).toBe(4);
    expect(await refusals()).toEqual([{ source: 'orders', place: 'kafka:privacy-requests/0/1', code: 'BODY_MALFORMED' }]);
    await produce(0, { email: person });
    const accepted: string[] = [];
    consume(reader('orders'), {
      source: 'orders',
      acceptRequest: async (message) => {
        accepted.push(message.id);
        return world.acceptRequest(message);
      },
    });
    await until('The new one', async () => (await position('orders')) === 7n);
    expect(accepted).toEqual([expect.stringMatching(/^kafka:privacy-requests\/0\/3\/\d+$/u)]);
    expect(await requestsOf('orders')).toBe(5);
  });

  test('of one that died between accepting and keeping its position, the next accepts nothing twice', async () => {
    await produce(2, { email: person });
    const dying = reader('dying');
    const first = consume({ ...dying, settle: async () => Promise.reject(new Failure('INTERNAL', 'the process died here')) }, { source: 'dying' });
    await until('Some acceptance', async () => (await requestsOf('dying')) > 0);
    await first.stop();
    expect(await position('dying')).toBe(0n);
    const second = consume(reader('dying'), { source: 'dying' });
    await until('All positions', async () => (await position('dying')) >= 8n);
    await second.stop();
    // The topic has seven that are requests, two of which are one, and one that is none.
    expect(await requestsOf('dying')).toBe(6);
  });

  test('two consumers of a source share nothing out and take nothing twice: one reads, and when it stops the other goes on', async () => {
    const first = consume(reader('pair'), { source: 'pair' });
    await until('All positions', async () => (await position('pair')) >= 8n);
    consume(reader('pair'), { source: 'pair' });
    const before = await requestsOf('pair');
    await first.stop();
    await produce(1, { email: person });
    await until('The next one', async () => (await position('pair')) >= 9n);
    expect(await requestsOf('pair')).toBe(before + 1);
  });

  test('what the broker does not have any more is noted as lost, and what it still has is read', async () => {
    await sql`INSERT INTO bus_position (source, topic, partition, next_offset) VALUES ('late', 'privacy-requests', 0, 5000)`.execute(world.database.read());
    consume(reader('late'), { source: 'late' });
    await until('Everything', async () => (await requestsOf('late')) >= 7);
    expect(await refusals()).toContainEqual({ source: 'late', place: 'kafka:privacy-requests/0/5000', code: 'MESSAGES_LOST' });
  });

  test('brokers that are away are asked again, and nothing is claimed meanwhile', async () => {
    let pauses = 0;
    const consuming = consume(reader('away', ['127.0.0.1:1']), { source: 'away', onPause: () => (pauses += 1) });
    await until('Two tries', () => pauses >= 2);
    await consuming.stop();
    expect([await requestsOf('away'), await position('away')]).toEqual([0, 0n]);
    expect(lines.join('\n')).toContain('"source":"away"');
  });
});

describe('pulling Pub/Sub', () => {
  let pubsub: Simulator;
  let credentials = '';
  beforeAll(async () => {
    pubsub = await startPubsub();
  });
  beforeEach(() => {
    pubsub.reset();
    ({ credentials } = pubsub.seed({ ack_deadline_ms: 50 }) as { credentials: string });
  });
  afterAll(() => pubsub.close());
  const publish = (value: unknown, rest: { attributes?: Record<string, string>; orderingKey?: string } = {}): void => {
    pubsub.seed({ requests: [{ data: typeof value === 'string' ? value : JSON.stringify(value), ...rest }] });
  };
  const reader = (): BusReader =>
    createBusReader('pulled', consumeSchema.parse({ kind: 'pubsub', subscription: pubsubNames.requestsSubscription, endpoint: pubsub.url, credentials: '${env:KEY}' }), { secrets: { environment: { KEY: credentials }, readFile: () => '' }, kafkaBrokers: undefined }, { database: world.database, clock: { now: Date.now }, refusals: world.refusals });
  const left = (): { requests: number; dead_letters: number } => pubsub.dump() as { requests: number; dead_letters: number };

  test('accepts each once by its event’s id, acknowledges it, and takes off what can never be accepted', async () => {
    const before = await requestsOf('pulled');
    publish({ email: person }, { attributes: { event_id: `${person}-1` } });
    publish({ email: person }, { attributes: { event_id: `${person}-1` } });
    publish('{');
    publish({ email: person }, { orderingKey: 'k' });
    consume(reader(), { source: 'pulled' });
    await until('All acknowledgements', () => left().requests === 0);
    expect(await requestsOf('pulled')).toBe(before + 2);
    expect(await refusals()).toEqual([{ source: 'pulled', place: expect.stringMatching(/^pubsub:\d+$/u) as string, code: 'BODY_MALFORMED' }]);
  });

  test('that dies before it acknowledges accepts once, since the message comes again', async () => {
    const before = await requestsOf('pulled');
    publish({ email: person });
    const dying = reader();
    const first = consume({ ...dying, settle: async () => Promise.reject(new Failure('INTERNAL', 'the process died here')) }, { source: 'pulled' });
    await until('The acceptance', async () => (await requestsOf('pulled')) === before + 1);
    await first.stop();
    expect(left().requests).toBe(1);
    consume(reader(), { source: 'pulled' });
    await until('The acknowledgement', () => left().requests === 0);
    expect(await requestsOf('pulled')).toBe(before + 1);
  });

  test('leaves what can never be accepted to the dead-letter topic, where there is one', async () => {
    pubsub.seed({ requests_given_most: 3 });
    publish('{');
    publish({ email: person });
    consume(reader(), { source: 'pulled' });
    await until('The dead letter', () => left().requests === 0 && left().dead_letters === 1);
    expect(await refusals()).toHaveLength(1);
  });
});

test('no log line has a person', () => {
  expect(lines.join('\n')).not.toMatch(/ada\d+@/u);
});
