import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, describe, expect, it } from 'vitest';
import { verifyCertificate, verifyFolder, type LogRow } from '../../src/verify/index.ts';
import { makeCertificate, makeEntry, makeFolder, makeRows, rechain, signHead, testSigner } from '../../test/vectors/audit/make-log.ts';
import { leafHash } from '../../src/verify/merkle.ts';

const here = fileURLToPath(new URL('.', import.meta.url));
const python = spawnSync('python3', ['--version']).status === 0;
if (!python) console.warn('python3 is not on this machine: the second verifier is not tested here');

const folder = mkdtempSync(join(tmpdir(), 'quittance-python-'));
afterAll(() => rmSync(folder, { recursive: true }));
const keyFile = join(folder, 'log-key');
const keys = [testSigner().verifierKey.text];
writeFileSync(keyFile, `${keys[0]}\n`);

const run = (...args: string[]) => spawnSync('python3', [join(here, 'verify.py'), ...args], { encoding: 'utf8', maxBuffer: 1 << 26 });

interface Answer {
  readonly ok: boolean;
  readonly check?: string;
  readonly seq?: number;
}

function askPython(what: string, paths: readonly string[], keyPath = keyFile): Answer[] {
  const answer = run(what, ...paths, '--key', keyPath, '--batch');
  expect(answer.stderr).toBe('');
  return answer.stdout.trim().split('\n').map((line) => JSON.parse(line) as Answer);
}

const edit = (all: readonly LogRow[], seq: number, entry: Buffer, hash = leafHash(entry)) => all.map((row) => (row.seq === seq ? { seq, entry, hash } : row));
const renumber = (all: readonly LogRow[]) => all.map((row, seq) => ({ ...row, seq }));

