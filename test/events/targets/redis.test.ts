import { once } from 'node:events';
import { createConnection, createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { Redis } from 'ioredis';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest';
import { createRedisTarget } from '../../../src/modules/events/targets/redis.ts';
import type { RedisSettings } from '../../../src/modules/events/targets/settings.ts';
import type { EventTarget, Outgoing } from '../../../src/modules/events/target.ts';
import { freePort } from '../../support/embedded-postgres.ts';
import { inShort, outgoing, targetDeps, unending } from '../../support/outgoing.ts';
import { redisMissing, startRedis, type TestRedis } from '../../support/redis.ts';
import { startRudeServer } from '../../support/scripted-server.ts';
import { hasten } from './hasten.ts';

const opened: EventTarget[] = [];
const open = (url: string, rest: Partial<RedisSettings> = {}): EventTarget => {
  const target = createRedisTarget({ kind: 'redis', attempts: 186, age_hours: 24, url, stream: 'privacy', length_max: 1_000_000, projection_days: 30, ...rest }, targetDeps);
  opened.push(target);
  return target;
};
const short = async (target: EventTarget, batch: readonly Outgoing[], signal = unending): Promise<readonly string[]> => inShort(await target.deliver(batch, signal));

afterEach(async () => {
  vi.restoreAllMocks();
  await Promise.all(opened.splice(0).map(async (each) => each.close()));
});

/** Stands between the target and the server, and loses the answer to the first script: the server has done it, and nobody hears. */
async function startLossyProxy(to: number): Promise<{ readonly port: number; readonly server: Server; readonly lost: () => number }> {
  let lost = 0;
  const server = createServer((front) => {
    const back: Socket = createConnection(to, '127.0.0.1');
    let isScript = false;
    front.on('data', (chunk: Buffer) => {
      isScript ||= chunk.includes('eval') || chunk.includes('EVAL');
      back.write(chunk);
    });
    back.on('data', (chunk: Buffer) => {
      if (isScript && lost === 0) {
        lost += 1;
        front.destroy();
      } else front.write(chunk);
    });
    for (const [one, other] of [[front, back], [back, front]] as const) {
      one.on('error', () => other.destroy());
      one.on('close', () => other.destroy());
    }
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return { port: (server.address() as AddressInfo).port, server, lost: () => lost };
}

describe.skipIf(redisMissing !== undefined)(`a stream of Redis${redisMissing === undefined ? '' : ` (${redisMissing})`}`, () => {
  let redis: TestRedis;
  let reader: Redis;
  const entries = async (stream = 'privacy'): Promise<readonly Readonly<Record<string, string>>[]> =>
    (await reader.xrange(stream, '-', '+')).map(([id, fields]) => ({ entry: id, ...Object.fromEntries(Array.from({ length: fields.length / 2 }, (_, at) => [fields[at * 2] ?? '', fields[at * 2 + 1] ?? ''])) }));

  beforeAll(async () => {
    redis = await startRedis();
    reader = new Redis(redis.url);
  });
  afterAll(async () => {
    reader.disconnect();
    await redis.stop();
  });
  beforeEach(async () => {
    await reader.flushall();
    await reader.config('SET', 'maxmemory', '0');
  });

  test('has each event as one entry, in the order given, under the id that the target answers', async () => {
    const results = await open(redis.url).deliver([outgoing(1), outgoing(2), outgoing(3, { subject: null }), outgoing(4)], unending);
    const found = await entries();
    expect(results).toEqual(found.map(({ entry }) => ({ kind: 'delivered', reference: entry })));
    const { event, body, contentType } = outgoing(1);
    expect(found[0]).toMatchObject({ id: event.id, type: event.type, source: 'quittance', subject: event.subject, time: new Date(event.at).toISOString(), content_type: contentType, event: body });
    expect(found.map(({ event: text = '' }) => (JSON.parse(text) as { data: { n: number } }).data.n)).toEqual([1, 2, 3, 4]);
    expect(found[2]).not.toHaveProperty('subject');
  });

  test('has an event once, though its answer was lost and it was sent again, and twice where it is replayed as another delivery', async () => {
    const proxy = await startLossyProxy(Number(new URL(redis.url).port));
    const target = open(`redis://127.0.0.1:${proxy.port}`);
    expect(await short(target, [outgoing(1), outgoing(2)])).toEqual(['again VENDOR_UNAVAILABLE', 'again VENDOR_UNAVAILABLE']);
    expect(proxy.lost()).toBe(1);
    expect(await entries()).toHaveLength(2);
    const results = await target.deliver([outgoing(1), outgoing(2), outgoing(3)], unending);
    expect(results).toEqual((await entries()).map(({ entry }) => ({ kind: 'delivered', reference: entry })));
    expect(await entries()).toHaveLength(3);
    expect(await short(target, [outgoing(1, { delivery: 'replay-1' })])).toEqual(['delivered']);
    expect(await entries()).toHaveLength(4);
    await target.close();
    proxy.server.close();
  });

  test('forgets which deliveries it had once they are too old to be tried', async () => {
    await short(open(redis.url, { age_hours: 0.001 }), [outgoing(1)]);
    expect(await reader.ttl('privacy:delivered:delivery-1')).toBeGreaterThan(0);
    expect(await reader.ttl('privacy:delivered:delivery-1')).toBeLessThanOrEqual(4);
  });

  test('is trimmed to about its length', async () => {
    const target = open(redis.url, { length_max: 1000 });
    for (let from = 0; from < 2500; from += 100) await short(target, Array.from({ length: 100 }, (_, at) => outgoing(from + at)));
    const length = await reader.xlen('privacy');
    expect(length).toBeGreaterThanOrEqual(1000);
    expect(length).toBeLessThan(1300);
  });

  test('has beside it the newest event about each person, also where an older one comes later', async () => {
    const target = open(redis.url, { projection: 'privacy:of:' });
    await short(target, [outgoing(5, { subject: 'req_a' }), outgoing(7, { subject: 'req_b' }), outgoing(6, { subject: 'req_a' }), outgoing(8, { subject: null })]);
    await short(target, [outgoing(4, { subject: 'req_a' })]);
    expect(await reader.hgetall('privacy:of:req_a')).toEqual({ seq: '6', id: outgoing(6).event.id, type: 'request.closed', time: new Date(outgoing(6).event.at).toISOString(), content_type: 'application/cloudevents+json', event: outgoing(6, { subject: 'req_a' }).body });
    expect(await reader.hget('privacy:of:req_b', 'seq')).toBe('7');
    expect((await reader.keys('privacy:of:*')).toSorted()).toEqual(['privacy:of:req_a', 'privacy:of:req_b']);
    expect(await entries()).toHaveLength(5);
  });

  test('keeps what it has beside it about a person for its days after the last event, and no longer', async () => {
    const daySeconds = 86_400;
    await short(open(redis.url, { projection: 'privacy:of:', projection_days: 2 }), [outgoing(1, { subject: 'req_a' })]);
    expect(await reader.ttl('privacy:of:req_a')).toBeGreaterThan(2 * daySeconds - 60);
    expect(await reader.ttl('privacy:of:req_a')).toBeLessThanOrEqual(2 * daySeconds);
    await reader.expire('privacy:of:req_a', 5);
    const target = open(redis.url, { projection: 'privacy:of:', projection_days: 3 });
    await short(target, [outgoing(2, { subject: 'req_a' })]);
    expect(await reader.ttl('privacy:of:req_a')).toBeGreaterThan(2 * daySeconds);
  });

  test('holds back what comes behind an event that did not get through, for that person only', async () => {
    await reader.set('privacy:of:req_a', 'not a hash');
    const target = open(redis.url, { projection: 'privacy:of:' });
    expect(await short(target, [outgoing(1, { subject: 'req_a' }), outgoing(2, { subject: 'req_a' }), outgoing(3, { subject: 'req_b' })])).toEqual(['refused REDIS_WRONGTYPE', 'again HELD_BACK', 'delivered']);
  });

  test('whose key is something else refuses, and one whose memory is full or that is a replica is tried again', async () => {
    await reader.set('other', 'text');
    expect(await short(open(redis.url, { stream: 'other' }), [outgoing(1)])).toEqual(['refused REDIS_WRONGTYPE']);
    await reader.config('SET', 'maxmemory', '1');
    expect(await short(open(redis.url), [outgoing(1)])).toEqual(['again REDIS_OOM']);
    await reader.config('SET', 'maxmemory', '0');
    const target = open(redis.url);
    await reader.replicaof('127.0.0.1', '1');
    expect(await short(target, [outgoing(1)])).toEqual(['again REDIS_READONLY']);
    await reader.replicaof('NO', 'ONE');
    expect(await short(target, [outgoing(1)])).toEqual(['delivered']);
  });

  test('that wants another password is tried again', async () => {
    const guarded = await startRedis({ arguments: ['--requirepass', 'right'] });
    const withPassword = (password: string): string => guarded.url.replace('redis://', `redis://:${password}@`);
    expect(await short(open(guarded.url), [outgoing(1)])).toEqual(['again REDIS_NOAUTH']);
    expect(await short(open(withPassword('wrong')), [outgoing(1)])).toEqual(['again REDIS_WRONGPASS']);
    expect(await short(open(withPassword('right')), [outgoing(1)])).toEqual(['delivered']);
    await Promise.all(opened.splice(0).map(async (each) => each.close()));
    await guarded.stop();
  });

  test('that has no room for another connection is tried again', async () => {
    const full = await startRedis();
    const other = new Redis(full.url);
    await other.config('SET', 'maxclients', '1');
    const target = open(full.url);
    expect(await short(target, [outgoing(1)])).toMatchObject([expect.stringMatching(/^again (?:REDIS_ERR|VENDOR_UNAVAILABLE)$/u)]);
    await other.config('SET', 'maxclients', '100');
    expect(await short(target, [outgoing(1)])).toEqual(['delivered']);
    other.disconnect();
    await target.close();
    await full.stop();
  });

  test('whose user may run a script and not write by it is tried again, and takes the event once that is mended', async () => {
    const user = 'quittance';
    await reader.call('ACL', 'SETUSER', user, 'on', '>right', '~*', '+@all', '-xadd');
    const target = open(redis.url.replace('redis://', `redis://${user}:right@`));
    expect(await short(target, [outgoing(1)])).toEqual(['again REDIS_ERR']);
    await reader.call('ACL', 'SETUSER', user, '+xadd');
    expect(await short(target, [outgoing(1)])).toEqual(['delivered']);
    await target.close();
    await reader.call('ACL', 'DELUSER', user);
  });

  test('that goes down and comes back is sent to again by the same target', async () => {
    const port = await freePort();
    const first = await startRedis({ port });
    const target = open(first.url);
    expect(await short(target, [outgoing(1)])).toEqual(['delivered']);
    await first.stop();
    expect(await short(target, [outgoing(2)])).toEqual(['again VENDOR_UNAVAILABLE']);
    expect(await short(target, [outgoing(2)])).toEqual(['again VENDOR_UNAVAILABLE']);
    const second = await startRedis({ port });
    expect(await short(target, [outgoing(2)])).toEqual(['delivered']);
    await target.close();
    await second.stop();
  });

  test('that stands still has its events back when the sender stops, and takes them once when it goes on', async () => {
    const still = await startRedis();
    const target = open(still.url);
    expect(await short(target, [outgoing(1)])).toEqual(['delivered']);
    still.freeze();
    const stop = new AbortController();
    const pending = short(target, [outgoing(2)], stop.signal);
    stop.abort();
    expect(await pending).toEqual(['again INTERRUPTED']);
    still.thaw();
    expect(await short(target, [outgoing(2)])).toEqual(['delivered']);
    const other = new Redis(still.url);
    expect(await other.xlen('privacy')).toBe(2);
    other.disconnect();
    await target.close();
    await still.stop();
  });

  test('has no connection left when its target is closed', async () => {
    const clients = async (): Promise<number> => ((await reader.client('LIST')) as string).trim().split('\n').length;
    const before = await clients();
    const target = open(redis.url);
    await Promise.all([short(target, [outgoing(1)]), short(target, [outgoing(2, { subject: 'req_b' })])]);
    expect(await clients()).toBe(before + 1);
    await target.close();
    await expect.poll(clients).toBe(before);
  });
});

describe('a target of Redis', () => {
  test('with nobody there, or with somebody who ends the connection, comes again', async () => {
    expect(await short(open(`redis://127.0.0.1:${await freePort()}`), [outgoing(1)])).toEqual(['again VENDOR_UNAVAILABLE']);
    const rude = await startRudeServer('drop');
    expect(await short(open(`redis://127.0.0.1:${rude.port}`), [outgoing(1)])).toEqual(['again VENDOR_UNAVAILABLE']);
    await rude.close();
  });

  test('with somebody there who says nothing comes again in its time, and leaves no connection', async () => {
    const rude = await startRudeServer('hang');
    const target = open(`redis://127.0.0.1:${rude.port}`);
    expect(await short(target, [outgoing(1)])).toEqual(['again VENDOR_TIMEOUT']);
    await target.close();
    await expect.poll(() => rude.connections()).toBe(0);
    await rude.close();
  });

  test.each([
    ['hello', 'ERR max number of clients reached'],
    ['hello', 'ERR invalid password'],
    ['eval', 'ERR no upstream'],
    ['eval', 'WRONGTYPE of a proxy'],
  ])('that is answered from its %s on by -%s has every event again', async (command, line) => {
    let isRefusing = false;
    const server = createServer((socket) => {
      socket.on('error', () => socket.destroy());
      socket.on('data', (chunk: Buffer) => {
        // A command is an array whose first string is its name.
        for (const [, name = ''] of chunk.toString('latin1').matchAll(/^\*\d+\r\n\$\d+\r\n(\w+)\r\n/gmu)) {
          isRefusing ||= name.toLowerCase() === command;
          socket.write(isRefusing ? `-${line}\r\n` : '+OK\r\n');
        }
      });
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const target = open(`redis://:secret@127.0.0.1:${(server.address() as AddressInfo).port}`);
    expect(await short(target, [outgoing(1), outgoing(2)])).toEqual(Array.from({ length: 2 }, () => `again REDIS_${line.split(' ', 1)[0]}`));
    await target.close();
    server.close();
  });

  test('comes again when the time of the try has passed, whatever its client still waits for, and says that nobody stopped it', async () => {
    const rude = await startRudeServer('hang');
    hasten(100);
    const begun = performance.now();
    expect(await short(open(`redis://127.0.0.1:${rude.port}`), [outgoing(1)])).toEqual(['again VENDOR_TIMEOUT']);
    expect(performance.now() - begun).toBeLessThan(4000);
    await rude.close();
  });

  test('gives back a batch that it cannot make entries of, and throws nothing', async () => {
    const { event, ...rest } = outgoing(1);
    expect(await short(open('redis://127.0.0.1:1'), [{ ...rest, event: { ...event, at: Number.NaN } }])).toEqual(['again INTERNAL']);
  });

  test.each(['http://example.com', 'not a url'])('with an address that is none is refused at the start: %s', (url) => {
    expect(() => open(url)).toThrow('/events/destinations/test/url must be a redis:// or rediss:// URL');
  });
});
