import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Writable } from 'node:stream';
import { beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { databaseKinds, useDatabase } from '../../../test/support/databases.ts';
import { signingKeyOf } from '../../../test/support/log-keys.ts';
import { makeStatement } from '../../../test/vectors/audit/make-log.ts';
import { auditEntrySchema, type AuditEntry } from '../../contract/audit-entry.ts';
import { formatId } from '../../contract/ids.ts';
import type { ChangingKey } from '../../platform/crypto/system-keys.ts';
import type { Database } from '../../platform/db/database.ts';
import { newId } from '../../platform/ids.ts';
import { createLog } from '../../platform/log.ts';
import { createNoteSigner, openCheckpoint, parseCheckpoint, parseNote, readKeys, sha256, signCheckpoint, verifyCertificate, verifyFolder } from '../../verify/index.ts';
import { createAudit, type Audit } from './create-audit.ts';
import { useAnnouncedKey, parseKeyRing, retireKey } from './domain/key-ring.ts';
import type { AuditLogTables, AuditOutboxTables } from './tables.ts';

const dayMs = 86_400_000;
const seed = Buffer.alloc(32, 1);
let logs = 0;
let origin: string;
let main: Database;
let auditDb: Database;
let audit: Audit;
let signingKey: ChangingKey;
let now: number;

const makeAudit = (): Promise<Audit> =>
  createAudit({
    database: main,
    auditDatabase: auditDb,
    signingKey,
    clock: { now: () => now },
    jobs: { work: async () => undefined },
    log: createLog('silent', new Writable({ write: (_chunk, _encoding, done) => done() })),
    config: { origin, checkpoint_seconds: 1 },
  });

const record = (count = 1): Promise<void> =>
  main.transaction(async (tx) => {
    for (let at = 0; at < count; at += 1) await audit.record(tx, { type: 'task.settled', at: new Date(now).toISOString(), actor: { role: 'system' } });
  });
/** Records and signs, as often as a change of keys takes: announced, used, and a head by the new key. */
const settle = async (times = 1): Promise<void> => {
  for (let at = 0; at < times; at += 1) expect(await audit.settle()).toBe(true);
};
const states = async (): Promise<readonly string[]> => (await audit.keys.read()).views.map((view) => view.state);
const heads = async (): Promise<readonly { readonly size: number; readonly note: string }[]> =>
  auditDb.read<AuditLogTables>().selectFrom('audit.checkpoint').innerJoin('audit.log', 'id', 'log_id').select(['size', 'note']).where('origin', '=', origin).orderBy('size').execute();
const signedBy = (note: string): readonly string[] => {
  const parsed = parseNote(note);
  return parsed.ok ? parsed.signatures.map((line) => line.id) : [];
};
const idOf = (key: string): string => key.slice(origin.length + 1, origin.length + 9);
const entries = async (): Promise<readonly AuditEntry[]> =>
  (await main.read<AuditOutboxTables>().selectFrom('audit_outbox').select('entry').orderBy('id').execute()).map((row) => auditEntrySchema.parse(row.entry)).filter((entry) => entry.type.startsWith('log.key'));
async function issue(): Promise<Buffer> {
  const id = newId('request');
  await main.transaction((tx) => audit.certificates.request(tx, id, { ...makeStatement(), request: { id: formatId('request', id), reference: 'QT-TEST-0001' } }));
  await settle();
  const bytes = await audit.certificates.build(id);
  if (bytes === undefined) throw new Error('No signed head covers the certificate');
  return bytes;
}

describe.each(databaseKinds)('on databases of kind $kind', ({ kind }) => {
  const sharedMain = useDatabase(kind, 'main');
  const sharedAudit = useDatabase(kind, 'audit');
  beforeAll(() => {
    main = sharedMain.open();
    auditDb = sharedAudit.open();
  });
  beforeEach(async () => {
    logs += 1;
    origin = `quittance.example/log/keys-${logs}`;
    await main.execute('TRUNCATE audit_outbox, certificate_statement');
    now = Date.UTC(2026, 10, 21);
    signingKey = signingKeyOf(seed);
    audit = await makeAudit();
  });

  describe('a new key of the log', () => {
    it('is named in the log, under a head of the old key, before it signs anything', async () => {
      const { current } = await audit.keys.read();
      const rotated = await audit.keys.rotate('ada', 30);
      expect(await states()).toEqual(['current', 'announced']);
      await expect(audit.keys.rotate('ada', 30)).rejects.toMatchObject({ code: 'CONFLICT' });
      await settle();
      // The announcement is the only row, and the old key alone signed it.
      const [first] = await heads();
      expect([first?.size, signedBy(first?.note ?? '')]).toEqual([1, [current.verifierKey.id]]);
      expect(await states()).toEqual(['current', 'leaving']);
      await settle();
      const last = (await heads()).at(-1);
      expect([last?.size, signedBy(last?.note ?? '')]).toEqual([2, [rotated.id, current.verifierKey.id]]);
      const keyHash = sha256(rotated.verifierKey).toString('hex');
      expect(await entries()).toMatchObject([
        { type: 'log.key_announced', actor: { role: 'operator', id: 'ada' }, from: `key:${current.verifierKey.id}`, to: `key:${rotated.id}`, key_hash: keyHash, counts: { overlap_days: 30 } },
        { type: 'log.key_used', actor: { role: 'system' }, to: `key:${rotated.id}`, key_hash: keyHash },
      ]);
      expect(await audit.verification.run()).toMatchObject({ ok: true, grade: 'signed_head' });
    });

    it('signs beside the old one during the overlap and alone after it; each certificate verifies with any key of its time, and with no other', async () => {
      const [old = ''] = (await audit.keys.read()).trusted;
      const before = await issue();
      const { verifierKey: fresh } = await audit.keys.rotate('ada', 30);
      await settle(2);
      const during = await issue();
      now += 30 * dayMs;
      await record();
      await settle(3);
      const after = await issue();

      expect(await states()).toEqual(['current', 'retired']);
      const verified = (bytes: Buffer, key: string): boolean | string => {
        const result = verifyCertificate(bytes, { keys: [key], origin });
        return result.ok || result.check;
      };
      expect([before, during, after].map((bytes) => verified(bytes, old))).toEqual([true, true, 'signature']);
      expect([before, during, after].map((bytes) => verified(bytes, fresh))).toEqual(['signature', true, true]);
      const { trusted } = await audit.keys.read();
      for (const bytes of [before, during, after]) expect(verifyCertificate(bytes, { keys: trusted, origin })).toMatchObject({ ok: true });
      expect(await audit.verification.run()).toMatchObject({ ok: true });
    });

    it('leaves every byte of a certificate with two seals guarded for who knows both keys', { timeout: 60_000 }, async () => {
      await audit.keys.rotate('ada', 30);
      await settle(2);
      const bytes = await issue();
      const { trusted } = await audit.keys.read();
      expect(trusted).toHaveLength(2);
      for (let at = 0; at < bytes.length; at += 1) {
        const copy = Buffer.from(bytes);
        copy[at] = (copy[at] ?? 0) ^ 1;
        expect(verifyCertificate(copy, { keys: trusted }).ok, `byte ${at}`).toBe(false);
      }
      // Nor can a seal be left out that way, or be passed off as a stranger's.
      const { seal } = JSON.parse(bytes.toString('utf8')) as { seal: string };
      const parts = Buffer.from(seal, 'base64');
      const stranger = Buffer.concat([Buffer.alloc(4, 9), parts.subarray(4)]).toString('base64');
      const twice = Buffer.concat([parts, parts.subarray(0, 68)]).toString('base64');
      for (const other of [stranger, twice, parts.subarray(0, 100).toString('base64'), '']) {
        expect(verifyCertificate(Buffer.from(bytes.toString('utf8').replace(seal, other)), { keys: trusted }), other).toMatchObject({ ok: false, check: 'seal' });
      }
    });

    it('is taken up by other processes and after a restart, with nothing told to them', async () => {
      const elsewhere = await makeAudit();
      const { verifierKey: fresh } = await audit.keys.rotate('ada', 0);
      audit = await makeAudit();
      await settle(3);
      expect((await elsewhere.keys.read()).current.verifierKey.text).toBe(fresh);
      expect((await elsewhere.keys.read()).trusted).toHaveLength(2);
    });

    it('takes over in a process that writes, without anybody asking', async () => {
      const { id } = await audit.keys.rotate('ada', 0);
      const stop = await audit.startWriter();
      // The writer signs once a second of its clock.
      await vi.waitFor(async () => {
        now += 1000;
        expect(await states()).toEqual(['current', 'retired']);
      }, 10_000);
      await stop();
      expect((await audit.keys.read()).current.verifierKey.id).toBe(id);
      expect(signedBy((await heads()).at(-1)?.note ?? '')).toEqual([id]);
    });
  });

  describe('a former key of the log', () => {
    /** A log whose first key was retired, what that key had signed last, and a head that it signs after it leaked. */
    async function leaked(overlapDays: number): Promise<{ readonly old: string; readonly lastSize: number; readonly forged: string }> {
      const [old = ''] = (await audit.keys.read()).trusted;
      await record(5);
      await settle();
      await audit.keys.rotate('ada', overlapDays);
      await settle(2);
      now += overlapDays * dayMs;
      await record();
      await settle(3);
      expect(await states()).toEqual(['current', 'retired']);
      const last = (await heads()).findLast((head) => signedBy(head.note).includes(idOf(old)));
      const thief = createNoteSigner(origin, seed);
      return { old, lastSize: last?.size ?? 0, forged: signCheckpoint({ origin, size: 1000, root: Buffer.alloc(32, 1) }, thief) };
    }

    it.each([0, 30])('that leaks after it was retired cannot sign new heads (overlap of %d days), while what it signed before still counts', async (overlapDays) => {
      const { old, lastSize, forged } = await leaked(overlapDays);
      const { trusted, verifierKeys } = await audit.keys.read();
      expect(trusted.at(-1)).toBe(`${old} until ${lastSize}`);
      expect(openCheckpoint(forged, verifierKeys, origin)).toMatchObject({ ok: false, check: 'retired' });
      expect(await audit.verification.run({ exportedHeads: [forged] })).toMatchObject({ ok: false, check: 'retired' });
      const [first] = await heads();
      expect(await audit.verification.run({ fromCheckpoint: first?.note ?? '' })).toMatchObject({ ok: true });
      expect(await audit.verification.run()).toMatchObject({ ok: true });
      expect((await entries()).at(-1)).toMatchObject({ type: 'log.key_retired', from: `key:${idOf(old)}`, counts: { rows: lastSize } });
    });

    it('is gone with its secret half, and known from then on by its public half alone', async () => {
      const { old } = await leaked(0);
      const kept = (await signingKey.read()).plain.toString('utf8');
      expect(kept).not.toContain(seed.toString('base64'));
      expect(kept).toContain(old);
    });

    it('is in an export behind the present one, with the end of its time, and the whole log verifies by that file', async () => {
      const { forged, lastSize } = await leaked(0);
      const folder = mkdtempSync(join(tmpdir(), 'quittance-export-'));
      await audit.exportLog(folder);
      const keys = readFileSync(join(folder, 'log-key'), 'utf8').trim().split('\n');
      expect(keys).toEqual((await audit.keys.read()).trusted);
      const read = async (path: string): Promise<Buffer | undefined> => {
        try {
          return readFileSync(join(folder, path));
        } catch {
          return undefined;
        }
      };
      expect(await verifyFolder(read, { trust: { keys } })).toMatchObject({ ok: true });
      expect(await verifyFolder(read, { trust: { keys }, heads: [{ note: forged, source: 'exported' }] })).toMatchObject({ ok: false, check: 'retired' });
      // A limit put too low shows, as one that does not count.
      const lower = keys.map((line) => line.replace(`until ${lastSize}`, 'until 1'));
      expect(await verifyFolder(read, { trust: { keys: lower } })).toMatchObject({ ok: false, check: 'retired' });
      rmSync(folder, { recursive: true, force: true });
    });

    it('is not retired before a head of the new key is there, however long ago its overlap ended', async () => {
      await record();
      await settle();
      await audit.keys.rotate('ada', 0);
      await audit.settle();
      // The announcement is covered and the new key named as signing: its first head is still to come.
      now += 365 * dayMs;
      expect(await states()).toEqual(['current', 'leaving']);
      const { current } = await audit.keys.read();
      expect(parseCheckpoint((await heads()).at(-1)?.note.split('\n\n')[0]?.concat('\n') ?? '')).toMatchObject({ ok: true });
      expect(signedBy((await heads()).at(-1)?.note ?? '')).not.toContain(current.verifierKey.id);
      await settle(2);
      expect(await states()).toEqual(['current', 'retired']);
    });
  });
});

describe('the ring of keys', () => {
  it('starts as the seed that was made at the first start, and refuses what is no ring', () => {
    expect(parseKeyRing(seed)).toEqual([{ state: 'current', seed: seed.toString('base64') }]);
    const ring = (keys: unknown): Buffer => Buffer.from(JSON.stringify({ version: 1, keys }));
    const current = { state: 'current', seed: seed.toString('base64') };
    expect(parseKeyRing(ring([current]))).toEqual([current]);
    for (const bad of [ring([]), ring([current, current]), ring([{ ...current, state: 'unknown' }]), Buffer.from('[]'), Buffer.from('no JSON')]) expect(() => parseKeyRing(bad)).toThrow();
  });

  it('changes nothing when there is nothing to change', () => {
    const ring = parseKeyRing(seed);
    expect(useAnnouncedKey(ring, 0)).toBe(ring);
    expect(retireKey(ring, { state: 'leaving', seed: '', until: 0 }, '', 0)).toEqual(ring);
  });

  it('is trusted by lines that say until when, and by no others', () => {
    const { text } = createNoteSigner('log.example', seed).verifierKey;
    expect(readKeys([`${text} until 12`, text])).toMatchObject({ ok: true, keys: [{ lastSize: 12 }, {}] });
    for (const line of [`${text} until`, `${text} until x`, `${text} until 012`, `${text} until 1 until 2`, `${text} to 12`]) expect(readKeys([line]), line).toMatchObject({ ok: false, check: 'key-format' });
  });
});
