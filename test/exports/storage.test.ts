import { randomBytes } from 'node:crypto';
import { Readable } from 'node:stream';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { createExportStorage, type ExportStorage } from '../../src/modules/exports/index.ts';
import { parseConfig } from '../../src/platform/config/load.ts';
import { startGcs } from '../../src/sandbox/gcs/index.ts';
import { s3Credentials, startS3 } from '../../src/sandbox/s3/index.ts';
import type { Simulator } from '../../src/sandbox/simulator.ts';
import { useDatabase } from '../support/databases.ts';
import { openExportsWorld } from './exports-world.ts';
import { readZip } from '../../src/cli/demo/read-zip.ts';

const kmsKey = 'projects/p/locations/eu/keyRings/r/cryptoKeys/k';

interface Plan {
  readonly versioning?: boolean;
  readonly locked?: boolean;
  readonly encrypts?: boolean;
}

/** Has a bucket behave; of S3 it is made here, so that it is set up anew with what it keeps lost only where it keeps versions. */
function set(simulator: Simulator, { versioning, locked, encrypts }: Plan): void {
  if (simulator.vendor === 'gcs') simulator.seed({ settings: { ...(versioning === undefined ? {} : { versioning }), ...(locked === undefined ? {} : { locked }), ...(encrypts === undefined ? {} : { encrypts }) } });
  else {
    const denied = locked === true ? ['s3:DeleteObject', 's3:DeleteObjectVersion'] : [];
    simulator.seed({ account: { ...(locked === undefined ? {} : { denied }), ...(encrypts === undefined ? {} : { encrypts }) }, ...(versioning === undefined ? {} : { buckets: [{ name: 'exports-bucket', versioning }] }) });
  }
}

interface Bench {
  readonly simulator: Simulator;
  readonly open: (changes?: Record<string, unknown>, encryption?: 'age' | 'storage') => Promise<ExportStorage>;
}

async function configured(storage: object, encryption: string, environment: Record<string, string>): Promise<ExportStorage> {
  const config = parseConfig(JSON.stringify({ version: 1, controller: { name: 'Shop', contact: 'privacy@shop.example' }, exports: { storage, encryption } }), 'test');
  return createExportStorage(config.exports, '/nowhere', { environment, readFile: () => '' });
}

async function startBench(kind: 's3' | 'gcs'): Promise<Bench> {
  if (kind === 's3') {
    const simulator = await startS3();
    const base = { kind, bucket: 'exports-bucket', region: 'eu-central-1', prefix: 'quittance/', endpoint: simulator.url, path_style: true, access_key: { id: '${env:S3_ID}', secret: '${env:S3_SECRET}' } };
    return { simulator, open: (changes = {}, encryption = 'age') => configured({ ...base, ...changes }, encryption, { S3_ID: s3Credentials.id, S3_SECRET: s3Credentials.secret, WRONG: 'wrong' }) };
  }
  const simulator = await startGcs();
  const key = simulator.seed({}) as { bucket: string };
  const base = { kind, bucket: key.bucket, prefix: 'quittance/', endpoint: simulator.url, credentials: '${env:GCS_KEY}' };
  const wrong = JSON.stringify((await (async () => { const other = await startGcs(); const made = other.seed({}); await other.close(); return made; })()));
  return { simulator, open: (changes = {}, encryption = 'age') => configured({ ...base, ...changes }, encryption, { GCS_KEY: JSON.stringify(key), WRONG: wrong }) };
}

const read = async (stream: Readable): Promise<Buffer> => {
  const chunks: Buffer[] = [];
  for await (const chunk of stream) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
};
const streamOf = (bytes: Buffer): Readable => Readable.from((function* () {
  for (let at = 0; at < bytes.length; at += 100_000) yield bytes.subarray(at, at + 100_000);
})(), { objectMode: false });

