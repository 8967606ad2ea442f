import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { exportJWK, generateKeyPair, SignJWT } from 'jose';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startCompanyDatabase, type CompanyDatabase } from '../../src/cli/demo/company-database.ts';
import { ownUsersConfigPath } from '../../src/cli/demo/own-users.ts';
import { readZip } from '../../src/cli/demo/read-zip.ts';
import { startMailInbox, type MailInbox } from '../../src/sandbox/mail/index.ts';
import { eventually, testFolder } from '../support/quittance.ts';
import { startChild, type ChildServer } from './child.ts';

const apiKey = 'own-users-key';
let company: CompanyDatabase;
let keys: Server;
let signing: Awaited<ReturnType<typeof generateKeyPair>>;
let nextUser = 1;

beforeAll(async () => {
  company = await startCompanyDatabase(200);
  signing = await generateKeyPair('ES256');
  const key = { ...(await exportJWK(signing.publicKey)), kid: 'one', alg: 'ES256', use: 'sig' };
  keys = createServer((_request, response) => void response.setHeader('content-type', 'application/json').end(JSON.stringify({ keys: [key] })));
  keys.listen(0, '127.0.0.1');
  await once(keys, 'listening');
});
afterAll(async () => {
  keys.close();
  await company.close();
});

interface Life {
  readonly mail: MailInbox;
  readonly address: string;
  readonly userId: string;
  /** Starts it anew once it was killed; killed at once where it is to be. */
  readonly ask: (type: 'access' | 'erasure', crashAt: string | undefined) => Promise<ChildServer>;
  readonly call: (server: ChildServer, path: string, body?: object) => Promise<Record<string, unknown>>;
}

async function live(work: (life: Life) => Promise<void>): Promise<void> {
  const [folder, mail] = [testFolder(), await startMailInbox()];
  // A user of their own for each life.
  const address = `user${(nextUser += 1)}@example.com`;
  const userId = (await company.query<{ id: string }>('select id from users where email = $1', [address]))[0]?.id ?? '';
  const { port } = keys.address() as AddressInfo;
  const environment = {
    API_KEY: apiKey,
    SMTP_URL: mail.smtpUrl,
    APP_DATABASE_URL: company.url,
    JWKS_URL: `http://127.0.0.1:${port}/jwks.json`,
    QUITTANCE_CONFIG: ownUsersConfigPath,
    QUITTANCE_DATA_DIR: folder.path,
    QUITTANCE_PORT: '0',
    QUITTANCE_LOG_LEVEL: 'fatal',
  };
  const call: Life['call'] = async (server, path, body) => {
    const answer = await fetch(`${server.url}${path}`, { method: body === undefined ? 'GET' : 'POST', headers: { authorization: `Bearer ${apiKey}`, ...(body === undefined ? {} : { 'content-type': 'application/json' }) }, ...(body === undefined ? {} : { body: JSON.stringify(body) }) });
    return (await answer.json()) as Record<string, unknown>;
  };
  const running: ChildServer[] = [];
  const ask: Life['ask'] = async (type, crashAt) => {
    let server = await startChild(environment, crashAt);
    running.push(server);
    // No e-mail in the token: the address is the account's, and it is gone from there once the row is anonymised.
    const token = await new SignJWT({}).setProtectedHeader({ alg: 'ES256', kid: 'one' }).setSubject(userId).setIssuer('https://app.example.com').setAudience('quittance').setIssuedAt().setExpirationTime('5m').sign(signing.privateKey);
    const send = async (): Promise<number> => (await fetch(`${server.url}/gdpr-request`, { method: 'POST', headers: { 'content-type': 'application/json', authorization: `Bearer ${token}` }, body: JSON.stringify({ user_id: userId, request_type: type }) })).status;
    expect(await send()).toBe(200);
    const approved = async (): Promise<true | undefined> => {
      const { items } = (await call(server, '/v1/privacy-requests')) as { items: { id: string; status: string; right: string }[] };
      const asked = items.find((each) => each.right === type);
      if (asked?.status !== 'awaiting_approval') return undefined;
      await call(server, `/v1/privacy-requests/${asked.id}/approve`, {});
      return true;
    };
    await eventually('The approval', approved);
    if (crashAt === undefined) return server;
    expect((await server.ended).signal, `the process reaches ${crashAt}`).toBe('SIGKILL');
    server = await startChild(environment);
    running.push(server);
    return server;
  };
  try {
    await work({ mail, address, userId, ask, call });
  } finally {
    for (const server of running) {
      server.kill('SIGKILL');
      await server.ended;
    }
    await mail.close();
    folder.remove();
  }
}

describe('killed with SIGKILL while an application’s own user is served', () => {
  test.each(['task.called:1', 'task.recorded:2', 'request.closed:1', 'certificate.issued:1'])('at %s of an erasure, the row is nobody’s, and the confirmation goes to the person’s address and to no masked one', { timeout: 120_000 }, async (crashAt) => {
    await live(async ({ mail, address, userId, ask }) => {
      await ask('erasure', crashAt);
      await eventually('The confirmation', async () => mail.messages.find((each) => each.to.includes(address) && each.text.includes('anonymised')), 60_000);
      const [row] = await company.query<{ email: string; name: string }>('select email, name from users where id = $1', [userId]);
      expect(row).toEqual({ email: `deleted-${userId.replaceAll('-', '').slice(0, 8)}@example.com`, name: 'Deleted User' });
      expect(mail.messages.filter((each) => each.to.some((to) => to.startsWith('deleted-')))).toEqual([]);
    });
  });

  test.each(['task.called:1', 'request.closing:1', 'request.closed:1'])('at %s of an access request, the package is made once and whole', { timeout: 120_000 }, async (crashAt) => {
    await live(async ({ mail, address, ask }) => {
      const server = await ask('access', crashAt);
      const letter = (words: RegExp): string | undefined => mail.messages.findLast((each) => each.to.includes(address) && words.test(each.text))?.text;
      const link = /https?:\/\/\S+\/v1\/exports\/\S+/u.exec(await eventually('The link', async () => letter(/\/v1\/exports\//u), 60_000))?.[0].replace(/^https?:\/\/[^/]+/u, server.url) ?? '';
      await fetch(`${link}/code`, { method: 'POST' });
      const code = /give this code there: ([\d -]+)/u.exec(await eventually('The code', async () => letter(/give this code there/u)))?.[1]?.trim();
      const answer = await fetch(`${link}/download`, { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify({ code }) });
      expect(answer.status).toBe(200);
      const document = JSON.parse(readZip(Buffer.from(await answer.arrayBuffer())).get('export.json')?.toString('utf8') ?? '') as { categories: { name?: string; records?: unknown }[] };
      const text = JSON.stringify(document);
      expect(text).toContain(address);
      // Each row once, however often its page was read: one account, three entries of the log, two invoices.
      expect(text.match(/"action":"login"/gu)).toHaveLength(3);
      expect(text.match(/Example Street 1/gu)).toHaveLength(2);
    });
  });
});
