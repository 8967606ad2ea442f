import { createPrivateKey, createPublicKey, sign } from 'node:crypto';
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { testOrigin, testSigner } from '../../test/vectors/audit/make-log.ts';
import { openCheckpoint, parseCheckpoint, signCheckpoint } from './checkpoint.ts';
import { emptyRoot, sha256 } from './merkle.ts';
import { openNote, parseNote, parseVerifierKey, signNote, type VerifierKey } from './note.ts';
import { formatTlogProof, parseTlogProof } from './tlog-proof.ts';
import { decodeBundle, encodeBundle, parseTilePath, tilePath, tilesOfLevel } from './tiles.ts';

/** Two notes and keys that others published: golang.org/x/mod/sumdb/note, and an implementation in Elixir (hex.pm signed_note). */
const published = [
  {
    key: 'PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW',
    note: "If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n\n— PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n",
  },
  {
    key: 'example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k',
    note: 'This is an example message.\n\n— example.com/foo Uw2QOkn8srV1yJGh2VYRlL1Tnagv1YEq6TfXppzi2ONncAlTgK7Ztg1ERYNZXsYjOBH3mFXmRKuwHjG1Yu72IneyaQM=\n',
  },
];

function keyOf(text: string): VerifierKey {
  const parsed = parseVerifierKey(text);
  if (!parsed.ok) throw new Error(parsed.message);
  return parsed.key;
}

describe('a signed note', () => {
  it('opens as others have signed it, and with no byte changed', () => {
    for (const { key, note } of published) {
      expect(openNote(note, [keyOf(key)])).toMatchObject({ ok: true });
      const bytes = Buffer.from(note, 'utf8');
      for (let at = 0; at < bytes.length; at += 1) {
        const changed = Buffer.from(bytes);
        changed[at] = (changed[at] ?? 0) ^ 1;
        expect(openNote(changed.toString('utf8'), [keyOf(key)]).ok, `byte ${at}`).toBe(false);
      }
    }
  });

  it('keeps a verifier key whose base64 holds plus signs', () => {
    const signers = Array.from({ length: 64 }, (_, at) => testSigner(at, 'log.example'));
    const withPlus = signers.filter((each) => (each.verifierKey.text.match(/\+/gu) ?? []).length > 2);
    expect(withPlus.length).toBeGreaterThan(0);
    for (const each of withPlus) expect(keyOf(each.verifierKey.text).id).toBe(each.verifierKey.id);
  });

  it('refuses verifier keys that are not what they say', () => {
    const good = testSigner().verifierKey.text;
    const [name = '', id = ''] = good.split('+');
    const cases = ['', 'a', 'a+b', `${name} x+${good.slice(name.length + 1)}`, good.replace(id, '00000000'), `${good}=`, `${good}\n`, good.replace('+A', '+B'), `${name}+${id}+AQ==`];
    for (const text of cases) expect(parseVerifierKey(text), text).toMatchObject({ ok: false, check: 'key-format' });
  });

  it('ignores lines of unknown keys, and refuses a bad line of a known key', () => {
    const signer = testSigner();
    const note = signNote('text\n', signer);
    const stranger = testSigner(3).sign('text\n');
    const withStranger = `${note}— other.example ${stranger}\n— ${testOrigin} ${stranger}\n`;
    expect(openNote(withStranger, [signer.verifierKey])).toMatchObject({ ok: true, signedBy: [signer.verifierKey] });
    const bad = `${note}— ${testOrigin} ${signer.sign('other\n')}\n`;
    expect(openNote(bad, [signer.verifierKey])).toMatchObject({ ok: false, check: 'signature' });
    expect(openNote(note, [testSigner(3).verifierKey])).toMatchObject({ ok: false, check: 'signature' });
  });

  it('refuses what is not a note, whatever it is', () => {
    for (const note of ['', '\n', '\n\n', 'text\n', 'text\n\n', 'text\n\n— a b\n', 'text\n\n-- a AAAAAAAA\n', 'a\tb\n\n— a AAAAAAAA\n', `text\n\n${'— a AAAAAAAA\n'.repeat(65)}`]) {
      expect(parseNote(note), JSON.stringify(note)).toMatchObject({ ok: false, check: 'note-format' });
    }
    expect(parseNote(`text\n\n${'— a AAAAAAAA\n'.repeat(16)}`)).toMatchObject({ ok: true });
    fc.assert(fc.property(fc.string({ unit: 'binary', maxLength: 300 }), (text) => !openNote(text, [testSigner().verifierKey]).ok));
  });

  it('verifies a witness cosignature over the time that it names', () => {
    const seed = Buffer.alloc(32, 5);
    const privateKey = createPrivateKey({ key: Buffer.concat([Buffer.from('302e020100300506032b657004220420', 'hex'), seed]), format: 'der', type: 'pkcs8' });
    const raw = createPublicKey(privateKey).export({ format: 'der', type: 'spki' }).subarray(12);
    const typed = Buffer.concat([Buffer.of(4), raw]);
    const id = sha256(Buffer.concat([Buffer.from('witness.example\n'), typed])).subarray(0, 4);
    const key = keyOf(`witness.example+${id.toString('hex')}+${typed.toString('base64')}`);
    const note = signCheckpoint({ origin: testOrigin, size: 0, root: emptyRoot }, testSigner());
    const text = note.slice(0, note.indexOf('\n\n') + 1);
    const time = Buffer.alloc(8);
    time.writeBigUInt64BE(1_780_000_000n);
    const signature = sign(null, Buffer.from(`cosignature/v1\ntime 1780000000\n${text}`), privateKey);
    const cosigned = `${note}— witness.example ${Buffer.concat([id, time, signature]).toString('base64')}\n`;
    expect(openCheckpoint(cosigned, [testSigner().verifierKey, key])).toMatchObject({ ok: true, witnessedBy: [{ name: 'witness.example' }] });
    expect(openCheckpoint(cosigned, [key])).toMatchObject({ ok: false, check: 'signature' });
    time.writeBigUInt64BE(1_780_000_001n);
    const moved = `${note}— witness.example ${Buffer.concat([id, time, signature]).toString('base64')}\n`;
    expect(openCheckpoint(moved, [testSigner().verifierKey, key])).toMatchObject({ ok: false, check: 'signature' });
  });
});

