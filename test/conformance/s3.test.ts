import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createTestContext, eraseToEnd, runConformance, type TestContextOptions } from '../../src/connector-kit/conformance/index.ts';
import { Failure, type Connection, type EraseResult, type Json } from '../../src/connector-kit/index.ts';
import { s3Connector } from '../../src/connectors/s3/index.ts';
import type { Identifier } from '../../src/contract/identifiers.ts';
import { s3Credentials, startS3, type S3Seed } from '../../src/sandbox/s3/index.ts';
import type { Simulator } from '../../src/sandbox/simulator.ts';

const ada: Identifier = { kind: 'user_id', value: 'u-1' };
const unknown: Identifier = { kind: 'user_id', value: 'u-404' };
const bucket = 'files';
const names = { prefixes: ['users/{user_id}/'], objects: ['avatars/{user_id}.png'] };

interface Dump {
  readonly buckets: readonly { readonly versions: readonly { readonly key: string; readonly version_id: string; readonly is_marker: boolean }[]; readonly uploads: readonly { readonly key: string }[] }[];
}
const configFor = (url: string, rest: object = {}): object => ({ buckets: [bucket], region: 'eu-central-1', endpoint: url, path_style: true, access_key: s3Credentials, ...names, ...rest });
/** Everything that is stored, by name. */
const held = (vendor: Pick<Simulator, 'dump'>): string[] => (vendor.dump() as Dump).buckets.flatMap(({ versions, uploads }) => [...versions, ...uploads].map(({ key }) => key)).toSorted();
const hers = (key: string): boolean => key.startsWith('users/u-1/') || key === 'avatars/u-1.png';
const at = (key: string, rest: object = {}): NonNullable<S3Seed['objects']>[number] => ({ bucket, key, body: 'text', ...rest });
/** Names that a careless prefix would take along. */
const others = ['avatars/u-1.png.bak', 'avatars/u-12.png', 'users/u-1', 'users/u-1.txt', 'users/u-12/mail.txt'];

runConformance({
  title: 'a bucket with versions',
  connector: s3Connector,
  start: startS3,
  config: (url) => configFor(url),
  refusedConfig: (url) => configFor(url, { access_key: { id: 'AKIAREVOKED0000EXAMPLE', secret: 'revoked' } }),
  plant: (vendor) => {
    vendor.seed({
      buckets: [{ name: bucket, versioning: true }],
      objects: [at('users/u-1/ada.txt'), at('users/u-1/ada.txt'), at('users/u-1/gone.txt'), at('users/u-1/gone.txt', { marker: true }), at('avatars/u-1.png'), ...others.map((key) => at(key))],
      uploads: [{ bucket, key: 'users/u-1/film.mp4' }, { bucket, key: 'users/u-12/film.mp4' }],
    });
    return { identifier: ada, identifiers: [ada], personal: ['u-1/', 'ada.txt', 'avatars/u-1'] };
  },
  plantMany: (vendor) => {
    const many = Array.from({ length: 23 }, (_, index) => at(`users/u-1/${index}.txt`));
    vendor.seed({ account: { page_size: 5 }, buckets: [{ name: bucket, versioning: true }], objects: [...many, ...many, ...others.map((key) => at(key))], uploads: many.map(({ key }) => ({ bucket, key })) });
    return { identifier: ada, identifiers: [ada], personal: [] };
  },
  left: (vendor) => held(vendor).filter(hers).length,
  unknown: [unknown],
  outcome: 'erased',
  lie: { method: 'POST', path: '[?&]delete' },
});

let vendor: Simulator;
beforeEach(async () => {
  vendor = await startS3();
});
afterEach(async () => vendor.close());

const connect = (rest: object = {}): Connection => s3Connector.connect(s3Connector.config.parse(configFor(vendor.url, rest)));
const task = (options: Partial<TestContextOptions> = {}): ReturnType<typeof createTestContext> => createTestContext({ egress: [vendor.url], identifier: ada, seenHere: true, ...options });
const erase = async (connection: Connection, options: Partial<TestContextOptions> = {}): Promise<EraseResult> => (await eraseToEnd(connection, task(options), { onWait: vendor.advance })).result;

