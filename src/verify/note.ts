import { createPrivateKey, createPublicKey, sign, verify, type KeyObject } from 'node:crypto';
import { decodeBase64 } from './base64.ts';
import { sha256 } from './merkle.ts';
import { refuse, type Checked, type Refusal } from './result.ts';

/** Notes longer than this are refused unread: sixteen post-quantum signatures of 5 kB fit. */
export const noteCharactersMax = 131_072;
/** More signature lines than this are refused; the specification asks for at least 16. */
export const noteSignaturesMax = 64;

/** `log`: a plain Ed25519 signature over the note's text (type 0x01). `witness`: a time-stamped cosignature (type 0x04, c2sp.org/tlog-cosignature). */
export type KeyRole = 'log' | 'witness';

/** The public half of a key that signs notes. */
export interface VerifierKey {
  readonly name: string;
  /** The key's id: eight hex digits. */
  readonly id: string;
  readonly role: KeyRole;
  readonly publicKey: KeyObject;
  /** The key as text: `name+id+base64`. */
  readonly text: string;
  /** For a key of a log that was retired: how many rows its last head covers. What it signs beyond them does not count. */
  readonly lastSize?: number;
}

/** A key that signs notes. */
export interface NoteSigner {
  readonly verifierKey: VerifierKey;
  /** Gives the base64 of the key id and the signature, as it stands at the end of a signature line. */
  readonly sign: (text: string) => string;
}

const typeBytes: Record<KeyRole, number> = { log: 0x01, witness: 0x04 };
/** The DER that stands before the 32 bytes of an Ed25519 public key in SubjectPublicKeyInfo (RFC 8410). */
const spkiPrefix = Buffer.from('302a300506032b6570032100', 'hex');
/** The DER that stands before the 32 bytes of an Ed25519 private key in PKCS #8 (RFC 8410). */
const pkcs8Prefix = Buffer.from('302e020100300506032b657004220420', 'hex');
const keyNamePattern = /^[^\p{White_Space}+\p{Cc}]{1,256}$/u;

function makeVerifierKey(name: string, role: KeyRole, raw: Buffer): VerifierKey {
  const typed = Buffer.concat([Buffer.of(typeBytes[role]), raw]);
  const id = sha256(Buffer.concat([Buffer.from(`${name}\n`, 'utf8'), typed])).toString('hex', 0, 4);
  const publicKey = createPublicKey({ key: Buffer.concat([spkiPrefix, raw]), format: 'der', type: 'spki' });
  return { name, id, role, publicKey, text: `${name}+${id}+${typed.toString('base64')}` };
}

const badKey = (why: string): Refusal => refuse('key-format', `The verifier key is not valid: ${why}`);

/** Reads a verifier key `name+id+base64` (c2sp.org/signed-note). Split at the first two `+` only: base64 may hold more. */
export function parseVerifierKey(text: string): Checked<{ readonly key: VerifierKey }> {
  if (text.length > 1024) return badKey('it is too long');
  const first = text.indexOf('+');
  const second = text.indexOf('+', first + 1);
  if (first < 1 || second < 0) return badKey('it must be name+id+base64');
  const name = text.slice(0, first);
  if (!keyNamePattern.test(name)) return badKey('its name holds a space or a control character');
  const typed = decodeBase64(text.slice(second + 1));
  if (typed === undefined || typed.length !== 33) return badKey('its key is not 33 bytes of base64');
  const role = (Object.keys(typeBytes) as KeyRole[]).find((each) => typeBytes[each] === typed[0]);
  if (role === undefined) return badKey('its type is neither Ed25519 (0x01) nor a witness key (0x04)');
  try {
    const key = makeVerifierKey(name, role, typed.subarray(1));
    return key.id === text.slice(first + 1, second) ? { ok: true, key } : badKey('its id does not belong to its name and key');
  } catch {
    return badKey('its key is not a point of Ed25519');
  }
}

