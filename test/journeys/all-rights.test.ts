import { createServer, type Server } from 'node:http';
import { once } from 'node:events';
import { exportJWK, generateKeyPair, SignJWT } from 'jose';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { stringify } from 'yaml';
import { compose, serviceNames, type Quittance } from '../../src/composition.ts';
import { parseConfig } from '../../src/platform/config/load.ts';
import { readSettings } from '../../src/platform/config/settings.ts';
import { createLog } from '../../src/platform/log.ts';
import { startMailInbox, type MailInbox } from '../../src/sandbox/mail/index.ts';
import { purgeCredentials, startPurge } from '../../src/sandbox/purge/index.ts';
import type { Simulator } from '../../src/sandbox/simulator.ts';
import { readZip } from '../../src/cli/demo/read-zip.ts';
import { apiKey, call, eventually, testFolder, untilStatus } from '../support/quittance.ts';

const ada = { email: 'ada@example.com', external_id: 'u-4711', phone: '+12025550143', cases: 2, notes: 1 };
const bob = { email: 'bob@example.com', external_id: 'u-4712' };
const search = { method: 'POST', path: '/subjects/search', body: { subject: { kind: '{{identifier.field}}', value: '{{identifier.value}}' } } };
const look = { type: 'contacts', request: search, items: '$.subjects', found: { email: '$.email', user_id: '$.external_id' } };

let crm: Simulator;
let mail: MailInbox;
let keys: Server;
let folder: ReturnType<typeof testFolder>;
let running: Quittance | undefined;
let signing: Awaited<ReturnType<typeof generateKeyPair>>;

function configText(keysUrl: string): string {
  return stringify({
    version: 1,
    controller: { name: 'Example Company', contact: 'privacy@example.com', dpo: 'dpo@example.com' },
    requests: { grace_days: 0 },
    access: { api_keys: [{ name: 'tester', key: '${env:API_KEY}', verify: 'source' }] },
    mail: { smtp_url: '${env:SMTP_URL}', from: 'Example Company <privacy@example.com>' },
    gdpr_request: { jwks_url: keysUrl, issuer: 'https://app.example', audience: 'quittance', users: 'crm', jurisdiction: 'DE' },
    connections: {
      crm: {
        connector: 'http',
        title: 'Customer records',
        timeout_seconds: 1,
        base_url: crm.url,
        allow_private_network: true,
        auth: { scheme: 'bearer', token: '${env:CRM_TOKEN}' },
        identifiers: { email: 'email', user_id: 'external_id' },
        locate: [look],
        erase: [{ request: { method: 'POST', path: '/erasures', headers: { 'Idempotency-Key': '{{idempotency_key}}' }, body: { subject: { kind: '{{identifier.field}}', value: '{{identifier.value}}' } } }, answers: [{ status: [200, 202], is: 'pending', job: '$.job_id' }], poll: { request: { path: '/erasures/{{vendor_job}}' }, answers: [{ status: 200, when: { '$.status': 'completed' }, is: 'success' }, { status: 200, is: 'pending' }] } }],
        access: [look],
        rectify: [{ each: 'contacts', fields: { email: '$.email', phone: '$.phone' }, request: { method: 'PATCH', path: '/contacts/{{item.id}}', body: { email: '{{correction.email?}}', phone: '{{correction.phone?}}' } }, answers: [{ status: 204, is: 'success' }] }],
        holds: { contacts: { category: 'contact_data', purpose: 'customer care', legal_basis: 'contract', retention: 'until the account is closed', provided_by_subject: true } },
      },
    },
    audit: { origin: 'example.com/quittance-test', checkpoint_seconds: 0.2 },
  });
}

async function startKeys(): Promise<string> {
  signing = await generateKeyPair('ES256');
  const key = { ...(await exportJWK(signing.publicKey)), kid: 'one', alg: 'ES256', use: 'sig' };
  keys = createServer((_request, response) => void response.setHeader('content-type', 'application/json').end(JSON.stringify({ keys: [key] })));
  keys.listen(0, '127.0.0.1');
  await once(keys, 'listening');
  const address = keys.address();
  return `http://127.0.0.1:${typeof address === 'object' && address !== null ? address.port : 0}/jwks.json`;
}

