import { createHmac } from 'node:crypto';
import { decodeBase64, decodeUtf8 } from './base64.ts';
import { asRecord, canonicalJson, parseJson } from './canonical-json.ts';
import { openCheckpoint, type OpenedCheckpoint } from './checkpoint.ts';
import { parseEntry } from './entry.ts';
import { gradeOf, readKeys, type ProofGrade, type Trust } from './heads.ts';
import { leafHash, sha256, verifyInclusion } from './merkle.ts';
import { parseNote, verifySignature, type NoteSigner } from './note.ts';
import { refuse, type Checked, type Refusal } from './result.ts';
import { parseStatement, type Statement } from './statement.ts';
import { parseTlogProof } from './tlog-proof.ts';

/** The format's name, and its version. */
export const certificateFormat = 'quittance-certificate/1';
/** The type of the audit entry that commits to a statement. */
export const certificateEntryType = 'certificate.issued';
/** Certificates longer than this are refused unread; a typical one has 4 kB. */
export const certificateBytesMax = 262_144;

/** For the person alone: what opens the statement's commitments. */
export interface Disclosure {
  /** 32 bytes in base64; destroyed at Quittance with the request's data key. */
  readonly nonce: string;
  readonly identifiers: readonly { readonly kind: string; readonly normal_form: string; readonly commitment: string }[];
}

/** What a certificate is made of, before it is sealed. */
export interface CertificateParts {
  readonly statement: Statement;
  /** The exact bytes of the audit entry that commits to the statement. */
  readonly leaf: Uint8Array;
  /** The tlog-proof of that entry, with the signed checkpoint. */
  readonly proof: string;
  /** Whom to ask to verify: `log`, `witness` and `quorum` lines, as c2sp.org/tlog-policy has them. A proposal; trust comes from the verifier. */
  readonly policy: string;
  /** RFC 3161 tokens over SHA-256 of the checkpoint. */
  readonly timestamps: readonly Uint8Array[];
  readonly disclosure?: Disclosure;
}

/** Gives the commitment to an identifier: HMAC-SHA-256(nonce, kind ‖ ':' ‖ normal form) in hex. */
export function commitIdentifier(nonce: Uint8Array, kind: string, normalForm: string): string {
  return createHmac('sha256', nonce).update(`${kind}:${normalForm}`, 'utf8').digest('hex');
}

/** Gives the hash by which an audit entry commits to a statement: SHA-256 of its canonical JSON, in hex. */
export function statementHash(statement: Statement): string {
  const text = canonicalJson(statement);
  if (text === undefined) throw new RangeError('A statement holds integers, well-formed text and plain keys only');
  return sha256(text).toString('hex');
}

function sealText(canonical: string): string {
  return `${certificateFormat}\n${sha256(canonical).toString('base64')}\n`;
}

/** A key id and an Ed25519 signature: what each signer adds to the seal. */
const sealBytes = 4 + 64;

/**
 * Gives the bytes of a certificate: canonical JSON and a newline, sealed by the log's key so that no byte of it can change. While a new key
 * takes over from an old one both seal, and whoever has either can verify.
 */
export function formatCertificate(parts: CertificateParts, ...signers: readonly NoteSigner[]): Buffer {
  const body = {
    format: certificateFormat,
    statement: parts.statement,
    leaf: Buffer.from(parts.leaf).toString('base64'),
    proof: parts.proof,
    policy: parts.policy,
    timestamps: parts.timestamps.map((token) => Buffer.from(token).toString('base64')),
    ...(parts.disclosure === undefined ? {} : { disclosure: parts.disclosure }),
  };
  const canonical = canonicalJson(body);
  if (canonical === undefined) throw new RangeError('A certificate holds integers, well-formed text and plain keys only');
  const text = sealText(canonical);
  const seal = Buffer.concat(signers.map((signer) => Buffer.from(signer.sign(text), 'base64'))).toString('base64');
  return Buffer.from(`${canonicalJson({ ...body, seal })}\n`, 'utf8');
}

/** Whom the verifier trusts, and what the certificate must be. */
export interface CertificateVerification extends Trust {
  /** The log that it must come from; any log of the trusted keys unless given. */
  readonly origin?: string;
}

