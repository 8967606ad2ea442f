import { describe, expect, it } from 'vitest';
import { makeEntry, makeFolder, makeRows, prefixOf, rechain, signHead, testOrigin, testSigner } from '../../test/vectors/audit/make-log.ts';
import { verifyFolder } from './folder.ts';
import type { SignedHead } from './heads.ts';
import { verifyLog, type LogRow, type LogVerification } from './log.ts';
import { leafHash } from './merkle.ts';

const rows = makeRows(700);
const stored = (...sizes: number[]): SignedHead[] => sizes.map((size) => ({ note: signHead(rows, size), source: 'stored' }));
const trust = { keys: [testSigner().verifierKey.text] };

function* batches(all: readonly LogRow[]): Generator<readonly LogRow[]> {
  for (let at = 0; at < all.length; at += 100) yield all.slice(at, at + 100);
}

const verify = (all: readonly LogRow[], more: Partial<LogVerification> = {}) =>
  verifyLog({ origin: testOrigin, rows: batches(all), heads: stored(256, 500, 700), trust, ...more });

function replaceRow(all: readonly LogRow[], seq: number, entry: Buffer): LogRow[] {
  return all.map((row) => (row.seq === seq ? { seq, entry, hash: leafHash(entry) } : row));
}

const headAge = (nowMs: number) => ({ heads: stored(500), headAge: { nowMs, maxMs: 60_000 } });

const row = (seq: number): LogRow => rows[seq] as LogRow;

