import type { Redis } from 'ioredis';
import { Failure } from '../../../platform/failure.ts';
import type { DeliveryResult, EventTarget, Outgoing } from '../target.ts';
import { again, heldBack, interrupted, refused } from './delivery-result.ts';
import { appendScript } from './redis-append-script.ts';
import type { RedisSettings } from './settings.ts';
import type { TargetDeps } from './target-deps.ts';
import { unlessAborted } from './unless-aborted.ts';

/** One call of the script; while it runs the server does nothing else. */
const batchMax = 100;
const connectTimeoutMs = 5000;
const answerTimeoutMs = 5000;

/** What is wrong with an event or the key of the stream, and would be the next time. Everything else that Redis says passes, or an operator mends it. */
const lasting = /^(?:ERR|WRONGTYPE)$/u;

/**
 * Appends events to a stream of Redis and keeps, where a projection is configured, the newest event about each person in a hash of its own. A batch is one script,
 * so that nobody sees half of it and its order holds; a delivery that is repeated because its answer was lost is not appended twice within the time that deliveries
 * are tried. For one server, or one with replicas: in a Redis Cluster the keys would lie on several nodes. Fails with `CONFIG_INVALID` for an address that is none.
 */
export function createRedisTarget(settings: RedisSettings, deps: TargetDeps): EventTarget {
  if (!URL.canParse(settings.url) || !/^rediss?:$/u.test(new URL(settings.url).protocol)) throw new Failure('CONFIG_INVALID', `${deps.at}/url must be a redis:// or rediss:// URL`);
  let opening: Promise<Kept> | undefined;
  const drop = async (): Promise<void> => {
    const held = opening;
    opening = undefined;
    await held?.then(({ redis }) => hangUp(redis)).catch(() => undefined);
  };
  const connected = async (): Promise<Redis> => {
    const held = await opening;
    if (held?.redis.status === 'end') await drop();
    const { redis, ready } = await (opening ??= open(settings.url));
    await ready;
    return redis;
  };
  const append = async (batch: readonly Outgoing[], signal: AbortSignal): Promise<readonly DeliveryResult[]> => {
    const call = argumentsOf(batch, settings);
    try {
      const work = connected().then(async (redis): Promise<unknown> => redis.eval(appendScript, ...call));
      return resultsOf(batch, await unlessAborted(work, signal));
    } catch (error) {
      // What is still on its way over this connection is nothing that anybody waits for.
      await drop();
      const result = signal.aborted ? again(interrupted) : resultOfError(error);
      return batch.map(() => result);
    }
  };
  return {
    batchMax,
    order: 'in-batch',
    deliver: append,
    close: drop,
  };
}

interface Kept {
  readonly redis: Redis;
  /** Until the server takes commands. */
  readonly ready: Promise<void>;
}

async function open(url: string): Promise<Kept> {
  const { Redis: Client } = await import('ioredis');
  const redis = new Client(url, {
    lazyConnect: true,
    connectTimeout: connectTimeoutMs,
    commandTimeout: answerTimeoutMs,
    // Who sends decides when to try again; a command is never sent twice behind its back.
    retryStrategy: () => null,
    maxRetriesPerRequest: 0,
    autoResendUnfulfilledCommands: false,
    enableOfflineQueue: false,
    maxLoadingRetryTime: 0,
    disconnectTimeout: 100,
  });
  // What went wrong is told here only; who waits is told that the connection is closed.
  let cause: Error | undefined;
  redis.on('error', (error: Error) => {
    cause = error;
  });
  const ready = redis.connect().catch((error: unknown) => {
    throw cause ?? error;
  });
  // Who waits for it may have been called off.
  ready.catch(() => undefined);
  return { redis, ready };
}

/** Ends a connection. One that has ended already would keep a timer of the client's going for two seconds. */
function hangUp(redis: Redis): void {
  if (redis.status !== 'end') redis.disconnect();
}

/** The keys and arguments of the script, as it names them. */
function argumentsOf(batch: readonly Outgoing[], { stream, length_max: lengthMax, projection, age_hours: ageHours }: RedisSettings): [number, ...(string | number)[]] {
  const keys: string[] = [stream];
  const values: (string | number)[] = [lengthMax, Math.ceil(ageHours * 3600), projection === undefined ? 0 : 1];
  for (const { deliveryId, event, body, contentType } of batch) {
    keys.push(`${stream}:delivered:${deliveryId}`, ...(projection === undefined ? [] : [`${projection}${event.subject ?? ''}`]));
    values.push(event.id, event.seq, event.type, event.source, event.subject ?? '', new Date(event.at).toISOString(), contentType, body);
  }
  return [keys.length, ...keys, ...values];
}

/** The script answers for each event the id of its entry, or its error, or nothing where it did not get so far. */
function resultsOf(batch: readonly Outgoing[], answer: unknown): readonly DeliveryResult[] {
  const lines: readonly unknown[] = Array.isArray(answer) ? answer : [];
  return batch.map((_, index) => {
    const line = lines[index];
    if (typeof line !== 'string') return again('VENDOR_MALFORMED');
    if (line === 'held') return again(heldBack);
    return line.startsWith('!') ? resultOfError(new Error(line.slice(1))) : { kind: 'delivered', reference: line };
  });
}

function resultOfError(error: unknown): DeliveryResult {
  if (!(error instanceof Error)) throw error;
  if (error.message === 'Command timed out' || (error as NodeJS.ErrnoException).code === 'ETIMEDOUT') return again('VENDOR_TIMEOUT');
  const word = /^-?([A-Z]{2,20})\b/u.exec(error.message)?.[1];
  if (word === undefined) return again('VENDOR_UNAVAILABLE');
  return lasting.test(word) ? refused(`REDIS_${word}`) : again(`REDIS_${word}`);
}