/** Makes a log's signer of a 32-byte Ed25519 seed. Throws a RangeError for a name or seed that cannot be one. */
export function createNoteSigner(name: string, seed: Buffer): NoteSigner {
  if (!keyNamePattern.test(name)) throw new RangeError('The name of a signing key holds no space, plus sign or control character');
  if (seed.length !== 32) throw new RangeError('An Ed25519 seed has 32 bytes');
  const privateKey = createPrivateKey({ key: Buffer.concat([pkcs8Prefix, seed]), format: 'der', type: 'pkcs8' });
  const raw = createPublicKey(privateKey).export({ format: 'der', type: 'spki' }).subarray(spkiPrefix.length);
  const verifierKey = makeVerifierKey(name, 'log', Buffer.from(raw));
  return {
    verifierKey,
    sign: (text) => Buffer.concat([Buffer.from(verifierKey.id, 'hex'), sign(null, Buffer.from(text, 'utf8'), privateKey)]).toString('base64'),
  };
}

/** Signs a text, which must end in a newline, as a note with one signature line for each signer. */
export function signNote(text: string, ...signers: readonly NoteSigner[]): string {
  if (!text.endsWith('\n')) throw new RangeError('The text of a note ends in a newline');
  return `${text}\n${signers.map((signer) => `— ${signer.verifierKey.name} ${signer.sign(text)}\n`).join('')}`;
}

/** One signature line of a note, not yet verified. */
export interface NoteSignature {
  readonly name: string;
  readonly id: string;
  readonly signature: Buffer;
}

const badNote = (why: string): Refusal => refuse('note-format', `The signed note is malformed: ${why}`);

/** Splits a note into its text and its signature lines, verifying none of them. */
export function parseNote(note: string): Checked<{ readonly text: string; readonly signatures: readonly NoteSignature[] }> {
  if (note.length > noteCharactersMax) return badNote('it is too long');
  // eslint-disable-next-line no-control-regex -- control characters are what is looked for
  if (!note.isWellFormed() || /[\x00-\x09\x0b-\x1f]/u.test(note)) return badNote('it holds a control character or broken text');
  const split = note.lastIndexOf('\n\n');
  if (split < 1 || !note.endsWith('\n')) return badNote('there is no blank line before signatures');
  const lines = note.slice(split + 2, -1).split('\n');
  if (lines.length > noteSignaturesMax) return badNote('it has too many signatures');
  const signatures: NoteSignature[] = [];
  for (const line of lines) {
    const [dash, name, value, ...rest] = line.split(' ');
    if (dash !== '—' || name === undefined || value === undefined || rest.length > 0) return badNote('a signature line is not "— name base64"');
    const bytes = decodeBase64(value);
    if (!keyNamePattern.test(name) || bytes === undefined || bytes.length < 5) return badNote('a signature line has a bad name or bad base64');
    signatures.push({ name, id: bytes.toString('hex', 0, 4), signature: bytes.subarray(4) });
  }
  return { ok: true, text: note.slice(0, split + 1), signatures };
}

/** Says whether one signature, without its key id, is this key's over this text. */
export function verifySignature(key: VerifierKey, text: string, signature: Uint8Array): boolean {
  if (key.role === 'log') return signature.length === 64 && verify(null, Buffer.from(text, 'utf8'), key.publicKey, signature);
  if (signature.length !== 72) return false;
  const time = Buffer.from(signature).readBigUInt64BE(0);
  return verify(null, Buffer.from(`cosignature/v1\ntime ${time}\n${text}`, 'utf8'), key.publicKey, signature.subarray(8));
}

/**
 * Opens a note: gives its text and the keys that verifiably signed it. Lines of unknown keys are ignored (name and id must both match);
 * a known key's line that does not verify refuses the whole note, and so does a note that no known key signed.
 */
export function openNote(
  note: string,
  keys: readonly VerifierKey[],
): Checked<{ readonly text: string; readonly signedBy: readonly VerifierKey[] }> {
  const parsed = parseNote(note);
  if (!parsed.ok) return parsed;
  const signedBy: VerifierKey[] = [];
  for (const line of parsed.signatures) {
    const key = keys.find((each) => each.name === line.name && each.id === line.id);
    if (key === undefined) continue;
    if (!verifySignature(key, parsed.text, line.signature)) {
      return refuse('signature', `The signature of ${key.name} (${key.id}) does not verify over this text`);
    }
    if (!signedBy.includes(key)) signedBy.push(key);
  }
  if (signedBy.length === 0) return refuse('signature', 'No trusted key has signed this: it was signed by another key, or by none');
  return { ok: true, text: parsed.text, signedBy };
}
