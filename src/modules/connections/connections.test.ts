import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import type { Connector } from '../../connector-kit/index.ts';
import { Failure } from '../../platform/failure.ts';
import type { Log } from '../../platform/log.ts';
import { checkAtStart, checkConnections, type ConfiguredConnection, type Connections } from './index.ts';

const never = async (): Promise<never> => {
  throw new Error('no call is made here');
};
const anything: Connector = {
  name: 'example',
  title: 'Example',
  config: z.unknown(),
  capabilities: () => ({ erases: ['email'], locates: [], actions: ['erase'], isIdentityMap: false, latencyMs: { typical: 1, worst: 1 }, sanitization: 'purge', limits: { concurrency: 1, callsPerSecond: 1, burst: 1 } }),
  egress: () => [],
  connect: () => ({ check: never, locate: never, erase: never, confirm: never }),
};
const check = (own: object): readonly string[] =>
  checkConnections({ connectors: { example: anything }, secrets: { environment: { KEY: 'k' }, readFile: () => '' } }, { crm: { connector: 'example', after: [], action: 'erase', timeout_seconds: 30, ...own } });
const request = (part: object): object => ({ erase: [{ request: { method: 'POST', path: '/erasures', ...part } }] });

describe('a secret in the configuration', () => {
  it.each<[string, object]>([
    ['of the authentication', { auth: { scheme: 'api_key', name: 'X-Api-Key', key: 'written-out' } }],
    ['of an OAuth client', { auth: { scheme: 'oauth2', client_secret: 'written-out' } }],
    ['of mutual TLS', { tls: { client_key: 'written-out' } }],
    ['of callbacks', { callback: { secret: 'written-out' } }],
    ['of a connector of its own', { profile_api: { token: 'written-out' } }],
    ['in the header X-Api-Key', request({ headers: { 'X-Api-Key': 'written-out' } })],
    ['in the header Authorization', request({ headers: { Authorization: 'Bearer written-out' } })],
    ['in a cookie', request({ headers: { cookie: 'session=written-out' } })],
    ['in a parameter', request({ query: { access_token: 'written-out' } })],
  ])('is refused where it is written out: %s', (_where, own) => {
    expect(() => check(own)).toThrow(expect.objectContaining({ code: 'CONFIG_INVALID', detail: expect.stringContaining('must be a reference') as string }) as Error);
    expect(() => check(own)).not.toThrow(/written-out/u);
    expect(check(JSON.parse(JSON.stringify(own).replace(/(?:Bearer |session=)?written-out/u, '${env:KEY}')) as object)).toEqual([]);
  });

  it.each<[string, object]>([
    ['the field of a body that the system calls key', request({ body: { filter: { key: 'email', value: '{{identifier.value}}' }, token: 'fixed' } })],
    ['a parameter that it calls key', request({ query: { key: 'email' } })],
    ['an idempotency key', request({ headers: { 'Idempotency-Key': '{{idempotency_key}}', 'Content-Language': 'en' } })],
  ])('is not taken for one: %s', (_what, own) => {
    expect(check(own)).toEqual([]);
  });
});

describe('the check at a start', () => {
  it('calls the connections whose missing permissions would only show later, logs what is wrong and goes on', async () => {
    const checked: string[] = [];
    const logged: unknown[] = [];
    const connection = (name: string, checksAtStart: boolean): ConfiguredConnection => ({ name, checksAtStart }) as ConfiguredConnection;
    const connections = {
      all: [connection('genesys', true), connection('shop', false), connection('second', true)],
      check: async (name: string) => {
        checked.push(name);
        if (name === 'genesys') throw new Failure('CONNECTION_REFUSED', 'The OAuth client lacks the scope pii:view');
      },
    } as unknown as Connections;
    await checkAtStart(connections, { error: (line: unknown) => void logged.push(line) } as unknown as Log);
    expect(checked).toEqual(['genesys', 'second']);
    expect(logged).toEqual([expect.objectContaining({ system: 'genesys' })]);
  });
});