describe('a checkpoint', () => {
  it('is read as it was written, and counts for its own log only', () => {
    const root = sha256('root');
    const note = signCheckpoint({ origin: testOrigin, size: 20852163, root }, testSigner());
    const keys = [testSigner().verifierKey];
    expect(openCheckpoint(note, keys, testOrigin)).toMatchObject({ ok: true, checkpoint: { origin: testOrigin, size: 20852163, root } });
    expect(openCheckpoint(note, keys, 'other.example')).toMatchObject({ ok: false, check: 'origin' });
    const forOther = signCheckpoint({ origin: 'other.example', size: 1, root }, testSigner());
    expect(openCheckpoint(forOther, keys)).toMatchObject({ ok: false, check: 'signature' });
  });

  it('refuses sizes with leading zeros, signs or too many digits, and roots that are not 32 bytes', () => {
    const root = emptyRoot.toString('base64');
    expect(parseCheckpoint(`o\n0\n${root}\n`)).toMatchObject({ ok: true });
    expect(parseCheckpoint(`o\n0\n${root}\nextension\n`)).toMatchObject({ ok: true });
    for (const text of [`o\n00\n${root}\n`, `o\n-1\n${root}\n`, `o\n9007199254740992\n${root}\n`, `\n0\n${root}\n`, 'o\n0\nAAAA\n', `o\n0\n${root}`, `o\n0\n${root}\n\n`, 'o\n0\n', '']) {
      expect(parseCheckpoint(text), JSON.stringify(text)).toMatchObject({ ok: false, check: 'checkpoint-format' });
    }
  });
});

describe('a tlog-proof', () => {
  it('is read as it was written', () => {
    const hash = fc.uint8Array({ minLength: 32, maxLength: 32 }).map((bytes) => Buffer.from(bytes));
    const record = { index: fc.maxSafeNat(), hashes: fc.array(hash, { maxLength: 53 }), checkpoint: fc.constant(signNote('a\n0\n\n', testSigner())) };
    fc.assert(
      fc.property(fc.record(record), fc.option(hash, { nil: undefined }), (parts, extra) => {
        const proof = extra === undefined ? parts : { ...parts, extra };
        expect(parseTlogProof(formatTlogProof(proof))).toEqual({ ok: true, proof });
      }),
    );
  });

  it('refuses what is malformed', () => {
    const good = formatTlogProof({ index: 1, hashes: [emptyRoot], checkpoint: 'x\n' });
    expect(parseTlogProof(good).ok).toBe(true);
    for (const text of ['', good.replace('v1', 'v2'), good.replace('index 1', 'index 01'), good.replace('=', ''), good.replace('\n\n', '\n'), good.replace('index', 'extra !\nindex')]) {
      expect(parseTlogProof(text)).toMatchObject({ ok: false, check: 'proof-format' });
    }
  });
});

describe('tiles', () => {
  it('have the paths of the specification, each only one', () => {
    expect(tilePath({ level: 0, index: 1234067, width: 256 })).toBe('tile/0/x001/x234/067');
    expect(tilePath({ level: 'entries', index: 5, width: 8 })).toBe('tile/entries/005.p/8');
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 63 }), fc.maxSafeNat(), fc.integer({ min: 1, max: 256 }), (level, index, width) => {
        const tile = { level, index: index % 1e15, width };
        expect(parseTilePath(tilePath(tile))).toEqual(tile);
      }),
    );
    for (const path of ['tile/0/5', 'tile/00/005', 'tile/0/x000/005', 'tile/0/005.p/0', 'tile/0/005.p/256', 'tile/0/005.p/08', 'tile/64/005', 'tile/0/../005', 'tile/0/005/']) {
      expect(parseTilePath(path), path).toBeUndefined();
    }
  });

  it('of a log of 70,000 rows are those that the specification counts', () => {
    expect(tilesOfLevel(0, 70_000)).toHaveLength(274);
    expect(tilesOfLevel(0, 70_000).at(-1)).toEqual({ level: 0, index: 273, width: 112 });
    expect(tilesOfLevel(1, 70_000)).toEqual([{ level: 1, index: 0, width: 256 }, { level: 1, index: 1, width: 17 }]);
    expect(tilesOfLevel(2, 70_000)).toEqual([{ level: 2, index: 0, width: 1 }]);
    expect(tilesOfLevel(3, 70_000)).toEqual([]);
  });

  it('hold entries that come out as they went in, and refuse a bundle with anything else in it', () => {
    const entries = [Buffer.from('a'), Buffer.alloc(0), Buffer.alloc(65_535, 1)];
    const bundle = encodeBundle(entries);
    expect(decodeBundle(bundle, 3)).toEqual({ ok: true, entries });
    for (const [bytes, width] of [[bundle, 2], [bundle, 4], [bundle.subarray(0, -1), 3], [Buffer.concat([bundle, Buffer.of(0)]), 3]] as const) {
      expect(decodeBundle(bytes, width)).toMatchObject({ ok: false, check: 'tile' });
    }
    expect(() => encodeBundle([Buffer.alloc(65_536)])).toThrow(RangeError);
  });
});
