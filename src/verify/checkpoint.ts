import { decodeBase64 } from './base64.ts';
import { hashBytes } from './merkle.ts';
import { openNote, signNote, type NoteSigner, type VerifierKey } from './note.ts';
import { refuse, type Checked } from './result.ts';

/** What a checkpoint says: the log, how many rows it has, and the root over them (c2sp.org/tlog-checkpoint). */
export interface Checkpoint {
  readonly origin: string;
  readonly size: number;
  readonly root: Buffer;
}

/** Gives the text of a checkpoint, which a note carries and a key signs. */
export function formatCheckpoint(checkpoint: Checkpoint): string {
  return `${checkpoint.origin}\n${checkpoint.size}\n${checkpoint.root.toString('base64')}\n`;
}

/** Signs a checkpoint. The signers' name is the log's origin. */
export function signCheckpoint(checkpoint: Checkpoint, ...signers: readonly NoteSigner[]): string {
  return signNote(formatCheckpoint(checkpoint), ...signers);
}

/** Reads an unsigned decimal without leading zeros up to 2^53 - 1, or answers undefined. */
export function parseDecimal(text: string): number | undefined {
  if (!/^(?:0|[1-9]\d{0,15})$/u.test(text)) return undefined;
  const value = Number(text);
  return Number.isSafeInteger(value) ? value : undefined;
}

/** Reads the text of a checkpoint. Extension lines are accepted and ignored. */
export function parseCheckpoint(text: string): Checked<{ readonly checkpoint: Checkpoint }> {
  const lines = text.split('\n');
  const [origin = '', sizeText = '', rootText = ''] = lines;
  const size = parseDecimal(sizeText);
  const root = decodeBase64(rootText);
  const wellFormed = lines.length >= 4 && lines.at(-1) === '' && lines.slice(0, -1).every((line) => line !== '');
  if (!wellFormed || size === undefined || root?.length !== hashBytes) {
    return refuse('checkpoint-format', 'The checkpoint is not an origin, a size and a root hash on lines of their own');
  }
  return { ok: true, checkpoint: { origin, size, root } };
}

/** A checkpoint whose signature was verified, and the keys that signed it. */
export interface OpenedCheckpoint {
  readonly checkpoint: Checkpoint;
  /** The log's keys that signed it; never empty. */
  readonly signedBy: readonly VerifierKey[];
  /** The witnesses that cosigned it. */
  readonly witnessedBy: readonly VerifierKey[];
}

/**
 * Verifies a signed checkpoint against trusted keys. A key of the log must have signed it under the log's own name, so that a key that is
 * trusted for one log cannot speak for another, and no larger head than the last of a key that was retired, so that such a key, should it
 * leak later, cannot sign new ones. Witness keys count only as witnesses.
 */
export function openCheckpoint(note: string, keys: readonly VerifierKey[], origin?: string): Checked<OpenedCheckpoint> {
  const opened = openNote(note, keys);
  if (!opened.ok) return opened;
  const parsed = parseCheckpoint(opened.text);
  if (!parsed.ok) return parsed;
  const { checkpoint } = parsed;
  if (origin !== undefined && checkpoint.origin !== origin) {
    return refuse('origin', `The checkpoint is of the log ${checkpoint.origin}, not of ${origin}`);
  }
  const signers = opened.signedBy.filter((key) => key.role === 'log' && key.name === checkpoint.origin);
  const signedBy = signers.filter((key) => key.lastSize === undefined || checkpoint.size <= key.lastSize);
  const [retired] = signers;
  if (retired === undefined) return refuse('signature', `No trusted key of the log ${checkpoint.origin} has signed its checkpoint`);
  if (signedBy.length === 0) {
    return refuse('retired', `The checkpoint over ${checkpoint.size} rows was signed by the key ${retired.id} alone, whose last head covers ${retired.lastSize ?? 0}: it was retired`);
  }
  return { ok: true, checkpoint, signedBy, witnessedBy: opened.signedBy.filter((key) => key.role === 'witness') };
}
