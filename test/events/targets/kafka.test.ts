import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest';
import { createKafkaTarget } from '../../../src/modules/events/targets/kafka.ts';
import type { KafkaSettings } from '../../../src/modules/events/targets/settings.ts';
import type { EventTarget, Outgoing } from '../../../src/modules/events/target.ts';
import { freePort } from '../../support/embedded-postgres.ts';
import { startBrokerProxy, type BrokerProxy } from '../../support/kafka-proxy.ts';
import { kafkaMissing, startMockKafka, type MockKafka } from '../../support/kafka.ts';
import { inShort, outgoing, unending } from '../../support/outgoing.ts';
import { startRudeServer } from '../../support/scripted-server.ts';
import { hasten } from './hasten.ts';

const opened: EventTarget[] = [];
const open = (brokers: readonly string[], rest: Partial<KafkaSettings> = {}): EventTarget => {
  const target = createKafkaTarget({ kind: 'kafka', attempts: 186, age_hours: 24, brokers, topic: 'privacy-events', tls: false, ...rest });
  opened.push(target);
  return target;
};
const short = async (target: EventTarget, batch: readonly Outgoing[], signal = unending): Promise<readonly string[]> => inShort(await target.deliver(batch, signal));

afterEach(async () => {
  vi.restoreAllMocks();
  await Promise.all(opened.splice(0).map(async (each) => each.close()));
});

