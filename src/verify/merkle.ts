import { hash } from 'node:crypto';

/** Bytes of a SHA-256 hash. */
export const hashBytes = 32;

/** Proofs longer than this are refused unread: a tree of 2^53 leaves has paths of 53. */
export const proofHashesMax = 64;

/** Gives SHA-256 of some bytes. The one-shot call is a third faster than `createHash`. */
export function sha256(bytes: Uint8Array | string): Buffer {
  return hash('sha256', bytes, 'buffer');
}

/** The root of a tree without leaves: SHA-256 of nothing (RFC 6962, section 2.1). */
export const emptyRoot: Buffer = sha256('');

/** Where a short entry is put behind its prefix, so that hashing a million rows allocates nothing but the hashes. */
const scratch = Buffer.alloc(4096);

/** Gives the hash of a leaf: SHA-256(0x00 ‖ entry) (RFC 6962, section 2.1). It is also the row's hash in the chain. */
export function leafHash(entry: Uint8Array): Buffer {
  if (entry.length >= scratch.length) return sha256(Buffer.concat([Buffer.of(0), entry]));
  scratch[0] = 0;
  scratch.set(entry, 1);
  return sha256(scratch.subarray(0, entry.length + 1));
}

const nodeScratch = Buffer.alloc(1 + 2 * hashBytes);

/** Gives the hash of an inner node: SHA-256(0x01 ‖ left ‖ right) (RFC 6962, section 2.1). Both must be 32 bytes. */
export function nodeHash(left: Uint8Array, right: Uint8Array): Buffer {
  nodeScratch[0] = 1;
  nodeScratch.set(left, 1);
  nodeScratch.set(right, 1 + hashBytes);
  return sha256(nodeScratch);
}

/** Leaves [from, to) of a tree. */
export interface LeafRange {
  readonly from: number;
  readonly to: number;
}

/** A complete subtree: the hash over leaves [index × 2^level, (index + 1) × 2^level). */
export interface TreeNode {
  readonly level: number;
  readonly index: number;
}

/** Reads the hashes of complete subtrees, in the order asked. */
export type NodeReader = (nodes: readonly TreeNode[]) => Promise<readonly Buffer[]>;

/** The largest power of two below `size`: where RFC 6962 splits a tree. `size` must be over 1. */
function splitPoint(size: number): number {
  let power = 1;
  while (power * 2 < size) power *= 2;
  return power;
}

/** Gives the complete subtrees that make up a range whose start is aligned as RFC 6962's subtrees are, from left to right. */
export function nodesOfRange(range: LeafRange): readonly TreeNode[] {
  const nodes: TreeNode[] = [];
  let { from } = range;
  while (from < range.to) {
    let level = 0;
    let width = 1;
    while (from % (width * 2) === 0 && from + width * 2 <= range.to) {
      level += 1;
      width *= 2;
    }
    nodes.push({ level, index: from / width });
    from += width;
  }
  return nodes;
}

/** Gives the ranges whose hashes are the inclusion proof of a leaf, from the leaf's sibling up (RFC 6962, section 2.1.1). */
export function inclusionRanges(index: number, size: number): readonly LeafRange[] {
  const ranges: LeafRange[] = [];
  let from = 0;
  let to = size;
  while (to - from > 1) {
    const middle = from + splitPoint(to - from);
    if (index < middle) {
      ranges.push({ from: middle, to });
      to = middle;
    } else {
      ranges.push({ from, to: middle });
      from = middle;
    }
  }
  return ranges.toReversed();
}

/** Gives the ranges whose hashes prove that the tree of `first` leaves is a prefix of that of `second` (RFC 6962, section 2.1.2). */
export function consistencyRanges(first: number, second: number): readonly LeafRange[] {
  const ranges: LeafRange[] = [];
  let from = 0;
  let to = second;
  // Whether the subtree that the old size ends in has been the whole old tree so far: then its hash is the old root, known already.
  let wholeOld = true;
  while (first < to) {
    const middle = from + splitPoint(to - from);
    if (first <= middle) {
      ranges.push({ from: middle, to });
      to = middle;
    } else {
      ranges.push({ from, to: middle });
      from = middle;
      wholeOld = false;
    }
  }
  if (!wholeOld) ranges.push({ from, to });
  return ranges.toReversed();
}

function foldRight(hashes: readonly Buffer[]): Buffer {
  let folded: Buffer | undefined;
  for (const each of hashes.toReversed()) folded = folded === undefined ? each : nodeHash(each, folded);
  return folded ?? emptyRoot;
}

async function hashRanges(ranges: readonly LeafRange[], read: NodeReader): Promise<Buffer[]> {
  const nodes = ranges.map((range) => nodesOfRange(range));
  const hashes = await read(nodes.flat());
  const proof: Buffer[] = [];
  let at = 0;
  for (const each of nodes) {
    proof.push(foldRight(hashes.slice(at, at + each.length)));
    at += each.length;
  }
  return proof;
}

/** Makes the inclusion proof of leaf `index` in the tree of `size` leaves, reading O(log size) hashes. `index` must be below `size`. */
export async function proveInclusion(index: number, size: number, read: NodeReader): Promise<readonly Buffer[]> {
  if (!(index >= 0 && index < size)) throw new RangeError('The index of a leaf is below the size of its tree');
  return hashRanges(inclusionRanges(index, size), read);
}

