import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { formatId, type RequestId } from '../../contract/ids.ts';
import { createAuthenticate } from '../access/index.ts';
import { documentSchema } from '../../platform/config/document.ts';
import { createLocalKeyProvider } from '../../platform/crypto/key-provider.ts';
import { loadSystemKeys } from '../../platform/crypto/system-keys.ts';
import type { Database } from '../../platform/db/database.ts';
import { openEmbedded } from '../../platform/db/embedded.ts';
import { migrate } from '../../platform/db/migrate.ts';
import { createHttpServer, type HttpServer } from '../../platform/http/server.ts';
import { newId } from '../../platform/ids.ts';
import { createLog } from '../../platform/log.ts';
import { systemRandom } from '../../platform/random.ts';
import { Secret } from '../../platform/secret.ts';
import { createVault } from '../identity/index.ts';
import { createClockActions } from './act-on-clock.ts';
import { createRequestActions } from './act-on-request.ts';
import { registerClockRoutes } from './clock-routes.ts';
import { createLawClocks } from './law-clocks.ts';
import { createOpenRequest } from './open-request.ts';
import { registerRequestRoutes } from './routes.ts';

const clock = { now: () => Date.parse('2026-03-03T10:00:00Z') };
const key = 'key-of-the-privacy-desk';
let app: HttpServer;
let database: Database;
let open: (jurisdiction: string) => Promise<string>;

beforeAll(async () => {
  database = await openEmbedded();
  await migrate(database, 'main');
  const keyProvider = createLocalKeyProvider(randomBytes(32));
  const vault = createVault({ database, keyProvider, systemKeys: await loadSystemKeys(database, keyProvider), clock });
  const clocks = createLawClocks(documentSchema.parse({ version: 1, controller: { name: 'Shop', contact: 'privacy@shop.example' } }).clocks, 'gdpr');
  const nothing = async (): Promise<void> => undefined;
  const deps = { database, clock, clocks, record: nothing, notify: nothing, jobs: { send: nothing } };
  const openRequest = createOpenRequest({ ...deps, random: systemRandom, vault, startVerification: nothing, beforeCommit: () => undefined, unverifiedDays: 14 });
  open = async (jurisdiction) => {
    const prepared = await vault.prepare(newId('request'));
    const incoming = { source: 'shop', sourceId: prepared.requestId, payloadHash: randomBytes(32), right: 'erasure', jurisdiction, identifiers: [{ kind: 'email', value: 'ada@example.com', foundBy: 'given', confidence: 1 }], verification: 'source' } as const;
    await database.transaction((tx) => openRequest(tx, incoming, prepared));
    return formatId('request', prepared.requestId);
  };
  app = await createHttpServer(createLog('silent'), '0.0.0');
  const authenticate = createAuthenticate([{ name: 'desk', key: new Secret(key), verify: 'source' }]);
  registerRequestRoutes(app, { database, authenticate, actions: createRequestActions(deps) });
  registerClockRoutes(app, { authenticate, actions: createClockActions({ ...deps, unverifiedDays: 14, carryOutAnew: nothing, acknowledgedAt: async (_id: RequestId) => undefined }) });
  await app.ready();
});
afterAll(async () => {
  await app.close();
  await database.close();
});

async function call(method: 'GET' | 'POST', path: string, body?: object, token = key): Promise<{ status: number; body: Record<string, never> }> {
  const answer = await app.inject({ method, url: `/v1/privacy-requests/${path}`, headers: { authorization: `Bearer ${token}` }, ...(body === undefined ? {} : { payload: body }) });
  return { status: answer.statusCode, body: answer.json() };
}