let url = '';
beforeEach(async () => {
  [crm, mail] = [await startPurge(), await startMailInbox()];
  folder = testFolder();
  crm.seed({ account: { stage_ms: 100, polls_per_stage: 1 }, subjects: [ada, bob] });
  running = await compose({
    settings: readSettings({ QUITTANCE_DATA_DIR: folder.path, QUITTANCE_PORT: '0' }),
    config: parseConfig(configText(await startKeys()), 'test configuration'),
    services: serviceNames,
    log: createLog('silent'),
    secrets: { environment: { API_KEY: apiKey, SMTP_URL: mail.smtpUrl, CRM_TOKEN: purgeCredentials.token }, readFile: () => '' },
  });
  url = running.url ?? '';
});
afterEach(async () => {
  await running?.stop();
  keys.close();
  await Promise.all([crm.close(), mail.close()]);
  folder.remove();
});

const open = async (body: object): Promise<string> => {
  const answer = await call(url, '/v1/privacy-requests', { method: 'POST', body: JSON.stringify(body) });
  expect([answer.status, answer.body]).toMatchObject([202, {}]);
  return (answer.body as unknown as { id: string }).id;
};
const subject = { identifiers: [{ kind: 'email', value: ada.email }] };
const tasksOf = async (id: string): Promise<readonly Record<string, unknown>[]> => ((await call(url, `/v1/privacy-requests/${id}/tasks`)).body as unknown as { items: Record<string, unknown>[] }).items;
const held = (): readonly { email?: string; phone?: string }[] => (crm.dump() as { subjects: { email?: string; phone?: string }[] }).subjects;
const mailTo = (address: string, words: RegExp): string | undefined => mail.messages.findLast((each) => each.to.includes(address) && words.test(each.text))?.text;

