import { openCheckpoint, parseDecimal, type OpenedCheckpoint } from './checkpoint.ts';
import { sha256 } from './merkle.ts';
import { parseVerifierKey, type VerifierKey } from './note.ts';
import { refuse, type Checked } from './result.ts';

/**
 * How strong the evidence is, weakest first. `chain`: the rows fit together, and whoever holds the database could have rewritten them all.
 * `signed_head`: a key outside the table signed the tree. `timestamped`: an authority saw that head at a time. `witnessed`: others cosigned it.
 */
export type ProofGrade = 'chain' | 'signed_head' | 'timestamped' | 'witnessed';

/** Says whether a time-stamp token is valid over this SHA-256 digest (RFC 3161). Given by the caller, who has the authority's certificate. */
export type TimestampCheck = (token: Buffer, digest: Buffer) => boolean;

/** A signed checkpoint and where it was kept: in the log's own database, or outside it, where who rewrites the database cannot reach. */
export interface SignedHead {
  readonly note: string;
  readonly source: 'stored' | 'exported';
  /** RFC 3161 tokens over SHA-256 of the note. */
  readonly timestamps?: readonly Buffer[];
}

/** Whom the verifier trusts, and how much it asks for. */
export interface Trust {
  /** Verifier keys of the log, and of witnesses where there are some, as `parseTrustedKey` reads them. Old keys stay in the list. */
  readonly keys: readonly string[];
  /** How many witnesses must have cosigned a head for the grade `witnessed`; 1 unless given. */
  readonly witnessQuorum?: number;
  readonly checkTimestamp?: TimestampCheck;
}

/** A head whose signature was verified. */
export interface VerifiedHead extends OpenedCheckpoint {
  readonly source: SignedHead['source'];
  readonly grade: ProofGrade;
}

/** What stands between a retired key and the number of rows that its last head covers. */
const untilSign = ' until ';

/** Reads a line of a key file: `name+id+base64`, or for a key of a log that was retired `name+id+base64 until <rows of its last head>`. */
export function parseTrustedKey(text: string): Checked<{ readonly key: VerifierKey }> {
  const [keyText = '', untilText, ...more] = text.trim().split(untilSign);
  const parsed = parseVerifierKey(keyText);
  if (!parsed.ok || (untilText === undefined && more.length === 0)) return parsed;
  const lastSize = parseDecimal(untilText ?? '');
  if (lastSize === undefined || more.length > 0) return refuse('key-format', 'The verifier key is not valid: behind "until" stands a number of rows');
  return { ok: true, key: { ...parsed.key, lastSize } };
}

/** Gives the line of a key file. */
export function formatTrustedKey(keyText: string, lastSize?: number): string {
  return lastSize === undefined ? keyText : `${keyText}${untilSign}${lastSize}`;
}

/** Reads the trusted keys; one that cannot be read refuses them all, since a key silently left out would look like a forgery. */
export function readKeys(texts: readonly string[]): Checked<{ readonly keys: readonly VerifierKey[] }> {
  const keys: VerifierKey[] = [];
  for (const text of texts) {
    const parsed = parseTrustedKey(text);
    if (!parsed.ok) return parsed;
    keys.push(parsed.key);
  }
  return { ok: true, keys };
}

/** Gives the grade of one verified head. A time-stamp counts only when the caller's check accepts it. */
export function gradeOf(opened: OpenedCheckpoint, note: string, timestamps: readonly Buffer[], trust: Trust): Checked<{ readonly grade: ProofGrade }> {
  const { checkTimestamp } = trust;
  const digest = sha256(note);
  if (checkTimestamp !== undefined && !timestamps.every((token) => checkTimestamp(token, digest))) {
    return refuse('timestamp', 'A time-stamp does not belong to the signed head, or its authority is not trusted');
  }
  if (opened.witnessedBy.length >= Math.max(1, trust.witnessQuorum ?? 1)) return { ok: true, grade: 'witnessed' };
  return { ok: true, grade: checkTimestamp !== undefined && timestamps.length > 0 ? 'timestamped' : 'signed_head' };
}

/** Verifies all signed heads of a log, orders them by size, and refuses a fork: two roots that were signed for one size. */
export function verifyHeads(
  heads: readonly SignedHead[],
  origin: string,
  trust: Trust,
): Checked<{ readonly heads: readonly VerifiedHead[] }> {
  const read = readKeys(trust.keys);
  if (!read.ok) return read;
  const verified: VerifiedHead[] = [];
  for (const head of heads) {
    const opened = openCheckpoint(head.note, read.keys, origin);
    if (!opened.ok) return { ...opened, message: `${head.source === 'stored' ? 'A stored' : 'An exported'} head: ${opened.message}` };
    const graded = gradeOf(opened, head.note, head.timestamps ?? [], trust);
    if (!graded.ok) return graded;
    verified.push({ checkpoint: opened.checkpoint, signedBy: opened.signedBy, witnessedBy: opened.witnessedBy, source: head.source, grade: graded.grade });
  }
  verified.sort((a, b) => a.checkpoint.size - b.checkpoint.size);
  for (const [at, head] of verified.entries()) {
    const before = verified[at - 1];
    if (before?.checkpoint.size === head.checkpoint.size && !before.checkpoint.root.equals(head.checkpoint.root)) {
      const { size } = head.checkpoint;
      return refuse('fork', `Two different trees of ${size} rows were signed: the log was forked`, Math.max(0, size - 1));
    }
  }
  return { ok: true, heads: verified };
}