describe('what is deleted', () => {
  it('is every version and marker by its id, and every unfinished upload: nothing is merely hidden, and nobody else’s object is touched', async () => {
    vendor.seed({ buckets: [{ name: bucket, versioning: true }], objects: [at('users/u-1/a'), at('users/u-1/a'), at('users/u-1/b', { marker: true }), ...others.map((key) => at(key))], uploads: [{ bucket, key: 'users/u-1/c' }, { bucket, key: 'avatars/u-1.png.bak' }] });
    const connection = connect();
    expect(await erase(connection)).toMatchObject({ outcome: 'erased', counts: { versions: 2, delete_markers: 1, multipart_uploads: 1 }, residue: [] });
    expect(held(vendor)).toEqual([...others, 'avatars/u-1.png.bak'].toSorted());
    expect(vendor.effects.map(({ type }) => type)).not.toContain('marker.created');
  });

  it('is the one version in a bucket without versions', async () => {
    vendor.seed({ buckets: [{ name: bucket }], objects: [at('users/u-1/a'), at('avatars/u-1.png'), at('users/u-12/a')] });
    expect(await erase(connect())).toMatchObject({ outcome: 'erased', counts: { versions: 2 } });
    expect(held(vendor)).toEqual(['users/u-12/a']);
  });

  it.each(['users/u-1/ü & <b> "q"+%20.txt', 'users/u-1/tab\there', 'users/u-1/日本 語'])('has any name: %j', async (key) => {
    vendor.seed({ buckets: [{ name: bucket, versioning: true }], objects: [at(key)], uploads: [{ bucket, key }] });
    expect(await erase(connect())).toMatchObject({ outcome: 'erased', counts: { versions: 1, multipart_uploads: 1 } });
    expect(held(vendor)).toEqual([]);
  });

  it('is counted only when it was seen to be gone: what S3 calls deleted and lists still goes to a person', async () => {
    vendor.seed({ buckets: [{ name: bucket, versioning: true }], objects: [at('users/u-1/a'), at('users/u-1/b')] });
    vendor.fault({ kind: 'lie', method: 'POST', times: 1 });
    const connection = connect();
    const result = await erase(connection);
    expect(result).toMatchObject({ state: 'operator', code: 'STILL_PRESENT', counts: { versions: 1 }, residue: [{ what: 'versions', why: 'not_deleted', count: 1 }] });
    expect(held(vendor)).toHaveLength(1);
  });

  it('is not claimed where a refused call is followed by somebody else’s deletion', async () => {
    vendor.seed({ buckets: [{ name: bucket }], objects: [at('users/u-1/a')] });
    vendor.fault({ kind: 'status', status: 503, method: 'POST' });
    const connection = connect();
    const test = task();
    await expect(connection.erase(test.step({ cursor: null, attempt: 1 }))).rejects.toMatchObject({ code: 'VENDOR_RATE_LIMITED' });
    vendor.reset();
    vendor.seed({ buckets: [{ name: bucket }] });
    expect(await connection.erase(test.step({ cursor: test.saved()?.cursor ?? null, attempt: 2 }))).toMatchObject({ outcome: 'already_absent', counts: {} });
  });

  it('goes on where it stood after a death between pages, each version deleted once and counted once', async () => {
    const keys = Array.from({ length: 40 }, (_, index) => at(`users/u-1/${String(index).padStart(2, '0')}`));
    vendor.seed({ account: { page_size: 7 }, buckets: [{ name: bucket, versioning: true }], objects: keys });
    let calls = 0;
    const test = task({
      shouldYield: () => true,
      wrapFetch: (guarded) => async (input, init) => {
        calls += 1;
        const answer = await guarded(input, init);
        if (calls % 5 === 0) throw new Failure('VENDOR_UNAVAILABLE', 'The connection to the vendor failed');
        return answer;
      },
    });
    const { result } = await eraseToEnd(connect(), test);
    expect(result).toMatchObject({ outcome: 'erased', counts: { versions: 40 } });
    expect(vendor.effects).toHaveLength(40);
  });

  it('may stand in several buckets, and a task whose buckets were changed under it claims nothing', async () => {
    vendor.seed({ buckets: [{ name: bucket }, { name: 'more' }], objects: [at('users/u-1/a'), { ...at('users/u-1/b'), bucket: 'more' }] });
    const both = connect({ buckets: [bucket, 'more'] });
    const test = task({ shouldYield: () => true });
    const first = await both.erase(test.step({ cursor: null, attempt: 1 }));
    const cursor = 'cursor' in first ? first.cursor : null;
    expect(await connect().erase(test.step({ cursor, attempt: 1 }))).toMatchObject({ state: 'operator', code: 'CONFIG_INVALID' });
    // A person puts the configuration back and lets it run: what was sent before is counted.
    const { result } = await eraseToEnd({ ...both, erase: async (step) => both.erase({ ...step, previous: cursor }) }, test);
    expect(result).toMatchObject({ outcome: 'erased', counts: { versions: 2 } });
    expect(held(vendor)).toEqual([]);
  });
});

