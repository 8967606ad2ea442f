import { isoTime, type Clock } from '../../platform/clock.ts';
import type { Database } from '../../platform/db/database.ts';
import { Failure, isFailure } from '../../platform/failure.ts';
import {
  createTileReader,
  nodesOfRange,
  openCheckpoint,
  parseVerifierKey,
  verifyLog,
  type Checked,
  type LogVerified,
  type NoteSigner,
  type Refusal,
  type SignedHead,
  type VerifiedPrefix,
} from '../../verify/index.ts';
import { allCheckpoints, allTileHashes, createLevelReader, findLog, insertVerification, lastVerification, streamRows } from './log-store.ts';
import type { LogWriter } from './log-writer.ts';
import { countOutbox } from './outbox-store.ts';
import { recordAuditEntry } from './record-audit-entry.ts';
import type { AuditLogTables, AuditOutboxTables } from './tables.ts';

/** What verifying the own log needs. */
export interface VerifyAuditLogDeps {
  readonly main: Database;
  readonly audit: Database;
  readonly signer: NoteSigner;
  /** Verifier keys that signed before the present one. */
  readonly formerKeys: readonly string[];
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
  const keys = [deps.signer.verifierKey.text, ...deps.formerKeys].flatMap((text) => {
    const parsed = parseVerifierKey(text);
    return parsed.ok ? [parsed.key] : [];
  });
  const opened = openCheckpoint(note, keys, deps.signer.verifierKey.name);
  if (!opened.ok) return opened;
  const { size } = opened.checkpoint;
  const level = createLevelReader(deps.audit.read<AuditLogTables>(), logId);
  try {
    const hashes = await createTileReader(level)(nodesOfRange({ from: 0, to: size }));
    const [lastHash = Buffer.alloc(32)] = size === 0 ? [] : await level(0, size - 1, 1);
    return { ok: true, from: { size, hashes, lastHash } };
  } catch {
    return { ok: false, check: 'truncated', message: `The log does not reach the ${size} rows of the checkpoint, or lacks hashes before it` };
  }
}

async function verifyStored(deps: VerifyAuditLogDeps, logId: number, options: VerifyAuditLogOptions): Promise<Checked<LogVerified>> {
  const main = deps.main.read<AuditOutboxTables>();
  const db = deps.audit.read<AuditLogTables>();
  const before = await countOutbox(main);
  const stored = await allCheckpoints(db, logId);
  const exported = [...(options.exportedHeads ?? []), ...(options.fromCheckpoint === undefined ? [] : [options.fromCheckpoint])];
  const heads: SignedHead[] = [
    ...stored.map(({ note }): SignedHead => ({ note, source: 'stored' })),
    ...exported.map((note): SignedHead => ({ note, source: 'exported' })),
  ];
  const prefix = options.fromCheckpoint === undefined ? undefined : await readPrefix(deps, logId, options.fromCheckpoint);
  if (prefix?.ok === false) return prefix;
  const tiles = new Map<string, string>();
  const verified = await verifyLog({
    origin: deps.signer.verifierKey.name,
    rows: streamRows(db, logId, prefix?.from.size),
    heads,
    trust: { keys: [deps.signer.verifierKey.text, ...deps.formerKeys] },
    headAge: { nowMs: deps.clock.now(), maxMs: headAgeMaxMs },
    onTile: (level, index, hash) => tiles.set(`${level}:${index}`, hash.toString('hex')),
    ...(prefix === undefined ? {} : { from: prefix.from }),
    ...(options.onProgress === undefined ? {} : { onProgress: options.onProgress }),
  });
  if (!verified.ok) return verified;
  const { recorded } = await countOutbox(main);
  if (verified.size < before.delivered || verified.size > recorded) {
    const message = `The log has ${verified.size} rows; ${before.delivered} were delivered to it, and ${recorded} were ever recorded`;
    return { ok: false, check: 'count', message, seq: Math.min(verified.size, recorded) };
  }
  const kept = await allTileHashes(db, logId);
  for (const [place, hash] of tiles) {
    if (kept.get(place) !== hash) return { ok: false, check: 'tile', message: `The stored hash of the tile ${place} is not that of the rows below it` };
  }
  return verified;
}

/** Makes the verification of this installation's own log. */
export function createAuditLogVerification(deps: VerifyAuditLogDeps): AuditLogVerification {
  const origin = deps.signer.verifierKey.name;
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
