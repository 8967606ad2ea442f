import { parseEntry, firstPrev, type AuditEntryHead } from './entry.ts';
import { createHeadCursor } from './head-cursor.ts';
import { verifyHeads, type ProofGrade, type SignedHead, type Trust, type VerifiedHead } from './heads.ts';
import { createFrontier, leafHash, type Frontier, type TreeNode } from './merkle.ts';
import { refuse, type Checked, type Refusal } from './result.ts';
import { tileHeight } from './tiles.ts';

/** One row of a log, as it is stored. */
export interface LogRow {
  readonly seq: number;
  readonly entry: Uint8Array;
  /** The hash that stands beside the entry. */
  readonly hash: Uint8Array;
}

/** A prefix of a log that was verified before: enough to go on from there. It is believed only where a signed head of its size agrees. */
export interface VerifiedPrefix {
  readonly size: number;
  /** The roots of the complete subtrees, from left to right. */
  readonly hashes: readonly Buffer[];
  /** The hash of the last row. */
  readonly lastHash: Buffer;
}

/** What to verify, and against what. */
export interface LogVerification {
  readonly origin: string;
  /** The rows by ascending `seq`, in batches of any size, from the start or from where `from` ends. */
  readonly rows: AsyncIterable<readonly LogRow[]> | Iterable<readonly LogRow[]>;
  readonly heads: readonly SignedHead[];
  /** Heads besides, by ascending size, in batches of any size: for the many that a log has stored. */
  readonly storedHeads?: AsyncIterable<readonly SignedHead[]>;
  readonly trust: Trust;
  readonly from?: VerifiedPrefix;
  /** How many rows the operational database says there must be: at least those delivered, at most those ever recorded. */
  readonly expected?: { readonly atLeast: number; readonly atMost: number };
  /** Refuse when a row has waited for a signed head for longer than `maxMs` at `nowMs`. */
  readonly headAge?: { readonly nowMs: number; readonly maxMs: number };
  /** Hears of each hash of a full tile, for who compares stored ones: level 1 is the hash of 256 leaves. */
  readonly onTile?: (level: number, index: number, hash: Buffer) => void;
  readonly onProgress?: (rows: number) => void;
}

/** What a verification of a log found. */
export interface LogVerified {
  readonly size: number;
  readonly root: Buffer;
  /** Rows read in this run. */
  readonly rows: number;
  /** The grade of the largest signed head; `chain` when there is none. */
  readonly grade: ProofGrade;
  /** Rows under a signed head; those after it are only chained so far. */
  readonly signedSize: number;
  readonly prefix: VerifiedPrefix;
}

interface Walk {
  readonly origin: string;
  readonly tree: Frontier;
  prev: string;
  last: Buffer;
}

/** Checks one row against the state of the walk. */
function checkRow(row: LogRow, walk: Walk): Checked<{ readonly entry: AuditEntryHead; readonly hash: Buffer }> {
  const seq = walk.tree.size();
  if (row.seq > seq) return refuse('gap', `Row ${seq} is missing: row ${row.seq} stands where it should be`, seq);
  if (row.seq < seq) return refuse('duplicate', `Row ${row.seq} stands twice`, row.seq);
  const hash = leafHash(row.entry);
  if (!hash.equals(row.hash)) return refuse('row-hash', `Row ${seq} was changed: its bytes do not have its hash`, seq);
  const parsed = parseEntry(row.entry);
  if (!parsed.ok) return refuse('entry', `Row ${seq}: ${parsed.message}`, seq);
  const { entry } = parsed;
  if (entry.log !== walk.origin) return refuse('splice', `Row ${seq} belongs to another log`, seq);
  if (entry.seq !== seq) {
    return refuse('order', `Row ${seq} holds the entry that was written as row ${entry.seq}: rows were moved, inserted or removed`, seq);
  }
  if (entry.prev !== walk.prev) return refuse('link', `Row ${seq} does not continue the row before it`, seq);
  return { ok: true, entry, hash };
}

/** Tells which of two rows that do not fit together was changed: when the row after continues the second, the second is genuine. */
function blameLink(refusal: Refusal, row: LogRow, following: LogRow | undefined): Refusal {
  if (row.seq === 0) return refusal;
  const next = following === undefined ? undefined : parseEntry(following.entry);
  const genuine = next === undefined || (next.ok && next.entry.prev === leafHash(row.entry).toString('hex'));
  return genuine ? refuse('link', `Row ${row.seq - 1} is not the row that row ${row.seq} was chained to`, row.seq - 1) : refusal;
}

function headMismatch(head: VerifiedHead, goodSize: number): Refusal {
  const { size } = head.checkpoint;
  const range = `rows ${goodSize} to ${size - 1}`;
  return head.source === 'exported'
    ? refuse('rollback', `The log no longer holds what a head exported at ${size} rows signed: ${range} were rolled back or rewritten`, goodSize)
    : refuse('head-root', `The tree of ${size} rows is not the one that was signed: something in ${range} was rewritten and chained anew`, goodSize);
}

