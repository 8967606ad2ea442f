import { Writable } from 'node:stream';
import { sql } from 'kysely';
import { beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import type { AuditEntry } from '../../contract/audit-entry.ts';
import { databaseKinds, useDatabase } from '../../../test/support/databases.ts';
import { tablesOf, type Database } from '../../platform/db/database.ts';
import { createLog } from '../../platform/log.ts';
import { createNoteSigner, leafHash, signCheckpoint } from '../../verify/index.ts';
import { makeEntry } from '../../../test/vectors/audit/make-log.ts';
import { onlyKey, signingKeyOf } from '../../../test/support/log-keys.ts';
import { createAudit, type Audit } from './create-audit.ts';
import type { AuditAlert } from './index.ts';
import { asApplication } from './log-store.ts';
import { createLogWriter } from './log-writer.ts';
import type { AuditLogTables } from './tables.ts';

const origin = 'quittance.example/log/test';
const seed = Buffer.alloc(32, 1);
const signer = createNoteSigner(origin, seed);
const start = Date.UTC(2026, 10, 21);

let main: Database;
let auditDb: Database;
/** The audit database, for somebody who can do everything in it. */
let root: Database;
let audit: Audit;
let alerts: AuditAlert[];
let now: number;
/** Who holds the writer's lock. Emptied, it is as if the writer's connection had died without its noticing. */
let locks: Set<bigint>;

const makeAudit = (): Promise<Audit> =>
  createAudit({
    database: main,
    auditDatabase: withLocks(locks),
    signingKey: signingKeyOf(seed),
    clock: { now: () => now },
    jobs: { work: async () => undefined },
    log: createLog('silent', new Writable({ write: (_chunk, _encoding, done) => done() })),
    config: { origin, checkpoint_seconds: 1 },
    onAlert: async (alert) => void alerts.push(alert),
  });

const entryAt = (at: number): AuditEntry => ({
  type: 'task.settled',
  at: new Date(start + at).toISOString(),
  actor: { role: 'system' },
  system: 'stripe',
  outcome: 'erased',
  counts: { customers: at % 7 },
});

async function record(count: number): Promise<void> {
  await main.transaction(async (tx) => {
    for (let at = 0; at < count; at += 1) await audit.record(tx, entryAt(at));
  });
}

async function sizeOfLog(): Promise<number> {
  const rows = await auditDb.read<AuditLogTables>().selectFrom('audit.log_row').select('seq').execute();
  return rows.length;
}

/** The audit database as a process sees it, with its own idea of who holds the lock. */
function withLocks(held: Set<bigint>): Database {
  return {
    ...auditDb,
    tryLock: async (key) => {
      if (held.has(key)) return undefined;
      held.add(key);
      return { held: () => true, release: async () => void held.delete(key) };
    },
  };
}

async function heads(): Promise<{ readonly note: string; readonly root: Buffer }[]> {
  const rows = await auditDb.read<AuditLogTables>().selectFrom('audit.checkpoint').select(['note', 'root']).orderBy('size').execute();
  return rows.map((row) => ({ note: row.note, root: Buffer.from(row.root) }));
}

describe.each(databaseKinds)('on databases of kind $kind', ({ kind }) => {
  const operational = useDatabase(kind, 'main');
  const logged = useDatabase(kind, 'audit');
  beforeAll(async () => {
    main = operational.open();
    auditDb = logged.open();
    root = logged.openAsSuperuser();
  });
  /** Empties both databases, as a superuser can who first takes the triggers away. */
  beforeEach(async () => {
    await root.execute(asSuperuser('TRUNCATE audit.log_row, audit.tile_hash, audit.checkpoint, audit.verification, audit.log'));
    await root.execute(`ALTER TABLE audit.log_row DROP CONSTRAINT IF EXISTS log_row_hash, DROP CONSTRAINT IF EXISTS log_row_no_fork,
      ADD CONSTRAINT log_row_no_fork UNIQUE (log_id, prev), ADD CONSTRAINT log_row_hash CHECK (hash = sha256('\\x00'::bytea || entry))`);
    await main.execute('TRUNCATE audit_outbox, certificate_statement');
    alerts = [];
    locks = new Set();
    now = start + 60_000;
    audit = await makeAudit();
  });

  const guarded = ['log_row', 'tile_hash', 'checkpoint', 'verification'];

  /** SQL that does something to the log which only somebody can do who may take away its protection. */
  function asSuperuser(change: string): string {
    const each = (action: string): string => guarded.map((table) => `ALTER TABLE audit.${table} ${action} TRIGGER ALL;`).join(' ');
    const constraints = 'ALTER TABLE audit.log_row DROP CONSTRAINT IF EXISTS log_row_hash; ALTER TABLE audit.log_row DROP CONSTRAINT IF EXISTS log_row_no_fork;';
    return `${each('DISABLE')} ${change.includes('TRUNCATE') ? '' : constraints} ${change}; ${each('ENABLE')} ${guarded.map((table) => `ALTER TABLE audit.${table} ENABLE ALWAYS TRIGGER refuse_change; ALTER TABLE audit.${table} ENABLE ALWAYS TRIGGER refuse_truncate;`).join(' ')}`;
  }

  describe('the audit log', () => {
    it('holds each recorded entry once, in order, and nothing of a transaction that was rolled back', async () => {
      await record(3);
      await expect(
        main.transaction(async (tx) => {
          await audit.record(tx, entryAt(3));
          throw new Error('rolled back');
        }),
      ).rejects.toThrow('rolled back');
      await record(2);
      expect(await audit.settle()).toBe(true);
      expect(await audit.verification.run()).toMatchObject({ ok: true, size: 5, grade: 'signed_head', signedSize: 5 });
      expect(alerts).toEqual([]);
    });

    it('refuses an entry with free text, unknown fields or fractions, and names no value', async () => {
      const bad = [{ ...entryAt(0), note: 'Ada Beispiel' }, { ...entryAt(0), system: 'Ada Beispiel' }, { ...entryAt(0), proof: { share: 0.5 } }] as unknown as AuditEntry[];
      for (const entry of bad) {
        const refused = main.transaction(async (tx) => audit.record(tx, entry));
        await expect(refused).rejects.toThrow(/audit entry of the type task\.settled/u);
        await expect(refused).rejects.not.toThrow(/Beispiel/u);
      }
      expect(await audit.settle()).toBe(true);
      await expect(main.transaction(async (tx) => audit.record(tx, entryAt(0)))).resolves.toMatch(/^[0-9a-f-]{36}$/u);
    });

    it('appends an event once when the writer died between appending and marking', async () => {
      await record(4);
      await audit.settle();
      await main.execute('UPDATE audit_outbox SET delivered_at = NULL');
      locks.clear();
      audit = await makeAudit();
      await record(2);
      expect(await audit.settle()).toBe(true);
      expect(await sizeOfLog()).toBe(6);
      expect(await audit.verification.run()).toMatchObject({ ok: true, size: 6 });
    });

    it('takes ten thousand rows, and goes on behind them after a restart', async () => {
      for (let at = 0; at < 10; at += 1) await record(1000);
      expect(await audit.settle()).toBe(true);
      locks.clear();
      audit = await makeAudit();
      await record(300);
      expect(await audit.settle()).toBe(true);
      expect(await audit.verification.run()).toMatchObject({ ok: true, size: 10_300, signedSize: 10_300 });
      const [first] = await heads();
      expect(await audit.verification.run({ fromCheckpoint: first?.note ?? '' })).toMatchObject({ ok: true, size: 10_301, rows: 301 });
    });

    it('lets only one writer append: another gets nothing, and whoever claims the log shuts out the one before', async () => {
      await record(1);
      expect(await audit.settle()).toBe(true);
      const waiting = createLogWriter({ main, audit: withLocks(locks), keys: onlyKey(signer) });
      expect(await waiting.flush()).toBeUndefined();
      const usurper = createLogWriter({ main, audit: withLocks(new Set()), keys: onlyKey(signer) });
      await record(1);
      expect(await usurper.flush()).toBe(1);
      await record(1);
      expect(await audit.settle()).toBe(false);
      expect(await usurper.flush()).toBe(1);
      expect(await sizeOfLog()).toBe(3);
    });
  });

  const editRow = (seq: number, entry: Buffer, hash = leafHash(entry)): string =>
    `UPDATE audit.log_row SET entry = '\\x${entry.toString('hex')}', hash = '\\x${hash.toString('hex')}' WHERE seq = ${seq}`;
  const rowAt = async (seq: number): Promise<{ entry: Buffer; hash: Buffer }> => {
    const row = await auditDb.read<AuditLogTables>().selectFrom('audit.log_row').select(['entry', 'hash']).where('seq', '=', seq).executeTakeFirstOrThrow();
    return { entry: Buffer.from(row.entry), hash: Buffer.from(row.hash) };
  };
  const edited = async (seq: number): Promise<Buffer> => Buffer.from((await rowAt(seq)).entry.toString('utf8').replace('erased', 'failed'));
  const asOwner = (text: string) =>
    auditDb.transaction(async (tx) => {
      await sql`SET LOCAL ROLE quittance_audit_owner`.execute(tablesOf(tx));
      return sql.raw(text).execute(tablesOf(tx));
    });

  describe('a log damaged by somebody who can do everything in the database', () => {
    const swapSql = 'UPDATE audit.log_row SET seq = CASE seq WHEN 150 THEN 9160 WHEN 160 THEN 9150 END WHERE seq IN (150, 160); UPDATE audit.log_row SET seq = seq - 9000 WHERE seq > 9000';

    /** The damage, and what must be said of it: the check, and the first bad row. */
    const damages: Record<string, { readonly sql: () => Promise<string> | string; readonly check: string; readonly seq: number }> = {
      'an edited row': { sql: async () => editRow(150, await edited(150), (await rowAt(150)).hash), check: 'row-hash', seq: 150 },
      'an edited row with its hash made anew': { sql: async () => editRow(150, await edited(150)), check: 'link', seq: 150 },
      'a deleted row': { sql: () => 'DELETE FROM audit.log_row WHERE seq = 150', check: 'gap', seq: 150 },
      'a deleted row, and the numbers closed up': {
        sql: () => 'DELETE FROM audit.log_row WHERE seq = 150; UPDATE audit.log_row SET seq = seq + 9000 WHERE seq > 150; UPDATE audit.log_row SET seq = seq - 9001 WHERE seq > 9000',
        check: 'order',
        seq: 150,
      },
      'an inserted row': {
        sql: async () => {
          const entry = makeEntry(150, (await rowAt(149)).hash.toString('hex'), {}, origin);
          return `UPDATE audit.log_row SET seq = seq + 9000 WHERE seq >= 150; UPDATE audit.log_row SET seq = seq - 8999 WHERE seq > 9000;
            INSERT INTO audit.log_row (log_id, seq, prev, hash, event_id, entry) SELECT log_id, 150, hash, '\\x${leafHash(entry).toString('hex')}', gen_random_uuid(), '\\x${entry.toString('hex')}' FROM audit.log_row WHERE seq = 149`;
        },
        check: 'order',
        seq: 151,
      },
      'reordered rows': { sql: () => swapSql, check: 'order', seq: 150 },
      'swapped contents': { sql: async () => `${editRow(150, (await rowAt(160)).entry)}; ${editRow(160, (await rowAt(150)).entry)}`, check: 'order', seq: 150 },
      'a cut off end': { sql: () => 'DELETE FROM audit.log_row WHERE seq >= 200', check: 'truncated', seq: 200 },
      'a row spliced in from another log': { sql: async () => editRow(150, makeEntry(150, (await rowAt(149)).hash.toString('hex'), {}, 'other.example/log')), check: 'splice', seq: 150 },
      'a changed tree': { sql: () => `UPDATE audit.tile_hash SET hash = '\\x${'00'.repeat(32)}' WHERE level = 1 AND index = 0`, check: 'tile', seq: -1 },
    };
    for (const [name, damage] of Object.entries(damages)) {
      it(`is found to have ${name}, which is named, and a person is alerted`, async () => {
        await record(100);
        await audit.settle();
        await record(200);
        await audit.settle();
        expect(await audit.verification.run()).toMatchObject({ ok: true, size: 300 });
        await root.execute(asSuperuser(await damage.sql()));
        locks.clear();
        audit = await makeAudit();
        const found = await audit.verification.run();
        expect(found).toMatchObject({ ok: false, check: damage.check, ...(damage.seq < 0 ? {} : { seq: damage.seq }) });
        expect(alerts).toMatchObject([{ kind: 'failed', refusal: { check: damage.check } }]);
      });
    }

    it('is found to be cut off with all its heads, by an exported head or by the outbox', async () => {
      await record(100);
      await audit.settle();
      await record(100);
      await audit.settle();
      const exported = (await heads()).at(-1)?.note ?? '';
      await root.execute(asSuperuser('DELETE FROM audit.log_row WHERE seq >= 100; DELETE FROM audit.checkpoint WHERE size > 100'));
      locks.clear();
      audit = await makeAudit();
      expect(await audit.verification.run({ exportedHeads: [exported] })).toMatchObject({ ok: false, check: 'truncated' });
      expect(await audit.verification.run()).toMatchObject({ ok: false, check: 'count' });
    });

    it('is found to be rolled back when it went on after a restore, and the head exported before tells of another past', async () => {
      await record(200);
      await audit.settle();
      const exported = (await heads()).at(-1)?.note ?? '';
      await root.execute(asSuperuser('DELETE FROM audit.log_row WHERE seq >= 100; DELETE FROM audit.checkpoint'));
      locks.clear();
      audit = await makeAudit();
      await record(150);
      await audit.settle();
      expect(await audit.verification.run({ exportedHeads: [exported] })).toMatchObject({ ok: false, check: 'rollback', seq: 0 });
    });

    it('is found to be forked, when two roots were signed for one size', async () => {
      await record(100);
      await audit.settle();
      const other = signCheckpoint({ origin, size: 100, root: Buffer.alloc(32, 1) }, signer);
      expect(await audit.verification.run({ exportedHeads: [other] })).toMatchObject({ ok: false, check: 'fork', seq: 99 });
    });

    it('is found to have a head that another key signed', async () => {
      await record(100);
      await audit.settle();
      const [head] = await heads();
      const forged = signCheckpoint({ origin, size: 100, root: head?.root ?? Buffer.alloc(32) }, createNoteSigner(origin, Buffer.alloc(32, 2)));
      await root.execute(asSuperuser(`UPDATE audit.checkpoint SET note = '${forged}'`));
      locks.clear();
      audit = await makeAudit();
      expect(await audit.verification.run()).toMatchObject({ ok: false, check: 'signature' });
    });

    it('is never signed: the writer refuses a head over rows that do not continue the last one', async () => {
      await record(100);
      await audit.settle();
      await root.execute(asSuperuser(editRow(50, await edited(50))));
      await record(10);
      await expect(audit.settle()).rejects.toMatchObject({ code: 'AUDIT_INVALID' });
      locks.clear();
      audit = await makeAudit();
      await expect(audit.settle()).rejects.toMatchObject({ code: 'AUDIT_INVALID' });
      expect(await heads()).toHaveLength(1);
      const size = await sizeOfLog();
      const stop = await audit.startWriter();
      await vi.waitFor(() => expect(alerts).toMatchObject([{ kind: 'unwritable' }]));
      await stop();
      expect(await sizeOfLog()).toBe(size);
    });
  });

  describe('the audit database', () => {
    beforeEach(async () => {
      await record(3);
      await audit.settle();
    });

    const changes = ["UPDATE audit.log_row SET entry = 'x'", 'DELETE FROM audit.log_row', 'TRUNCATE audit.log_row', "UPDATE audit.checkpoint SET note = 'x'", 'DELETE FROM audit.checkpoint', 'DELETE FROM audit.tile_hash', 'DELETE FROM audit.verification'];

    it('lets the application read and append, and change nothing', async () => {
      await expect(asApplication(auditDb, (tx) => sql`SELECT count(*) FROM audit.log_row`.execute(tablesOf(tx)))).resolves.toBeDefined();
      const forbidden = [
        ...changes,
        'UPDATE audit.log SET epoch = 0',
        `INSERT INTO audit.log_row (log_id, seq, prev, hash, event_id, entry) VALUES (1, 9, '', '', gen_random_uuid(), 'x')`,
        "INSERT INTO audit.checkpoint (log_id, size, root, note) VALUES (1, 9, '', 'x')",
        'ALTER TABLE audit.log_row DISABLE TRIGGER ALL',
        'ALTER TABLE audit.log_row DISABLE ROW LEVEL SECURITY',
        'DROP TABLE audit.log_row',
        'CREATE TABLE audit.other (a int)',
      ];
      for (const text of forbidden) {
        await expect(asApplication(auditDb, (tx) => sql.raw(text).execute(tablesOf(tx))), text).rejects.toThrow(/permission denied|must be owner/u);
      }
      expect(await sizeOfLog()).toBe(3);
    });

    it('refuses changes by the owner of its tables, and by a superuser until the triggers are taken away', async () => {
      await expect(asOwner('TRUNCATE audit.log_row')).rejects.toThrow(/append-only/u);
      const touched = await asOwner('DELETE FROM audit.log_row');
      expect(touched.numAffectedRows ?? 0n).toBe(0n);
      for (const text of changes.slice(0, 5)) {
        await expect(root.execute(text), text).rejects.toThrow(/append-only/u);
        await expect(root.execute(`SET session_replication_role = replica; ${text}`), text).rejects.toThrow(/append-only/u);
        await root.execute('SET session_replication_role = DEFAULT');
      }
      expect(await sizeOfLog()).toBe(3);
    });

    it('refuses a wrong hash, a fork, a second row of one event, and a second root for one size, whoever writes it', async () => {
      const insert = (columns: string) => root.execute(`INSERT INTO audit.log_row (log_id, seq, prev, hash, event_id, entry) ${columns}`);
      const fresh = "'x'::bytea, sha256('\\x00'::bytea || 'x'::bytea)";
      await expect(insert("SELECT log_id, 3, hash, hash, gen_random_uuid(), 'x' FROM audit.log_row WHERE seq = 2")).rejects.toThrow(/log_row_hash/u);
      await expect(insert(`SELECT log_id, 3, prev, f.hash, gen_random_uuid(), f.entry FROM audit.log_row, (SELECT ${fresh}) f (entry, hash) WHERE seq = 2`)).rejects.toThrow(/log_row_no_fork/u);
      await expect(insert(`SELECT log_id, 3, r.hash, f.hash, event_id, f.entry FROM audit.log_row r, (SELECT ${fresh}) f (entry, hash) WHERE seq = 2`)).rejects.toThrow(/log_row_event_once/u);
      await expect(root.execute("INSERT INTO audit.checkpoint SELECT log_id, size, sha256('other'), note FROM audit.checkpoint")).rejects.toThrow(/checkpoint_pkey/u);
      await expect(insert(`SELECT log_id, 3, r.hash, f.hash, gen_random_uuid(), f.entry FROM audit.log_row r, (SELECT ${fresh}) f (entry, hash) WHERE seq = 2`)).resolves.toBeUndefined();
    });
  });

  describe('a verification that did not run', () => {
    it('is noticed after eight days, and not while it runs weekly', async () => {
      await record(1);
      await audit.settle();
      await root.execute(asSuperuser(`UPDATE audit.log_row SET appended_at = '${new Date(now).toISOString()}'`));
      now += 8 * 86_400_000;
      expect(await audit.verification.checkOverdue()).toBe(false);
      now += 1;
      expect(await audit.verification.checkOverdue()).toBe(true);
      expect(alerts).toEqual([{ kind: 'overdue', lastRunAt: undefined }]);
      await audit.verification.run();
      now += 7 * 86_400_000;
      expect(await audit.verification.checkOverdue()).toBe(false);
    });
  });
});
