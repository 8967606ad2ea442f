import { createHmac, randomUUID } from 'node:crypto';
import { cpSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { inject } from 'vitest';
import { stringify } from 'yaml';
import { parseConfig } from '../../src/platform/config/load.ts';
import type { ConfigDocument } from '../../src/platform/config/document.ts';
import { proofToken } from '../../src/sandbox/proof/index.ts';
import { defaultAccount } from '../../src/sandbox/twilio/index.ts';
import type { Sandbox } from '../../src/sandbox/index.ts';

/** The secret of the test source `crm`, and the key of the test caller. */
export const webhookSecret = `whsec_${Buffer.from('a-secret-of-at-least-24-bytes!!').toString('base64')}`;
export const apiKey = 'test-api-key';

/** A folder of its own with migrated databases, removed at the end. */
export function testFolder(): { readonly path: string; readonly remove: () => void } {
  const path = mkdtempSync(join(tmpdir(), 'quittance-test-'));
  cpSync(inject('databaseTemplate'), path, { recursive: true });
  return { path, remove: () => rmSync(path, { recursive: true, force: true }) };
}

/** The secrets that the test configuration refers to. */
export function testEnvironment(sandbox: Sandbox): Record<string, string> {
  return {
    CRM_SECRET: webhookSecret,
    API_KEY: apiKey,
    STRIPE_KEY: 'sk_test_sandbox',
    TWILIO_TOKEN: defaultAccount.authToken,
    SEGMENT_PROFILE_TOKEN: 'profile-token',
    SEGMENT_PUBLIC_TOKEN: 'public-token',
    SMTP_URL: sandbox.mail.smtpUrl,
    PROOF_TOKEN: proofToken,
  };
}

/** Parts of the test configuration that a test sets otherwise. */
export interface ConfigChanges {
  readonly requests?: Record<string, unknown>;
  readonly identity?: Record<string, unknown>;
  readonly sources?: Record<string, unknown>;
  readonly connections?: Record<string, Record<string, unknown>>;
  readonly destinations?: Record<string, unknown>;
  readonly events?: Record<string, unknown>;
}

/** The configuration of tests: the three vendors at their simulators, quick clocks, one verified source and one that is not. */
export function testConfigText(sandbox: Sandbox, changes: ConfigChanges = {}): string {
  const common = { timeout_seconds: 3, calls_per_second: 500 };
  return stringify({
    version: 1,
    controller: { name: 'Example Company', contact: 'privacy@example.com', dpo: 'dpo@example.com' },
    identity: { default_country: 'US', ...changes.identity },
    requests: { grace_days: 0, confirm_attempts: 2, ...changes.requests },
    access: { api_keys: [{ name: 'tester', key: '${env:API_KEY}' }] },
    mail: { smtp_url: '${env:SMTP_URL}', from: 'Example Company <privacy@example.com>' },
    sources: {
      crm: { scheme: 'standard-webhooks', secret: '${env:CRM_SECRET}', verify: 'source', jurisdiction: 'DE' },
      portal: { scheme: 'standard-webhooks', secret: '${env:CRM_SECRET}', verify: 'email_code', jurisdiction: 'DE' },
      ...changes.sources,
    },
    connections: {
      stripe: { connector: 'stripe', api_key: '${env:STRIPE_KEY}', base_url: sandbox.stripe.url, ...common, ...changes.connections?.['stripe'] },
      twilio: {
        connector: 'twilio',
        account_sid: defaultAccount.accountSid,
        auth: { auth_token: '${env:TWILIO_TOKEN}' },
        hosts: { api: sandbox.twilio.url, conversations: sandbox.twilio.url, memory: sandbox.twilio.url },
        ...common,
        ...changes.connections?.['twilio'],
      },
      segment: {
        connector: 'segment',
        profile_api: { space_id: 'spa_sandbox', token: '${env:SEGMENT_PROFILE_TOKEN}', base_url: sandbox.segment.url },
        public_api: { token: '${env:SEGMENT_PUBLIC_TOKEN}', base_url: sandbox.segment.url },
        ...common,
        ...changes.connections?.['segment'],
      },
    },
    destinations: changes.destinations ?? {},
    events: changes.events ?? {},
    audit: { origin: 'example.com/quittance-test', checkpoint_seconds: 0.2 },
  });
}

/** The same, parsed. */
export function testConfig(sandbox: Sandbox, changes: ConfigChanges = {}): ConfigDocument {
  return parseConfig(testConfigText(sandbox, changes), 'test configuration');
}

/** Headers of a Standard Webhooks message signed with the test secret. */
export function signedHeaders(body: string, options: { readonly id?: string; readonly at?: number } = {}): Record<string, string> {
  const id = options.id ?? `msg_${randomUUID()}`;
  const timestamp = String(Math.floor((options.at ?? Date.now()) / 1000));
  const key = Buffer.from(webhookSecret.slice('whsec_'.length), 'base64');
  const signature = createHmac('sha256', key).update(`${id}.${timestamp}.${body}`).digest('base64');
  return { 'content-type': 'application/json', 'webhook-id': id, 'webhook-timestamp': timestamp, 'webhook-signature': `v1,${signature}` };
}

/** Calls the API as the test caller, and answers status and parsed body. */
export async function call(url: string, path: string, init: RequestInit = {}): Promise<{ readonly status: number; readonly body: Record<string, never> }> {
  const headers = { authorization: `Bearer ${apiKey}`, ...(init.body === undefined ? {} : { 'content-type': 'application/json' }), ...(init.headers as Record<string, string>) };
  const response = await fetch(`${url}${path}`, { ...init, headers });
  const text = await response.text();
  return { status: response.status, body: (text.startsWith('{') ? JSON.parse(text) : { text }) as Record<string, never> };
}

/** Sends a signed intake message. */
export async function sendWebhook(url: string, body: unknown, options: { readonly source?: string; readonly id?: string } = {}): Promise<{ readonly status: number; readonly body: Record<string, never> }> {
  const text = JSON.stringify(body);
  return call(url, `/v1/intake/${options.source ?? 'crm'}`, { method: 'POST', body: text, headers: signedHeaders(text, options) });
}

/** Follows a request by its live events until it has one of these statuses; fails after `withinMs`. */
export async function untilStatus(url: string, id: string, statuses: readonly string[], withinMs = 60_000): Promise<Record<string, never>> {
  const signal = AbortSignal.timeout(withinMs);
  let last = 'none';
  for (;;) {
    signal.throwIfAborted();
    const response = await fetch(`${url}/v1/privacy-requests/${id}/events`, { headers: { authorization: `Bearer ${apiKey}` }, signal }).catch((error: unknown) => {
      throw new Error(`The request ${id} did not become ${statuses.join(' or ')}; last seen ${last}`, { cause: error });
    });
    let buffer = '';
    for await (const part of response.body ?? []) {
      buffer += Buffer.from(part).toString('utf8');
      const events = buffer.split('\n\n');
      buffer = events.pop() ?? '';
      for (const event of events) {
        const data = /^event: request\ndata: (.*)$/u.exec(event)?.[1];
        if (data === undefined) continue;
        const request = JSON.parse(data) as Record<string, never> & { status: string };
        last = request.status;
        if (statuses.includes(request.status)) return request;
      }
    }
    if (['closed', 'rejected', 'withdrawn', 'expired'].includes(last)) throw new Error(`The request ${id} ended as ${last}, not as ${statuses.join(' or ')}`);
  }
}

/** Has a person let run whatever of a request waits for one, each task by itself. */
export async function decideAll(url: string, id: string): Promise<void> {
  const { items } = (await call(url, `/v1/manual-tasks?request_id=${id}`)).body as unknown as { items: { id: string }[] };
  for (const each of items) await call(url, `/v1/manual-tasks/${each.id}/settle`, { method: 'POST', body: JSON.stringify({ how: 'retry' }) });
}

/** Asks again and again until an answer is given; for what no event tells of, such as a certificate. Fails after `withinMs`. */
export async function eventually<Result>(what: string, ask: () => Promise<Result | undefined>, withinMs = 30_000): Promise<Result> {
  const end = Date.now() + withinMs;
  for (;;) {
    const answer = await ask();
    if (answer !== undefined) return answer;
    if (Date.now() > end) throw new Error(`${what} did not happen within ${withinMs} ms`);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}