function startWalk(input: LogVerification, heads: readonly VerifiedHead[]): Checked<{ readonly walk: Walk }> {
  const { from, onTile } = input;
  const onNode = onTile === undefined ? undefined : (node: TreeNode, hash: Buffer): void => {
    if (node.level % tileHeight === 0) onTile(node.level / tileHeight, node.index, hash);
  };
  if (from === undefined) {
    return { ok: true, walk: { origin: input.origin, tree: createFrontier(0, [], onNode), prev: firstPrev, last: Buffer.from(firstPrev, 'hex') } };
  }
  try {
    const tree = createFrontier(from.size, from.hashes, onNode);
    const anchored = heads.some((head) => head.checkpoint.size === from.size && head.checkpoint.root.equals(tree.root()));
    if (!anchored) return refuse('start', `No signed head agrees with the ${from.size} rows that are said to be verified already`);
    const prev = from.size === 0 ? firstPrev : from.lastHash.toString('hex');
    return { ok: true, walk: { origin: input.origin, tree, prev, last: from.lastHash } };
  } catch {
    return refuse('start', `What was kept of the ${from.size} rows verified already is not a tree of that size`);
  }
}

function checkEnd(input: LogVerification, size: number, beyond: VerifiedHead | undefined, signedSize: number, firstUnsignedAt: string | undefined): Refusal | undefined {
  if (beyond !== undefined) {
    const kept = beyond.source === 'exported' ? 'exported' : 'stored';
    return refuse('truncated', `The log ends after ${size} rows, and a ${kept} head was signed over ${beyond.checkpoint.size}: its end was cut off`, size);
  }
  const { expected, headAge } = input;
  if (expected !== undefined && size < expected.atLeast) {
    return refuse('count', `The log has ${size} rows, and ${expected.atLeast} were delivered to it`, size);
  }
  if (expected !== undefined && size > expected.atMost) {
    return refuse('count', `The log has ${size} rows, and only ${expected.atMost} were ever recorded`, expected.atMost);
  }
  if (headAge !== undefined && firstUnsignedAt !== undefined && headAge.nowMs - Date.parse(firstUnsignedAt) > headAge.maxMs) {
    return refuse('head-age', `The newest signed head is too old: a row of ${firstUnsignedAt} is not under any`, signedSize);
  }
  return undefined;
}

/**
 * Verifies a log as it streams by: every hash, every link, the whole tree, and every signed head. Names the first bad row and what is wrong
 * with it. Where everything after a change was chained anew, only a signed head shows it; then the row named is the first after the last
 * head that still agrees. Memory does not grow with the log. Rows that repeat an earlier size's prefix can be skipped with `from`.
 */
export async function verifyLog(input: LogVerification): Promise<Checked<LogVerified>> {
  const verified = verifyHeads(input.heads, input.origin, input.trust);
  if (!verified.ok) return verified;
  const started = startWalk(input, verified.heads);
  if (!started.ok) return started;
  const { walk } = started;
  const startSize = walk.tree.size();
  const few = verified.heads.filter((head) => head.checkpoint.size >= startSize);
  const opened = await createHeadCursor(few, input.storedHeads?.[Symbol.asyncIterator]() ?? [][Symbol.iterator](), input.origin, input.trust);
  if (!opened.ok) return opened;
  const { cursor } = opened;
  let goodSize = startSize;
  /** The last head that the walk has come by, or that was signed over what was verified before. */
  let lastHead = verified.heads.findLast((head) => head.checkpoint.size < startSize);
  let firstUnsignedAt: string | undefined;
  const checkHeads = async (): Promise<Refusal | undefined> => {
    const here = cursor.next();
    const [head] = here?.heads ?? [];
    if (here === undefined || head === undefined) return undefined;
    if (!here.root.equals(walk.tree.root())) return headMismatch(head, goodSize);
    goodSize = here.size;
    lastHead = here.heads.at(-1);
    firstUnsignedAt = undefined;
    return cursor.advance();
  };
  const isAtHead = (): boolean => cursor.next()?.size === walk.tree.size();
  const atStart = isAtHead() ? await checkHeads() : undefined;
  if (atStart !== undefined) return atStart;
  const batches = Symbol.asyncIterator in input.rows ? input.rows[Symbol.asyncIterator]() : input.rows[Symbol.iterator]();
  for (let batch = await batches.next(); batch.done !== true; batch = await batches.next()) {
    const rows = batch.value;
    for (const [at, row] of rows.entries()) {
      const result = checkRow(row, walk);
      if (!result.ok) {
        if (result.check !== 'link') return result;
        const more = at + 1 < rows.length ? undefined : await batches.next();
        return blameLink(result, row, rows[at + 1] ?? (more?.done === true ? undefined : more?.value[0]));
      }
      firstUnsignedAt ??= result.entry.at;
      walk.tree.append(result.hash);
      walk.prev = result.hash.toString('hex');
      walk.last = result.hash;
      const mismatch = isAtHead() ? await checkHeads() : undefined;
      if (mismatch !== undefined) return mismatch;
    }
    input.onProgress?.(walk.tree.size() - startSize);
  }
  const signedSize = lastHead?.checkpoint.size ?? 0;
  const atEnd = checkEnd(input, walk.tree.size(), cursor.next()?.heads[0], signedSize, firstUnsignedAt);
  if (atEnd !== undefined) return atEnd;
  return {
    ok: true,
    size: walk.tree.size(),
    root: walk.tree.root(),
    rows: walk.tree.size() - startSize,
    grade: lastHead?.grade ?? 'chain',
    signedSize,
    prefix: { size: walk.tree.size(), hashes: walk.tree.hashes(), lastHash: walk.last },
  };
}
