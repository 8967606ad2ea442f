import { createServer, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Failure } from '../platform/failure.ts';
import { createGuardedFetch, createNetworkTransport, publicAddressesOnly, type GuardOptions, type ResolveAddresses } from './guarded-fetch.ts';

let server: Server;
let origin: string;
let received: string[] = [];

const answers: Readonly<Record<string, (reply: ServerResponse) => void>> = {
  '/ok': (reply) => void reply.end('{"ok":true}'),
  '/empty': (reply) => void reply.writeHead(204).end(),
  '/redirect': (reply) => void reply.writeHead(308, { location: '/ok' }).end(),
  '/hang': () => undefined,
  '/stalled': (reply) => void reply.write('{"half'),
  '/broken': (reply) => void reply.destroy(),
  '/huge': (reply) => {
    const part = Buffer.alloc(1024 * 1024);
    for (let index = 0; index < 9; index += 1) reply.write(part);
    reply.end();
  },
};

beforeAll(async () => {
  server = createServer((request, reply) => {
    received.push(request.url ?? '');
    answers[request.url ?? '']?.(reply);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
afterAll(async () => {
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
});

const guard = (options: Partial<GuardOptions> = {}): typeof fetch =>
  createGuardedFetch({ egress: [origin], timeoutMs: 5000, signal: new AbortController().signal, acquire: async () => undefined, ...options });

describe('createGuardedFetch', () => {
  it('answers calls to a listed origin, with and without a body', async () => {
    expect(await (await guard()(`${origin}/ok`)).json()).toEqual({ ok: true });
    const empty = await guard()(`${origin}/empty`);
    expect([empty.status, await empty.text()]).toEqual([204, '']);
  });

  it('refuses other origins before anything goes out, another port and a look-alike host too', async () => {
    received = [];
    for (const url of ['https://evil.example/ok', `http://127.0.0.1:1/ok`, `${origin.replace('127.0.0.1', '127.0.0.1.evil.example')}/ok`, `${origin.replace('http:', 'https:')}/ok`]) {
      await expect(guard()(url)).rejects.toMatchObject({ code: 'EGRESS_FORBIDDEN' });
    }
    expect(received).toEqual([]);
  });

  it('refuses an address with credentials in it, which would be told in an error', async () => {
    received = [];
    await expect(guard()(`${origin.replace('//', '//user:secret@')}/ok`)).rejects.toMatchObject({ code: 'EGRESS_FORBIDDEN', detail: expect.not.stringContaining('secret') as string });
    expect(received).toEqual([]);
  });

  it('never follows a redirect', async () => {
    received = [];
    const answer = await guard()(`${origin}/redirect`);
    expect([answer.status, answer.headers.get('location'), received]).toEqual([308, '/ok', ['/redirect']]);
  });

  it.each(['/hang', '/stalled'])('ends a call to %s as VENDOR_TIMEOUT', async (path) => {
    await expect(guard({ timeoutMs: 100 })(`${origin}${path}`).then(async (answer) => answer.text())).rejects.toMatchObject({ code: 'VENDOR_TIMEOUT' });
  });

  it('ends a broken connection as VENDOR_UNAVAILABLE and an oversized body as VENDOR_MALFORMED', async () => {
    await expect(guard()(`${origin}/broken`)).rejects.toMatchObject({ code: 'VENDOR_UNAVAILABLE' });
    await expect(guard()(`${origin}/huge`)).rejects.toMatchObject({ code: 'VENDOR_MALFORMED' });
  });

  it('makes no call without a place in the rate limit', async () => {
    received = [];
    const acquire = async (): Promise<void> => {
      throw new Failure('VENDOR_RATE_LIMITED', 'No place', { retryAfterMs: 40 });
    };
    await expect(guard({ acquire })(`${origin}/ok`)).rejects.toMatchObject({ code: 'VENDOR_RATE_LIMITED', retryAfterMs: 40 });
    expect(received).toEqual([]);
  });

  it('ends with its step', async () => {
    const controller = new AbortController();
    const call = guard({ signal: controller.signal })(`${origin}/hang`);
    controller.abort();
    await expect(call).rejects.toMatchObject({ code: 'VENDOR_UNAVAILABLE' });
  });
});

describe('a connection that refuses internal addresses', () => {
  /** A resolver that answers with one list after the other. */
  const resolving = (...lists: string[][]): { resolve: ResolveAddresses; asked: string[] } => {
    const asked: string[] = [];
    const resolve: ResolveAddresses = (hostname, _options, callback) => {
      const addresses = lists[Math.min(asked.length, lists.length - 1)] ?? [];
      asked.push(hostname);
      callback(null, addresses.map((address) => ({ address, family: address.includes(':') ? 6 : 4 })));
    };
    return { resolve, asked };
  };
  const portOf = (): string => new URL(origin).port;
  const guardFor = (host: string, resolve: ResolveAddresses, refusesPrivate = true): typeof fetch =>
    guard({ egress: [`http://${host}:${portOf()}`], network: { refusesPrivate }, transport: createNetworkTransport(resolve) });

  it.each(['127.0.0.1', '127.1', '2130706433', '0x7f000001', '[::1]', '[::ffff:127.0.0.1]', '[::ffff:7f00:1]', '[64:ff9b::7f00:1]', '169.254.169.254', '10.0.0.1', '0.0.0.0', '[fd00::1]'])(
    'refuses %s written out, before anything goes out',
    async (host) => {
      received = [];
      const { resolve, asked } = resolving(['127.0.0.1']);
      await expect(guardFor(host, resolve)(`http://${host}:${portOf()}/ok`)).rejects.toMatchObject({ code: 'EGRESS_FORBIDDEN', retry: 'operator' });
      expect([received, asked]).toEqual([[], []]);
    },
  );

  it.each([[['127.0.0.1']], [['::1']], [['::ffff:127.0.0.1']], [['93.184.216.34', '127.0.0.1']], [['169.254.169.254']]])('refuses a name that resolves to %s', async (addresses) => {
    received = [];
    const { resolve, asked } = resolving(addresses);
    await expect(guardFor('crm.example.com', resolve)(`http://crm.example.com:${portOf()}/ok`)).rejects.toMatchObject({ code: 'EGRESS_FORBIDDEN' });
    expect([received, asked]).toEqual([[], ['crm.example.com']]);
  });

  it('reaches the same server by a name where private networks are allowed', async () => {
    received = [];
    const { resolve } = resolving(['127.0.0.1']);
    const local = guard({ egress: [origin], network: { refusesPrivate: false }, transport: createNetworkTransport(resolve) });
    expect(await (await local(`${origin}/ok`)).json()).toEqual({ ok: true });
    expect(received).toEqual(['/ok']);
  });

  it('gives the socket the very addresses that were checked, so that a name which resolves otherwise a moment later leads nowhere else', () => {
    const { resolve, asked } = resolving(['93.184.216.34', '2606:2800:220:1::1'], ['127.0.0.1']);
    const look = (all: boolean): unknown[] => {
      const given: unknown[] = [];
      publicAddressesOnly(resolve)('rebinding.example', { all }, (error, ...rest) => given.push(error instanceof Failure ? error.code : error, ...rest));
      return given;
    };
    expect(look(true)).toEqual([null, [{ address: '93.184.216.34', family: 4 }, { address: '2606:2800:220:1::1', family: 6 }]]);
    expect(asked).toHaveLength(1);
    expect(look(true)[0]).toBe('EGRESS_FORBIDDEN');
    expect(look(false)[0]).toBe('EGRESS_FORBIDDEN');
  });

  it('leaves connections without such rules as they were', async () => {
    expect(await (await guard()(`${origin}/ok`)).json()).toEqual({ ok: true });
  });
});