describe.skipIf(kafkaMissing !== undefined)(`a topic of Kafka${kafkaMissing === undefined ? '' : ` (${kafkaMissing})`}`, () => {
  let kafka: MockKafka;
  beforeAll(async () => {
    kafka = await startMockKafka('privacy-events');
  });
  afterAll(async () => kafka.stop());

  test('has each event as a CloudEvent under the person’s pseudonym, each person’s events in one partition and in their order', async () => {
    const batch = Array.from({ length: 60 }, (_, n) => outgoing(n, { subject: `req_${n % 7}` }));
    const results = await open(kafka.brokers).deliver([...batch, outgoing(60, { subject: null })], unending);
    const records = await kafka.read(61);
    // What the target calls an event is where it really lies.
    const byReference = new Map(records.map((each) => [`${each.partition}:${each.offset}`, each]));
    for (const [index, sent] of [...batch, outgoing(60, { subject: null })].entries()) {
      const result = results[index];
      const record = byReference.get(result?.kind === 'delivered' ? (result.reference ?? '') : '');
      const { event } = sent;
      expect(record).toMatchObject({ key: event.subject ?? null, payload: sent.body, at: event.at });
      expect(record?.headers).toEqual({
        'content-type': 'application/cloudevents+json',
        ce_specversion: '1.0',
        ce_id: event.id,
        ce_source: 'quittance',
        ce_type: 'request.closed',
        ce_time: new Date(event.at).toISOString(),
        ...(event.subject === undefined ? {} : { ce_subject: event.subject }),
      });
    }
    const ofPerson = Map.groupBy(records.filter(({ key }) => key !== null), ({ key }) => key);
    expect(ofPerson.size).toBe(7);
    for (const [, own] of ofPerson) {
      expect(new Set(own.map(({ partition }) => partition)).size).toBe(1);
      const times = own.toSorted((one, other) => one.offset - other.offset).map(({ at }) => at);
      expect(times).toEqual(times.toSorted((one, other) => one - other));
    }
    expect(new Set(records.map(({ partition }) => partition)).size).toBeGreaterThan(1);
  });

  test('is sent to by an idempotent producer, over connections that are kept', async () => {
    const target = open(kafka.brokers);
    const before = kafka.requests().length;
    expect(await short(target, [outgoing(100)])).toEqual(['delivered']);
    const first = kafka.requests().slice(before);
    expect(first).toContain('InitProducerIdRequestV4');
    const between = kafka.requests().length;
    expect(await short(target, [outgoing(101)])).toEqual(['delivered']);
    const second = kafka.requests().slice(between);
    expect(second.filter((each) => /^(?:ApiVersion|InitProducerId|SaslHandshake)/u.test(each))).toEqual([]);
    expect(second.some((each) => each.startsWith('Produce'))).toBe(true);
    const [one, other] = (await kafka.read(63)).slice(-2);
    expect(other).toMatchObject({ partition: one?.partition, offset: (one?.offset ?? 0) + 1 });
  });

  test('has the body that a rule shaped as the data of a CloudEvent in binary mode', async () => {
    expect(await short(open(kafka.brokers), [outgoing(110, { shaped: '{"cid":"ü"}' })])).toEqual(['delivered']);
    const last = (await kafka.read(64)).at(-1);
    expect(last).toMatchObject({ payload: '{"cid":"ü"}', headers: { 'content-type': 'application/json', ce_id: outgoing(110).event.id } });
  });

  test('whose brokers stand still has its events back when the sender stops, and takes them when they go on', async () => {
    const still = await startMockKafka('privacy-events');
    const target = open(still.brokers);
    expect(await short(target, [outgoing(1)])).toEqual(['delivered']);
    await still.read(1);
    still.freeze();
    const stop = new AbortController();
    const pending = short(target, [outgoing(2)], stop.signal);
    stop.abort();
    expect(await pending).toEqual(['again INTERRUPTED']);
    still.thaw();
    expect(await short(target, [outgoing(2)])).toEqual(['delivered']);
    // At least once: the first try may have been written as well.
    const ids = (await still.read(2)).map(({ headers }) => headers['ce_id']);
    expect([...new Set(ids)]).toEqual([outgoing(1).event.id, outgoing(2).event.id]);
    await target.close();
    await still.stop();
  });

  test('whose brokers stand still has its events again when the time of the try has passed, though nobody stops', async () => {
    const still = await startMockKafka('privacy-events');
    const target = open(still.brokers);
    expect(await short(target, [outgoing(1)])).toEqual(['delivered']);
    still.freeze();
    hasten(100);
    // More than the socket takes without a reader, so that the connection cannot end by itself either.
    const large = Array.from({ length: 20 }, (_, n) => outgoing(n + 2, { detail: { n, text: 'x'.repeat(500_000) } }));
    const begun = performance.now();
    expect(await short(target, large)).toEqual(large.map(() => 'again VENDOR_TIMEOUT'));
    expect(performance.now() - begun).toBeLessThan(6000);
    still.thaw();
    await target.close();
    await still.stop();
  });

  test('whose cluster is gone has its events again', async () => {
    const gone = await startMockKafka('privacy-events');
    const target = open(gone.brokers);
    expect(await short(target, [outgoing(1)])).toEqual(['delivered']);
    await gone.stop();
    expect(await short(target, [outgoing(2), outgoing(3)])).toEqual(['again VENDOR_UNAVAILABLE', 'again VENDOR_UNAVAILABLE']);
  });

  test('gives back a batch that it cannot make records of, and throws nothing', async () => {
    const { event, ...rest } = outgoing(1);
    expect(await short(open(kafka.brokers), [{ ...rest, event: { ...event, at: Number.NaN } }])).toEqual(['again INTERNAL']);
  });

  test('wants SASL where it is configured, and a cluster without it has the events again', async () => {
    expect(await short(open(kafka.brokers, { sasl: { mechanism: 'PLAIN', username: 'quittance', password: 'wrong' } }), [outgoing(1)])).toEqual(['again VENDOR_UNAVAILABLE']);
  });
});

