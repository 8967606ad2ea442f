import type { Kysely } from 'kysely';
import { isoTime, type Clock } from '../../platform/clock.ts';
import type { Database } from '../../platform/db/database.ts';
import { Failure, isFailure } from '../../platform/failure.ts';
import {
  createTileReader,
  MissingHashes,
  nodesOfRange,
  openCheckpoint,
  verifyLog,
  type Checked,
  type LevelReader,
  type LogVerified,
  type Refusal,
  type SignedHead,
  type VerifiedPrefix,
} from '../../verify/index.ts';
import type { LogKeys } from './log-keys.ts';
import { createLevelReader, findLog, insertVerification, lastVerification, newestCheckpoint, streamCheckpoints, streamRows } from './log-store.ts';
import type { LogWriter } from './log-writer.ts';
import { countOutbox } from './outbox-store.ts';
import { recordAuditEntry } from './record-audit-entry.ts';
import type { AuditLogTables, AuditOutboxTables } from './tables.ts';

/** What verifying the own log needs. */
export interface VerifyAuditLogDeps {
  readonly main: Database;
  readonly audit: Database;
  readonly keys: Pick<LogKeys, 'origin' | 'read'>;
  readonly writer: LogWriter;
  readonly clock: Clock;
  /** Hears of a log that does not hold, and of a verification that did not run; must reach a person. */
  readonly onAlert: (alert: AuditAlert) => Promise<void>;
}

/** Why a person must look at the log. */
export type AuditAlert =
  | { readonly kind: 'failed'; readonly refusal: Refusal }
  | { readonly kind: 'overdue'; readonly lastRunAt: string | undefined }
  /** Nothing is written or signed any more, since the log does not continue what was signed. Requests go on; certificates wait. */
  | { readonly kind: 'unwritable'; readonly detail: string };

/** How to verify. */
export interface VerifyAuditLogOptions {
  /** Heads kept outside: exported checkpoints. */
  readonly exportedHeads?: readonly string[];
  /** Start behind this signed checkpoint instead of at the first row; what is before it is believed as it was signed. */
  readonly fromCheckpoint?: string;
  readonly onProgress?: (rows: number) => void;
}

/** Verifies the log of this installation. */
export interface AuditLogVerification {
  /** Verifies the whole log, records what was found, and alerts when it does not hold. */
  readonly run: (options?: VerifyAuditLogOptions) => Promise<Checked<LogVerified>>;
  /** Alerts when the last finished verification is too old. For a daily job: a verification that did not run cannot say so itself. */
  readonly checkOverdue: () => Promise<boolean>;
}

/** A row without a signed head is an hour late when heads are signed every few seconds. */
const headAgeMaxMs = 3_600_000;
/** A weekly verification and a day of grace. */
const overdueMs = 8 * 86_400_000;

async function readPrefix(deps: VerifyAuditLogDeps, logId: number, note: string): Promise<Checked<{ readonly from: VerifiedPrefix }>> {
  const opened = openCheckpoint(note, (await deps.keys.read()).verifierKeys, deps.keys.origin);
  if (!opened.ok) return opened;
  const { size } = opened.checkpoint;
  const level = createLevelReader(deps.audit.read<AuditLogTables>(), logId);
  try {
    const hashes = await createTileReader(level)(nodesOfRange({ from: 0, to: size }));
    const [lastHash = Buffer.alloc(32)] = size === 0 ? [] : await level(0, size - 1, 1);
    return { ok: true, from: { size, hashes, lastHash } };
  } catch (error) {
    if (!(error instanceof MissingHashes)) throw error;
    return { ok: false, check: 'truncated', message: `The log does not reach the ${size} rows of the checkpoint, or lacks hashes before it` };
  }
}

async function verifyStored(deps: VerifyAuditLogDeps, logId: number, options: VerifyAuditLogOptions): Promise<Checked<LogVerified>> {
  const main = deps.main.read<AuditOutboxTables>();
  const db = deps.audit.read<AuditLogTables>();
  const before = await countOutbox(main);
  const exported = [...(options.exportedHeads ?? []), ...(options.fromCheckpoint === undefined ? [] : [options.fromCheckpoint])];
  const prefix = options.fromCheckpoint === undefined ? undefined : await readPrefix(deps, logId, options.fromCheckpoint);
  if (prefix?.ok === false) return prefix;
  // Heads as they are now, and then the keys: what a key that takes over meanwhile signs is left for the next verification.
  const newest = (await newestCheckpoint(db, logId))?.size ?? -1;
  const tiles = createTileComparison(createLevelReader(db, logId));
  const verified = await verifyLog({
    origin: deps.keys.origin,
    rows: tiles.beside(streamRows(db, logId, prefix?.from.size)),
    heads: exported.map((note): SignedHead => ({ note, source: 'exported' })),
    storedHeads: storedHeads(db, logId, prefix?.from.size ?? 0, newest),
    trust: { keys: (await deps.keys.read()).trusted },
    headAge: { nowMs: deps.clock.now(), maxMs: headAgeMaxMs },
    onTile: tiles.made,
    ...(prefix === undefined ? {} : { from: prefix.from }),
    ...(options.onProgress === undefined ? {} : { onProgress: options.onProgress }),
  });
  if (!verified.ok) return verified;
  const { recorded } = await countOutbox(main);
  if (verified.size < before.delivered || verified.size > recorded) {
    const message = `The log has ${verified.size} rows; ${before.delivered} were delivered to it, and ${recorded} were ever recorded`;
    return { ok: false, check: 'count', message, seq: Math.min(verified.size, recorded) };
  }
  const wrong = tiles.firstWrong();
  if (wrong !== undefined) return { ok: false, check: 'tile', message: `The stored hash of the tile ${wrong} is not that of the rows below it` };
  return verified;
}