describe('an access request', () => {
  test('gives the person a package behind a link that asks for a code, with everything that the systems hold and nothing of anybody else', { timeout: 120_000 }, async () => {
    const id = await open({ right: 'access', subject });
    expect(await untilStatus(url, id, ['closed'])).toMatchObject({ verdict: 'fulfilled', right: 'access' });
    expect((await tasksOf(id)).map((task) => [task['action'], task['outcome']])).toContainEqual(['export', 'exported']);
    expect(crm.effects).toEqual([]);
    const told = await eventually('The mail with the link', async () => mailTo(ada.email, /\/v1\/exports\//u));
    const link = /https?:\/\/\S+\/v1\/exports\/\S+/u.exec(told)?.[0] ?? '';
    expect((await fetch(link)).status).toBe(200);
    expect((await fetch(`${link}/download`, { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify({ code: '00000000' }) })).status).toBe(403);
    expect((await fetch(`${link}/code`, { method: 'POST' })).status).toBe(202);
    const code = await eventually('The code', async () => /give this code there: ([\d -]+)/u.exec(mailTo(ada.email, /give this code there/u) ?? '')?.[1]);
    const download = await fetch(`${link}/download`, { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify({ code }) });
    expect(download.status).toBe(200);
    const files = readZip(Buffer.from(await download.arrayBuffer()));
    const document = JSON.parse(files.get('export.json')?.toString('utf8') ?? '') as Record<string, unknown>;
    const whole = [...files.values()].map((each) => each.toString('utf8')).join('\n');
    expect(whole).toContain(ada.phone);
    expect(whole).not.toContain(bob.email);
    expect(JSON.stringify(document)).toContain('customer care');
    expect([...files.keys()]).toEqual(expect.arrayContaining(['export.json', 'index.html', 'manifest.json']));
  });

  test('of somebody of whom nothing is held says so, and has no package', { timeout: 60_000 }, async () => {
    const id = await open({ right: 'access', subject: { identifiers: [{ kind: 'email', value: 'nobody@example.com' }] } });
    expect(await untilStatus(url, id, ['closed'])).toMatchObject({ verdict: 'nothing_held' });
    expect((await call(url, `/v1/privacy-requests/${id}/export`)).status).toBe(404);
  });
});

describe('an access request beside an erasure of the same person', () => {
  test('is answered first, whichever came first, as long as nothing is erased', { timeout: 120_000 }, async () => {
    expect((await call(url, '/v1/connections/crm/suspend', { method: 'POST' })).status).toBe(200);
    const erasure = await open({ right: 'erasure', subject: { identifiers: [...subject.identifiers, { kind: 'user_id', value: ada.external_id }] } });
    await eventually('The plan', async () => ((await tasksOf(erasure)).length > 0 ? true : undefined));
    const access = await open({ right: 'access', subject });
    await eventually('The other plan', async () => ((await tasksOf(access)).length > 0 ? true : undefined));
    expect((await call(url, '/v1/connections/crm/resume', { method: 'POST' })).status).toBe(200);
    expect(await untilStatus(url, access, ['closed'])).toMatchObject({ verdict: 'fulfilled' });
    expect(crm.effects).toEqual([]);
    expect(await untilStatus(url, erasure, ['closed'])).toMatchObject({ verdict: 'fulfilled' });
    expect(held()).toHaveLength(1);
  });
});

describe('a rectification', () => {
  test('is made in the system and read back, and needs to say what is wrong', { timeout: 60_000 }, async () => {
    expect((await call(url, '/v1/privacy-requests', { method: 'POST', body: JSON.stringify({ right: 'rectification', subject }) })).status).toBe(400);
    const id = await open({ right: 'rectification', subject, corrections: [{ field: 'phone', from: ada.phone, to: '+12025550199' }] });
    expect(await untilStatus(url, id, ['closed'])).toMatchObject({ verdict: 'fulfilled' });
    expect((await tasksOf(id)).filter((task) => task['action'] === 'rectify')).toMatchObject([{ outcome: 'corrected', confirmation: 'verified_as_asked' }, { outcome: 'corrected', confirmation: 'verified_as_asked' }]);
    expect(held().map((each) => each.phone)).toEqual(['+12025550199', undefined]);
    expect(crm.effects).toHaveLength(1);
  });
});

describe('a restriction', () => {
  test('is asked for by services before they process, and calls no system to change anything', { timeout: 60_000 }, async () => {
    const judge = async (purpose: string, value = ada.email): Promise<unknown> => (await call(url, '/v1/processing/validate', { method: 'POST', body: JSON.stringify({ subject: { identifiers: [{ kind: 'email', value }] }, purpose }) })).body;
    expect(await judge('analytics')).toEqual({ allowed: true, stopped_by: [] });
    const id = await open({ right: 'restriction', subject });
    expect(await untilStatus(url, id, ['closed'])).toMatchObject({ verdict: 'fulfilled' });
    expect(await judge('analytics')).toMatchObject({ allowed: false, stopped_by: [{ right: 'restriction' }] });
    const entered = ((await call(url, `/v1/privacy-requests/${id}/timeline`)).body as unknown as { items: { type: string }[] }).items.map((each) => each.type);
    // In force as soon as the person is verified, before any system is searched.
    expect(entered.indexOf('restriction.entered')).toBeLessThan(entered.indexOf('request.planned'));
    expect(await judge('storage')).toMatchObject({ allowed: true });
    expect(await judge('analytics', bob.email)).toMatchObject({ allowed: true });
    expect(crm.effects).toEqual([]);
    expect((await call(url, '/v1/restrictions/lift', { method: 'POST', body: JSON.stringify({ subject, right: 'restriction' }) })).body).toMatchObject({ lifted: expect.any(Number) as number });
    expect(await judge('analytics')).toMatchObject({ allowed: true });
  });
});

describe('POST /gdpr-request', () => {
  const token = async (claims: { readonly sub?: string } = {}, sign = signing.privateKey, options: { readonly issuer?: string; readonly audience?: string; readonly expires?: string } = {}): Promise<string> =>
    new SignJWT({ email: ada.email, email_verified: true, ...claims }).setProtectedHeader({ alg: 'ES256', kid: 'one' }).setSubject(claims.sub ?? ada.external_id).setIssuer(options.issuer ?? 'https://app.example').setAudience(options.audience ?? 'quittance').setIssuedAt().setExpirationTime(options.expires ?? '5m').sign(sign);
  const ask = async (bearer: string | undefined, body: unknown): Promise<readonly [number, string]> => {
    const answer = await fetch(`${url}/gdpr-request`, { method: 'POST', headers: { 'content-type': 'application/json', ...(bearer === undefined ? {} : { authorization: `Bearer ${bearer}` }) }, body: typeof body === 'string' ? body : JSON.stringify(body) });
    return [answer.status, await answer.text()];
  };

  test('gives each answer of the interface, byte by byte', { timeout: 60_000 }, async () => {
    crm.fault({ kind: 'hang', method: 'POST', path: '^/erasures', times: 1000 });
    const own = { user_id: ada.external_id, request_type: 'erasure' };
    const [status, body] = await ask(await token(), own);
    expect(status).toBe(200);
    const { reference } = JSON.parse(body) as { reference: string };
    expect(reference).toMatch(/^Q-/u);
    expect(body).toBe(`{"success":true,"message":"GDPR request processed","request_type":"erasure","reference":"${reference}"}`);
    expect(await ask(await token(), own)).toEqual([429, '{"error":"Request already pending"}']);
    expect(await ask(await token(), { ...own, request_type: 'oblivion' })).toEqual([400, `{"error":"Request type must be 'access' or 'erasure'"}`]);
    expect(await ask(await token(), '{')).toEqual([400, `{"error":"Request type must be 'access' or 'erasure'"}`]);
    expect(await ask(await token({ sub: 'u-9999' }), { user_id: 'u-9999', request_type: 'access' })).toEqual([404, '{"error":"User account not found"}']);
    const unauthorised = [401, '{"error":"Authentication required"}'];
    expect(await ask(undefined, own)).toEqual(unauthorised);
    expect(await ask(await token(), { ...own, user_id: bob.external_id })).toEqual(unauthorised);
  });

  test('refuses tokens of an unknown issuer, of another audience, expired, of another key, and unsigned', async () => {
    const own = { user_id: ada.external_id, request_type: 'access' };
    const unauthorised = [401, '{"error":"Authentication required"}'];
    expect(await ask(await token({}, signing.privateKey, { issuer: 'https://evil.example' }), own)).toEqual(unauthorised);
    expect(await ask(await token({}, signing.privateKey, { audience: 'somebody-else' }), own)).toEqual(unauthorised);
    expect(await ask(await token({}, signing.privateKey, { expires: '-1m' }), own)).toEqual(unauthorised);
    expect(await ask(await token({}, (await generateKeyPair('ES256')).privateKey), own)).toEqual(unauthorised);
    const part = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url');
    const now = Math.floor(Date.now() / 1000);
    expect(await ask(`${part({ alg: 'none' })}.${part({ sub: ada.external_id, iss: 'https://app.example', aud: 'quittance', exp: now + 300 })}.`, own)).toEqual(unauthorised);
    expect((await ask(await token(), own))[0]).toBe(200);
  });

  test('opens one request for who asks twice at once, and notes the second in the log of the first', { timeout: 60_000 }, async () => {
    crm.fault({ kind: 'hang', method: 'POST', path: '^/erasures', times: 1000 });
    const answers = await Promise.all([1, 2, 3].map(async () => ask(await token(), { user_id: ada.external_id, request_type: 'erasure' })));
    expect(answers.map(([status]) => status).toSorted((a, b) => a - b)).toEqual([200, 429, 429]);
    const { items } = (await call(url, '/v1/privacy-requests')).body as unknown as { items: { id: string }[] };
    expect(items).toHaveLength(1);
    const timeline = (await call(url, `/v1/privacy-requests/${items[0]?.id ?? ''}/timeline`)).body as unknown as { items: { type: string }[] };
    expect(timeline.items.filter((each) => each.type === 'request.duplicate')).toHaveLength(2);
  });
});
