import { Writable } from 'node:stream';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { databaseKinds, useDatabase } from '../../../test/support/databases.ts';
import type { Database } from '../../platform/db/database.ts';
import { createHttpServer, type HttpServer } from '../../platform/http/server.ts';
import { createLog } from '../../platform/log.ts';
import { Secret } from '../../platform/secret.ts';
import { verifyFolder } from '../../verify/index.ts';
import { createAuthenticate } from '../access/index.ts';
import { signingKeyOf } from '../../../test/support/log-keys.ts';
import { createAudit, type Audit } from './create-audit.ts';

const log = createLog('silent', new Writable({ write: (_chunk, _encoding, done) => done() }));
const headers = { authorization: 'Bearer operator-key' };
let main: Database;
let auditDb: Database;
let app: HttpServer;
let audit: Audit;

describe.each(databaseKinds)('on databases of kind $kind', ({ kind }) => {
  const operational = useDatabase(kind, 'main');
  const logged = useDatabase(kind, 'audit');
  beforeAll(async () => {
    main = operational.open();
    auditDb = logged.open();
    app = await createHttpServer(log, '0.0.0');
    audit = await createAudit({
      database: main,
      auditDatabase: auditDb,
      signingKey: signingKeyOf(Buffer.alloc(32, 1)),
      clock: { now: () => Date.UTC(2026, 10, 21) },
      jobs: { work: async () => undefined },
      log,
      config: { origin: 'quittance.example/log/routes', checkpoint_seconds: 1 },
    });
    audit.registerRoutes(app, createAuthenticate([{ name: 'operator', verify: 'email_code', key: new Secret('operator-key') }]));
    await app.ready();
  });
  afterAll(async () => {
    await app.close();
  });

  const record = (count: number): Promise<void> =>
    main.transaction(async (tx) => {
      for (let at = 0; at < count; at += 1) await audit.record(tx, { type: 'task.settled', at: '2026-11-20T23:59:59.000Z', actor: { role: 'system' }, attempt: at });
    });

  const get = (path: string, sent: Record<string, string> = headers) => app.inject({ method: 'GET', url: path, headers: sent });

  const post = async (payload?: object) => {
    const answer = await app.inject({ method: 'POST', url: '/v1/audit/verification', headers, ...(payload === undefined ? {} : { payload }) });
    return answer.json<Record<string, unknown>>();
  };

  describe('the routes of the audit log', () => {
    it('publish nothing before a head is signed, and then a log that verifies as served', async () => {
      expect((await get('/v1/audit/checkpoint')).statusCode).toBe(404);
      await record(600);
      await audit.settle();
      await record(50);
      const fetchFile = async (path: string) => {
        const answer = await get(`/v1/audit/${path}`);
        return answer.statusCode === 200 ? answer.rawPayload : undefined;
      };
      const verified = await verifyFolder(fetchFile, { trust: { keys: (await audit.keys.read()).trusted } });
      expect(verified).toMatchObject({ ok: true, size: 600 });
      for (const path of ['tile/0/002.p/89', 'tile/0/002', 'tile/1/001', 'tile/0/x000/000', 'tile/0/..%2f..%2fcheckpoint', 'tile/9/000', 'tile/entries/003.p/1', 'tile/-1/000']) {
        expect((await get(`/v1/audit/${path}`)).statusCode, path).toBe(404);
      }
    });

    it('give the public key to everybody and the log to callers with a key only', async () => {
      expect((await get('/.well-known/quittance-log-key', {})).body).toBe(`${(await audit.keys.read()).trusted.join('')}\n`);
      for (const path of ['/v1/audit/checkpoint', '/v1/audit/tile/0/000', '/v1/audit/tile/0/nonsense']) expect((await get(path, {})).statusCode, path).toBe(401);
      expect((await app.inject({ method: 'POST', url: '/v1/audit/verification' })).statusCode).toBe(401);
    });

    it('verify the log on demand, whole or from a checkpoint, and say what is wrong with one that does not fit', async () => {
      await record(1);
      await audit.settle();
      expect(await post()).toMatchObject({ ok: true, grade: 'signed_head' });
      const head = (await get('/v1/audit/checkpoint')).body;
      expect(await post({ from_checkpoint: head })).toMatchObject({ ok: true });
      expect(await post({ from_checkpoint: head.replace('routes', 'others') })).toMatchObject({ ok: false, check: 'signature' });
    });
  });

  describe('a running writer', () => {
    it('appends and signs what was recorded when it is stopped, and lets the next one write', async () => {
      const stop = await audit.startWriter();
      await record(20);
      await stop();
      const result = await audit.verification.run();
      expect(result).toMatchObject({ ok: true });
      expect(result.ok && result.signedSize === result.size).toBe(true);
      const again = await audit.startWriter();
      await again();
    });
  });
});
