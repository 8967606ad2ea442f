import type { Database } from '../../platform/db/database.ts';
import { encodeBundle, tileWidth, type TileRef } from '../../verify/index.ts';
import { createLevelReader, findLog, newestCheckpoint, readRows } from './log-store.ts';
import type { AuditLogTables } from './tables.ts';

/** The log as c2sp.org/tlog-tiles publishes it. */
export interface PublishedLog {
  /** The newest signed head, or undefined before there is one. */
  readonly checkpoint: () => Promise<{ readonly size: number; readonly note: string } | undefined>;
  /** The bytes of a tile or an entry bundle, or undefined where the signed log does not reach so far. */
  readonly tile: (tile: TileRef) => Promise<Buffer | undefined>;
}

/** Reads what is published of a log: only what a signed head covers. */
export function createPublishedLog(audit: Database, origin: string): PublishedLog {
  const db = audit.read<AuditLogTables>();
  const checkpoint: PublishedLog['checkpoint'] = async () => {
    const logId = await findLog(db, origin);
    return logId === undefined ? undefined : newestCheckpoint(db, logId);
  };
  return {
    checkpoint,
    tile: async ({ level, index, width }) => {
      const logId = await findLog(db, origin);
      const head = logId === undefined ? undefined : await newestCheckpoint(db, logId);
      if (logId === undefined || head === undefined) return undefined;
      const from = index * tileWidth;
      const published = level === 'entries' ? head.size : Math.floor(head.size / tileWidth ** level);
      if (from + width > published) return undefined;
      if (level === 'entries') {
        const rows = await readRows(db, logId, from, width);
        return rows.length === width && rows.every((row, at) => row.seq === from + at) ? encodeBundle(rows.map((row) => row.entry)) : undefined;
      }
      const hashes = await createLevelReader(db, logId)(level, from, width);
      return hashes.length === width ? Buffer.concat(hashes) : undefined;
    },
  };
}