describe.each([{ kind: 's3' as const }, { kind: 'gcs' as const }])('the storage $kind', ({ kind }) => {
  const shared = useDatabase('embedded', 'main');
  let bench: Bench;
  let storage: ExportStorage;
  beforeAll(async () => {
    bench = await startBench(kind);
    storage = await bench.open();
  });
  afterAll(async () => bench.simulator.close());
  beforeEach(() => {
    bench.simulator.reset();
    set(bench.simulator, { versioning: false, locked: false, encrypts: true });
  });
  const dump = (): string => JSON.stringify(bench.simulator.dump());
  const nothing = kind === 's3' ? '"versions":[],"uploads":[]' : '"objects":[]';

  it('gives back what was put there, small and in many parts, and nothing once it is deleted', async () => {
    for (const size of [0, 1000, 20 * 1024 * 1024 + 7]) {
      const bytes = randomBytes(size);
      expect(await storage.put('object', streamOf(bytes))).toBe(size);
      expect((await read(await storage.get('object'))).equals(bytes)).toBe(true);
      await storage.delete('object');
      await expect(storage.get('object')).rejects.toMatchObject({ code: 'NOT_FOUND' });
      await storage.delete('object');
    }
    expect(dump()).toContain(nothing);
  });

  it('shows nothing of an upload whose content broke off, says what broke it, and leaves nothing behind', async () => {
    const broken = Readable.from((async function* () {
      for (let part = 0; part < 3; part += 1) yield randomBytes(6 * 1024 * 1024);
      throw new Error('the content broke off');
    })(), { objectMode: false });
    await expect(storage.put('broken', broken)).rejects.toThrow('the content broke off');
    await expect(storage.get('broken')).rejects.toMatchObject({ code: 'NOT_FOUND' });
    await storage.delete('broken');
    expect(dump()).toContain(nothing);
  });

  it('deletes every version where the bucket keeps versions', async () => {
    set(bench.simulator, { versioning: true });
    await storage.put('kept', streamOf(Buffer.from('one')));
    await storage.put('kept', streamOf(Buffer.from('two')));
    await storage.delete('kept');
    expect(dump()).toContain(nothing);
  });

  it('says that it refused where a lock holds, and that it is down where it is', async () => {
    await storage.put('locked', streamOf(Buffer.from('x')));
    set(bench.simulator, { locked: true });
    await expect(storage.delete('locked')).rejects.toMatchObject({ code: 'STORAGE_REFUSED' });
    set(bench.simulator, { locked: false });
    bench.simulator.fault({ kind: 'status', status: 503, times: 100 });
    await expect(storage.delete('locked')).rejects.toMatchObject({ code: 'STORAGE_UNAVAILABLE' });
    bench.simulator.clearFaults();
    await storage.delete('locked');
  });

  it('is refused with the credentials of somebody else', async () => {
    const stranger = await bench.open(kind === 's3' ? { access_key: { id: '${env:S3_ID}', secret: '${env:WRONG}' } } : { credentials: '${env:WRONG}' });
    await expect(stranger.put('x', streamOf(Buffer.from('x')))).rejects.toMatchObject({ code: 'STORAGE_REFUSED' });
    expect(dump()).toContain(nothing);
  });

  it('takes nothing of a server-side encryption that it was asked for and did not do', async () => {
    const asking = await bench.open(kind === 's3' ? { server_side_encryption: 'aws:kms' } : { kms_key_name: kmsKey });
    await asking.put('sealed', streamOf(Buffer.from('x')));
    if (kind === 'gcs') expect(dump()).toContain(`"kmsKeyName":"${kmsKey}"`);
    await asking.delete('sealed');
    set(bench.simulator, { encrypts: false });
    await expect(asking.put('open', streamOf(Buffer.from('x')))).rejects.toMatchObject({ code: 'STORAGE_REFUSED' });
    expect(dump()).toContain(nothing);
  });

  it('makes links that open one object for minutes, and no other', async () => {
    await storage.put('linked', streamOf(Buffer.from('content')));
    await storage.put('other', streamOf(Buffer.from('other')));
    const { url } = (await storage.link?.('linked', { seconds: 600, filename: 'export.zip' })) ?? { url: '' };
    const answer = await fetch(url);
    expect([answer.status, await answer.text(), answer.headers.get('content-disposition')?.includes('export.zip')]).toEqual([200, 'content', true]);
    expect((await fetch(url.replace('/linked?', '/other?'))).status).toBe(403);
    bench.simulator.advance(601_000);
    expect((await fetch(url)).status).toBe(403);
    bench.simulator.advance(-601_000);
  });

  it.each(['age', 'storage'] as const)('carries a package from its pages to the person, encrypted by %s', async (encryption) => {
    const own = await bench.open({}, encryption);
    const world = await openExportsWorld(shared.open(), { storage: () => own, encryption });
    try {
      const requestId = await world.openRequest();
      await world.addPage(requestId, { taskId: world.newTask(), connection: 'shop', ordinal: 0, records: [{ type: 'order', data: { id: 1 } }] });
      await world.make(requestId);
      const token = await world.tokenOf(requestId);
      await world.app?.inject({ method: 'POST', url: `/v1/exports/${token}/code` });
      const answer = await world.app?.inject({ method: 'POST', url: `/v1/exports/${token}/download`, payload: { code: await world.codeOf(requestId) } });
      expect(answer?.statusCode).toBe(encryption === 'age' ? 200 : 303);
      const bytes = encryption === 'age' ? answer?.rawPayload : Buffer.from(await (await fetch(String(answer?.headers['location']))).arrayBuffer());
      expect([...readZip(bytes ?? Buffer.alloc(0)).keys()]).toEqual(['export.json', 'index.html', 'manifest.json']);
      await world.exports.revoke(requestId, 'desk');
      expect(dump()).toContain(nothing);
    } finally {
      await world.close();
    }
  });
});

it('a local folder is refused where only the storage is to encrypt', async () => {
  await expect(configured({ kind: 'local' }, 'storage', {})).rejects.toMatchObject({ code: 'CONFIG_INVALID' });
  expect((await configured({ kind: 'local' }, 'age', {})).kind).toBe('local');
});
