import { createHmac } from 'node:crypto';
import { createServer, type Server } from 'node:http';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Simulator } from '../simulator.ts';
import { startGenesys, type GenesysSeed } from './index.ts';

let vendor: Simulator;
let receiver: Server | undefined;
beforeEach(async () => {
  vendor = await startGenesys();
});
afterEach(async () => {
  receiver?.closeAllConnections();
  receiver?.close();
  receiver = undefined;
  await vendor.close();
});

interface Reply {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
  readonly body: Record<string, unknown>;
}

async function send(path: string, init: RequestInit = {}): Promise<Reply> {
  const response = await fetch(vendor.url + path, init);
  const text = await response.text();
  return { status: response.status, headers: response.headers, text, body: text.startsWith('{') ? (JSON.parse(text) as Record<string, unknown>) : {} };
}

async function login(secret = 'sandbox-client-secret', client = 'sandbox-client'): Promise<Reply> {
  const authorization = `Basic ${Buffer.from(`${client}:${secret}`).toString('base64')}`;
  return send('/oauth/token', { method: 'POST', headers: { authorization, 'content-type': 'application/x-www-form-urlencoded' }, body: 'grant_type=client_credentials' });
}

/** A caller with a token of its own. */
async function caller(): Promise<(path: string, body?: unknown, headers?: Record<string, string>) => Promise<Reply>> {
  const token = String((await login()).body['access_token']);
  return async (path, body, headers = {}) =>
    send(path, {
      method: body === undefined ? 'GET' : 'POST',
      headers: { authorization: `Bearer ${token}`, ...headers, ...(body === undefined ? {} : { 'content-type': 'application/json' }) },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
}

const plant = (seed: GenesysSeed): void => void vendor.seed(seed);
const deletion = (externalId: string, scope: readonly string[] = ['interactions', 'email']): object => ({ externalId, type: 'customer', scope });
const contact = { external_id: 'CRM-1', records: { interactions: 2, email: 1, social: 4 } } as const;
const deletions = '/api/v2/pii/deletions';
const effects = (): readonly string[] => vendor.effects.map(({ type }) => type);

describe('the PII deletion form', () => {
  it('takes a job, runs it by the clock and deletes the scopes that it names', async () => {
    plant({ contacts: [contact] });
    const call = await caller();
    const created = await call(deletions, deletion('CRM-1'));
    expect([created.status, created.body['status']]).toEqual([202, 'queued']);
    const path = `${deletions}/${String(created.body['id'])}`;
    vendor.advance(10_000);
    expect((await call(path)).body['status']).toBe('running');
    expect(effects()).toEqual([]);
    vendor.advance(30_000);
    expect((await call(path)).body).toMatchObject({ status: 'completed', recordsDeleted: 3, externalId: 'CRM-1', scope: ['interactions', 'email'] });
    expect(vendor.dump()).toMatchObject({ contacts: [{ external_id: 'CRM-1', records: { social: 4 } }] });
    expect(effects()).toEqual(['pii.deleted']);
  });

  it.each(['crm-1', 'CRM-1 ', '1', 'CRM-11'])('completes with zero records for %j, which is not exactly the id', async (externalId) => {
    plant({ contacts: [contact] });
    const call = await caller();
    const { body } = await call(deletions, deletion(externalId));
    vendor.advance(40_000);
    expect((await call(`${deletions}/${String(body['id'])}`)).body).toMatchObject({ status: 'completed', recordsDeleted: 0 });
    expect(effects()).toEqual([]);
  });

  it('answers the same job to the same request id, or another where it is told to', async () => {
    const call = await caller();
    const twice = async (id: string): Promise<readonly unknown[]> => [(await call(deletions, deletion('x'), { 'x-genesys-request-id': id })).body['id'], (await call(deletions, deletion('x'), { 'x-genesys-request-id': id })).body['id']];
    expect(new Set(await twice('one')).size).toBe(1);
    plant({ account: { adopts_request_id: false } });
    expect(new Set(await twice('two')).size).toBe(2);
  });

  it.each([{ type: 'customer', scope: ['email'] }, deletion('x', []), deletion('x', ['everything']), { ...deletion('x'), type: 'user' }])('refuses %j', async (body) => {
    const call = await caller();
    expect(await call(deletions, body)).toMatchObject({ status: 400, body: { code: 'invalid.value' } });
  });
});

describe('the login and the front door', () => {
  it('give a token to the client only, and say what it may do', async () => {
    expect((await login()).body).toMatchObject({ token_type: 'bearer', expires_in: 86_400, scope: expect.stringContaining('pii:delete') as string });
    expect((await login('wrong')).status).toBe(401);
    expect((await login('x', 'nobody')).status).toBe(400);
  });

  it('refuse a token that is expired, revoked or none', async () => {
    const call = await caller();
    const other = await caller();
    expect((await call(`${deletions}/x`)).status).toBe(404);
    vendor.advance(86_400_000);
    expect(await call(`${deletions}/x`)).toMatchObject({ status: 401, body: { code: 'bad.credentials' } });
    const third = await caller();
    await send('/_sandbox/revoke-tokens', { method: 'POST' });
    expect((await third(`${deletions}/x`)).status).toBe(401);
    expect((await other(`${deletions}/x`)).status).toBe(401);
    expect(await send(`${deletions}/x`)).toMatchObject({ status: 401, body: { code: 'authentication.required' } });
  });

  it('answer a missing scope with a bare 403 at the form, and with words at the GDPR API', async () => {
    plant({ account: { scopes: [] } });
    const call = await caller();
    expect(await call(deletions, deletion('x'))).toMatchObject({ status: 403, text: '' });
    expect(await call('/api/v2/gdpr/requests')).toMatchObject({ status: 403, body: { code: 'missing.permissions' } });
  });

  it('let 300 calls a minute through for each token, and say when the next one may come', async () => {
    plant({ account: { requests_per_minute: 3 } });
    const call = await caller();
    const statuses = await Promise.all(Array.from({ length: 4 }, async () => call(`${deletions}/x`)));
    expect(statuses.map(({ status }) => status).toSorted((one, other) => one - other)).toEqual([404, 404, 404, 429]);
    const refused = await call(`${deletions}/x`);
    expect(refused.body['code']).toBe('too.many.requests');
    expect((await (await caller())(`${deletions}/x`)).status).toBe(404);
    vendor.advance(Number(refused.headers.get('retry-after')) * 1000);
    expect((await call(`${deletions}/x`)).status).toBe(404);
  });
});

describe('the GDPR API', () => {
  const subject = { externalContactId: 'c1', emailAddresses: ['ada@example.com'], phoneNumbers: ['+1 202-555-0123'] };
  const search = (type: string, value: string): string => `/api/v2/gdpr/subjects?${new URLSearchParams({ searchType: type, searchValue: value }).toString()}`;
  const request = { requestType: 'GDPR_DELETE', subject };

  it.each([
    ['true', []],
    ['false', [subject]],
  ])('deletes the subject after days with deleteConfirmed=%s: left are %j', async (confirmed, left) => {
    plant({ subjects: [{ subject }] });
    const { body } = await (await caller())(`/api/v2/gdpr/requests?deleteConfirmed=${confirmed}`, request);
    const seen: unknown[] = [body['status']];
    for (let stage = 0; stage < 4; stage += 1) {
      vendor.advance(43_200_000);
      seen.push((await (await caller())(`/api/v2/gdpr/requests/${String(body['id'])}`)).body['status']);
    }
    expect(seen).toEqual(['INITIATED', 'SEARCHING', 'DELETING', 'FINALIZING', 'COMPLETED']);
    expect((await (await caller())(search('EMAIL', 'Ada@example.com'))).body['entities']).toEqual(left);
  });

  it('deletes nothing where the confirmation is left out', async () => {
    plant({ subjects: [{ subject }], account: { gdpr_stage_ms: 0 } });
    const call = await caller();
    await call('/api/v2/gdpr/requests', request);
    await call('/api/v2/gdpr/requests');
    expect(effects()).toEqual(['gdpr_request.created']);
  });

  it('finds a number by its digits, an external id exactly, and nobody by another', async () => {
    plant({ subjects: [{ subject: { ...subject, externalId: 'CRM-1' } }] });
    const call = await caller();
    const totals = await Promise.all([search('PHONE', '+12025550123'), search('EXTERNAL_ID', 'CRM-1'), search('EXTERNAL_ID', 'crm-1'), search('EMAIL', 'bob@example.com')].map(async (path) => (await call(path)).body['total']));
    expect(totals).toEqual([1, 1, 0, 0]);
  });

  it('pages its requests', async () => {
    const call = await caller();
    for (let index = 0; index < 5; index += 1) await call('/api/v2/gdpr/requests?deleteConfirmed=true', { ...request, subject: { externalId: `x${index}` } });
    const pages = await Promise.all([1, 2, 3, 4].map(async (page) => (await call(`/api/v2/gdpr/requests?pageSize=2&pageNumber=${page}`)).body));
    expect(pages.map(({ entities }) => (entities as unknown[]).length)).toEqual([2, 2, 1, 0]);
    expect(pages[0]).toMatchObject({ total: 5, pageCount: 3 });
    expect((await call('/api/v2/gdpr/requests?pageSize=101')).status).toBe(400);
  });
});

describe('the completion callback', () => {
  const secret = 'sandbox-callback-secret';
  interface Heard {
    readonly signature: string;
    readonly body: string;
    readonly id: string;
  }

  async function listen(answer = 204): Promise<{ readonly url: string; readonly heard: Heard[] }> {
    const heard: Heard[] = [];
    receiver = createServer((request, response) => {
      const parts: Buffer[] = [];
      request.on('data', (part: Buffer) => parts.push(part));
      request.on('end', () => {
        const body = Buffer.concat(parts).toString('utf8');
        heard.push({ signature: String(request.headers['x-genesys-signature']), body, id: (JSON.parse(body) as { id: string }).id });
        response.writeHead(answer).end();
      });
    });
    await new Promise<void>((resolve) => receiver?.listen(0, '127.0.0.1', resolve));
    const address = receiver.address();
    return { url: `http://127.0.0.1:${typeof address === 'object' && address !== null ? address.port : 0}/callback`, heard };
  }

  const isSigned = ({ signature, body }: Heard): boolean => {
    const t = /^t=(\d+),/u.exec(signature)?.[1] ?? '';
    return signature === `t=${t},v1=${createHmac('sha256', secret).update(`${t}.${body}`).digest('hex')}`;
  };
  const pump = async (): Promise<void> => {
    expect((await send('/_sandbox/callbacks', { method: 'POST' })).status).toBe(200);
  };
  const start = async (ids: readonly string[]): Promise<readonly string[]> => {
    const call = await caller();
    const made: string[] = [];
    for (const id of ids) {
      made.push(String((await call(deletions, deletion(id))).body['id']));
      vendor.advance(1000);
    }
    return made;
  };

  it('comes once, signed, when the job ended', async () => {
    const { url, heard } = await listen();
    plant({ contacts: [contact], account: { callback_url: url } });
    const [job] = await start(['CRM-1']);
    await pump();
    expect(heard).toEqual([]);
    vendor.advance(40_000);
    await pump();
    await pump();
    expect(heard.map((each) => [each.id, isSigned(each)])).toEqual([[job, true]]);
    expect(JSON.parse(heard[0]?.body ?? '')).toMatchObject({ status: 'completed', recordsDeleted: 3 });
  });

  it('is tried three times and then given up where it is not taken', async () => {
    const { url, heard } = await listen(503);
    plant({ contacts: [contact], account: { callback_url: url } });
    await start(['CRM-1']);
    for (let turn = 0; turn < 6; turn += 1) {
      vendor.advance(400_000);
      await pump();
    }
    expect(heard).toHaveLength(3);
    expect(vendor.dump()).toMatchObject({ deliveries: [{ tries: [503, 503, 503], isOver: true }] });
  });

  it('can come twice, late, in another order, never, or be forged', async () => {
    const { url, heard } = await listen();
    const play = async (callbacks: 'twice' | 'late' | 'reordered' | 'lost' | 'forged'): Promise<readonly string[]> => {
      vendor.reset();
      heard.length = 0;
      plant({ account: { callback_url: url, callbacks } });
      const made = await start(['a', 'b']);
      if (callbacks === 'forged') await pump();
      vendor.advance(60_000);
      await pump();
      return heard.map((each) => `${made.indexOf(each.id)}${isSigned(each) ? '' : ' forged'}`);
    };
    expect(await play('twice')).toEqual(['0', '0', '1', '1']);
    expect(await play('late')).toEqual([]);
    vendor.advance(3_600_000);
    await pump();
    expect(heard).toHaveLength(2);
    expect(await play('reordered')).toEqual(['1', '0']);
    expect(await play('lost')).toEqual([]);
    expect(await play('forged')).toEqual(['0 forged', '1 forged', '0', '1']);
  });
});
