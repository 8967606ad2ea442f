import type { Database, ExclusiveLock } from '../../platform/db/database.ts';
import { Failure } from '../../platform/failure.ts';
import {
  canonicalJson,
  createFrontier,
  createTileReader,
  firstPrev,
  leafHash,
  MissingHashes,
  nodesOfRange,
  openCheckpoint,
  proveConsistency,
  readWholeTiles,
  sha256,
  signCheckpoint,
  tileHeight,
  verifyConsistency,
  type Frontier,
  type NodeReader,
} from '../../verify/index.ts';
import type { LogKeys } from './log-keys.ts';
import { appendedAmong, appendRows, claimLog, createLevelReader, fencedCodes, keepCheckpoint, lastRow, lastSizeSignedBy, newestCheckpoint, rowOfEvent, type Claim, type StoredCheckpoint } from './log-store.ts';
import { markDelivered, undelivered, type OutboxRow } from './outbox-store.ts';
import type { AuditLogTables, AuditOutboxTables } from './tables.ts';

/** What the log's writer needs. */
export interface LogWriterDeps {
  /** The operational database, which has the outbox. */
  readonly main: Database;
  /** The audit database. */
  readonly audit: Database;
  /** Sign checkpoints; each signed head is an occasion to look whether they change. */
  readonly keys: Pick<LogKeys, 'origin' | 'read' | 'tend'>;
}

/** The single writer of the log. */
export interface LogWriter {
  /** Appends everything recorded so far and gives how many rows that were; undefined when another process is the writer. */
  readonly flush: () => Promise<number | undefined>;
  /**
   * Signs a head over all rows, if there are new ones since the last, and gives the newest head; undefined when another process is the writer
   * or the log is empty. Fails with `AUDIT_INVALID`, and signs nothing, when the rows no longer continue what was signed before. Then sees to
   * the keys: lets an announced one sign, retires one whose overlap is over.
   */
  readonly checkpoint: () => Promise<StoredCheckpoint | undefined>;
  /** How many rows have no signed head yet. */
  readonly unsigned: () => number;
  /** Lets another process become the writer. */
  readonly release: () => Promise<void>;
}

interface WriterState {
  readonly lock: ExclusiveLock;
  readonly claim: Claim;
  readonly tree: Frontier;
  /** Hashes of full tiles that became complete since the last append. */
  readonly tiles: { level: number; index: number; hash: string }[];
  prev: string;
  head: StoredCheckpoint | undefined;
  /** Everything that a writer before this one may have appended without marking it is marked. */
  isCaughtUp: boolean;
}

/** Rows in one commit: audit.md's limit, which at 5 ms a commit is 100,000 rows a second. */
const batchRows = 500;

/** The advisory lock of a log: 63 bits of a hash of its origin. */
const lockKey = (origin: string): bigint => sha256(`quittance audit writer ${origin}`).readBigUInt64BE() >> 1n;

/**
 * Says what is wrong when a tree does not continue a signed head, or undefined. Of a head that none of the log's keys signed the kept root is
 * taken as it stands; verification says what is wrong with its signature.
 */
async function findBreak(deps: LogWriterDeps, head: StoredCheckpoint, tree: Frontier, read: NodeReader): Promise<string | undefined> {
  const size = tree.size();
  if (size < head.size) return `it ends after ${size} rows, and a head was signed over ${head.size}`;
  const opened = openCheckpoint(head.note, (await deps.keys.read()).verifierKeys, deps.keys.origin);
  const signed = opened.ok ? opened.checkpoint : head;
  const continues = signed.size === head.size && verifyConsistency(head.size, size, await proveConsistency(head.size, size, read), signed.root, tree.root());
  return continues ? undefined : `its rows no longer continue the head signed over ${head.size}`;
}

async function loadState(deps: LogWriterDeps, lock: ExclusiveLock): Promise<WriterState> {
  const claim = await claimLog(deps.audit, deps.keys.origin);
  const db = deps.audit.read<AuditLogTables>();
  const last = await lastRow(db, claim.logId);
  const size = last?.size ?? 0;
  const tiles: WriterState['tiles'] = [];
  const read = createTileReader(readWholeTiles(createLevelReader(db, claim.logId)));
  const tree = createFrontier(size, await readWhole(read, size), ({ level, index }, hash) => {
    if (level % tileHeight === 0) tiles.push({ level: level / tileHeight, index, hash: hash.toString('hex') });
  });
  const head = await newestCheckpoint(db, claim.logId);
  // Rows put behind a damaged log would bury the damage, and a log that was cut off would look whole again.
  const wrong = head === undefined ? undefined : await findBreak(deps, head, tree, read);
  if (wrong !== undefined) throw new Failure('AUDIT_INVALID', `Nothing more is written to the audit log: ${wrong}`);
  return { lock, claim, tree, tiles, prev: last?.hash.toString('hex') ?? firstPrev, head, isCaughtUp: false };
}

async function readWhole(read: NodeReader, size: number): Promise<readonly Buffer[]> {
  try {
    return await read(nodesOfRange({ from: 0, to: size }));
  } catch (error) {
    if (!(error instanceof MissingHashes)) throw error;
    throw new Failure('AUDIT_INVALID', 'Nothing more is written to the audit log: rows or hashes are missing in it', { cause: error });
  }
}

/** Gives the bytes of an entry at its place in the log, as text. */
function placeEntry(row: OutboxRow, log: string, seq: number, prev: string): string {
  const text = canonicalJson({ ...(row.entry as object), log, seq, prev, event_id: row.eventId });
  if (text === undefined) throw new Failure('AUDIT_INVALID', `The recorded event ${row.eventId} cannot be written to the log; the outbox was changed`);
  return text;
}

