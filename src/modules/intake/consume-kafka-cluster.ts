import type { API, Broker, fetchV17, metadataV12 } from '@platformatic/kafka';
import type { ConsumeConfig } from '../../platform/config/intake-events.ts';
import { Failure } from '../../platform/failure.ts';
import type { AbortedTransaction, KafkaBatch } from './consume-committed.ts';

/** The settings of a topic, with its brokers and the secrets themselves. */
export type KafkaSource = Omit<Extract<ConsumeConfig, { readonly kind: 'kafka' }>, 'brokers'> & { readonly brokers: readonly string[] };

/** What a broker has of a partition. */
export interface FetchedPartition {
  readonly partition: number;
  /** Kafka's name of why it has nothing to give; undefined where all is well. */
  readonly error: string | undefined;
  readonly batches: readonly KafkaBatch[];
  readonly aborted: readonly AbortedTransaction[];
}

/** A partition, and the offset from which it is asked for. */
export interface AskedPartition {
  readonly partition: number;
  readonly offset: bigint;
}

/** The brokers of one topic. What it throws is the client's own; `kafkaCodes` reads it. */
export interface KafkaCluster {
  /** The broker that leads each partition, by the partition's number. `VENDOR_UNAVAILABLE` where the topic is unknown. */
  readonly leaders: () => Promise<readonly number[]>;
  /** Asks a broker for what is committed of these, and waits so many milliseconds for the first record. Throws only where there is no answer that can be read. */
  readonly fetch: (node: number, asked: readonly AskedPartition[], waitMs: number) => Promise<readonly FetchedPartition[]>;
  /** The offset of the first record that a partition still has. */
  readonly earliest: (partition: number) => Promise<bigint>;
  readonly close: () => Promise<void>;
}

const connectTimeoutMs = 5000;
const answerTimeoutMs = 10_000;
/** Of one partition at a time: a few hundred requests, which are accepted before more is read. */
const partitionBytes = 256 * 1024;
/** Of one broker at a time, as the client itself has it. */
const answerBytes = 50 * 1024 * 1024;
/** From here on a topic goes by its id, and by its name before. */
const topicIdsFrom = 13;

/**
 * Connects to the brokers of a topic. Records are fetched by the protocol's own calls, since the client's `fetch` sorts out aborted transactions by one range for each producer: it lets through what belongs to an
 * earlier one, or to one whose end is in a later answer, and takes out committed records between two.
 */