describe('what is locked', () => {
  const until = '2030-01-01T00:00:00.000Z';
  const locked = (lock: object): void => {
    vendor.seed({ buckets: [{ name: bucket, object_lock: true }], objects: [at('users/u-1/invoice.pdf', { lock }), at('users/u-1/free.txt')] });
  };

  it.each([
    ['COMPLIANCE', 'retention_lock_compliance'],
    ['GOVERNANCE', 'retention_lock_governance'],
  ])('by %s stays until its end, the rest goes, and the task comes back then', async (mode, why) => {
    locked({ mode, retain_until: until });
    const result = await erase(connect({ retention: { legal_basis: 'HGB § 257' } }));
    expect(result).toMatchObject({ outcome: 'retained', counts: { versions: 1 }, residue: [{ what: 'versions', why, count: 1, legal_basis: 'HGB § 257', until }], revisitAt: Date.parse(until) });
    expect(held(vendor)).toEqual(['users/u-1/invoice.pdf']);
  });

  it('is erased when the task comes back after the end', async () => {
    locked({ mode: 'COMPLIANCE', retain_until: until });
    const wait = Date.parse(until) - Date.now();
    await erase(connect());
    vendor.advance(wait + 1000);
    const test = task();
    test.advance(wait + 1000);
    expect((await eraseToEnd(connect(), test)).result).toMatchObject({ outcome: 'erased', counts: { versions: 1 } });
    expect(held(vendor)).toEqual([]);
  });

  it('by a legal hold stays without an end, whatever retention it has besides', async () => {
    locked({ mode: 'COMPLIANCE', retain_until: until, legal_hold: true });
    const result = await erase(connect());
    expect(result).toMatchObject({ outcome: 'retained', residue: [{ what: 'versions', why: 'legal_hold', count: 1 }] });
    expect(result).not.toHaveProperty('revisitAt');
    expect(JSON.stringify(result)).not.toContain('2030');
  });

  it('stays hidden where it was hidden: the marker over it is not deleted', async () => {
    vendor.seed({ buckets: [{ name: bucket, object_lock: true }], objects: [at('users/u-1/a', { lock: { retain_until: until } }), at('users/u-1/a', { marker: true }), at('users/u-1/b', { marker: true })] });
    expect(await erase(connect())).toMatchObject({ outcome: 'retained', counts: { delete_markers: 1 }, residue: [{ what: 'versions' }, { what: 'delete_markers', why: 'hides_locked_version', count: 1 }] });
    expect((vendor.dump() as Dump).buckets[0]?.versions.map(({ is_marker: isMarker }) => isMarker)).toEqual([false, true]);
  });

  it('is more than a page, and the rest behind it goes all the same', async () => {
    const keys = Array.from({ length: 12 }, (_, index) => at(`users/u-1/${String(index).padStart(2, '0')}`, { lock: { retain_until: until } }));
    vendor.seed({ account: { page_size: 5 }, buckets: [{ name: bucket, object_lock: true }], objects: [...keys, at('users/u-1/z')] });
    expect(await erase(connect(), { shouldYield: () => true })).toMatchObject({ outcome: 'retained', counts: { versions: 1 }, residue: [{ count: 12 }] });
  });

  it.each([['s3:DeleteObjectVersion'], ['s3:GetObjectRetention'], ['s3:GetObjectLegalHold']])('is told from a permission that is missing: without %s a person is asked', async (permission) => {
    locked({ retain_until: until });
    vendor.seed({ account: { denied: [permission] } });
    await expect(erase(connect())).rejects.toMatchObject({ code: 'CONNECTION_AUTH' });
    expect(held(vendor)).toContain('users/u-1/invoice.pdf');
  });
});

