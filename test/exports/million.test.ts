import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { RequestId, TaskId } from '../../src/contract/ids.ts';
import { openPostgres } from '../../src/platform/db/postgres.ts';
import type { Database } from '../../src/platform/db/database.ts';
import { sharedPostgres } from '../support/databases.ts';
import { openExportsWorld, type ExportsWorld } from './exports-world.ts';
import { readZip } from '../../src/cli/demo/read-zip.ts';

const records = 1_000_000;
const peakMbMax = 256;
/** As docs/guides/exports.md says for workers on small machines: without it, V8 lets short-lived objects take some 80 MB before it looks. */
const flags = ['--max-semi-space-size=4'];
const script = fileURLToPath(new URL('million-process.ts', import.meta.url));

let [url, database, world]: [string, Database | undefined, ExportsWorld | undefined] = ['', undefined, undefined];
const masterKey = randomBytes(32);
const folder = mkdtempSync(join(tmpdir(), 'quittance-million-'));
beforeAll(async () => {
  url = await sharedPostgres().createDatabase('main');
  database = openPostgres(url, () => undefined);
  world = await openExportsWorld(database, { before: { folder, masterKey } });
});
afterAll(async () => {
  await world?.close();
  await database?.close();
});

interface Said {
  readonly number?: number;
  readonly making?: true;
  readonly state?: string;
  readonly records?: number;
  readonly peakMb?: number;
}

/** Runs the process until it ends, or kills it as soon as `isEnough` says so; answers the last that it said. */
async function run(requestId: RequestId, tasks: readonly TaskId[], isEnough: (said: Said) => boolean | Promise<boolean>): Promise<Said> {
  const child = spawn(process.execPath, [...flags, script, url, folder, masterKey.toString('hex'), requestId, ...tasks, String(records)], { stdio: ['ignore', 'pipe', 'inherit'] });
  const ended = once(child, 'exit');
  let last: Said = {};
  for await (const line of createInterface({ input: child.stdout })) {
    last = JSON.parse(line) as Said;
    expect(last.peakMb).toBeGreaterThan(30);
    expect(last.peakMb).toBeLessThan(peakMbMax);
    if (!(await isEnough(last))) continue;
    child.kill('SIGKILL');
    break;
  }
  await ended;
  return last;
}

/** Answers once the package that is being written has some bytes on the disk. */
async function untilHalfWritten(): Promise<true> {
  const exports = join(folder, 'exports');
  for (;;) {
    const isUnderWay = readdirSync(exports).some((name) => name.endsWith('.unfinished') && statSync(join(exports, name)).size > 4 * 1024 * 1024);
    if (isUnderWay) return true;
    await new Promise((resolve) => setImmediate(resolve));
  }
}

it('a million records are gathered and packed under 256 MB, through a kill while gathering and one while packing', { timeout: 600_000 }, async () => {
  if (world === undefined) throw new Error('The world is made before all tests');
  const requestId = await world.openRequest();
  const tasks = [world.newTask(), world.newTask()].toSorted();
  expect(await run(requestId, tasks, ({ number }) => number === 600)).toMatchObject({ number: 600 });
  expect(await run(requestId, tasks, async ({ making }) => making === true && untilHalfWritten())).toMatchObject({ making: true });
  expect(await world.exports.statusOf(requestId)).toMatchObject({ state: 'making', records: null });
  const done = await run(requestId, tasks, () => false);
  expect(done).toMatchObject({ state: 'ready', records });

  const { delivery } = world.exports;
  const link = await delivery.open(await world.tokenOf(requestId));
  await delivery.requestCode(link);
  const handout = await delivery.download(link, await world.codeOf(requestId));
  if (handout.kind !== 'stream') throw new Error('A local package is streamed');
  const chunks: Buffer[] = [];
  for await (const chunk of handout.stream) chunks.push(chunk as Buffer);
  const lines = readZip(Buffer.concat(chunks)).get('data/orders.jsonl') ?? Buffer.alloc(0);
  let [expected, start] = [0, 0];
  while (start < lines.length) {
    const end = lines.indexOf(0x0a, start);
    const { data } = JSON.parse(lines.toString('utf8', start, end)) as { data: { id: number } };
    if (data.id !== expected) throw new Error(`Record ${expected} is not where it should be`);
    expected += 1;
    start = end + 1;
  }
  expect(expected).toBe(records);
});