describe('verifying a log', () => {
  it('accepts an intact one, and says how far it was signed', async () => {
    expect(await verify(rows)).toMatchObject({ ok: true, size: 700, rows: 700, grade: 'signed_head', signedSize: 700 });
    expect(await verify(rows, { heads: [] })).toMatchObject({ ok: true, grade: 'chain', signedSize: 0 });
    expect(await verify([], { heads: [] })).toMatchObject({ ok: true, size: 0 });
  });

  it('names an edited row, whether its hash was left or made anew', async () => {
    const entry = Buffer.from(Buffer.from(row(300).entry).toString('utf8').replace('erased', 'failed'));
    const left = rows.map((each) => (each.seq === 300 ? { ...each, entry } : each));
    expect(await verify(left)).toMatchObject({ ok: false, check: 'row-hash', seq: 300 });
    expect(await verify(replaceRow(rows, 300, entry))).toMatchObject({ ok: false, check: 'link', seq: 300 });
    const last = Buffer.from(Buffer.from(row(699).entry).toString('utf8').replace('erased', 'failed'));
    expect(await verify(replaceRow(rows, 699, last))).toMatchObject({ ok: false, check: 'head-root', seq: 500 });
  });

  it('names the row whose link was broken, also where it is the last of a batch', async () => {
    for (const seq of [300, 299]) {
      const entry = makeEntry(seq, 'f'.repeat(64));
      expect(await verify(replaceRow(rows, seq, entry))).toMatchObject({ ok: false, check: 'link', seq });
    }
  });

  it('names the signed stretch in which everything was rewritten and chained anew', async () => {
    const entry = Buffer.from(Buffer.from(row(300).entry).toString('utf8').replace('erased', 'failed'));
    const rewritten = rechain(replaceRow(rows, 300, entry), 300);
    expect(await verify(rewritten, { heads: [] })).toMatchObject({ ok: true, grade: 'chain' });
    expect(await verify(rewritten)).toMatchObject({ ok: false, check: 'head-root', seq: 256 });
  });

  it('names a deleted row', async () => {
    const without = rows.filter((each) => each.seq !== 300);
    expect(await verify(without)).toMatchObject({ ok: false, check: 'gap', seq: 300 });
    const renumbered = without.map((each, seq) => ({ ...each, seq }));
    expect(await verify(renumbered)).toMatchObject({ ok: false, check: 'order', seq: 300 });
    expect(await verify(rechain(without, 300))).toMatchObject({ ok: false, check: 'head-root', seq: 256 });
  });

  it('names an inserted row', async () => {
    const entry = makeEntry(300, Buffer.from(row(299).hash).toString('hex'), { outcome: 'already_absent' });
    const extra = { seq: 300, entry, hash: leafHash(entry) };
    const inserted = [...rows.slice(0, 300), extra, ...rows.slice(300)];
    expect(await verify(inserted)).toMatchObject({ ok: false, check: 'duplicate', seq: 300 });
    expect(await verify(inserted.map((each, seq) => ({ ...each, seq })))).toMatchObject({ ok: false, check: 'order', seq: 301 });
    expect(await verify(rechain(inserted, 300))).toMatchObject({ ok: false, check: 'head-root', seq: 256 });
  });

  it('names rows that were reordered or swapped', async () => {
    const swapped = rows.map((each) => (each.seq === 300 ? { ...row(310), seq: 300 } : each.seq === 310 ? { ...row(300), seq: 310 } : each));
    expect(await verify(swapped)).toMatchObject({ ok: false, check: 'order', seq: 300 });
    const streamed = [...rows.slice(0, 300), row(301), row(300), ...rows.slice(302)];
    expect(await verify(streamed)).toMatchObject({ ok: false, check: 'gap', seq: 300 });
  });

  it('names where a log was cut off, by a head of its own or by one kept elsewhere', async () => {
    expect(await verify(rows.slice(0, 600))).toMatchObject({ ok: false, check: 'truncated', seq: 600 });
    const exported: SignedHead = { note: signHead(rows, 700), source: 'exported' };
    expect(await verify(rows.slice(0, 600), { heads: [...stored(256), exported] })).toMatchObject({ ok: false, check: 'truncated', seq: 600 });
    expect(await verify(rows.slice(0, 600), { heads: stored(256), expected: { atLeast: 700, atMost: 700 } })).toMatchObject({ ok: false, check: 'count', seq: 600 });
  });

  it('names a fork, which two signed roots of one size prove', async () => {
    const other = makeRows(500, { 400: { outcome: 'failed' } });
    const heads: SignedHead[] = [...stored(256, 500), { note: signHead(other, 500), source: 'exported' }];
    expect(await verify(rows, { heads })).toMatchObject({ ok: false, check: 'fork', seq: 499 });
  });

  it('names a roll back: the log went on after a restore, and an exported head tells of another past', async () => {
    const restored = rechain([...rows.slice(0, 500), ...makeRows(700, { 550: { outcome: 'failed' } }).slice(500)], 500);
    const heads: SignedHead[] = [...stored(256, 500), { note: signHead(rows, 600), source: 'exported' }];
    expect(await verify(restored, { heads: stored(256, 500) })).toMatchObject({ ok: true });
    expect(await verify(restored, { heads })).toMatchObject({ ok: false, check: 'rollback', seq: 500 });
  });

  it('names rows spliced in from another log', async () => {
    const other = makeRows(700, {}, 'quittance.example/log/other');
    const spliced = [...rows.slice(0, 300), ...other.slice(300)];
    expect(await verify(spliced)).toMatchObject({ ok: false, check: 'splice', seq: 300 });
  });

  it('refuses a head that another key has signed, and one of another log', async () => {
    const heads: SignedHead[] = [...stored(256), { note: signHead(rows, 700, testSigner(8)), source: 'stored' }];
    expect(await verify(rows, { heads })).toMatchObject({ ok: false, check: 'signature' });
    const otherLog = signHead(rows, 700, testSigner(7, 'other.example'), 'other.example');
    const keys = [...trust.keys, testSigner(7, 'other.example').verifierKey.text];
    expect(await verify(rows, { heads: [{ note: otherLog, source: 'stored' }], trust: { keys } })).toMatchObject({ ok: false, check: 'origin' });
  });

  it('refuses when rows have waited too long for a head, and not before', async () => {
    const written = Date.UTC(2026, 10, 1) + 500_000;
    expect(await verify(rows, headAge(written + 60_001))).toMatchObject({ ok: false, check: 'head-age', seq: 500 });
    expect(await verify(rows, headAge(written + 60_000))).toMatchObject({ ok: true, signedSize: 500 });
  });

  it('refuses more rows than were ever recorded', async () => {
    expect(await verify(rows, { expected: { atLeast: 700, atMost: 700 } })).toMatchObject({ ok: true });
    expect(await verify(rows, { expected: { atLeast: 600, atMost: 699 } })).toMatchObject({ ok: false, check: 'count', seq: 699 });
  });

  it('refuses entries that are no entries', async () => {
    for (const text of ['', 'null', '[]', '{}', '{"log":1}', '\uFFFD', '{'.repeat(5000)]) {
      expect((await verify(replaceRow(rows, 300, Buffer.from(text)))), text.slice(0, 20)).toMatchObject({ ok: false, check: 'entry', seq: 300 });
    }
  });

  it('goes on from a verified prefix when a signed head agrees with it, and not otherwise', async () => {
    const rest = rows.slice(500);
    expect(await verify(rest, { from: prefixOf(rows, 500) })).toMatchObject({ ok: true, size: 700, rows: 200 });
    const whole = await verify(rows);
    const resumed = await verify(rest, { from: prefixOf(rows, 500) });
    expect(resumed.ok && whole.ok && resumed.root.equals(whole.root)).toBe(true);
    expect(await verify(rest, { from: prefixOf(makeRows(500, { 1: { outcome: 'failed' } }), 500) })).toMatchObject({ ok: false, check: 'start' });
    expect(await verify(rows.slice(400), { from: prefixOf(rows, 400) })).toMatchObject({ ok: false, check: 'start' });
    expect(await verify(rest, { from: { ...prefixOf(rows, 500), lastHash: Buffer.alloc(32) } })).toMatchObject({ ok: false, check: 'link' });
  });

  it('counts a time-stamp only where an authority was given, and refuses a bad one', async () => {
    const heads: SignedHead[] = [{ note: signHead(rows, 700), source: 'stored', timestamps: [Buffer.from('token')] }];
    expect(await verify(rows, { heads })).toMatchObject({ ok: true, grade: 'signed_head' });
    expect(await verify(rows, { heads, trust: { ...trust, checkTimestamp: () => true } })).toMatchObject({ ok: true, grade: 'timestamped' });
    expect(await verify(rows, { heads, trust: { ...trust, checkTimestamp: () => false } })).toMatchObject({ ok: false, check: 'timestamp' });
  });
});