describe('an answer that is not S3’s', () => {
  const list = (inside: string): string => `<?xml version="1.0"?><ListVersionsResult>${inside}</ListVersionsResult>`;

  it.each([
    ['<html><body>Welcome</body></html>'],
    [''],
    ['{}'],
    [list('')],
    [list('<IsTruncated>true</IsTruncated>')],
    [list('<IsTruncated>false</IsTruncated><Version><Key>users/u-1/a</Key></Version>')],
    [list('<IsTruncated>false</IsTruncated><Version><Key>%zz</Key><VersionId>1</VersionId><LastModified>2026-01-01T00:00:00Z</LastModified></Version>')],
    ['<ListVersionsResult><IsTruncated>fal'],
  ])('reads as malformed, never as an empty bucket: %s', async (body) => {
    const test = task({ wrapFetch: () => async () => new Response(body) });
    await expect(connect().erase(test.step({ cursor: null, attempt: 1 }))).rejects.toMatchObject({ code: 'VENDOR_MALFORMED' });
    await expect(connect().confirm(test.step({ cursor: null, attempt: 1 }))).rejects.toMatchObject({ code: 'VENDOR_MALFORMED' });
  });

  it('with objects outside of the prefix touches none of them', async () => {
    const calls: string[] = [];
    const other = list('<IsTruncated>false</IsTruncated><Version><Key>users/u-2/a</Key><VersionId>1</VersionId><LastModified>2026-01-01T00:00:00Z</LastModified></Version>');
    const test = task({
      wrapFetch: () => async (_input, init) => {
        calls.push(init?.method ?? 'GET');
        return new Response(other);
      },
    });
    await expect(connect().erase(test.step({ cursor: null, attempt: 1 }))).rejects.toMatchObject({ code: 'SUBJECT_AMBIGUOUS' });
    expect(calls).toEqual(['GET']);
  });
});

describe('a read-back', () => {
  it.each([
    ['an old version', { objects: [at('users/u-1/a'), at('users/u-1/a', { marker: true })] }],
    ['a marker alone', { objects: [at('users/u-1/a', { marker: true })] }],
    ['an unfinished upload', { uploads: [{ bucket, key: 'avatars/u-1.png' }] }],
  ])('finds the person where %s is left', async (_what, seed) => {
    vendor.seed({ buckets: [{ name: bucket, versioning: true }], ...seed });
    const connection = connect();
    expect(await connection.confirm(task().step({ cursor: null, attempt: 1 }))).toEqual({ state: 'present', found: [ada] });
    expect(await connection.confirm(task({ identifier: unknown }).step({ cursor: null, attempt: 1 }))).toEqual({ state: 'absent' });
  });

  it('knows who has objects, and counts beforehand what an erasure then deletes', async () => {
    vendor.seed({ buckets: [{ name: bucket, versioning: true }], objects: [at('users/u-1/a'), at('users/u-1/a')], uploads: [{ bucket, key: 'users/u-1/c' }] });
    const connection = connect();
    expect(await connection.locate(task().plain, [ada, unknown, { kind: 'email', value: 'ada@example.com' }])).toEqual({ found: [], knows: [ada] });
    const dry = await connection.dryRun?.(task().step({ cursor: null, attempt: 1 }));
    expect(vendor.effects).toEqual([]);
    expect(dry?.counts).toEqual((await erase(connection) as { counts: object }).counts);
  });
});

