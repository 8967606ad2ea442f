import { setTimeout as pause } from 'node:timers/promises';
import type { Producer, ProducerOptions } from '@platformatic/kafka';
import type { DeliveryResult, EventTarget, Outgoing } from '../target.ts';
import { attemptBatch, type Attempt } from './attempt.ts';
import { again, holdBackBehindFailed } from './delivery-result.ts';
import { sendInOrder, type Sent } from './send-in-order.ts';
import type { KafkaSettings } from './settings.ts';
import { unlessAborted } from './unless-aborted.ts';

type Kafka = typeof import('@platformatic/kafka');

const batchMax = 500;
/** Of a request to a broker, and for the broker's own wait for its replicas. */
const answerTimeoutMs = 8000;
const connectTimeoutMs = 5000;
/** Of ending connections: a broker that stands still and does not take what was written to it would hold them open. */
const closeMs = 1000;

/** What a broker finds wrong with a record itself. */
const aboutTheRecord: ReadonlySet<string> = new Set(['MESSAGE_TOO_LARGE', 'RECORD_LIST_TOO_LARGE', 'INVALID_RECORD', 'INVALID_TIMESTAMP', 'CORRUPT_MESSAGE', 'POLICY_VIOLATION', 'UNSUPPORTED_FOR_MESSAGE_FORMAT']);
/** With these an idempotent producer is not to be had, so that events are sent without. */
const notIdempotent: ReadonlySet<string> = new Set(['CLUSTER_AUTHORIZATION_FAILED', 'UNSUPPORTED_VERSION', 'SECURITY_DISABLED']);

interface Kept {
  readonly kafka: Kafka;
  readonly producer: Producer;
  /** Asks for the number by which brokers know repetitions, once. */
  readonly begin: () => Promise<unknown>;
}

/**
 * Sends events to a topic of Kafka, keyed by the person's pseudonym, so that the events of one person lie in one partition in their order; every replica in step has
 * to have them (`acks=all`). An idempotent producer keeps the client's own repetitions from being written twice; a delivery that is made again later may be, under
 * the same `ce_id`. Headers are those of a CloudEvent, so that a body which a rule shaped is its data in binary mode. A record that a broker finds wrong is refused
 * under Kafka's code, and what is behind it is sent all the same.
 */
export function createKafkaTarget(settings: KafkaSettings): EventTarget {
  let opening: Promise<Kept> | undefined;
  let isIdempotent = true;
  const drop = async (): Promise<void> => {
    const held = opening;
    opening = undefined;
    const closed = held?.then(async ({ producer }) => producer.close(true)).catch(() => undefined);
    await Promise.race([closed, pause(closeMs, undefined, { ref: false })]);
  };
  const partitionsOf = async (kept: Kept): Promise<number | undefined> => {
    await kept.begin();
    const { topics } = await kept.producer.metadata({ topics: [settings.topic] });
    return topics.get(settings.topic)?.partitionsCount;
  };
  const send = async (batch: readonly Outgoing[], attempt: Attempt): Promise<readonly DeliveryResult[]> => {
    attempt.signal.throwIfAborted();
    const kept = await (opening ??= open(settings, isIdempotent));
    const count = (await unlessAborted(partitionsOf(kept), attempt.signal)) ?? 1;
    const placed = batch.map((outgoing, index) => place(outgoing, index, count, kept.kafka, settings.topic));
    const results: DeliveryResult[] = batch.map(() => again('INTERNAL'));
    // A call for each partition: what fails in one says nothing about the others.
    const partitions = Map.groupBy(placed, ({ message }) => message.partition).values();
    await Promise.all(
      [...partitions].map(async (records) => {
        const answers = await sendInOrder(records, async (some) => produce(some, kept.producer, attempt));
        for (const [at, { index }] of records.entries()) results[index] = answers[at] ?? again('INTERNAL');
      }),
    );
    return results;
  };
  const tryAll = async (batch: readonly Outgoing[], attempt: Attempt): Promise<readonly DeliveryResult[]> => {
    try {
      const results = await send(batch, attempt);
      // What is still under way ends with its time, so that nothing is written behind the back of the next try.
      if (attempt.signal.aborted) await drop();
      return holdBackBehindFailed(batch, results);
    } catch (error) {
      await drop();
      const codes = codesOf(error);
      if (isIdempotent && !attempt.signal.aborted && codes.some((code) => notIdempotent.has(code))) {
        isIdempotent = false;
        return tryAll(batch, attempt);
      }
      const result = attempt.ended() ?? again(codeOf(codes));
      return batch.map(() => result);
    }
  };
  return { batchMax, order: 'in-batch', deliver: async (batch, signal) => attemptBatch(batch, signal, async (attempt) => tryAll(batch, attempt)), close: drop };
}