/** Makes the proof that the tree of `first` leaves is a prefix of that of `second`, reading O(log size) hashes. `first` may equal `second`. */
export async function proveConsistency(first: number, second: number, read: NodeReader): Promise<readonly Buffer[]> {
  if (!(first >= 0 && first <= second)) throw new RangeError('The older tree is not larger than the newer');
  return first === 0 || first === second ? [] : hashRanges(consistencyRanges(first, second), read);
}

/** Reads the root of the first `size` leaves. */
export async function readRoot(size: number, read: NodeReader): Promise<Buffer> {
  return foldRight([...(await read(nodesOfRange({ from: 0, to: size })))]);
}

/** Gives the root of a tree with these leaf hashes. */
export function rootOf(leaves: readonly Uint8Array[]): Buffer {
  const tree = createFrontier();
  for (const leaf of leaves) tree.append(Buffer.from(leaf));
  return tree.root();
}

/** Says whether `proof` shows that `leaf` is at `index` in the tree of `size` leaves with this root (RFC 9162, section 2.1.3.2). */
export function verifyInclusion(
  leaf: Uint8Array,
  index: number,
  size: number,
  proof: readonly Uint8Array[],
  root: Uint8Array,
): boolean {
  if (!Number.isSafeInteger(index) || !Number.isSafeInteger(size) || index < 0 || index >= size) return false;
  if (leaf.length !== hashBytes || proof.length > proofHashesMax) return false;
  let fn = index;
  let sn = size - 1;
  let computed = Buffer.from(leaf);
  for (const sibling of proof) {
    if (sn === 0 || sibling.length !== hashBytes) return false;
    if (fn % 2 === 1 || fn === sn) {
      computed = nodeHash(sibling, computed) as Buffer<ArrayBuffer>;
      while (fn % 2 === 0 && fn !== 0) {
        fn /= 2;
        sn = Math.floor(sn / 2);
      }
    } else {
      computed = nodeHash(computed, sibling) as Buffer<ArrayBuffer>;
    }
    fn = Math.floor(fn / 2);
    sn = Math.floor(sn / 2);
  }
  return sn === 0 && computed.equals(root);
}

/** Says whether `proof` shows that the tree of `first` leaves is a prefix of that of `second` (RFC 9162, section 2.1.4.2). */
export function verifyConsistency(
  first: number,
  second: number,
  proof: readonly Uint8Array[],
  firstRoot: Uint8Array,
  secondRoot: Uint8Array,
): boolean {
  if (!Number.isSafeInteger(first) || !Number.isSafeInteger(second) || first < 0 || first > second) return false;
  if (proof.length > proofHashesMax || proof.some((each) => each.length !== hashBytes)) return false;
  if (first === second) return proof.length === 0 && Buffer.from(firstRoot).equals(secondRoot);
  if (first === 0) return proof.length === 0 && emptyRoot.equals(firstRoot);
  let fn = first - 1;
  let sn = second - 1;
  while (fn % 2 === 1) {
    fn = Math.floor(fn / 2);
    sn = Math.floor(sn / 2);
  }
  // A first size that is a power of two: its root is a node of the new tree, and the proof leaves it out.
  const path = fn === 0 ? [firstRoot, ...proof] : [...proof];
  const start = path.shift();
  if (start === undefined) return false;
  let fr = Buffer.from(start);
  let sr = Buffer.from(start);
  for (const each of path) {
    if (sn === 0) return false;
    if (fn % 2 === 1 || fn === sn) {
      fr = nodeHash(each, fr) as Buffer<ArrayBuffer>;
      sr = nodeHash(each, sr) as Buffer<ArrayBuffer>;
      while (fn % 2 === 0 && fn !== 0) {
        fn /= 2;
        sn = Math.floor(sn / 2);
      }
    } else {
      sr = nodeHash(sr, each) as Buffer<ArrayBuffer>;
    }
    fn = Math.floor(fn / 2);
    sn = Math.floor(sn / 2);
  }
  return sn === 0 && fr.equals(firstRoot) && sr.equals(secondRoot);
}

/** A tree that only grows, kept as the roots of its complete subtrees: at most 53 hashes, whatever the number of leaves. */
export interface Frontier {
  /** Adds a leaf's hash; one further hash on average. */
  readonly append: (leaf: Buffer) => void;
  readonly size: () => number;
  readonly root: () => Buffer;
  /** The roots of the complete subtrees, from left to right: with the size, all that is needed to go on later. */
  readonly hashes: () => readonly Buffer[];
}

/**
 * Starts a growing tree, empty or from an earlier one's size and hashes. Throws a RangeError when these do not belong together.
 * `onNode` hears of each inner subtree as it becomes complete.
 */
export function createFrontier(size = 0, hashes: readonly Uint8Array[] = [], onNode?: (node: TreeNode, hash: Buffer) => void): Frontier {
  const expected = nodesOfRange({ from: 0, to: size }).length;
  if (hashes.length !== expected || hashes.some((each) => each.length !== hashBytes)) {
    throw new RangeError('A tree of this size has another number of complete subtrees');
  }
  const stack = hashes.map((each) => Buffer.from(each));
  let count = size;
  return {
    append: (leaf) => {
      let carried = leaf;
      let level = 0;
      for (let rest = count; rest % 2 === 1; rest = Math.floor(rest / 2)) {
        const left = stack.pop();
        if (left !== undefined) carried = nodeHash(left, carried);
        level += 1;
        onNode?.({ level, index: Math.floor(rest / 2) }, carried);
      }
      stack.push(carried as Buffer<ArrayBuffer>);
      count += 1;
    },
    size: () => count,
    root: () => foldRight(stack),
    hashes: () => [...stack],
  };
}
