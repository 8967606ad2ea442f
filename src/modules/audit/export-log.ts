import { existsSync } from 'node:fs';
import { mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { Database } from '../../platform/db/database.ts';
import { Failure } from '../../platform/failure.ts';
import { tilePath, tilesOfLevel, tileWidth } from '../../verify/index.ts';
import type { LogKeys } from './log-keys.ts';
import { allCheckpoints, findLog } from './log-store.ts';
import { createPublishedLog } from './read-published.ts';
import type { AuditLogTables } from './tables.ts';

/** What an export wrote. */
export interface ExportedLog {
  readonly size: number;
  /** Tiles and bundles written; those that an earlier export left in the folder are not written again. */
  readonly tiles: number;
}

async function writeWhole(path: string, bytes: Uint8Array | string): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
  await writeFile(`${path}.part`, bytes);
  await rename(`${path}.part`, path);
}

/**
 * Writes the signed log into a folder as static files (c2sp.org/tlog-tiles): `tile/…`, `tile/entries/…`, `checkpoints.jsonl`, `log-key`, and at
 * the very end `checkpoint`, so that an export which was broken off never claims more than is there. Full tiles never change: exporting into
 * the same folder again writes only what is new. Fails with `NOT_FOUND` when no head was signed yet, with `AUDIT_INVALID` when rows are missing.
 */
export async function exportLog(audit: Database, keys: Pick<LogKeys, 'origin' | 'read'>, folder: string, onProgress?: (rows: number, size: number) => void): Promise<ExportedLog> {
  const { origin } = keys;
  const db = audit.read<AuditLogTables>();
  const logId = await findLog(db, origin);
  const heads = logId === undefined ? [] : await allCheckpoints(db, logId);
  const head = heads.at(-1);
  if (head === undefined) throw new Failure('NOT_FOUND', 'No head of the log was signed yet; there is nothing to export');
  const published = createPublishedLog(audit, origin);
  let written = 0;
  for (const level of ['entries', 0, 1, 2, 3, 4, 5, 6, 7] as const) {
    for (const tile of tilesOfLevel(level, head.size)) {
      const path = join(folder, tilePath(tile));
      if (tile.width < tileWidth || !existsSync(path)) {
        const bytes = await published.tile(tile);
        if (bytes === undefined) throw new Failure('AUDIT_INVALID', `The log lacks rows or hashes of ${tilePath(tile)}; verify it to see which`);
        await writeWhole(path, bytes);
        written += 1;
      }
      if (level === 'entries') onProgress?.(Math.min(head.size, (tile.index + 1) * tileWidth), head.size);
    }
  }
  // Heads of an earlier export stay even where the database lost them: they are what shows that it did.
  const path = join(folder, 'checkpoints.jsonl');
  const kept = existsSync(path) ? (await readFile(path, 'utf8')).split('\n').filter((line) => line !== '') : [];
  const lines = new Set([...kept, ...heads.map((each) => JSON.stringify(each.note))]);
  await writeWhole(path, [...lines].map((line) => `${line}\n`).join(''));
  await writeWhole(join(folder, 'log-key'), (await keys.read()).trusted.map((line) => `${line}\n`).join(''));
  await writeWhole(join(folder, 'checkpoint'), head.note);
  return { size: head.size, tiles: written };
}
