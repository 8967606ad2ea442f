import { sql } from 'kysely';
import { beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { databaseKinds, useDatabase } from '../../../test/support/databases.ts';
import type { Database } from '../../platform/db/database.ts';
import type { KafkaBatch } from './consume-committed.ts';
import { createKafkaReader } from './consume-kafka.ts';
import type { FetchedPartition, KafkaCluster } from './consume-kafka-cluster.ts';
import type { BusReader, BusReading } from './consume.ts';

describe.each(databaseKinds)('of a topic of Kafka, with positions in the database of kind $kind', ({ kind }) => {
  const shared = useDatabase(kind, 'main');
  let database: Database;
  const refused: string[] = [];
  beforeAll(() => {
    database = shared.open();
  });
  beforeEach(() => {
    refused.length = 0;
  });
  const refuse = async (_source: string, place: string, code: string): Promise<void> => void refused.push(`${code} ${place}`);
  type Partition = Partial<FetchedPartition> | Error;
  const message = (at: number, change: Partial<KafkaBatch> = {}): KafkaBatch => ({ firstOffset: BigInt(at), lastOffsetDelta: 0, attributes: 0, producerId: -1n, firstTimestamp: 0n, records: [{ offsetDelta: 0, timestampDelta: 0n, key: null, value: Buffer.from('{}'), headers: [] }], ...change });
  const never = new AbortController().signal;
  let topics = 0;
  /** Two brokers, with the even and the odd ones of three partitions. What is an error cannot be read, and spoils every answer that it is in. */
  const openTopic = (partitions: readonly [Partition, Partition, Partition], change: Partial<KafkaCluster> = {}): { readonly reader: BusReader; readonly asked: string[]; readonly source: string } => {
    topics += 1;
    const source = `made-up-${topics}`;
    const asked: string[] = [];
    const cluster: KafkaCluster = {
      leaders: async () => [0, 1, 0],
      fetch: async (_node, wanted) => {
        asked.push(wanted.map(({ partition, offset }) => `${partition}@${offset}`).join(' '));
        return wanted.map(({ partition }) => {
          const found = partitions[partition];
          if (found === undefined || found instanceof Error) throw found ?? new Error('No such partition');
          return { partition, error: undefined, batches: [], aborted: [], ...found };
        });
      },
      earliest: async () => Promise.reject(new Error('Nobody is to ask for this')),
      close: async () => undefined,
      ...change,
    };
    const settings = { kind: 'kafka', topic: 'made-up', brokers: ['kafka.example:9092'], tls: false, in_flight: 1 } as const;
    return { source, asked, reader: createKafkaReader(settings, { source, database, refusals: { refuse }, openCluster: async () => cluster }) };
  };
  const placesOf = ({ records }: BusReading): string[] => records.map(({ place }) => place).toSorted();

  test('everything is read of partitions that are well, and nothing is said to have failed', async () => {
    const { reader } = openTopic([{ batches: [message(0)] }, { batches: [message(0)] }, {}]);
    const reading = await reader.read(never);
    await reader.close();
    expect([placesOf(reading), reading.failure]).toEqual([['kafka:made-up/0/0', 'kafka:made-up/1/0'], undefined]);
  });

  test('a partition that a broker finds fault with is told of, with what the others gave', async () => {
    const { reader } = openTopic([{ batches: [message(0)] }, { batches: [message(0)] }, { error: 'KAFKA_STORAGE_ERROR' }]);
    const reading = await reader.read(never);
    await reader.close();
    expect(placesOf(reading)).toEqual(['kafka:made-up/0/0', 'kafka:made-up/1/0']);
    expect(reading.failure).toMatchObject({ code: 'VENDOR_UNAVAILABLE', message: expect.stringContaining('KAFKA_STORAGE_ERROR') as string });
  });

  test('a partition whose answer cannot be read takes no other’s with it, whichever of them is first', async () => {
    for (const at of [0, 2] as const) {
      const partitions: [Partition, Partition, Partition] = [{ batches: [message(0)] }, { batches: [message(0)] }, { batches: [message(0)] }];
      partitions[at] = new RangeError('out of bounds');
      const { reader } = openTopic(partitions);
      const readings = [await reader.read(never), await reader.read(never)];
      await reader.close();
      for (const reading of readings) {
        expect(placesOf(reading)).toEqual([0, 1, 2].filter((each) => each !== at).map((each) => `kafka:made-up/${each}/0`));
        expect(reading.failure?.code).toBe('VENDOR_UNAVAILABLE');
      }
    }
  });

  test('a broker that is away is asked once, and the other one’s partition is read', async () => {
    const away = Object.assign(new Error('away'), { code: 'PLT_KFK_NETWORK' });
    const { reader, asked } = openTopic([away, { batches: [message(0)] }, away]);
    const reading = await reader.read(never);
    await reader.close();
    expect([placesOf(reading), reading.failure?.code, asked.length]).toEqual([['kafka:made-up/1/0'], 'VENDOR_UNAVAILABLE', 2]);
  });

  test('a partition that nothing was said of has failed', async () => {
    const { reader } = openTopic([{}, {}, {}], { fetch: async (_node, wanted) => wanted.slice(1).map(({ partition }) => ({ partition, error: undefined, batches: [], aborted: [] })) });
    const reading = await reader.read(never);
    await reader.close();
    expect(reading.failure?.code).toBe('VENDOR_MALFORMED');
  });

  test('each partition is asked for first in its turn', async () => {
    const { reader, asked } = openTopic([{}, {}, {}]);
    for (let at = 0; at < 3; at += 1) await reader.read(never);
    await reader.close();
    expect(new Set(asked)).toEqual(new Set(['0@0 2@0', '2@0 0@0', '1@0']));
  });

  test('a partition whose beginning is gone is read from what it still has', async () => {
    const { reader, source } = openTopic([{}, { error: 'OFFSET_OUT_OF_RANGE' }, {}], { earliest: async () => 7000n });
    expect((await reader.read(never)).failure).toBeUndefined();
    const { rows } = await sql<{ next: string }>`SELECT next_offset::text AS next FROM bus_position WHERE source = ${source} AND partition = 1`.execute(database.read());
    // It was never read, so nothing of it was lost here.
    expect([rows, refused]).toEqual([[{ next: '7000' }], []]);
    // A broker that says so again of where the partition begins is not taken for one that has nothing.
    expect((await reader.read(never)).failure?.code).toBe('VENDOR_MALFORMED');
    await reader.close();
  });

  test('what was given up before it was read is noted as lost', async () => {
    const { reader, source } = openTopic([{}, { error: 'OFFSET_OUT_OF_RANGE' }, {}], { earliest: async () => 7000n });
    await sql`INSERT INTO bus_position (source, topic, partition, next_offset) VALUES (${source}, 'made-up', 1, 5)`.execute(database.read());
    await reader.read(never);
    await reader.close();
    expect(refused).toEqual(['MESSAGES_LOST kafka:made-up/1/5']);
  });

  test('an aborted transaction is no request where its end is not in the same answer, and it is read on behind it', async () => {
    const transactional = { attributes: 0x10, producerId: 9n };
    const partition = { batches: [message(0, transactional), message(1, transactional)], aborted: [{ producerId: 9n, firstOffset: 0n }] };
    const { reader, asked } = openTopic([{}, partition, {}]);
    const first = await reader.read(never);
    await reader.read(never);
    await reader.close();
    expect([placesOf(first), asked.filter((each) => each.startsWith('1@'))]).toEqual([[], ['1@0', '1@2']]);
    const committed = openTopic([{}, { ...partition, aborted: [] }, {}]);
    expect(placesOf(await committed.reader.read(never))).toEqual(['kafka:made-up/1/0', 'kafka:made-up/1/1']);
    await committed.reader.close();
  });
});