const check = (files: Map<string, Buffer>) => verifyFolder(async (path) => files.get(path), { trust });

describe('verifying an exported log', () => {
  const heads = [256, 700].map((size) => signHead(rows, size));
  const folder = () => makeFolder(rows, heads);

  it('accepts an intact one', async () => {
    expect(await check(folder())).toMatchObject({ ok: true, size: 700, origin: testOrigin, grade: 'signed_head' });
  });

  it('refuses it without any one of its files, and with any one of them cut short or changed', async () => {
    for (const path of folder().keys()) {
      const without = folder();
      without.delete(path);
      if (path !== 'checkpoints.jsonl') expect((await check(without)).ok, path).toBe(false);
      for (const change of [(bytes: Buffer) => bytes.subarray(0, -1), (bytes: Buffer) => Buffer.concat([bytes, Buffer.of(10)]), flipMiddle]) {
        const files = folder();
        files.set(path, change(files.get(path) as Buffer));
        expect((await check(files)).ok, path).toBe(false);
      }
    }
  });

  it('refuses an export that is shorter than a head kept elsewhere', async () => {
    const short = makeFolder(rows.slice(0, 600), [signHead(rows, 600)]);
    expect(await check(short)).toMatchObject({ ok: true });
    const kept: SignedHead[] = [{ note: signHead(rows, 700), source: 'exported' }];
    expect(await verifyFolder(async (path) => short.get(path), { trust, heads: kept })).toMatchObject({ ok: false, check: 'truncated', seq: 600 });
  });
});

function flipMiddle(bytes: Buffer): Buffer {
  const changed = Buffer.from(bytes);
  const at = Math.floor(bytes.length / 2);
  changed[at] = (changed[at] ?? 0) ^ 1;
  return changed;
}