async function* storedHeads(db: Kysely<AuditLogTables>, logId: number, from: number, to: number): AsyncGenerator<readonly SignedHead[]> {
  for await (const notes of streamCheckpoints(db, logId, from, to)) yield notes.map((note) => ({ note, source: 'stored' }));
}

/** Compares the tiles that the rows make with those that are stored, a few at a time as the rows stream by. */
function createTileComparison(readLevel: LevelReader) {
  let made: { readonly level: number; readonly index: number; readonly hash: Buffer }[] = [];
  let wrong: string | undefined;
  const compare = async (): Promise<void> => {
    const waiting = made;
    made = [];
    for (const level of new Set(waiting.map((tile) => tile.level))) {
      const mine = waiting.filter((tile) => tile.level === level);
      const first = mine[0]?.index ?? 0;
      const stored = await readLevel(level, first, mine.length);
      const bad = mine.find((tile) => stored[tile.index - first]?.equals(tile.hash) !== true);
      if (bad !== undefined) wrong ??= `${bad.level}:${bad.index}`;
    }
  };
  return {
    made: (level: number, index: number, hash: Buffer): void => void made.push({ level, index, hash }),
    /** Passes rows on, and compares what they made when the next are asked for. */
    beside: async function* beside<Rows>(rows: AsyncIterable<Rows>): AsyncGenerator<Rows> {
      for await (const batch of rows) {
        yield batch;
        await compare();
      }
    },
    /** The first tile that is another than the stored one, as `level:index`. */
    firstWrong: (): string | undefined => wrong,
  };
}

/** Makes the verification of this installation's own log. */
export function createAuditLogVerification(deps: VerifyAuditLogDeps): AuditLogVerification {
  const { origin } = deps.keys;
  const run: AuditLogVerification['run'] = async (options = {}) => {
    let unsigned: Failure | undefined;
    try {
      await deps.writer.flush();
      await deps.writer.checkpoint();
    } catch (error) {
      // The writer refuses to sign a damaged log. What is wrong with it is said below; when nothing is found there, this is thrown after all.
      if (!isFailure(error)) throw error;
      unsigned = error;
    }
    const logId = await findLog(deps.audit.read<AuditLogTables>(), origin);
    if (logId === undefined) throw new Failure('NOT_FOUND', `There is no audit log ${origin} in the audit database`);
    const result = await verifyStored(deps, logId, options);
    if (result.ok && unsigned !== undefined) {
      await deps.onAlert({ kind: 'unwritable', detail: unsigned.detail });
      throw unsigned;
    }
    const finishedAt = deps.clock.now();
    await insertVerification(deps.audit, {
      log_id: logId,
      finished_at: new Date(finishedAt),
      ok: result.ok,
      size: result.ok ? result.size : 0,
      grade: result.ok ? result.grade : null,
      failed_check: result.ok ? null : result.check,
      seq: result.ok ? null : (result.seq ?? null),
    });
    await deps.main.transaction(async (tx) => {
      await recordAuditEntry(tx, {
        type: 'log.verified',
        at: isoTime(finishedAt),
        actor: { role: 'system' },
        ...(result.ok ? { counts: { rows: result.size } } : { error_code: 'AUDIT_INVALID', reason_code: result.check }),
      });
    });
    if (!result.ok) await deps.onAlert({ kind: 'failed', refusal: result });
    return result;
  };
  const checkOverdue: AuditLogVerification['checkOverdue'] = async () => {
    const db = deps.audit.read<AuditLogTables>();
    const logId = await findLog(db, origin);
    if (logId === undefined) return false;
    const last = await lastVerification(db, logId);
    const first = last === undefined ? await db.selectFrom('audit.log_row').select('appended_at').where('log_id', '=', logId).where('seq', '=', 0).executeTakeFirst() : undefined;
    const since = last?.finished_at ?? first?.appended_at;
    if (since === undefined || deps.clock.now() - since.getTime() <= overdueMs) return false;
    await deps.onAlert({ kind: 'overdue', lastRunAt: last?.finished_at.toISOString() });
    return true;
  };
  return { run, checkOverdue };
}
