import { createHash } from 'node:crypto';
import type { Consumer } from '@platformatic/kafka';
import type { ConsumeConfig } from '../../platform/config/intake-events.ts';
import type { Database, ExclusiveLock } from '../../platform/db/database.ts';
import { Failure } from '../../platform/failure.ts';
import type { BusReader, BusRecord } from './consume.ts';
import type { Refusals } from './consume-refusals.ts';
import { keepPosition, positionsOf } from './consume-store.ts';
import type { IntakeTables } from './tables.ts';

/** The settings of a topic, with its brokers and the secrets themselves. */
export type KafkaSource = Omit<Extract<ConsumeConfig, { readonly kind: 'kafka' }>, 'brokers'> & { readonly brokers: readonly string[] };

/** What reading a topic needs. */
export interface KafkaReaderDeps {
  readonly source: string;
  readonly database: Database;
  readonly refusals: Pick<Refusals, 'refuse'>;
}

type Client = Consumer;
type Fetched = Awaited<ReturnType<Client['fetch']>>['responses'][number]['partitions'][number];

const connectTimeoutMs = 5000;
const answerTimeoutMs = 10_000;
/** How long a broker waits for a message before it answers that there is none. */
const waitMs = 1000;
/** Of one partition at a time: a few hundred requests, which are accepted before more is read. */
const partitionBytes = 256 * 1024;
/** In a batch's attributes: written by the broker for transactions, and no message. Source: https://kafka.apache.org/documentation/#controlbatch */
const controlBit = 0x20;

/** A record, and from where its partition is read on once it is settled. */
interface KafkaRecord extends BusRecord {
  readonly partition: number;
  readonly next: bigint;
}

/**
 * Reads a topic with positions of our own, kept in the database that the requests are in, and without a consumer group: the broker is told of nothing. One process reads a source at a time, by a lock of
 * the database that ends with its session; where two do for a moment, what both read is accepted once. A topic that was never read is read from its beginning. Where the broker has given up
 * what comes next, that is noted as refused, since requests may have been among it, and it is read on from what is left.
 */