describe.skipIf(kafkaMissing !== undefined)(`a broker of Kafka that finds fault${kafkaMissing === undefined ? '' : ` (${kafkaMissing})`}`, () => {
  const produce = 0;
  const initProducerId = 22;
  let kafka: MockKafka;
  let proxy: BrokerProxy;
  beforeAll(async () => {
    kafka = await startMockKafka('privacy-events', { brokers: 1 });
    proxy = await startBrokerProxy(kafka.brokers[0] ?? '');
  });
  afterAll(async () => {
    await proxy.close();
    await kafka.stop();
  });
  afterEach(() => proxy.decide(() => 'pass'));

  test('with one record has that one refused, and everything else once, also what is behind it about the same person', async () => {
    const messageTooLarge = 10;
    proxy.decide(({ api, bytes }) => (api === produce && bytes.includes('"n":3') ? messageTooLarge : 'pass'));
    const batch = [1, 2, 3, 4, 5].map((n) => outgoing(n, { subject: n === 5 ? 'req_b' : 'req_a' }));
    expect(await short(open([proxy.address]), batch)).toEqual(['delivered', 'delivered', 'refused KAFKA_MESSAGE_TOO_LARGE', 'delivered', 'delivered']);
    const ids = (await kafka.read(4)).map(({ headers }) => headers['ce_id']);
    for (const n of [1, 2, 4, 5]) expect(ids).toContain(outgoing(n).event.id);
    expect(ids).not.toContain(outgoing(3).event.id);
  });

  test.each([
    ['KAFKA_NOT_ENOUGH_REPLICAS', 19],
    ['KAFKA_TOPIC_AUTHORIZATION_FAILED', 29],
    ['KAFKA_STORAGE_ERROR', 56],
  ])('with itself or with who sends (%s) has the record again, and takes it once that is mended', async (name, code) => {
    proxy.decide(({ api }) => (api === produce ? code : 'pass'));
    const target = open([proxy.address]);
    const n = 100 + code;
    expect(await short(target, [outgoing(n)])).toEqual([`again ${name}`]);
    proxy.decide(() => 'pass');
    expect(await short(target, [outgoing(n)])).toEqual(['delivered']);
  });

  test('and gives nobody the number of an idempotent producer is sent to without', async () => {
    const clusterAuthorizationFailed = 31;
    let asked = 0;
    proxy.decide(({ api }) => {
      if (api !== initProducerId) return 'pass';
      asked += 1;
      return clusterAuthorizationFailed;
    });
    const target = open([proxy.address]);
    expect(await short(target, [outgoing(200)])).toEqual(['delivered']);
    const before = asked;
    expect(await short(target, [outgoing(201)])).toEqual(['delivered']);
    expect(before).toBeGreaterThan(0);
    expect(asked).toBe(before);
  });

  test('with the connection, and ends it instead of answering, has the record all the same', async () => {
    let lost = 0;
    proxy.decide(({ api }) => {
      if (api !== produce || lost > 0) return 'pass';
      lost += 1;
      return 'lose';
    });
    expect(await short(open([proxy.address]), [outgoing(300)])).toEqual(['delivered']);
    expect(lost).toBe(1);
    proxy.decide(() => 'pass');
    expect(await short(open([proxy.address]), [outgoing(301)])).toEqual(['delivered']);
  });
});

describe('a target of Kafka', () => {
  test('with nobody there comes again', async () => {
    expect(await short(open([`127.0.0.1:${await freePort()}`]), [outgoing(1), outgoing(2)])).toEqual(['again VENDOR_UNAVAILABLE', 'again VENDOR_UNAVAILABLE']);
  });

  test.each(['hang', 'drop'] as const)('with somebody there who is no broker (%s) comes again, and leaves no connection', async (manner) => {
    const rude = await startRudeServer(manner);
    if (manner === 'hang') hasten(20);
    const target = open([`127.0.0.1:${rude.port}`]);
    expect(await short(target, [outgoing(1)])).toEqual([manner === 'hang' ? 'again VENDOR_TIMEOUT' : 'again VENDOR_UNAVAILABLE']);
    await target.close();
    await expect.poll(() => rude.connections()).toBe(0);
    await rude.close();
  });
});
