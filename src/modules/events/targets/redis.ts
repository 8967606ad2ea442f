import type { Redis } from 'ioredis';
import { Failure } from '../../../platform/failure.ts';
import type { DeliveryResult, EventTarget, Outgoing } from '../target.ts';
import { attemptBatch, type Attempt } from './attempt.ts';
import { again, heldBack, refused } from './delivery-result.ts';
import { appendScript } from './redis-append-script.ts';
import type { RedisSettings } from './settings.ts';
import type { TargetDeps } from './target-deps.ts';
import { unlessAborted } from './unless-aborted.ts';

/** One call of the script; while it runs the server does nothing else. */
const batchMax = 100;
const connectTimeoutMs = 5000;
const answerTimeoutMs = 5000;

/**
 * What the script says of one event that is wrong with it or with the key it belongs under, and would be the next time. Said of a whole call the same words mean a
 * full server, another password or a proxy with nobody behind it: those pass, or an operator mends them. So does a permission that is missing, which Redis reports
 * to a script under `ERR`.
 */
const lasting = /^(?:WRONGTYPE|ERR(?! (?:The user executing|ACL failure)))\b/u;

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
  const append = async (batch: readonly Outgoing[], { signal, ended }: Attempt): Promise<readonly DeliveryResult[]> => {
    const call = argumentsOf(batch, settings);
    try {
      const work = connected().then(async (redis): Promise<unknown> => redis.eval(appendScript, ...call));
      return resultsOf(batch, await unlessAborted(work, signal));
    } catch (error) {
      // What is still on its way over this connection is nothing that anybody waits for.
      await drop();
      const result = ended() ?? again(codeOfError(error));
      return batch.map(() => result);
    }
  };
  return {
    batchMax,
    order: 'in-batch',
    deliver: async (batch, signal) => attemptBatch(batch, signal, async (attempt) => append(batch, attempt)),
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
function argumentsOf(batch: readonly Outgoing[], { stream, length_max: lengthMax, projection, projection_days: projectionDays, age_hours: ageHours }: RedisSettings): [number, ...(string | number)[]] {
  const keys: string[] = [stream];
  const values: (string | number)[] = [lengthMax, Math.ceil(ageHours * 3600), projection === undefined ? 0 : projectionDays * 86_400];
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
    if (!line.startsWith('!')) return { kind: 'delivered', reference: line };
    const code = codeOfError(new Error(line.slice(1)));
    return lasting.test(line.slice(1)) ? refused(code) : again(code);
  });
}

function codeOfError(error: unknown): string {
  if (!(error instanceof Error)) return 'INTERNAL';
  if (error.message === 'Command timed out' || (error as NodeJS.ErrnoException).code === 'ETIMEDOUT') return 'VENDOR_TIMEOUT';
  const word = /^-?([A-Z]{2,20})\b/u.exec(error.message)?.[1];
  return word === undefined ? 'VENDOR_UNAVAILABLE' : `REDIS_${word}`;
}
