import { generateKeyPairSync } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createTestContext, eraseToEnd, runConformance, type TestContextOptions } from '../../src/connector-kit/conformance/index.ts';
import type { Connection, EraseResult, Json } from '../../src/connector-kit/index.ts';
import { gcsConnector } from '../../src/connectors/gcs/index.ts';
import type { Identifier } from '../../src/contract/identifiers.ts';
import { startGcs, type GcsSeed } from '../../src/sandbox/gcs/index.ts';
import type { Simulator } from '../../src/sandbox/simulator.ts';

const ada: Identifier = { kind: 'user_id', value: 'u-1' };
const unknown: Identifier = { kind: 'user_id', value: 'u-404' };
const dayMs = 86_400_000;

interface Dump {
  readonly objects: readonly { readonly name: string; readonly generations: readonly unknown[] }[];
}
const keyOf = (vendor: Pick<Simulator, 'seed'>): string => {
  const { client_email: email, private_key: key } = vendor.seed({}) as { client_email: string; private_key: string };
  return JSON.stringify({ client_email: email, private_key: key });
};
const configFor = (url: string, credentials: string, rest: object = {}): object => ({ buckets: ['exports-bucket'], endpoint: url, credentials, prefixes: ['users/{user_id}/'], objects: ['avatars/{user_id}.png'], ...rest });
const held = (vendor: Pick<Simulator, 'dump'>): string[] => (vendor.dump() as Dump).objects.flatMap(({ name, generations }) => generations.map(() => name)).toSorted();
const hers = (name: string): boolean => name.startsWith('users/u-1/') || name === 'avatars/u-1.png';
const at = (name: string, rest: object = {}): NonNullable<GcsSeed['objects']>[number] => ({ name, body: 'text', ...rest });
const others = ['avatars/u-1.png.bak', 'avatars/u-12.png', 'users/u-1', 'users/u-1.txt', 'users/u-12/mail.txt'];
const strangersKey = (): string => JSON.stringify({ client_email: 'stranger@sandbox.iam.gserviceaccount.example', private_key: generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey.export({ type: 'pkcs8', format: 'pem' }) });

let key = '';
const refusedKey = strangersKey();

runConformance({
  title: 'a bucket with versions',
  connector: gcsConnector,
  start: async () => {
    const started = await startGcs();
    key = keyOf(started);
    return started;
  },
  config: (url) => configFor(url, key),
  refusedConfig: (url) => configFor(url, refusedKey),
  plant: (vendor) => {
    vendor.seed({ settings: { versioning: true }, objects: [at('users/u-1/ada.txt'), at('users/u-1/ada.txt'), at('avatars/u-1.png'), ...others.map((name) => at(name))] });
    return { identifier: ada, identifiers: [ada], personal: ['u-1/', 'ada.txt', 'avatars/u-1'] };
  },
  plantMany: (vendor) => {
    const many = Array.from({ length: 23 }, (_, index) => at(`users/u-1/${index}.txt`));
    vendor.seed({ settings: { versioning: true, page_size: 5 }, objects: [...many, ...many, ...others.map((name) => at(name))] });
    return { identifier: ada, identifiers: [ada], personal: [] };
  },
  left: (vendor) => held(vendor).filter(hers).length,
  unknown: [unknown],
  outcome: 'erased',
  lie: { method: 'DELETE' },
});

let vendor: Simulator;
beforeEach(async () => {
  vendor = await startGcs();
});
afterEach(async () => vendor.close());

const connect = (rest: object = {}): Connection => gcsConnector.connect(gcsConnector.config.parse(configFor(vendor.url, keyOf(vendor), rest)));
const task = (options: Partial<TestContextOptions> = {}): ReturnType<typeof createTestContext> => createTestContext({ egress: [vendor.url], identifier: ada, seenHere: true, ...options });
const erase = async (connection: Connection, options: Partial<TestContextOptions> = {}): Promise<EraseResult> => (await eraseToEnd(connection, task(options), { onWait: vendor.advance })).result;