/** A certificate that holds, and what it shows. */
export interface CertificateVerified {
  readonly statement: Statement;
  readonly origin: string;
  /** The place of its entry in the log, and the size of the log that the signed head covers. */
  readonly index: number;
  readonly size: number;
  readonly issuedAt: string;
  readonly grade: ProofGrade;
  readonly signedBy: readonly string[];
  readonly witnessedBy: readonly string[];
  /** Time-stamps that the certificate carries and nobody checked, since no authority was given. */
  readonly timestampsUnchecked: number;
  readonly disclosure?: Disclosure;
}

interface Envelope {
  readonly fields: Readonly<Record<string, unknown>>;
  readonly leaf: Buffer;
  readonly proof: string;
  readonly policy: string;
  readonly timestamps: readonly Buffer[];
  readonly seal: Buffer;
}

const knownFields = new Set(['format', 'statement', 'leaf', 'proof', 'policy', 'timestamps', 'disclosure', 'seal']);

function readEnvelope(bytes: Uint8Array): Checked<Envelope> {
  if (bytes.length === 0 || bytes.length > certificateBytesMax) return refuse('size', 'The certificate is empty or longer than 256 KiB');
  const text = decodeUtf8(bytes);
  if (text === undefined) return refuse('encoding', 'The certificate is not UTF-8');
  const parsed = parseJson(text);
  if (parsed === undefined) return refuse('json', 'The certificate is not JSON');
  const canonical = canonicalJson(parsed.value);
  // One text for one meaning: spaces, the order of fields, repeated fields and ways to escape are bytes that could change unseen.
  if (canonical === undefined || `${canonical}\n` !== text) return refuse('canonical', 'The certificate is not in canonical form: its text was changed');
  const fields = asRecord(parsed.value);
  if (fields?.['format'] !== certificateFormat) return refuse('format', `The certificate is not of the format ${certificateFormat}`);
  if (Object.keys(fields).some((name) => !knownFields.has(name))) return refuse('format', 'The certificate has a field that its format does not have');
  const { leaf, proof, policy, timestamps, seal } = fields;
  if (typeof proof !== 'string' || typeof policy !== 'string') return refuse('format', 'The certificate has no proof or no policy');
  const leafBytes = typeof leaf === 'string' ? decodeBase64(leaf) : undefined;
  if (leafBytes === undefined) return refuse('leaf', 'The leaf is not base64');
  const sealed = typeof seal === 'string' ? decodeBase64(seal) : undefined;
  if (sealed === undefined) return refuse('seal', 'The seal is not base64');
  const tokens: Buffer[] = [];
  for (const each of Array.isArray(timestamps) ? (timestamps as readonly unknown[]) : [undefined]) {
    const token = typeof each === 'string' ? decodeBase64(each) : undefined;
    if (token === undefined) return refuse('timestamp', 'A time-stamp is not base64');
    tokens.push(token);
  }
  return { ok: true, fields, leaf: leafBytes, proof, policy, timestamps: tokens, seal: sealed };
}

const badDisclosure = (why: string): Refusal => refuse('disclosure', `The disclosure ${why}`);

function checkDisclosure(value: unknown, statement: Statement): Checked<{ readonly disclosure?: Disclosure }> {
  if (value === undefined) return { ok: true };
  const record = asRecord(value);
  const nonce = typeof record?.['nonce'] === 'string' ? decodeBase64(record['nonce']) : undefined;
  const identifiers = record?.['identifiers'];
  if (nonce?.length !== 32 || !Array.isArray(identifiers)) return badDisclosure('has no nonce of 32 bytes or no identifiers');
  for (const each of identifiers as readonly unknown[]) {
    const { kind, normal_form: normalForm, commitment } = asRecord(each) ?? {};
    if (typeof kind !== 'string' || typeof normalForm !== 'string') return badDisclosure('lists an identifier without its kind and normal form');
    if (commitment !== commitIdentifier(nonce, kind, normalForm)) return badDisclosure('does not open the commitment of one of its identifiers');
    if (!statement.systems.some(({ identifier }) => identifier.kind === kind && identifier.commitment === commitment)) {
      return badDisclosure('names an identifier that the statement does not commit to');
    }
  }
  return { ok: true, disclosure: value as Disclosure };
}

/**
 * Checks the seal of every key that is trusted, of which there must be one. Each part of it must be by a key that signed the head as well, and
 * each key's stands once, so that no part can be passed off as a stranger's and go unchecked.
 */
