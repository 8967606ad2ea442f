import { createHash } from 'node:crypto';
import type { Database, ExclusiveLock } from '../../platform/db/database.ts';
import { Failure } from '../../platform/failure.ts';
import type { BusReader, BusReading, BusRecord } from './consume.ts';
import { committedBatches } from './consume-committed.ts';
import { kafkaCodes, openKafkaCluster, type FetchedPartition, type KafkaCluster, type KafkaSource } from './consume-kafka-cluster.ts';
import type { Refusals } from './consume-refusals.ts';
import { keepPosition, positionsOf } from './consume-store.ts';
import type { IntakeTables } from './tables.ts';

/** What reading a topic needs. */
export interface KafkaReaderDeps {
  readonly source: string;
  readonly database: Database;
  readonly refusals: Pick<Refusals, 'refuse'>;
  /** The brokers themselves when absent. */
  readonly openCluster?: (settings: KafkaSource) => Promise<KafkaCluster>;
}

/** How long a broker waits for a message before it answers that there is none. */
const waitMs = 1000;

/** A record, and from where its partition is read on once it is settled. */
interface KafkaRecord extends BusRecord {
  readonly partition: number;
  readonly next: bigint;
}

/** What was read of some partitions, and what kept others from being read. */
interface Fetched {
  readonly records: readonly KafkaRecord[];
  readonly failures: readonly unknown[];
}

/**
 * Reads a topic with positions of our own, kept in the database that the requests are in, and without a consumer group: the broker is told of nothing. One process reads a source at a time, by a lock of
 * the database that ends with its session; where two do for a moment, what both read is accepted once. A topic that was never read is read from its beginning. A partition that cannot be read keeps
 * nobody from the others, and is told of with what they gave. Where the broker has given up what comes next, that is noted as refused, since requests may have been among it, and it is read on from
 * what is left. Of transactions, what was committed is read.
 */
export function createKafkaReader(settings: KafkaSource, deps: KafkaReaderDeps): BusReader {
  const { topic } = settings;
  const { openCluster = openKafkaCluster } = deps;
  let opening: Promise<KafkaCluster> | undefined;
  let lock: ExclusiveLock | undefined;
  let positions = new Map<number, bigint>();
  let turn = 0;

  const drop = async (): Promise<void> => {
    const held = opening;
    opening = undefined;
    await held?.then(async (cluster) => cluster.close()).catch(() => undefined);
  };

  /** Whether this process is the one that reads. */
  const isReader = async (): Promise<boolean> => {
    if (lock?.held() === true) return true;
    lock = await deps.database.tryLock(createHash('sha256').update(`bus:${deps.source}`).digest().readBigInt64BE());
    if (lock === undefined) return false;
    positions = new Map(await positionsOf(deps.database.read<IntakeTables>(), deps.source, topic));
    return true;
  };

  /** Goes to where the partition begins now: with this error brokers do not say it themselves. */
  const outOfRange = async (cluster: KafkaCluster, partition: number): Promise<void> => {
    const before = positions.get(partition) ?? 0n;
    const next = await cluster.earliest(partition);
    if (next === before) throw new Failure('VENDOR_MALFORMED', 'Kafka has nothing at the beginning of a partition');
    if (before > 0n) await deps.refusals.refuse(deps.source, `kafka:${topic}/${partition}/${before}`, 'MESSAGES_LOST');
    await keepPosition(deps.database.read<IntakeTables>(), { source: deps.source, topic, partition, next }, { goesBack: true });
    positions.set(partition, next);
  };

  const take = async (cluster: KafkaCluster, partition: number, answer: FetchedPartition | undefined): Promise<readonly KafkaRecord[]> => {
    if (answer === undefined) throw new Failure('VENDOR_MALFORMED', 'Kafka said nothing of a partition');
    if (answer.error === undefined) return recordsOf(topic, answer, positions);
    if (answer.error !== 'OFFSET_OUT_OF_RANGE') throw new Failure('VENDOR_UNAVAILABLE', `A partition of Kafka could not be read (${answer.error})`);
    await outOfRange(cluster, partition);
    return [];
  };

  /** What one broker has of these partitions. Where its answer cannot be read for one of them, each is asked for alone, so that its failure is told of and the others are read. Never rejects. */
  const fetchFrom = async (cluster: KafkaCluster, node: number, partitions: readonly number[], wait: number): Promise<Fetched> => {
    try {
      const answers = await cluster.fetch(node, partitions.map((partition) => ({ partition, offset: positions.get(partition) ?? 0n })), wait);
      return merged(await Promise.allSettled(partitions.map(async (partition) => take(cluster, partition, answers.find((each) => each.partition === partition)))));
    } catch (error) {
      // A broker that is away is away for each of them.
      if (partitions.length === 1 || error instanceof Failure || kafkaCodes(error).includes('PLT_KFK_NETWORK')) return { records: [], failures: [error] };
      const alone: Fetched[] = [];
      for (const each of partitions) alone.push(await fetchFrom(cluster, node, [each], 0));
      return { records: alone.flatMap(({ records }) => records), failures: alone.flatMap(({ failures }) => failures) };
    }
  };

  const fetchAll = async (): Promise<Fetched> => {
    const cluster = await (opening ??= openCluster(settings));
    const leaders = await cluster.leaders();
    // Each is asked for first in its turn: a broker gives a batch larger than what is asked for to nobody but the first that has any.
    turn = (turn + 1) % leaders.length;
    const order = [...leaders.keys()].map((at) => (at + turn) % leaders.length);
    const nodes = Map.groupBy(order, (partition) => leaders[partition] ?? -1);
    const fetched = await Promise.all([...nodes].map(async ([node, partitions]) => fetchFrom(cluster, node, partitions, waitMs)));
    return { records: fetched.flatMap(({ records }) => records), failures: fetched.flatMap(({ failures }) => failures) };
  };

  return {
    isOrdered: true,
    read: async (signal): Promise<BusReading> => {
      if (!(await isReader())) return { records: [], failure: undefined };
      try {
        const { records, failures } = await unlessAborted(fetchAll(), signal);
        if (failures.length === 0) return { records, failure: undefined };
        // Who leads what is asked anew.
        await drop();
        return { records, failure: failureOf(failures[0]) };
      } catch (error) {
        await drop();
        if (signal.aborted) return { records: [], failure: undefined };
        throw failureOf(error);
      }
    },
    settle: async (records) => {
      for (const [partition, some] of Map.groupBy(records as readonly KafkaRecord[], (each) => each.partition)) {
        const last = some.at(-1);
        if (last === undefined) continue;
        await keepPosition(deps.database.read<IntakeTables>(), { source: deps.source, topic, partition, next: last.next }, { goesBack: false });
        positions.set(partition, last.next);
      }
    },
    giveBack: async () => {
      throw new Error('A topic of Kafka takes nothing back');
    },
    close: async () => {
      await drop();
      await lock?.release();
      lock = undefined;
    },
  };
}

