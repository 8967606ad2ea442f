import { createServer, type IncomingHttpHeaders } from 'node:http';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { readWebhookSecret, webhookMac } from '../../platform/crypto/standard-webhooks.ts';
import { createOfficerHooks, type OfficerHooks } from './officer-hooks.ts';

const secret = `whsec_${Buffer.from('a-secret-of-at-least-24-bytes!!').toString('base64')}`;
const message = { subject: 'Privacy request R-1 waits for a decision (VENDOR_TIMEOUT)', text: 'Reference: R-1\n' };
const now = Date.parse('2026-11-21T10:00:00Z');
const received: { path: string; headers: IncomingHttpHeaders; body: Buffer }[] = [];
let status = 204;
let url = '';
const server = createServer((request, response) => {
  const parts: Buffer[] = [];
  request.on('data', (part: Buffer) => parts.push(part));
  request.on('end', () => {
    received.push({ path: request.url ?? '', headers: request.headers, body: Buffer.concat(parts) });
    response.writeHead(status, { location: `${url}/elsewhere` }).end();
  });
});
const hooksOf = (config: Parameters<typeof createOfficerHooks>[0]): OfficerHooks =>
  createOfficerHooks(config, { clock: { now: () => now }, secrets: { environment: { HOOK_SECRET: secret, CHAT_URL: `${url}/chat/T0/B0` }, readFile: () => '' } });

beforeAll(async () => {
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  url = `http://127.0.0.1:${typeof address === 'object' && address !== null ? address.port : 0}`;
});
afterAll(() => void server.close());
beforeEach(() => {
  received.length = 0;
  status = 204;
});

describe('an alert to the data protection officer', () => {
  test('is posted as a signed message, with the id by which a repetition is known', async () => {
    const hooks = hooksOf({ webhook: { url: `${url}/alerts`, secret: '${env:HOOK_SECRET}' } });
    expect(hooks.all).toEqual(['dpo_webhook']);
    expect(await hooks.send('dpo_webhook', 'n-1', 'dpo_manual_task', message)).toBe('accepted');
    const [first] = received;
    expect(first?.headers).toMatchObject({ 'webhook-id': 'n-1', 'webhook-timestamp': String(now / 1000) });
    const mac = webhookMac(readWebhookSecret(secret, '/'), 'n-1', now / 1000, first?.body ?? Buffer.alloc(0)).toString('base64');
    expect(first?.headers['webhook-signature']).toBe(`v1,${mac}`);
    expect(JSON.parse(first?.body.toString('utf8') ?? '')).toEqual({ type: 'quittance.dpo_manual_task', timestamp: '2026-11-21T10:00:00.000Z', data: message });
  });

  test('is posted to a chat as text', async () => {
    expect(await hooksOf({ chat: { url: '${env:CHAT_URL}' } }).send('dpo_chat', 'n-2', 'dpo_deadline', message)).toBe('accepted');
    expect(received.map((each) => [each.path, JSON.parse(each.body.toString('utf8')) as unknown])).toEqual([['/chat/T0/B0', { text: `*${message.subject}*\n${message.text}` }]]);
  });

  test.each([302, 410, 429, 500])('is not taken as received when it is answered %i, and no redirect is followed', async (answer) => {
    status = answer;
    expect(await hooksOf({ webhook: { url: `${url}/alerts`, secret: '${env:HOOK_SECRET}' } }).send('dpo_webhook', 'n-3', 'dpo_deadline', message)).toBe('failed');
    expect(received.map((each) => each.path)).toEqual(['/alerts']);
  });

  test('waits for a receiver that is not there, and says of a hook that is configured no more', async () => {
    const gone = hooksOf({ webhook: { url: 'http://127.0.0.1:1/alerts', secret: '${env:HOOK_SECRET}' } });
    expect(await gone.send('dpo_webhook', 'n-4', 'dpo_deadline', message)).toBe('failed');
    expect(await gone.send('dpo_chat', 'n-5', 'dpo_deadline', message)).toBe('refused');
  });

  test('is refused at the start with a secret that is none, by its place', () => {
    const make = (): unknown => createOfficerHooks({ webhook: { url, secret: '${env:BAD}' } }, { clock: { now: () => now }, secrets: { environment: { BAD: 'short' }, readFile: () => '' } });
    expect(make).toThrow('/alerts/webhook/secret must be whsec_');
    expect(() => createOfficerHooks({ chat: { url: '${env:BAD}' } }, { clock: { now: () => now }, secrets: { environment: { BAD: 'short' }, readFile: () => '' } })).toThrow('/alerts/chat/url must be an https:// URL');
  });
});