describe('the clock of a request over HTTP', () => {
  it('is linked from the request and explains each date with its steps', async () => {
    const id = await open('DE');
    expect((await call('GET', id)).body).toMatchObject({ links: { clock: `/v1/privacy-requests/${id}/clock` }, due_at: '2026-04-03T21:59:59.000Z', extended_at: null, language: null });
    const { status, body } = await call('GET', `${id}/clock`);
    expect(status).toBe(200);
    expect(body).toMatchObject({ law: 'gdpr', dates: [{ name: 'target' }, { name: 'extension_notice' }, { name: 'due', at: '2026-04-03T21:59:59.000Z', steps: [{ source: expect.stringContaining('Art. 12(3)') }] }] });
  });

  it('is extended with a coded reason, and with no other words', async () => {
    const id = await open('DE');
    expect(await call('POST', `${id}/extend`, { reason_code: 'because' })).toMatchObject({ status: 400, body: { code: 'VALIDATION_FAILED' } });
    expect(await call('POST', `${id}/extend`, { reason_code: 'complexity_of_process', until: 'soon' })).toMatchObject({ status: 400 });
    expect(await call('POST', `${id}/extend`, { reason_code: 'complexity_of_process' })).toMatchObject({ status: 200, body: { extended: { reason_code: 'complexity_of_process' } } });
    expect(await call('POST', `${id}/extend`, { reason_code: 'complexity_of_process' })).toMatchObject({ status: 409, body: { code: 'CONFLICT' } });
    expect((await call('GET', id)).body).toMatchObject({ due_at: '2026-06-03T21:59:59.000Z', extended_at: '2026-03-03T10:00:00.000Z' });
  });

  it('stands still where the law allows it, and is refused with the law named where not', async () => {
    const [german, californian] = [await open('DE'), await open('US-CA')];
    const body = { condition: 'identity_verification_required' };
    expect(await call('POST', `${german}/pause`, body)).toMatchObject({ status: 200, body: { paused: true } });
    expect(await call('POST', `${german}/resume`)).toMatchObject({ status: 200, body: { paused: false } });
    expect(await call('POST', `${californian}/pause`, body)).toMatchObject({ status: 409, body: { code: 'LAW_FORBIDS', detail: expect.stringContaining('California') } });
    expect(await call('POST', `${german}/pause`, { condition: 'holiday_season' })).toMatchObject({ status: 400 });
  });

  it('has an appeal after the end, which is decided with a coded reason', async () => {
    const id = await open('US-VA');
    expect(await call('POST', `${id}/appeal`)).toMatchObject({ status: 409, body: { code: 'CONFLICT' } });
    expect(await call('POST', `${id}/reject`, { reason_code: 'process_excessive' })).toMatchObject({ status: 200, body: { status: 'rejected' } });
    expect(await call('POST', `${id}/appeal`)).toMatchObject({ status: 200, body: { dates: expect.arrayContaining([expect.objectContaining({ name: 'appeal' })]) } });
    expect(await call('POST', `${id}/appeal/decision`, { decision: 'denied' })).toMatchObject({ status: 400 });
    expect(await call('POST', `${id}/appeal/decision`, { decision: 'denied', reason_code: 'legally_exempted' })).toMatchObject({ status: 200 });
    expect(await call('POST', `${id}/appeal/decision`, { decision: 'granted' })).toMatchObject({ status: 409, body: { code: 'CONFLICT' } });
  });

  it('is shown to nobody without a key, and of no request that there is not', async () => {
    const id = await open('DE');
    expect(await call('GET', `${id}/clock`, undefined, 'another-key')).toMatchObject({ status: 401, body: { code: 'UNAUTHORIZED' } });
    const unknown = await call('GET', `${formatId('request', newId('request'))}/clock`);
    expect(unknown).toMatchObject({ status: 404, body: { code: 'NOT_FOUND' } });
    expect((await call('GET', 'nonsense/clock')).body).toEqual(unknown.body);
    for (const [action, body] of [['extend', { reason_code: 'complexity_of_process' }], ['pause', { condition: 'information_required' }], ['resume', undefined], ['appeal', undefined], ['appeal/decision', { decision: 'granted' }]] as const) {
      expect((await call('POST', `${id}/${action}`, body, 'another-key')).status, action).toBe(401);
    }
  });
});