export function createKafkaReader(settings: KafkaSource, deps: KafkaReaderDeps): BusReader {
  const { topic } = settings;
  let opening: Promise<Client> | undefined;
  let lock: ExclusiveLock | undefined;
  let positions = new Map<number, bigint>();

  const drop = async (): Promise<void> => {
    const held = opening;
    opening = undefined;
    await held?.then(async (consumer) => consumer.close(true)).catch(() => undefined);
  };

  /** Whether this process is the one that reads. */
  const isReader = async (): Promise<boolean> => {
    if (lock?.held() === true) return true;
    lock = await deps.database.tryLock(createHash('sha256').update(`bus:${deps.source}`).digest().readBigInt64BE());
    if (lock === undefined) return false;
    positions = new Map(await positionsOf(deps.database.read<IntakeTables>(), deps.source, topic));
    return true;
  };

  const outOfRange = async ({ partitionIndex: partition, logStartOffset }: Fetched): Promise<void> => {
    const before = positions.get(partition) ?? 0n;
    const next = logStartOffset < 0n ? 0n : logStartOffset;
    if (before > 0n) await deps.refusals.refuse(deps.source, `kafka:${topic}/${partition}/${before}`, 'MESSAGES_LOST');
    await keepPosition(deps.database.read<IntakeTables>(), { source: deps.source, topic, partition, next }, { goesBack: true });
    positions.set(partition, next);
  };

  /** What one broker has of these partitions. What it says of one says nothing of the others: those that it finds fault with are asked for alone. */
  const fetchFrom = async (consumer: Client, node: number, topicId: string, partitions: readonly number[]): Promise<readonly Fetched[]> => {
    try {
      const asked = partitions.map((partition) => ({ partition, currentLeaderEpoch: -1, fetchOffset: positions.get(partition) ?? 0n, lastFetchedEpoch: -1, partitionMaxBytes: partitionBytes }));
      const { responses } = await consumer.fetch({ node, topics: [{ topicId, partitions: asked }], maxWaitTime: waitMs, minBytes: 1 });
      return responses.flatMap((each) => each.partitions);
    } catch (error) {
      const [partition] = partitions;
      if (partitions.length > 1) {
        const answers: Fetched[] = [];
        for (const each of partitions) answers.push(...(await fetchFrom(consumer, node, topicId, [each])));
        return answers;
      }
      const faulty = kafkaCodes(error).includes('OFFSET_OUT_OF_RANGE') ? partitionOf(error, partition) : undefined;
      if (faulty === undefined) throw error;
      await outOfRange(faulty);
      return [];
    }
  };

  const fetchAll = async (): Promise<readonly KafkaRecord[]> => {
    const consumer = await (opening ??= open(settings));
    const { topics } = await consumer.metadata({ topics: [topic] });
    const found = topics.get(topic);
    if (found === undefined || found.partitionsCount === 0) throw new Failure('VENDOR_UNAVAILABLE', 'Kafka does not know the topic of a source');
    const nodes = Map.groupBy(found.partitions.keys(), (partition) => found.partitions[partition]?.leader ?? -1);
    // Brokers of before topics had ids give their name in its place.
    const answers = await Promise.allSettled([...nodes].map(([node, partitions]) => fetchFrom(consumer, node, found.id === '' ? topic : found.id, partitions)));
    const fetched = answers.flatMap((each) => (each.status === 'fulfilled' ? each.value : []));
    const failed = answers.find((each) => each.status === 'rejected');
    // One broker that is away keeps nobody from the partitions of the others.
    if (failed !== undefined && fetched.length === 0) throw failed.reason;
    return fetched.flatMap((partition) => recordsOf(topic, partition, positions));
  };

  return {
    isOrdered: true,
    read: async (signal) => {
      if (!(await isReader())) return [];
      try {
        return await unlessAborted(fetchAll(), signal);
      } catch (error) {
        await drop();
        if (signal.aborted) return [];
        if (error instanceof Failure) throw error;
        throw new Failure('VENDOR_UNAVAILABLE', `Kafka could not be read (${kafkaCodes(error)[0] ?? 'no answer'})`);
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

async function open({ brokers, tls, sasl }: KafkaSource): Promise<Client> {
  const { Consumer: Kafka } = await import('@platformatic/kafka');
  return new Kafka({
    clientId: 'quittance',
    // Named, since the client wants a name; no group is ever joined.
    groupId: 'quittance',
    bootstrapBrokers: [...brokers],
    retries: 1,
    retryDelay: 200,
    timeout: answerTimeoutMs,
    requestTimeout: answerTimeoutMs,
    connectTimeout: connectTimeoutMs,
    ...(tls ? { tls: {} } : {}),
    ...(sasl === undefined ? {} : { sasl }),
  });
}

/** The messages of a partition from its position on; a batch may begin before it. Where there are none, since the broker's own are all there is, the position goes past them. */
function recordsOf(topic: string, { partitionIndex: partition, records: batches }: Fetched, positions: Map<number, bigint>): readonly KafkaRecord[] {
  const from = positions.get(partition) ?? 0n;
  const records: KafkaRecord[] = [];
  let end = from;
  for (const batch of batches ?? []) {
    end = batch.firstOffset + BigInt(batch.lastOffsetDelta) + 1n;
    if ((batch.attributes & controlBit) !== 0) continue;
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

/** Kafka's names of what went wrong, anywhere in what the client threw. */
function kafkaCodes(error: unknown, depth = 0): readonly string[] {
  if (!(error instanceof Error) || depth > 8) return [];
  const { apiId, code } = error as { readonly apiId?: unknown; readonly code?: unknown };
  const inner = [...(error instanceof AggregateError ? (error.errors as readonly unknown[]) : []), error.cause].flatMap((each) => kafkaCodes(each, depth + 1));
  return [apiId, ...inner, code].filter((each): each is string => typeof each === 'string');
}

/** What the broker said of a partition, in the answer that the client took for an error. */
function partitionOf(error: unknown, partition: number | undefined, depth = 0): Fetched | undefined {
  if (!(error instanceof Error) || depth > 8) return undefined;
  const { response } = error as { readonly response?: { readonly responses?: readonly { readonly partitions: readonly Fetched[] }[] } };
  const own = response?.responses?.flatMap((each) => each.partitions).find((each) => each.partitionIndex === partition);
  if (own !== undefined) return own;
  for (const inner of [...(error instanceof AggregateError ? (error.errors as readonly unknown[]) : []), error.cause]) {
    const found = partitionOf(inner, partition, depth + 1);
    if (found !== undefined) return found;
  }
  return undefined;
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
