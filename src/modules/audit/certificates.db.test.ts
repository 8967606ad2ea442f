import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Writable } from 'node:stream';
import { beforeAll, describe, expect, it } from 'vitest';
import { formatId } from '../../contract/ids.ts';
import { databaseKinds, useDatabase } from '../../../test/support/databases.ts';
import type { Database } from '../../platform/db/database.ts';
import { newId } from '../../platform/ids.ts';
import { createLog } from '../../platform/log.ts';
import { commitIdentifier, verifyCertificate, verifyFolder, type Statement } from '../../verify/index.ts';
import { makeStatement, testNonce } from '../../../test/vectors/audit/make-log.ts';
import { signingKeyOf } from '../../../test/support/log-keys.ts';
import { createAudit, type Audit } from './create-audit.ts';

const origin = 'quittance.example/log/certificates';
let main: Database;
let auditDb: Database;
let audit: Audit;

const makeAudit = (name: string): Promise<Audit> =>
  createAudit({
    database: main,
    auditDatabase: auditDb,
    signingKey: signingKeyOf(Buffer.alloc(32, 1)),
    clock: { now: () => Date.UTC(2026, 10, 21) },
    jobs: { work: async () => undefined },
    log: createLog('silent', new Writable({ write: (_chunk, _encoding, done) => done() })),
    config: { origin: name, checkpoint_seconds: 1 },
  });

describe.each(databaseKinds)('on databases of kind $kind', ({ kind }) => {
  const operational = useDatabase(kind, 'main');
  const logged = useDatabase(kind, 'audit');
  beforeAll(async () => {
    main = operational.open();
    auditDb = logged.open();
    audit = await makeAudit(origin);
  });

  const record = (count: number): Promise<void> =>
    main.transaction(async (tx) => {
      for (let at = 0; at < count; at += 1) await audit.record(tx, { type: 'task.settled', at: '2026-11-20T23:59:59.000Z', actor: { role: 'system' }, attempt: at });
    });

  const statementFor = (id: string): Statement => ({ ...makeStatement(), request: { id, reference: 'QT-TEST-0001' } });

  describe('a certificate', () => {
    it('is there once a signed head covers its entry, not before, and verifies with the key alone', async () => {
      const id = newId('request');
      const statement = statementFor(formatId('request', id));
      await record(300);
      await main.transaction(async (tx) => audit.certificates.request(tx, id, statement));
      expect(await audit.certificates.build(id)).toBeUndefined();
      await audit.settle();
      const bytes = await audit.certificates.build(id);
      expect(verifyCertificate(bytes ?? Buffer.alloc(0), { keys: (await audit.keys.read()).trusted, origin })).toMatchObject({ ok: true, index: 300, size: 301, statement });
      expect(await audit.certificates.build(id)).toEqual(bytes);
      expect(await audit.certificates.build(newId('request'))).toBeUndefined();
    });

    it('is of the newest statement, and the person has a copy that opens its commitments', async () => {
      const id = newId('request');
      const statement = statementFor(formatId('request', id));
      await main.transaction(async (tx) => audit.certificates.request(tx, id, statement));
      await main.transaction(async (tx) => audit.certificates.request(tx, id, { ...statement, verdict: 'fulfilled' }));
      await audit.settle();
      const normalForm = 'ada.beispiel@example.com';
      const disclosure = { nonce: testNonce.toString('base64'), identifiers: [{ kind: 'email', normal_form: normalForm, commitment: commitIdentifier(testNonce, 'email', normalForm) }] };
      const bytes = await audit.certificates.build(id, disclosure);
      expect(verifyCertificate(bytes ?? Buffer.alloc(0), { keys: (await audit.keys.read()).trusted })).toMatchObject({ ok: true, statement: { verdict: 'fulfilled' }, disclosure });
      await expect(audit.certificates.build(id, { ...disclosure, nonce: Buffer.alloc(32).toString('base64') })).rejects.toMatchObject({ code: 'AUDIT_INVALID' });
    });

    it('is refused for a statement without the shape of one, or about another request', async () => {
      const id = newId('request');
      const attempts = [{}, statementFor(formatId('request', newId('request'))), { ...statementFor(formatId('request', id)), verdict: 0.5 }];
      for (const statement of attempts) {
        await expect(main.transaction(async (tx) => audit.certificates.request(tx, id, statement))).rejects.toThrow(/statement/u);
      }
    });
  });

  describe('an exported log', () => {
    it('verifies from its files alone, and a later export writes only what is new', async () => {
      const folder = mkdtempSync(join(tmpdir(), 'quittance-export-'));
      try {
        const read = async (path: string) => {
          try {
            return readFileSync(join(folder, path));
          } catch {
            return undefined;
          }
        };
        audit = await makeAudit('quittance.example/log/exported');
        await expect(audit.exportLog(folder)).rejects.toMatchObject({ code: 'NOT_FOUND' });
        await record(700);
        await audit.settle();
        expect(await audit.exportLog(folder)).toEqual({ size: 700, tiles: 7 });
        expect(await verifyFolder(read, { trust: { keys: (await audit.keys.read()).trusted } })).toMatchObject({ ok: true, size: 700 });
        await record(100);
        await audit.settle();
        expect(await audit.exportLog(folder)).toEqual({ size: 800, tiles: 5 });
        expect(await verifyFolder(read, { trust: { keys: (await audit.keys.read()).trusted } })).toMatchObject({ ok: true, size: 800 });
      } finally {
        rmSync(folder, { recursive: true });
      }
    });
  });
});