function checkSeal(envelope: Envelope, note: string, opened: OpenedCheckpoint): Refusal | undefined {
  const { seal: _seal, ...rest } = envelope.fields;
  const text = sealText(canonicalJson(rest) ?? '');
  const parsed = parseNote(note);
  const signers = parsed.ok ? parsed.signatures.flatMap((line) => (line.name === opened.checkpoint.origin ? [line.id] : [])) : [];
  const checked = new Set<string>();
  let isHeld = false;
  for (let at = 0; at < envelope.seal.length; at += sealBytes) {
    const part = envelope.seal.subarray(at, at + sealBytes);
    const id = part.toString('hex', 0, 4);
    if (part.length !== sealBytes || checked.has(id) || !signers.includes(id)) return refuse('seal', 'The seal was made by another key than the signed head');
    checked.add(id);
    const key = opened.signedBy.find((each) => each.id === id);
    if (key === undefined) continue;
    if (!verifySignature(key, text, part.subarray(4))) return refuse('seal', 'The seal does not hold: something in the certificate was changed');
    isHeld = true;
  }
  return isHeld ? undefined : refuse('seal', 'The seal was made by another key than the one that is trusted');
}

function checkLeaf(envelope: Envelope, statement: Statement, index: number, opened: OpenedCheckpoint): Checked<{ readonly issuedAt: string }> {
  const parsed = parseEntry(envelope.leaf);
  if (!parsed.ok) return refuse('leaf', `The leaf: ${parsed.message}`);
  const { entry, fields } = parsed;
  if (entry.type !== certificateEntryType) return refuse('leaf', `The leaf is an entry of the type ${entry.type}, which issues no certificate`);
  if (fields['statement_hash'] !== statementHash(statement)) {
    return refuse('statement-hash', 'The statement is not the one that was recorded: its hash is not in the leaf');
  }
  if (fields['request_id'] !== statement.request.id) return refuse('request', 'The leaf was recorded for another request');
  if (entry.log !== opened.checkpoint.origin) return refuse('origin', 'The leaf belongs to another log than the signed head');
  if (entry.seq !== index) return refuse('index', 'The leaf stands at another place than the proof says');
  return { ok: true, issuedAt: entry.at };
}

/**
 * Verifies a certificate offline: its form, the statement against the leaf, the leaf against the signed head, the signatures, and the seal
 * over every byte. It shows that this record existed, unaltered, in this append-only log; not that a third party really deleted anything.
 */
export function verifyCertificate(bytes: Uint8Array, options: CertificateVerification): Checked<CertificateVerified> {
  const trusted = readKeys(options.keys);
  if (!trusted.ok) return trusted;
  const envelope = readEnvelope(bytes);
  if (!envelope.ok) return envelope;
  const parsed = parseStatement(envelope.fields['statement']);
  if (!parsed.ok) return parsed;
  const { statement } = parsed;
  const proof = parseTlogProof(envelope.proof);
  if (!proof.ok) return proof;
  const { index, hashes, checkpoint: note } = proof.proof;
  const opened = openCheckpoint(note, trusted.keys, options.origin);
  if (!opened.ok) return opened;
  const leaf = checkLeaf(envelope, statement, index, opened);
  if (!leaf.ok) return leaf;
  const { origin, size, root } = opened.checkpoint;
  if (!verifyInclusion(leafHash(envelope.leaf), index, size, hashes, root)) {
    return refuse('inclusion', 'The proof does not show that the leaf is in the signed tree');
  }
  const policyLines = envelope.policy.split('\n');
  if (!opened.signedBy.some((key) => policyLines.includes(`log ${key.text}`))) {
    return refuse('policy', 'The policy does not name the key that signed the head');
  }
  const graded = gradeOf(opened, note, envelope.timestamps, options);
  if (!graded.ok) return graded;
  const disclosed = checkDisclosure(envelope.fields['disclosure'], statement);
  if (!disclosed.ok) return disclosed;
  const unsealed = checkSeal(envelope, note, opened);
  if (unsealed !== undefined) return unsealed;
  return {
    ok: true,
    statement,
    origin,
    index,
    size,
    issuedAt: leaf.issuedAt,
    grade: graded.grade,
    signedBy: opened.signedBy.map((key) => key.text),
    witnessedBy: opened.witnessedBy.map((key) => key.name),
    timestampsUnchecked: options.checkTimestamp === undefined ? envelope.timestamps.length : 0,
    ...(disclosed.disclosure === undefined ? {} : { disclosure: disclosed.disclosure }),
  };
}
