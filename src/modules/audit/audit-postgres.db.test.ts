import { sql } from 'kysely';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { sharedPostgres } from '../../../test/support/databases.ts';
import { onlyKey } from '../../../test/support/log-keys.ts';
import { tablesOf, type Database } from '../../platform/db/database.ts';
import { openPostgres } from '../../platform/db/postgres.ts';
import { createNoteSigner } from '../../verify/index.ts';
import { appendRows, asApplication, claimLog } from './log-store.ts';
import { createLogWriter } from './log-writer.ts';
import { recordAuditEntry } from './record-audit-entry.ts';

const signer = createNoteSigner('quittance.example/log/postgres', Buffer.alloc(32, 1));

let main: Database;
let audit: Database;

beforeAll(async () => {
  // The login, which ran the migrations too, can do no more than make roles and use its databases: the hardening must not need a superuser.
  const server = sharedPostgres();
  main = openPostgres(await server.createDatabase('main'), () => undefined);
  audit = openPostgres(await server.createDatabase('audit'), () => undefined);
});
afterAll(async () => {
  await main.close();
  await audit.close();
});

const record = (count: number): Promise<void> =>
  main.transaction(async (tx) => {
    for (let at = 0; at < count; at += 1) {
      await recordAuditEntry(tx, { type: 'task.settled', at: '2026-11-21T00:00:00.000Z', actor: { role: 'system' }, counts: { at } });
    }
  });

describe('the audit log on PostgreSQL, as a login without superuser rights', () => {
  it('is appended to, signed, and gone on with by the next process', async () => {
    const writer = createLogWriter({ main, audit, keys: onlyKey(signer) });
    await record(600);
    expect(await writer.flush()).toBe(600);
    expect(await writer.checkpoint()).toMatchObject({ size: 600 });
    const waiting = createLogWriter({ main, audit, keys: onlyKey(signer) });
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