async function open({ brokers, tls, sasl }: KafkaSettings, idempotent: boolean): Promise<Kept> {
  const kafka = await import('@platformatic/kafka');
  const options: ProducerOptions<Buffer, Buffer, Buffer, Buffer> = {
    clientId: 'quittance',
    bootstrapBrokers: [...brokers],
    idempotent,
    // The client would ask for number 0 as if it had it before, which brokers may refuse to know; -1 asks for a new one (KIP-360).
    ...(idempotent ? { producerId: -1n, producerEpoch: -1 } : {}),
    acks: -1,
    retries: 2,
    retryDelay: 200,
    timeout: answerTimeoutMs,
    requestTimeout: answerTimeoutMs,
    connectTimeout: connectTimeoutMs,
    ...(tls ? { tls: {} } : {}),
    ...(sasl === undefined ? {} : { sasl }),
  };
  const producer = new kafka.Producer(options);
  let begun: Promise<unknown> | undefined;
  return { kafka, producer, begin: async () => (idempotent ? (begun ??= producer.initIdempotentProducer({})) : undefined) };
}

interface Placed {
  readonly index: number;
  readonly message: { readonly topic: string; readonly partition: number; readonly key?: Buffer; readonly value: Buffer; readonly headers: Map<Buffer, Buffer>; readonly timestamp: bigint };
}

/** The partition is that of Kafka's own clients in Java, so that other producers of the topic agree; an event about nobody lies where its id puts it. */
function place({ event, body, contentType }: Outgoing, index: number, partitions: number, { compatibilityPartitioner }: Kafka, topic: string): Placed {
  const key = event.subject === undefined ? undefined : Buffer.from(event.subject, 'utf8');
  const attributes: Readonly<Record<string, string>> = {
    'content-type': contentType,
    ce_specversion: '1.0',
    ce_id: event.id,
    ce_source: event.source,
    ce_type: event.type,
    ce_time: new Date(event.at).toISOString(),
    ...(event.subject === undefined ? {} : { ce_subject: event.subject }),
  };
  const headers = new Map(Object.entries(attributes).map(([name, value]) => [Buffer.from(name), Buffer.from(value, 'utf8')]));
  const message = { topic, ...(key === undefined ? {} : { key }), value: Buffer.from(body, 'utf8'), headers, timestamp: BigInt(event.at) };
  return { index, message: { ...message, partition: compatibilityPartitioner(message, key ?? Buffer.from(event.id)) % partitions } };
}

async function produce(records: readonly Placed[], producer: Producer, { signal, ended }: Attempt): Promise<Sent> {
  try {
    signal.throwIfAborted();
    const { offsets } = await unlessAborted(producer.send({ acks: -1, messages: records.map(({ message }) => message) }), signal);
    const [first] = offsets ?? [];
    return { kind: 'sent', results: records.map((_, index) => ({ kind: 'delivered', ...(first === undefined ? {} : { reference: `${first.partition}:${first.offset + BigInt(index)}` }) })) };
  } catch (error) {
    const codes = codesOf(error);
    const fault = codes.find((code) => aboutTheRecord.has(code));
    return fault === undefined ? { kind: 'failed', result: ended() ?? again(codeOf(codes)) } : { kind: 'fault', code: `KAFKA_${fault}` };
  }
}

/** Kafka's names of what went wrong, anywhere in what the client threw, and the client's own behind them. */
function codesOf(error: unknown): readonly string[] {
  const found: string[] = [];
  const visit = (each: unknown, depth: number): void => {
    if (!(each instanceof Error) || depth > 8) return;
    const { apiId, code } = each as { readonly apiId?: unknown; readonly code?: unknown };
    for (const inner of each instanceof AggregateError ? (each.errors as readonly unknown[]) : []) visit(inner, depth + 1);
    visit(each.cause, depth + 1);
    if (typeof apiId === 'string') found.unshift(apiId);
    else if (typeof code === 'string') found.push(code);
  };
  visit(error, 0);
  return found;
}

/** One code for what was thrown: Kafka's own name, what it means for the connection, or `INTERNAL` for an error that has no code at all. */
function codeOf(codes: readonly string[]): string {
  const [first] = codes;
  if (first === undefined) return 'INTERNAL';
  if (/^[A-Z]+(?:_[A-Z]+)*$/u.test(first) && !first.startsWith('PLT_') && !/^E[A-Z]+$/u.test(first)) return first.startsWith('KAFKA_') ? first : `KAFKA_${first}`;
  if (codes.includes('PLT_KFK_AUTHENTICATION')) return 'CONNECTION_AUTH';
  return codes.includes('PLT_KFK_TIMEOUT') || codes.includes('ETIMEDOUT') ? 'VENDOR_TIMEOUT' : 'VENDOR_UNAVAILABLE';
}
