import { existsSync } from 'node:fs';
import { appendFile, mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { openCheckpoint, readKeys, tilePath, tilesOfLevel, tileWidth } from '../../../../verify/index.ts';
import { createApiClient, type ApiClient } from '../../../api-client.ts';
import { CommandError } from '../../../command-error.ts';
import { exitCodes, print, printJson, type CliContext, type JsonFlag } from '../../../context.ts';
import { openLocal } from '../../../open-local.ts';
import { createProgress } from '../../../terminal/progress.ts';

interface Flags extends JsonFlag {
  readonly database: boolean;
}

/** Levels of a log of up to 2^64 rows. */
const levels = ['entries', 0, 1, 2, 3, 4, 5, 6, 7] as const;

/** Exports the log, and says how to verify the export. */
export async function run(this: CliContext, flags: Flags, folder: string): Promise<void> {
  const progress = createProgress(this.process.stderr, 'exporting', this.now);
  const onProgress = (rows: number, size: number): void => progress.at(rows, size);
  let exported: { readonly size: number; readonly tiles: number };
  try {
    exported = flags.database ? await openLocal(this, ({ audit }) => audit.exportLog(folder, onProgress)) : await exportPublished(createApiClient(this), folder, onProgress);
  } finally {
    progress.end();
  }
  if (flags.json) printJson(this, { folder, ...exported });
  else print(this, `${folder}: ${exported.size} rows, ${exported.tiles} files written. Verify it: quittance audit verify --folder ${folder} --key <a key kept elsewhere>`);
}

/** Writes what a server publishes; `checkpoint` comes last, so that an export that was broken off never claims more than is there. */
async function exportPublished(api: ApiClient, folder: string, onProgress: (rows: number, size: number) => void): Promise<{ readonly size: number; readonly tiles: number }> {
  const note = (await api.getBytes('/v1/audit/checkpoint')).toString('utf8');
  // After the head: the key of one that was signed a moment ago may be new.
  const key = await api.getBytes('/.well-known/quittance-log-key');
  const keys = readKeys(key.toString('utf8').split('\n').filter((line) => line !== ''));
  const opened = keys.ok ? openCheckpoint(note, keys.keys) : keys;
  if (!opened.ok) throw new CommandError(exitCodes.failed, `The server’s checkpoint is not signed by its own key (${opened.check}); nothing was exported`);
  const { size } = opened.checkpoint;
  let tiles = 0;
  for (const level of levels) {
    for (const tile of tilesOfLevel(level, size)) {
      const path = join(folder, tilePath(tile));
      // A full tile never changes, so one that an earlier export wrote is not fetched again.
      if (tile.width < tileWidth || !existsSync(path)) {
        await writeWhole(path, await api.getBytes(`/v1/audit/${tilePath(tile)}`));
        tiles += 1;
      }
      if (level === 'entries') onProgress(Math.min(size, (tile.index + 1) * tileWidth), size);
    }
  }
  await keepHead(join(folder, 'checkpoints.jsonl'), note);
  await writeWhole(join(folder, 'log-key'), key);
  await writeWhole(join(folder, 'checkpoint'), note);
  return { size, tiles };
}

async function writeWhole(path: string, bytes: Uint8Array | string): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
  await writeFile(`${path}.part`, bytes);
  await rename(`${path}.part`, path);
}

/** Every head that was ever exported stays: a later log must still contain it. */
async function keepHead(path: string, note: string): Promise<void> {
  const line = `${JSON.stringify(note)}\n`;
  await mkdir(dirname(path), { recursive: true });
  const kept = existsSync(path) ? await readFile(path, 'utf8') : '';
  if (!kept.endsWith(line)) await appendFile(path, line);
}