describe('an export', () => {
  const read = async (connection: Connection, cursor: Json = null, pagesMax = 100): Promise<{ records: { type: string; data: unknown }[]; resume: Json }> => {
    const records: { type: string; data: unknown }[] = [];
    let resume: Json = cursor;
    let pages = 0;
    for await (const page of connection.export?.(task().exporting(cursor)) ?? []) {
      expect(JSON.stringify(page.records).length).toBeLessThan(8 * 1024 * 1024);
      records.push(...page.records);
      resume = page.resume ?? null;
      pages += 1;
      if (pages === pagesMax) break;
    }
    return { records, resume };
  };

  it('gives each object with its name and bytes, older versions as such, archived and large ones by name alone', async () => {
    vendor.seed({
      buckets: [{ name: bucket, versioning: true }],
      objects: [at('users/u-1/notes.txt', { body: 'old' }), at('users/u-1/notes.txt', { body: 'new', content_type: 'text/plain' }), at('users/u-1/cold.bin', { storage_class: 'GLACIER' }), at('users/u-1/large.bin', { body: 'x'.repeat(5 * 1024 * 1024 + 1) }), at('users/u-12/a')],
    });
    const { records } = await read(connect());
    expect(records.map(({ type }) => type)).toEqual(['object_not_included', 'object_not_included', 'object', 'object']);
    expect(records.map(({ data }) => data)).toMatchObject([
      { key: 'users/u-1/cold.bin', not_included: 'archived' },
      { key: 'users/u-1/large.bin', size: 5 * 1024 * 1024 + 1, not_included: 'too_large' },
      { key: 'users/u-1/notes.txt', filename: 'notes.txt', content_type: 'text/plain', size: 3, base64: Buffer.from('new').toString('base64') },
      { key: 'users/u-1/notes.txt', older_version: true, base64: Buffer.from('old').toString('base64') },
    ]);
  });

  it('goes on from any page without leaving out or repeating an object', async () => {
    const body = 'x'.repeat(2 * 1024 * 1024);
    vendor.seed({ account: { page_size: 4 }, buckets: [{ name: bucket }], objects: [...Array.from({ length: 9 }, (_, index) => at(`users/u-1/${index}`, { body })), at('avatars/u-1.png')] });
    const whole = (await read(connect())).records.map(({ data }) => (data as { key: string }).key);
    expect(new Set(whole).size).toBe(10);
    for (const pages of [1, 2, 3, 4]) {
      const first = await read(connect(), null, pages);
      const rest = await read(connect(), first.resume);
      expect([...first.records, ...rest.records].map(({ data }) => (data as { key: string }).key)).toEqual(whole);
    }
  });
});

describe('a configuration that could reach other people', () => {
  const problem = (rest: object): string => s3Connector.config.safeParse(configFor('http://127.0.0.1:1', rest)).error?.issues.map(({ message }) => message).join('; ') ?? 'accepted';

  it.each([
    [{ prefixes: ['users/{user_id}'] }, 'must end in /'],
    [{ prefixes: ['users/'] }, 'exactly one identifier'],
    [{ prefixes: ['{email}/{user_id}/'] }, 'exactly one identifier'],
    [{ prefixes: ['users/{name}/'] }, 'must name a kind'],
    [{ prefixes: ['users/{user_id/'] }, 'exactly one identifier'],
    [{ prefixes: ['users//{user_id}/'] }, 'no empty part'],
    [{ objects: ['avatars/default.png'] }, 'exactly one identifier'],
    [{ objects: ['avatars/{user_id}/'] }, 'list it under prefixes'],
    [{ prefixes: [], objects: [] }, 'must have prefixes or objects'],
  ])('is refused: %j', (rest, message) => {
    expect(problem(rest)).toContain(message);
    expect(problem({})).toBe('accepted');
  });

  it.each(['undefined', 'null', '..', '.', 'a/b', ' ', 'a*', 'None'])('erases nothing for the identifier %j, and asks a person', async (value) => {
    vendor.seed({ buckets: [{ name: bucket }], objects: [at(`users/${value}/a`), at('users/a/b/c')] });
    const identifier: Identifier = { kind: 'user_id', value };
    await expect(erase(connect(), { identifier })).rejects.toMatchObject({ code: 'SUBJECT_AMBIGUOUS' });
    expect(await connect().locate(task().plain, [identifier])).toEqual({ found: [], knows: [] });
    expect(vendor.effects).toEqual([]);
  });

  it('calls the bucket’s own host unless the path has the bucket', () => {
    const egressOf = (rest: object): readonly string[] => s3Connector.egress(s3Connector.config.parse({ ...configFor('http://127.0.0.1:1'), endpoint: undefined, path_style: false, ...rest }));
    expect(egressOf({})).toEqual(['https://files.s3.eu-central-1.amazonaws.com']);
    expect(egressOf({ path_style: true })).toEqual(['https://s3.eu-central-1.amazonaws.com']);
    expect(egressOf({ endpoint: 'https://storage.example.com' })).toEqual(['https://files.storage.example.com']);
  });
});