export async function openKafkaCluster({ topic, brokers, tls, sasl }: KafkaSource): Promise<KafkaCluster> {
  const kafka = await import('@platformatic/kafka');
  const client = new kafka.Consumer({
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
  let negotiating: Promise<FetchApi> | undefined;
  const negotiate = async (): Promise<FetchApi> => {
    const { minVersion = 0, maxVersion = -1 } = (await client.listApis()).find(({ name }) => name === 'Fetch') ?? {};
    const own = [kafka.fetchV17, kafka.fetchV16, kafka.fetchV15, kafka.fetchV14, kafka.fetchV13, kafka.fetchV12, kafka.fetchV11, kafka.fetchV10, kafka.fetchV9, kafka.fetchV8, kafka.fetchV7, kafka.fetchV6, kafka.fetchV5, kafka.fetchV4];
    const api = own.map((each): FetchApi => each.api).find(({ version }) => version >= minVersion && version <= maxVersion);
    if (api === undefined) throw new Failure('VENDOR_UNAVAILABLE', 'Kafka speaks no version of Fetch that is known here');
    return api;
  };
  let topology: Topology | undefined;
  const look = async (): Promise<Topology> => {
    try {
      const { topics, brokers: nodes } = await client.metadata({ topics: [topic] });
      const found = topics.get(topic);
      return { id: found?.id ?? '', leaders: found?.partitions.map(({ leader }) => leader) ?? [], brokers: nodes };
    } catch (error) {
      const partial = topologyIn(error, topic);
      if (partial === undefined) throw error;
      return partial;
    }
  };
  return {
    leaders: async () => {
      topology = await look();
      if (topology.leaders.length === 0) throw new Failure('VENDOR_UNAVAILABLE', 'Kafka does not know the topic of a source');
      return topology.leaders;
    },
    fetch: async (node, asked, waitMs) => {
      const { id, brokers: known } = (topology ??= await look());
      const broker = known.get(node);
      if (broker === undefined) throw new Failure('VENDOR_UNAVAILABLE', 'A partition of Kafka has no broker');
      const api = await (negotiating ??= negotiate());
      const connection = await client.connections.get(broker);
      const partitions = asked.map(({ partition, offset }) => ({ partition, currentLeaderEpoch: -1, fetchOffset: offset, lastFetchedEpoch: -1, partitionMaxBytes: partitionBytes }));
      // Session 0 of epoch -1 is none: every answer has every partition that was asked for.
      const fetching = api.async(connection, waitMs, 1, answerBytes, kafka.FetchIsolationLevels.READ_COMMITTED, 0, -1, [{ topicId: api.version < topicIdsFrom ? topic : id, partitions }], [], '');
      const { responses } = await fetching.catch(answerIn);
      return responses.flatMap((each) => each.partitions).map(({ partitionIndex, errorCode, records, abortedTransactions }) => ({
        partition: partitionIndex,
        error: errorCode === 0 ? undefined : (kafka.protocolErrorsCodesById[errorCode] ?? `error ${errorCode}`),
        batches: records ?? [],
        aborted: abortedTransactions ?? [],
      }));
    },
    earliest: async (partition) => {
      const offsets = await client.listOffsets({ topics: [topic], partitions: { [topic]: [partition] }, timestamp: kafka.ListOffsetTimestamps.EARLIEST });
      const offset = offsets.get(topic)?.[partition];
      if (offset === undefined || offset < 0n) throw new Failure('VENDOR_MALFORMED', 'Kafka did not say where a partition begins');
      return offset;
    },
    close: async () => client.close(true),
  };
}

/** Who leads the partitions of a topic, by their numbers, and where those brokers are. */
export interface Topology {
  readonly id: string;
  readonly leaders: readonly number[];
  readonly brokers: ReadonlyMap<number, Broker>;
}

type FetchResponse = fetchV17.FetchResponse;
type FetchApi = API<fetchV17.FetchRequest, FetchResponse>;

/** The client takes an answer for an error where one of its partitions has one; the others are in it all the same. */
function answerIn(error: unknown): FetchResponse {
  const { response } = error as { readonly response?: FetchResponse };
  if (response === undefined || response.responses.length === 0) throw error;
  return response;
}

/**
 * Who leads what, where the client took the brokers' answer for an error since some partitions have no leader: those have a leader below 0, and the others are read. Undefined where there is no
 * such answer in what it threw, or where the topic itself has an error.
 */
export function topologyIn(error: unknown, topic: string, depth = 0): Topology | undefined {
  if (!(error instanceof Error) || depth > 8) return undefined;
  const { response } = error as { readonly response?: Partial<metadataV12.MetadataResponse> };
  const found = response?.topics?.find(({ name, errorCode }) => name === topic && errorCode === 0);
  if (response?.brokers !== undefined && found !== undefined) {
    const leaders = found.partitions.toSorted((a, b) => a.partitionIndex - b.partitionIndex).map(({ leaderId }) => leaderId);
    return { id: found.topicId, leaders, brokers: new Map(response.brokers.map(({ nodeId, host, port }) => [nodeId, { host, port }])) };
  }
  const inner = [...(error instanceof AggregateError ? (error.errors as readonly unknown[]) : []), error.cause];
  return inner.map((each) => topologyIn(each, topic, depth + 1)).find((each) => each !== undefined);
}

/** Kafka's names of what went wrong, anywhere in what the client threw. */
export function kafkaCodes(error: unknown, depth = 0): readonly string[] {
  if (!(error instanceof Error) || depth > 8) return [];
  const { apiId, code } = error as { readonly apiId?: unknown; readonly code?: unknown };
  const inner = [...(error instanceof AggregateError ? (error.errors as readonly unknown[]) : []), error.cause].flatMap((each) => kafkaCodes(each, depth + 1));
  return [apiId, ...inner, code].filter((each): each is string => typeof each === 'string');
}