describe('what is deleted', () => {
  it('is every generation, the noncurrent ones too, and no other person’s object', async () => {
    vendor.seed({ settings: { versioning: true, soft_delete_seconds: 0 }, objects: [at('users/u-1/a'), at('users/u-1/a'), at('users/u-1/ü "b".txt'), at('avatars/u-1.png'), ...others.map((name) => at(name))] });
    expect(await erase(connect())).toMatchObject({ outcome: 'erased', counts: { versions: 4 }, residue: [] });
    expect(held(vendor)).toEqual(others);
  });

  it('stays at Google until its soft delete policy ends, and that is said with its end', async () => {
    vendor.seed({ objects: [at('users/u-1/a'), at('users/u-12/a')] });
    const before = Date.now();
    const connection = connect();
    const result = await erase(connection);
    expect(result).toMatchObject({ outcome: 'erased', counts: { versions: 1 }, residue: [{ what: 'soft_deleted_objects', why: 'vendor_retention', count: 1 }] });
    const until = Date.parse('residue' in result ? (result.residue[0]?.until ?? '') : '');
    expect(until).toBeGreaterThanOrEqual(before + 7 * dayMs);
    expect(until).toBeLessThan(before + 7 * dayMs + 60_000);
    expect(await connection.confirm(task().step({ cursor: null, attempt: 1 }))).toEqual({ state: 'absent' });
    expect(await erase(connection, { seenHere: false })).toMatchObject({ outcome: 'already_absent', residue: [{ what: 'soft_deleted_objects' }] });
  });

  it('is not claimed where Google says deleted and lists it still', async () => {
    vendor.seed({ objects: [at('users/u-1/a'), at('users/u-1/b')] });
    vendor.fault({ kind: 'lie', method: 'DELETE', path: 'o/users%2Fu-1%2Fb', times: 10 });
    expect(await erase(connect())).toMatchObject({ state: 'operator', code: 'STILL_PRESENT', counts: { versions: 1 } });
  });
});

describe('what is locked', () => {
  const soon = (): string => new Date(Date.now() + 20 * 60_000).toISOString();

  it.each([
    ['temporary', 'temporary_hold'],
    ['event', 'event_based_hold'],
  ])('by a hold (%s) stays without an end, and the rest goes', async (hold, why) => {
    vendor.seed({ objects: [at('users/u-1/case.pdf', { hold }), at('users/u-1/free.txt')], settings: { soft_delete_seconds: 0 } });
    const result = await erase(connect({ retention: { legal_basis: 'GDPR Art. 17(3)(e)' } }));
    expect(result).toMatchObject({ outcome: 'retained', counts: { versions: 1 }, residue: [{ what: 'versions', why, count: 1, legal_basis: 'GDPR Art. 17(3)(e)' }] });
    expect(result).not.toHaveProperty('revisitAt');
    expect(held(vendor)).toEqual(['users/u-1/case.pdf']);
  });

  it.each([
    ['object', 'object_retention'],
    ['policy', 'retention_policy'],
  ])('until a time (%s) stays until then, and is erased when the task comes back', async (by, why) => {
    const until = soon();
    vendor.seed({ objects: [at('users/u-1/a', { retained: { by, until } })] });
    const connection = connect();
    expect(await erase(connection)).toMatchObject({ outcome: 'retained', counts: {}, residue: [{ what: 'versions', why, count: 1, until }], revisitAt: Date.parse(until) });
    vendor.advance(21 * 60_000);
    expect(await erase(connection)).toMatchObject({ outcome: 'erased', counts: { versions: 1 } });
  });

  it('is told from a permission that is missing: a person is asked, and nothing is claimed to be retained', async () => {
    vendor.seed({ objects: [at('users/u-1/a')], settings: { forbids_deleting: true } });
    await expect(erase(connect())).rejects.toMatchObject({ code: 'CONNECTION_AUTH' });
    expect(held(vendor)).toEqual(['users/u-1/a']);
  });
});