describe.skipIf(!python)('the verifier in Python', () => {
  it('says of the sample what its README says, and of wrong use that it is wrong', () => {
    const sample = join(here, 'sample');
    const good = run('certificate', join(sample, 'certificate.json'), '--key', join(sample, 'log-key'));
    expect([good.status, good.stdout.split('\n')[0]]).toEqual([0, 'It holds.']);
    const bad = join(folder, 'bad.json');
    writeFileSync(bad, readFileSync(join(sample, 'certificate.json'), 'utf8').replace('verified_absent', 'verified_absenT'));
    const refused = run('certificate', bad, '--key', join(sample, 'log-key'));
    expect([refused.status, refused.stdout.split('\n')[0]]).toEqual([1, 'It does not hold. Check failed: statement-hash']);
    expect(run('certificate', bad).status).toBe(2);
    expect(run('certificate', join(folder, 'absent.json'), '--key', keyFile).status).toBe(2);
    expect(run('certificate', bad, '--key', bad).status).toBe(2);
  });

  it('agrees on a certificate, and on it with a byte changed, at every position', async () => {
    const { bytes } = await makeCertificate();
    const copies = [bytes];
    for (let at = 0; at < bytes.length; at += 1) {
      const copy = Buffer.from(bytes);
      copy[at] = (copy[at] ?? 0) ^ (1 << (at * 5 % 8));
      copies.push(copy);
    }
    for (let at = 0; at < bytes.length; at += 97) copies.push(Buffer.concat([bytes.subarray(0, at), Buffer.of(0x20), bytes.subarray(at)]), bytes.subarray(0, at));
    const paths = copies.map((copy, at) => {
      const path = join(folder, `certificate-${at}.json`);
      writeFileSync(path, copy);
      return path;
    });
    const answers = askPython('certificate', paths);
    expect(answers).toHaveLength(copies.length);
    for (const [at, copy] of copies.entries()) {
      const ours = verifyCertificate(copy, { keys });
      expect([at, answers[at]?.ok, answers[at]?.check]).toEqual([at, ours.ok, ours.ok ? undefined : ours.check]);
    }
    expect(answers.filter((answer) => answer.ok)).toHaveLength(1);
  });

  it('agrees on a certificate of the time in which a new key took over, for whoever trusts either key or both, and on a retired key', async () => {
    const [fresh, old] = [testSigner(8), testSigner()];
    const { bytes } = await makeCertificate(300, 123, true, [fresh, old]);
    const text = bytes.toString('utf8');
    const { seal } = JSON.parse(text) as { seal: string };
    const parts = Buffer.from(seal, 'base64');
    const seals = [parts.subarray(0, 68), parts.subarray(68), Buffer.concat([parts, parts.subarray(0, 68)]), Buffer.concat([Buffer.alloc(4, 9), parts.subarray(4)]), parts.subarray(0, 100), Buffer.alloc(0)];
    const flipped = Array.from({ length: parts.length }, (_, at) => {
      const copy = Buffer.from(parts);
      copy[at] = (copy[at] ?? 0) ^ 1;
      return copy;
    });
    const copies = [bytes, ...[...seals, ...flipped].map((each) => Buffer.from(text.replace(seal, each.toString('base64'))))];
    const paths = copies.map((copy, at) => {
      const path = join(folder, `overlap-${at}.json`);
      writeFileSync(path, copy);
      return path;
    });
    const [freshKey, oldKey] = [fresh.verifierKey.text, old.verifierKey.text];
    const trusts = [[freshKey], [oldKey], [freshKey, oldKey], [`${oldKey} until 300`], [`${oldKey} until 299`], [freshKey, `${oldKey} until 299`]];
    const goodBytes: boolean[] = [];
    for (const trusted of trusts) {
      const path = join(folder, 'overlap-key');
      writeFileSync(path, trusted.map((line) => `${line}\n`).join(''));
      const answers = askPython('certificate', paths, path);
      for (const [at, copy] of copies.entries()) {
        const ours = verifyCertificate(copy, { keys: trusted });
        expect([trusted, at, answers[at]?.ok, answers[at]?.check]).toEqual([trusted, at, ours.ok, ours.ok ? undefined : ours.check]);
      }
      goodBytes.push(answers[0]?.ok === true);
    }
    expect(goodBytes).toEqual([true, true, true, true, false, true]);
  });

  it('agrees on an exported log, and on every kind of damage to it', async () => {
    const rows = makeRows(700);
    const heads = [signHead(rows, 256), signHead(rows, 700)];
    const edited = Buffer.from(Buffer.from(rows[300]?.entry ?? []).toString('utf8').replace('erased', 'failed'));
    const extra = { seq: 300, entry: makeEntry(300, Buffer.from(rows[299]?.hash ?? []).toString('hex'), { outcome: 'failed' }), hash: Buffer.alloc(32) };
    const inserted = [...rows.slice(0, 300), { ...extra, hash: leafHash(extra.entry) }, ...rows.slice(300)];
    const other = makeRows(700, {}, 'quittance.example/log/other');
    const forked = makeRows(700, { 600: { outcome: 'failed' } });
    const damages: [string, readonly LogRow[], readonly string[]][] = [
      ['intact', rows, heads],
      ['edit', edit(rows, 300, edited, Buffer.from(rows[300]?.hash ?? [])), heads],
      ['edit-hashed', edit(rows, 300, edited), heads],
      ['edit-rechained', rechain(edit(rows, 300, edited), 300), heads],
      ['edit-link', edit(rows, 300, makeEntry(300, 'f'.repeat(64))), heads],
      ['delete', renumber(rows.filter((row) => row.seq !== 300)), [heads[0] ?? '', signHead(rows, 699)]],
      ['insert', renumber(inserted), [heads[0] ?? '', signHead(rows, 701 - 1)]],
      ['swap', rows.map((row) => (row.seq === 300 ? { ...(rows[310] as LogRow), seq: 300 } : row.seq === 310 ? { ...(rows[300] as LogRow), seq: 310 } : row)), heads],
      ['truncate', rows.slice(0, 600), [...heads, signHead(rows, 600)]],
      ['fork', rows, [signHead(forked, 700), ...heads]],
      ['roll-back', forked, [signHead(rows, 650), signHead(forked, 700)]],
      ['splice', [...rows.slice(0, 300), ...other.slice(300)], heads],
      ['re-signed', rows, [signHead(rows, 700, testSigner(8)), ...heads]],
      ['entry', edit(rows, 300, Buffer.from('{"a":')), heads],
    ];
    const paths = damages.map(([name, damaged, signed]) => {
      const path = join(folder, name);
      for (const [file, bytes] of makeFolder(damaged, signed)) {
        mkdirSync(dirname(join(path, file)), { recursive: true });
        writeFileSync(join(path, file), bytes);
      }
      return path;
    });
    const answers = askPython('log', paths);
    for (const [at, [name, damaged, signed]] of damages.entries()) {
      const files = makeFolder(damaged, signed);
      const ours = await verifyFolder(async (path) => files.get(path), { trust: { keys } });
      expect([name, answers[at]?.ok, answers[at]?.check, answers[at]?.seq]).toEqual([name, ours.ok, ours.ok ? undefined : ours.check, ours.ok ? undefined : ours.seq]);
      expect([name, ours.ok]).toEqual([name, name === 'intact']);
    }
  });
});
