import { hashBytes, nodeHash, type NodeReader, type TreeNode } from './merkle.ts';
import { refuse, type Checked } from './result.ts';

/** Levels of the tree in one tile, and hashes in a full one (c2sp.org/tlog-tiles). */
export const tileHeight = 8;
/** Hashes in a full tile, and entries in a full bundle. */
export const tileWidth = 256;
/** Bytes of the largest entry: a bundle gives its length in 16 bits. */
export const entryBytesMax = 65_535;

/** A tile: its level, its index within the level, and how many hashes it has (256 when full). `entries` names a bundle of entries. */
export interface TileRef {
  readonly level: number | 'entries';
  readonly index: number;
  readonly width: number;
}

/** Gives the path of a tile or an entry bundle: `tile/0/x001/x234/067.p/8`. */
export function tilePath(tile: TileRef): string {
  let rest = tile.index;
  let path = String(rest % 1000).padStart(3, '0');
  while (rest >= 1000) {
    rest = Math.floor(rest / 1000);
    path = `x${String(rest % 1000).padStart(3, '0')}/${path}`;
  }
  return `tile/${tile.level}/${path}${tile.width === tileWidth ? '' : `.p/${tile.width}`}`;
}

/** Reads the path of a tile or an entry bundle, in its one form, or answers undefined. */
export function parseTilePath(path: string): TileRef | undefined {
  const match = /^tile\/(entries|\d{1,2})\/((?:x\d{3}\/){0,5}\d{3})(?:\.p\/(\d{1,3}))?$/u.exec(path);
  if (match === null) return undefined;
  const [, level = '', digits = '', width] = match;
  const tile: TileRef = {
    level: level === 'entries' ? level : Number(level),
    index: Number(digits.replaceAll(/[x/]/gu, '')),
    width: width === undefined ? tileWidth : Number(width),
  };
  const valid = Number.isSafeInteger(tile.index) && tile.width > 0 && (tile.level === 'entries' || tile.level < 64);
  return valid && tilePath(tile) === path ? tile : undefined;
}

/** Lists the tiles of one level of a tree: the full ones, and the partial one at its end where there is one. */
export function tilesOfLevel(level: number | 'entries', size: number): readonly TileRef[] {
  const hashes = level === 'entries' ? size : Math.floor(size / tileWidth ** level);
  const tiles: TileRef[] = [];
  for (let index = 0; index * tileWidth < hashes; index += 1) {
    tiles.push({ level, index, width: Math.min(tileWidth, hashes - index * tileWidth) });
  }
  return tiles;
}

/** Puts entries into a bundle: each behind its length in two bytes, big end first. Throws a RangeError for an entry over 65,535 bytes. */
export function encodeBundle(entries: readonly Uint8Array[]): Buffer {
  return Buffer.concat(
    entries.flatMap((entry) => {
      if (entry.length > entryBytesMax) throw new RangeError('An audit entry has at most 65,535 bytes');
      const length = Buffer.alloc(2);
      length.writeUInt16BE(entry.length);
      return [length, entry];
    }),
  );
}

/** Takes a bundle of exactly `width` entries apart. */
export function decodeBundle(bundle: Uint8Array, width: number): Checked<{ readonly entries: readonly Buffer[] }> {
  const bytes = Buffer.from(bundle.buffer, bundle.byteOffset, bundle.byteLength);
  const entries: Buffer[] = [];
  let at = 0;
  while (at + 2 <= bytes.length && entries.length < width) {
    const end = at + 2 + bytes.readUInt16BE(at);
    if (end > bytes.length) break;
    entries.push(bytes.subarray(at + 2, end));
    at = end;
  }
  return at === bytes.length && entries.length === width
    ? { ok: true, entries }
    : refuse('tile', `An entry bundle does not hold exactly ${width} entries`);
}

/** Gives the hash over a power of two of hashes. */
export function hashOfTile(hashes: readonly Buffer[]): Buffer {
  let level = [...hashes];
  while (level.length > 1) {
    const next: Buffer[] = [];
    for (let at = 0; at + 1 < level.length; at += 2) next.push(nodeHash(level[at] as Buffer, level[at + 1] as Buffer));
    level = next;
  }
  const [root] = level;
  if (root === undefined) throw new RangeError('A tile without hashes has no hash');
  return root;
}

/** Reads `count` hashes of a tile level from `from` on: level 0 are leaf hashes, level n the hashes of full tiles below. */
export type LevelReader = (level: number, from: number, count: number) => Promise<readonly Buffer[]>;

/** Thrown by a tile reader where the tree has no hashes; whatever else it throws is the storage's, and says nothing about the log. */
export class MissingHashes extends Error {
  constructor(node: TreeNode) {
    super(`The log's tree has no hashes at level ${node.level}, index ${node.index}`);
    this.name = 'MissingHashes';
  }
}

/** Makes a reader that reads whole tiles and each of them once: for one look at a log, in which many subtrees lie in the same tiles. */
export function readWholeTiles(read: LevelReader): LevelReader {
  const tiles = new Map<string, Promise<readonly Buffer[]>>();
  return async (level, from, count) => {
    const first = from - (from % tileWidth);
    // Across the end of a tile nothing is asked for by a subtree.
    if (from + count > first + tileWidth) return read(level, from, count);
    const key = `${level}/${first}`;
    const tile = tiles.get(key) ?? read(level, first, tileWidth);
    tiles.set(key, tile);
    return (await tile).slice(from - first, from - first + count);
  };
}

/** Makes a reader of subtree hashes over stored tiles: each costs at most 128 stored hashes, whatever the size of the log. */
export function createTileReader(read: LevelReader): NodeReader {
  const one = async (node: TreeNode): Promise<Buffer> => {
    const within = node.level % tileHeight;
    const count = 2 ** within;
    const hashes = await read((node.level - within) / tileHeight, node.index * count, count);
    if (hashes.length !== count || hashes.some((each) => each.length !== hashBytes)) {
      throw new MissingHashes(node);
    }
    return hashOfTile(hashes);
  };
  return (nodes) => Promise.all(nodes.map((node) => one(node)));
}