describe('an answer that is not Google’s', () => {
  const item = { name: 'users/u-1/a', generation: '1', timeCreated: '2026-01-01T00:00:00Z' };

  it.each([
    ['<html>'],
    ['null'],
    ['[]'],
    ['{}'],
    ['{"kind":"storage#objects","items":{"a":1}}'],
    ['{"kind":"storage#objects","items":[null]}'],
    ['{"kind":"storage#objects","items":"none"}'],
    ['{"kind":"storage#objects","nextPageToken":7}'],
    [JSON.stringify({ kind: 'storage#objects', items: [{ ...item, timeCreated: 'yesterday' }] })],
  ])('reads as malformed, never as an empty bucket, and brings nothing down: %s', async (body) => {
    const test = task({ wrapFetch: () => async () => new Response(body, { headers: { 'content-type': 'application/json' } }) });
    await expect(connect().erase(test.step({ cursor: null, attempt: 1 }))).rejects.toMatchObject({ code: 'VENDOR_MALFORMED' });
    await expect(connect().confirm(test.step({ cursor: null, attempt: 1 }))).rejects.toMatchObject({ code: 'VENDOR_MALFORMED' });
  });

  it('with objects outside of the prefix touches none of them', async () => {
    const calls: string[] = [];
    const test = task({
      wrapFetch: () => async (_input, init) => {
        calls.push(init?.method ?? 'GET');
        return Response.json({ kind: 'storage#objects', items: [{ ...item, name: 'users/u-2/a' }] });
      },
    });
    await expect(connect().erase(test.step({ cursor: null, attempt: 1 }))).rejects.toMatchObject({ code: 'SUBJECT_AMBIGUOUS' });
    expect(calls).toEqual(['GET']);
  });
});

describe('an export', () => {
  it('gives each object with its bytes and goes on from any page', async () => {
    vendor.seed({ settings: { versioning: true, page_size: 2 }, objects: [at('users/u-1/a.txt', { body: 'old' }), at('users/u-1/a.txt', { body: 'new', content_type: 'text/plain' }), at('users/u-1/large.bin', { body: 'x'.repeat(5 * 1024 * 1024 + 1) }), at('avatars/u-1.png'), ...others.map((name) => at(name))] });
    const connection = connect();
    const read = async (cursor: Json, pagesMax: number): Promise<{ data: object[]; resume: Json }> => {
      const data: object[] = [];
      let resume: Json = null;
      let pages = 0;
      for await (const page of connection.export?.(task().exporting(cursor)) ?? []) {
        data.push(...page.records.map((record) => record.data as object));
        resume = page.resume ?? null;
        pages += 1;
        if (pages === pagesMax) break;
      }
      return { data, resume };
    };
    const whole = (await read(null, 100)).data;
    expect(whole).toMatchObject([
      { key: 'users/u-1/a.txt', older_version: true, base64: Buffer.from('old').toString('base64') },
      { key: 'users/u-1/a.txt', content_type: expect.stringContaining('text/plain') as string, base64: Buffer.from('new').toString('base64') },
      { key: 'users/u-1/large.bin', not_included: 'too_large' },
      { key: 'avatars/u-1.png' },
    ]);
    const first = await read(null, 1);
    expect([...first.data, ...(await read(first.resume, 100)).data]).toEqual(whole);
  });
});

describe('a configuration', () => {
  it('never shows the key in what is wrong with it', () => {
    const wrong = gcsConnector.config.safeParse(configFor('http://127.0.0.1:1', '{"private_key": "sealed-words"}'));
    expect(wrong.success).toBe(false);
    expect(JSON.stringify(wrong.error)).not.toContain('sealed-words');
    expect(gcsConnector.config.safeParse(configFor('http://127.0.0.1:1', refusedKey)).success).toBe(true);
  });

  it('is refused where a prefix could be another person’s too', () => {
    expect(gcsConnector.config.safeParse(configFor('http://127.0.0.1:1', refusedKey, { prefixes: ['users/{user_id}'] })).error?.issues[0]?.message).toContain('must end in /');
  });
});
