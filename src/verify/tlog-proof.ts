import { decodeBase64 } from './base64.ts';
import { parseDecimal } from './checkpoint.ts';
import { hashBytes, proofHashesMax } from './merkle.ts';
import { noteCharactersMax } from './note.ts';
import { refuse, type Checked, type Refusal } from './result.ts';

const header = 'c2sp.org/tlog-proof@v1';

/** A proof that an entry is in a log: its index, its path in the tree, and the signed checkpoint (c2sp.org/tlog-proof). */
export interface TlogProof {
  readonly index: number;
  readonly hashes: readonly Buffer[];
  /** The signed checkpoint, verbatim. */
  readonly checkpoint: string;
  /** Opaque bytes that nothing authenticates. */
  readonly extra?: Buffer;
}

/** Gives a proof as text. */
export function formatTlogProof(proof: TlogProof): string {
  const extra = proof.extra === undefined ? '' : `extra ${proof.extra.toString('base64')}\n`;
  const hashes = proof.hashes.map((each) => `${each.toString('base64')}\n`).join('');
  return `${header}\n${extra}index ${proof.index}\n${hashes}\n${proof.checkpoint}`;
}

const badProof = (why: string): Refusal => refuse('proof-format', `The proof is malformed: ${why}`);

/** Reads a proof's text; verifies nothing of it. */
export function parseTlogProof(text: string): Checked<{ readonly proof: TlogProof }> {
  if (text.length > noteCharactersMax + 8192) return badProof('it is too long');
  const split = text.indexOf('\n\n');
  if (split < 0) return badProof('there is no blank line before the checkpoint');
  const lines = text.slice(0, split).split('\n');
  if (lines.shift() !== header) return badProof(`it does not start with ${header}`);
  let extra: Buffer | undefined;
  if (lines[0]?.startsWith('extra ') === true) {
    extra = decodeBase64((lines.shift() ?? '').slice('extra '.length));
    if (extra === undefined) return badProof('its extra data is not base64');
  }
  const indexLine = lines.shift() ?? '';
  const index = indexLine.startsWith('index ') ? parseDecimal(indexLine.slice('index '.length)) : undefined;
  if (index === undefined) return badProof('its index is not a decimal number');
  if (lines.length > proofHashesMax) return badProof('it has too many hashes');
  const hashes: Buffer[] = [];
  for (const line of lines) {
    const each = decodeBase64(line);
    if (each?.length !== hashBytes) return badProof('one of its hashes is not 32 bytes of base64');
    hashes.push(each);
  }
  const proof = { index, hashes, checkpoint: text.slice(split + 2) };
  return { ok: true, proof: extra === undefined ? proof : { ...proof, extra } };
}
