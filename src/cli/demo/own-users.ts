import { once } from 'node:events';
import { mkdirSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { exportJWK, generateKeyPair, SignJWT } from 'jose';
import { z } from 'zod';
import { compose, serviceNames, type Quittance } from '../../composition.ts';
import { loadConfig } from '../../platform/config/load.ts';
import { readSettings } from '../../platform/config/settings.ts';
import { createLog } from '../../platform/log.ts';
import { startMailInbox, type MailInbox } from '../../sandbox/mail/index.ts';
import { verifyCertificate } from '../../verify/index.ts';
import { requestSchema, taskListSchema, type Request } from '../api-schemas.ts';
import { connectApi, readAnswer, type ApiClient } from '../api-client.ts';
import { requestPath } from '../request-id.ts';
import { renderTable } from '../terminal/table.ts';
import { startCompanyDatabase, type CompanyDatabase } from './company-database.ts';
import type { Expectations } from './expectations.ts';
import { readZip } from './read-zip.ts';

/** What playing the application's own users needs. */
export interface OwnUsersOptions {
  /** Where its databases go; made. */
  readonly folder: string;
  readonly users: number;
  readonly expect: Expectations['expect'];
  readonly say: (...lines: readonly string[]) => void;
  readonly signal: AbortSignal;
}

/** The configuration that it is played with. */
export const ownUsersConfigPath = fileURLToPath(new URL('../../../examples/04-own-users/quittance.yaml', import.meta.url));

const apiKey = 'demo-own-users-key';
/** The person who asks is the 4,711th user; the row number is in her address. */
const userNumber = 4711;
const address = `user${userNumber}@example.com`;
/** What identifies her, for who searches Quittance's files for it. */
export const ownUsersPeople: readonly string[] = [address, `Example Person ${userNumber}`];

const rowSchema = z.object({ id: z.string(), email: z.string(), name: z.string().nullable(), phone: z.string().nullable(), preferences: z.unknown() });
const dryRunSchema = z.object({ items: z.array(z.looseObject({ system: z.string(), result: z.string(), counts: z.record(z.string(), z.number()) })) });
const listSchema = z.object({ items: z.array(z.looseObject({ id: z.string(), right: z.string() })) });

interface Scene {
  readonly company: CompanyDatabase;
  readonly mail: MailInbox;
  readonly api: ApiClient;
  readonly url: string;
  readonly token: () => Promise<string>;
  readonly userId: string;
  readonly trusted: () => Promise<readonly string[]>;
  readonly options: OwnUsersOptions;
}

/** The application's public keys, as it gives them to everybody, and a token as it gives it to who is logged in. */
async function startApplication(userId: string): Promise<{ readonly jwks: Server; readonly url: string; readonly token: () => Promise<string> }> {
  const { publicKey, privateKey } = await generateKeyPair('ES256');
  const key = { ...(await exportJWK(publicKey)), kid: 'demo', alg: 'ES256', use: 'sig' };
  const jwks = createServer((_request, response) => void response.setHeader('content-type', 'application/json').end(JSON.stringify({ keys: [key] })));
  jwks.listen(0, '127.0.0.1');
  await once(jwks, 'listening');
  const { port } = jwks.address() as AddressInfo;
  const token = async (): Promise<string> =>
    new SignJWT({ email: address, email_verified: true }).setProtectedHeader({ alg: 'ES256', kid: 'demo' }).setSubject(userId).setIssuer('https://app.example.com').setAudience('quittance').setIssuedAt().setExpirationTime('5m').sign(privateKey);
  return { jwks, url: `http://127.0.0.1:${port}/jwks.json`, token };
}

/** Plays the third pipeline: a user asks for her data and then to be forgotten, in a company's own database, and it is checked what came of it. */
export async function playOwnUsers(options: OwnUsersOptions): Promise<void> {
  const { folder, say } = options;
  mkdirSync(folder, { recursive: true });
  say(`  starting the company's database with ${options.users.toLocaleString('en')} users …`);
  const company = await startCompanyDatabase(options.users);
  const mail = await startMailInbox();
  const [row] = await company.query<{ id: string }>('select id from users where email = $1', [address]);
  const userId = row?.id ?? '';
  const application = await startApplication(userId);
  let quittance: Quittance | undefined;
  try {
    quittance = await compose({
      settings: readSettings({ QUITTANCE_DATA_DIR: folder, QUITTANCE_PORT: '0' }),
      config: loadConfig(ownUsersConfigPath),
      services: serviceNames,
      log: createLog('silent'),
      secrets: { environment: { API_KEY: apiKey, SMTP_URL: mail.smtpUrl, APP_DATABASE_URL: company.url, JWKS_URL: application.url }, readFile: () => '' },
    });
    const running = quittance;
    const url = running.url ?? '';
    const api = connectApi(url, () => apiKey, globalThis.fetch);
    const scene: Scene = { company, mail, api, url, token: application.token, userId, trusted: async () => (await running.audit.keys.read()).trusted, options };
    await playAccess(scene);
    await playErasure(scene);
  } finally {
    await quittance?.stop();
    application.jwks.close();
    await mail.close();
    await company.close();
  }
}

async function ask({ url, token, userId }: Scene, type: 'access' | 'erasure'): Promise<readonly [number, string]> {
  const answer = await fetch(`${url}/gdpr-request`, { method: 'POST', headers: { 'content-type': 'application/json', authorization: `Bearer ${await token()}` }, body: JSON.stringify({ user_id: userId, request_type: type }) });
  return [answer.status, await answer.text()];
}

async function requestOf({ api }: Scene, right: string): Promise<Request> {
  const { items } = readAnswer(listSchema, await api.get('/v1/privacy-requests'));
  const id = items.find((each) => each.right === right)?.id ?? '';
  return readAnswer(requestSchema, await api.get(requestPath(id)));
}

async function until({ options }: Scene, isSo: () => Promise<boolean>): Promise<boolean> {
  for (let look = 0; look < 400; look += 1) {
    options.signal.throwIfAborted();
    if (await isSo()) return true;
    await pause(100);
  }
  return false;
}

async function approve(scene: Scene, right: string): Promise<void> {
  await until(scene, async () => (await requestOf(scene, right)).status === 'awaiting_approval');
  await scene.api.post(`${requestPath((await requestOf(scene, right)).id)}/approve`, {});
}

async function playAccess(scene: Scene): Promise<void> {
  const { mail, options } = scene;
  const { expect, say } = options;
  const first = await ask(scene, 'access');
  expect('a logged-in user asks for her data, and is answered as applications expect', first[0] === 200 && first[1].startsWith('{"success":true,"message":"GDPR request processed","request_type":"access","reference":"Q-'), `${first[0]}`);
  expect('the same while it is open is answered 429', (await ask(scene, 'access')).join(' ') === '429 {"error":"Request already pending"}');
  say('  she asked for her data; a second request of the same kind is pending already');
  await approve(scene, 'access');
  await until(scene, async () => (await requestOf(scene, 'access')).status === 'closed');
  const letter = (words: RegExp): string | undefined => mail.messages.findLast((each) => each.to.includes(address) && words.test(each.text))?.text;
  await until(scene, async () => letter(/\/v1\/exports\//u) !== undefined);
  const link = /https?:\/\/\S+\/v1\/exports\/\S+/u.exec(letter(/\/v1\/exports\//u) ?? '')?.[0] ?? '';
  await fetch(`${link}/code`, { method: 'POST' });
  await until(scene, async () => letter(/give this code there/u) !== undefined);
  const code = /give this code there: ([\d -]+)/u.exec(letter(/give this code there/u) ?? '')?.[1]?.trim() ?? '';
  const download = await fetch(`${link}/download`, { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify({ code }) });
  const files = download.ok ? readZip(Buffer.from(await download.arrayBuffer())) : new Map<string, Buffer>();
  const text = [...files.values()].map((each) => each.toString('utf8')).join('\n');
  const opens = ['export.json', 'index.html', 'manifest.json'].every((name) => files.has(name)) && text.includes(address) && text.includes('Example Street 1');
  expect('the package opens, behind a link and a code, with her data in it', opens, [...files.keys()].join(', '));
  expect('nobody else is in it', !/user(?!4711@)\d+@example\.com/u.test(text));
  say(`  her package: ${[...files].map(([name, bytes]) => `${name} (${bytes.length.toLocaleString('en')} bytes)`).join(', ')}`);
}

/** A digest of everybody's rows but hers. */
async function othersOf({ company, userId }: Scene): Promise<string> {
  const [row] = await company.query<{ digest: string }>(
    `select md5(string_agg(t, '' order by t)) as digest from (
       select u::text as t from users u where id <> $1 union all select m::text from organization_members m where user_id <> $1
       union all select a::text from audit_log a where actor_id <> $1 union all select i::text from invoices i where user_id <> $1) all_rows`,
    [userId],
  );
  return row?.digest ?? '';
}

async function playErasure(scene: Scene): Promise<void> {
  const { company, mail, api, userId, options, trusted } = scene;
  const { expect, say } = options;
  const before = await othersOf(scene);
  const asked = await ask(scene, 'erasure');
  expect('she asks to be forgotten', asked[0] === 200);
  await until(scene, async () => (await requestOf(scene, 'erasure')).status === 'awaiting_approval');
  const { id } = await requestOf(scene, 'erasure');
  const dry = readAnswer(dryRunSchema, await api.post(`${requestPath(id)}/dry-run`, {})).items;
  expect('a dry run counts and changes nothing', dry.every((each) => each.result === 'counted') && (await company.query('select 1 from users where id = $1 and email = $2', [userId, address])).length === 1);
  await approve(scene, 'erasure');
  await until(scene, async () => (await requestOf(scene, 'erasure')).status === 'closed');
  const request = await requestOf(scene, 'erasure');
  expect('the erasure closes, with what the law keeps named', request.verdict === 'fulfilled_with_retention', request.verdict ?? request.status);
  const tasks = readAnswer(taskListSchema, await api.get(`${requestPath(id)}/tasks`)).items;
  const done = tasks.find((task) => task.outcome === 'anonymised' || task.outcome === 'erased');
  const foretold = dry.find((each) => Object.keys(each.counts).length > 0);
  const sorted = (counts: Readonly<Record<string, number>> | undefined): string => JSON.stringify(Object.fromEntries(Object.entries(counts ?? {}).toSorted(([a], [b]) => a.localeCompare(b))));
  expect('the erasure’s figures are those of the dry run', done !== undefined && sorted(done.counts) === sorted(foretold?.counts), sorted(done?.counts));
  const [user] = (await company.query('select * from users where id = $1', [userId])).map((each) => rowSchema.parse(each));
  const isMasked = user !== undefined && user.email === `deleted-${userId.replaceAll('-', '').slice(0, 8)}@example.com` && user.name === 'Deleted User' && user.phone === null && JSON.stringify(user.preferences) === '{}';
  expect('her row is nobody’s: masked address, “Deleted User”, no preferences', isMasked, user?.email ?? 'no row');
  const [left] = await company.query<{ members: string; trail: string; invoices: string }>('select (select count(*) from organization_members where user_id = $1) as members, (select count(*) from audit_log where actor_id = $1) as trail, (select count(*) from invoices where user_id = $1) as invoices', [userId]);
  expect('her memberships are gone, and the ids that the audit trail needs are there', left?.members === '0' && left.trail === '3' && left.invoices === '2', `${left?.members} memberships, ${left?.trail} entries, ${left?.invoices} invoices`);
  expect('everybody else’s rows are as they were', before !== '' && (await othersOf(scene)) === before, `${(options.users - 1).toLocaleString('en')} users`);
  await until(scene, async () => mail.messages.some((each) => each.to.includes(address) && each.text.includes('anonymised')));
  expect('the confirmation went to her address, and none to a masked one', mail.messages.some((each) => each.to.includes(address) && each.text.includes('anonymised')) && !mail.messages.some((each) => each.to.some((to) => to.startsWith('deleted-'))));
  let certificate: Buffer | undefined;
  await until(scene, async () => (certificate = await api.findBytes(`${requestPath(id)}/certificate`).catch(() => undefined)) !== undefined);
  expect('its certificate verifies', certificate !== undefined && verifyCertificate(certificate, { keys: await trusted() }).ok);
  say('', ...renderTable(['table', 'dry run', 'erased'], Object.entries(done?.counts ?? {}).map(([table, count]) => [table, String(foretold?.counts[table] ?? 0), String(count)])));
}