function merged(ends: readonly PromiseSettledResult<readonly KafkaRecord[]>[]): Fetched {
  return { records: ends.flatMap((end) => (end.status === 'fulfilled' ? end.value : [])), failures: ends.flatMap((end) => (end.status === 'rejected' ? [end.reason as unknown] : [])) };
}

function failureOf(error: unknown): Failure {
  return error instanceof Failure ? error : new Failure('VENDOR_UNAVAILABLE', `Kafka could not be read (${kafkaCodes(error)[0] ?? 'no answer'})`);
}

/** The messages of a partition from its position on; a batch may begin before it. Where there are none, since the broker's own and aborted ones are all there is, the position goes past them. */
function recordsOf(topic: string, { partition, batches, aborted }: FetchedPartition, positions: Map<number, bigint>): readonly KafkaRecord[] {
  const from = positions.get(partition) ?? 0n;
  const final = batches.at(-1);
  const end = final === undefined ? from : final.firstOffset + BigInt(final.lastOffsetDelta) + 1n;
  const records: KafkaRecord[] = [];
  for (const batch of committedBatches(batches, aborted)) {
    for (const { offsetDelta, timestampDelta, value, headers } of batch.records) {
      const offset = batch.firstOffset + BigInt(offsetDelta);
      if (offset < from) continue;
      const attributes = Object.fromEntries(headers.map(([name, text]) => [(name ?? '').toString().toLowerCase(), text?.toString()]));
      const place = `kafka:${topic}/${partition}/${offset}`;
      // With its time, since a topic that was made anew counts from 0 again.
      records.push({ attributes, body: Buffer.from(value ?? ''), busId: `${place}/${batch.firstTimestamp + timestampDelta}`, place, lane: String(partition), hasDeadLetters: false, partition, next: offset + 1n });
    }
  }
  const last = records.pop();
  if (last !== undefined) return [...records, { ...last, next: end > last.next ? end : last.next }];
  if (end > from) positions.set(partition, end);
  return [];
}

/** Gives up waiting when the signal says so; what is under way then ends with its client. */
async function unlessAborted<Value>(work: Promise<Value>, signal: AbortSignal): Promise<Value> {
  let stop: (() => void) | undefined;
  const aborted = new Promise<never>((_resolve, reject) => {
    stop = () => reject(new Error('Stopped'));
    signal.addEventListener('abort', stop, { once: true });
  });
  try {
    signal.throwIfAborted();
    return await Promise.race([work, aborted]);
  } finally {
    if (stop !== undefined) signal.removeEventListener('abort', stop);
    // Its end is nobody's any more.
    if (signal.aborted) void work.catch(() => undefined);
  }
}