async function appendBatch(deps: LogWriterDeps, state: WriterState): Promise<{ readonly taken: number; readonly appended: number }> {
  const main = deps.main.read<AuditOutboxTables>();
  const recorded = await undelivered(main, batchRows);
  // A crash between append and mark leaves events that are in the log already: they are marked, and not appended again. All of them were there
  // when the log was claimed, so once nothing was left over, nothing of that kind can come any more.
  const known = state.isCaughtUp ? new Set<string>() : await appendedAmong(deps.audit.read<AuditLogTables>(), recorded.map((row) => row.eventId));
  if (recorded.length < batchRows) state.isCaughtUp = true;
  if (recorded.length === 0) return { taken: 0, appended: 0 };
  const fresh = recorded.filter((row) => !known.has(row.eventId));
  if (fresh.length > 0) {
    const entries: string[] = [];
    const hashes: string[] = [];
    const before = state.prev;
    for (const row of fresh) {
      const entry = placeEntry(row, deps.keys.origin, state.tree.size(), state.prev);
      const hash = leafHash(Buffer.from(entry, 'utf8'));
      state.tree.append(hash);
      state.prev = hash.toString('hex');
      entries.push(entry);
      hashes.push(state.prev);
    }
    const tiles = state.tiles.splice(0);
    await appendRows(deps.audit, state.claim, { prev: before, eventIds: fresh.map((row) => row.eventId), entries, hashes, tiles });
  }
  await markDelivered(main, recorded.map((row) => row.id));
  return { taken: recorded.length, appended: fresh.length };
}

async function signHead(deps: LogWriterDeps, state: WriterState): Promise<StoredCheckpoint | undefined> {
  const size = state.tree.size();
  const { head } = state;
  const stored = await newestCheckpoint(deps.audit.read<AuditLogTables>(), state.claim.logId);
  const broken = (what: string) => new Failure('AUDIT_INVALID', `No head is signed over ${size} rows: ${what}`);
  if (stored?.note !== head?.note) throw broken('the newest signed head is not the one that this writer knows');
  if (size === (head?.size ?? 0)) return head;
  const read = createTileReader(readWholeTiles(createLevelReader(deps.audit.read<AuditLogTables>(), state.claim.logId)));
  const root = state.tree.root();
  if (!createFrontier(size, await readWhole(read, size)).root().equals(root)) throw broken('the stored rows are not those that were appended');
  const wrong = head === undefined ? undefined : await findBreak(deps, head, state.tree, read);
  if (wrong !== undefined) throw broken(wrong);
  // Read for each head: another process may have changed the keys since the last.
  const note = signCheckpoint({ origin: deps.keys.origin, size, root }, ...(await deps.keys.read()).signing);
  const next = { size, root, note };
  await keepCheckpoint(deps.audit, state.claim, next);
  state.head = next;
  return next;
}

async function tendKeys(deps: LogWriterDeps, state: WriterState): Promise<void> {
  const { head, claim } = state;
  if (head === undefined) return;
  const db = deps.audit.read<AuditLogTables>();
  await deps.keys.tend({
    head,
    covers: async (eventId, size) => ((await rowOfEvent(db, eventId))?.seq ?? size) < size,
    lastSignedBy: async (keyId) => lastSizeSignedBy(db, claim.logId, keyId),
  });
}

/**
 * Makes the log's writer. One at a time writes: by a session lock, and by an epoch that the database checks at each append, so that a writer
 * that lost its lock without noticing cannot write either. Hashes here, appends up to 500 rows in one commit.
 */
export function createLogWriter(deps: LogWriterDeps): LogWriter {
  let state: WriterState | undefined;
  let queue: Promise<unknown> = Promise.resolve();

  const forget = async (): Promise<void> => {
    const { lock } = state ?? {};
    state = undefined;
    await lock?.release();
  };
  const acquire = async (): Promise<WriterState | undefined> => {
    if (state?.lock.held() === true) return state;
    await forget();
    const lock = await deps.audit.tryLock(lockKey(deps.keys.origin));
    if (lock === undefined) return undefined;
    try {
      state = await loadState(deps, lock);
      return state;
    } catch (error) {
      await lock.release();
      throw error;
    }
  };
  /** Runs one thing at a time; after a failure the state is read anew, since it may be ahead of what was committed. */
  const alone = <Result>(work: (held: WriterState) => Promise<Result>): Promise<Result | undefined> => {
    const run = async (): Promise<Result | undefined> => {
      const held = await acquire();
      if (held === undefined) return undefined;
      try {
        return await work(held);
      } catch (error) {
        await forget();
        if (fencedCodes.has(String((error as { code?: unknown }).code))) return undefined;
        throw error;
      }
    };
    const result = queue.then(run, run);
    queue = result.catch(() => undefined);
    return result;
  };
  return {
    flush: () =>
      alone(async (held) => {
        let total = 0;
        for (;;) {
          const { taken, appended } = await appendBatch(deps, held);
          total += appended;
          if (taken < batchRows) return total;
        }
      }),
    checkpoint: () =>
      alone(async (held) => {
        const head = await signHead(deps, held);
        await tendKeys(deps, held);
        return head;
      }),
    unsigned: () => (state === undefined ? 0 : state.tree.size() - (state.head?.size ?? 0)),
    release: async () => {
      await queue;
      await forget();
    },
  };
}
