import { decodeUtf8 } from './base64.ts';
import { parseJson } from './canonical-json.ts';
import { openCheckpoint } from './checkpoint.ts';
import { readKeys, type SignedHead, type Trust } from './heads.ts';
import { verifyLog, type LogRow, type LogVerified } from './log.ts';
import { hashBytes } from './merkle.ts';
import { refuse, type Checked, type Refusal } from './result.ts';
import { decodeBundle, hashOfTile, tilePath, tilesOfLevel, tileWidth, type TileRef } from './tiles.ts';

/** Reads one file of an exported log by its path, or answers undefined when there is none. */
export type FileReader = (path: string) => Promise<Uint8Array | undefined>;

/** What else an exported log is held against. */
export interface FolderVerification {
  readonly trust: Trust;
  /** The log that it must be; the one its own checkpoint names unless given. */
  readonly origin?: string;
  /** Heads kept elsewhere: an older export's checkpoint, one that a certificate carries. */
  readonly heads?: readonly SignedHead[];
  readonly onProgress?: (rows: number) => void;
}

/** Carries a refusal out of the stream of rows, which can only throw. */
class FolderRefused extends Error {
  readonly refusal: Refusal;
  constructor(refusal: Refusal) {
    super(refusal.message);
    this.refusal = refusal;
  }
}

async function readTile(read: FileReader, tile: TileRef): Promise<Uint8Array> {
  const path = tilePath(tile);
  const bytes = await read(path);
  if (bytes === undefined) {
    const seq = tile.level === 'entries' || tile.level === 0 ? tile.index * tileWidth : undefined;
    throw new FolderRefused(refuse('missing', `The file ${path} is missing`, seq));
  }
  return bytes;
}

async function* rowsOf(read: FileReader, size: number): AsyncGenerator<readonly LogRow[]> {
  for (const tile of tilesOfLevel('entries', size)) {
    const first = tile.index * tileWidth;
    const bundle = decodeBundle(await readTile(read, tile), tile.width);
    if (!bundle.ok) throw new FolderRefused(refuse('tile', `${tilePath(tile)}: ${bundle.message}`, first));
    const hashes = Buffer.from(await readTile(read, { ...tile, level: 0 }));
    if (hashes.length !== tile.width * hashBytes) {
      throw new FolderRefused(refuse('tile', `${tilePath({ ...tile, level: 0 })} does not hold exactly ${tile.width} hashes`, first));
    }
    yield bundle.entries.map((entry, at) => ({ seq: first + at, entry, hash: hashes.subarray(at * hashBytes, (at + 1) * hashBytes) }));
  }
}

/** Compares the tiles above level 0 with those that the rows make. */
async function checkUpperTiles(read: FileReader, size: number, levelOne: readonly Buffer[]): Promise<void> {
  let hashes = levelOne;
  for (let level = 1; hashes.length > 0; level += 1) {
    const next: Buffer[] = [];
    for (const tile of tilesOfLevel(level, size)) {
      const part = hashes.slice(tile.index * tileWidth, tile.index * tileWidth + tile.width);
      const stored = await readTile(read, tile);
      if (!Buffer.concat(part).equals(stored)) {
        throw new FolderRefused(refuse('tile', `${tilePath(tile)} does not hold the hashes of the rows below it`));
      }
      if (tile.width === tileWidth) next.push(hashOfTile(part));
    }
    hashes = next;
  }
}

function readHistory(bytes: Uint8Array | undefined): Checked<{ readonly heads: readonly SignedHead[] }> {
  const heads: SignedHead[] = [];
  if (bytes === undefined) return { ok: true, heads };
  const text = decodeUtf8(bytes);
  if (text === undefined || (text !== '' && !text.endsWith('\n'))) return refuse('encoding', 'checkpoints.jsonl is not lines of UTF-8');
  for (const line of text.split('\n').slice(0, -1)) {
    const note = parseJson(line)?.value;
    if (typeof note !== 'string') return refuse('json', 'A line of checkpoints.jsonl is not a JSON string');
    heads.push({ note, source: 'stored' });
  }
  return { ok: true, heads };
}

/**
 * Verifies an exported log: `checkpoint`, `tile/…` and `tile/entries/…` as c2sp.org/tlog-tiles lays them out, and `checkpoints.jsonl`, the
 * history of signed heads as one JSON string a line. The files are hostile until verified; a reader over HTTP works as well as one of a folder.
 */
export async function verifyFolder(read: FileReader, options: FolderVerification): Promise<Checked<LogVerified & { readonly origin: string }>> {
  const keys = readKeys(options.trust.keys);
  if (!keys.ok) return keys;
  const bytes = await read('checkpoint');
  if (bytes === undefined) return refuse('missing', 'The file checkpoint is missing');
  const note = decodeUtf8(bytes);
  if (note === undefined) return refuse('encoding', 'The file checkpoint is not UTF-8');
  const opened = openCheckpoint(note, keys.keys, options.origin);
  if (!opened.ok) return opened;
  const history = readHistory(await read('checkpoints.jsonl'));
  if (!history.ok) return history;
  const { origin, size } = opened.checkpoint;
  const levelOne: Buffer[] = [];
  try {
    const verified = await verifyLog({
      origin,
      rows: rowsOf(read, size),
      heads: [{ note, source: 'stored' }, ...history.heads, ...(options.heads ?? [])],
      trust: options.trust,
      onTile: (level, _index, hash) => {
        if (level === 1) levelOne.push(hash);
      },
      ...(options.onProgress === undefined ? {} : { onProgress: options.onProgress }),
    });
    if (!verified.ok) return verified;
    await checkUpperTiles(read, size, levelOne);
    return { ...verified, origin };
  } catch (error) {
    if (error instanceof FolderRefused) return error.refusal;
    throw error;
  }
}
