import { afterEach, beforeEach, expect, test } from 'vitest';
import type { Simulator } from '../simulator.ts';
import { startSalesforce } from './index.ts';

interface Reply {
  readonly status: number;
  // oxlint-disable-next-line typescript/no-explicit-any -- bodies are read freely, the assertions are the check
  readonly body: any;
}

let salesforce: Simulator;
let token: string;
const tokenFor = async (secret: string): Promise<Response> =>
  fetch(`${salesforce.url}/services/oauth2/token`, { method: 'POST', body: new URLSearchParams({ grant_type: 'client_credentials', client_id: 'client', client_secret: secret }) });
const signIn = async (): Promise<void> => {
  token = ((await (await tokenFor('secret')).json()) as { access_token: string }).access_token;
};
/** Sessions end in the meantime. */
const wait = async (ms: number): Promise<void> => {
  salesforce.advance(ms);
  await signIn();
};
beforeEach(async () => {
  salesforce = await startSalesforce();
  await signIn();
});
afterEach(async () => salesforce.close());

const base = '/services/data/v66.0';
async function call(method: string, path: string, body?: string, type = 'application/json'): Promise<Reply> {
  const url = path.startsWith('/services') ? path : base + path;
  const response = await fetch(salesforce.url + url, { method, headers: { authorization: `Bearer ${token}`, ...(body === undefined ? {} : { 'content-type': type }) }, ...(body === undefined ? {} : { body }) });
  const text = await response.text();
  return { status: response.status, body: text === '' || text.startsWith('"') ? text : JSON.parse(text) };
}
const ask = async (soql: string, all = ''): Promise<Reply> => call('GET', `/query${all}?q=${encodeURIComponent(soql)}`);
const code = ({ status, body }: Reply): unknown[] => [status, body[0].errorCode];
const types = (): string[] => salesforce.effects.map(({ type }) => type);
const day = 86_400_000;
const contactId = '003000000000001AAA';
const plant = (account: object = {}): void =>
  void salesforce.seed({ account, records: [{ object: 'Contact', Id: contactId, fields: { Email: 'ada@example.com', LastName: 'Example' } }] });

test('a deletion puts a record into the recycle bin: out of query, in queryAll for 15 days and a day', async () => {
  plant();
  expect((await call('DELETE', `/sobjects/Contact/${contactId}`)).status).toBe(204);
  expect(code(await call('DELETE', `/sobjects/Contact/${contactId}`))).toEqual([404, 'ENTITY_IS_DELETED']);
  const soql = "SELECT Id, Email, IsDeleted FROM Contact WHERE Email = 'ADA@example.com'";
  expect((await ask(soql)).body.totalSize).toBe(0);
  expect((await ask(soql, 'All')).body.records).toMatchObject([{ Id: contactId, Email: 'ada@example.com', IsDeleted: true }]);
  await wait(15 * day);
  expect((await ask(soql, 'All')).body.totalSize).toBe(1);
  expect(code(await call('DELETE', `/sobjects/Contact/${contactId}`))).toEqual([404, 'NOT_FOUND']);
  await wait(day);
  expect((await ask(soql, 'All')).body.totalSize).toBe(0);
  expect(types()).toEqual(['Contact.deleted', 'Contact.purged']);
});

test('a contact with cases cannot be deleted before them', async () => {
  plant();
  salesforce.seed({ records: [{ object: 'Case', Id: '500000000000001AAA', fields: { ContactId: contactId, SuppliedEmail: 'ada@example.com' } }] });
  expect((await ask("SELECT Id FROM Case WHERE Contact.Email = 'ada@example.com'")).body.totalSize).toBe(1);
  expect(code(await call('DELETE', `/sobjects/Contact/${contactId}`))).toEqual([400, 'DELETE_FAILED']);
  expect((await call('DELETE', '/sobjects/Case/500000000000001AAA')).status).toBe(204);
  expect((await call('DELETE', `/sobjects/Contact/${contactId}`)).status).toBe(204);
});

test('reads SOQL strictly: a quote that is not escaped is a malformed query, an escaped one a letter', async () => {
  salesforce.seed({ records: [{ object: 'Lead', fields: { Email: "o'brien@example.com" } }] });
  expect(code(await ask("SELECT Id FROM Lead WHERE Email = 'o'brien@example.com'"))).toEqual([400, 'MALFORMED_QUERY']);
  expect((await ask(String.raw`SELECT Id FROM Lead WHERE Email = 'o\'brien@example.com'`)).body.totalSize).toBe(1);
  expect((await ask("SELECT Id FROM Lead WHERE Email = 'x' OR Email != ''")).status).toBe(400);
  expect(code(await ask('SELECT Id FROM Invoice'))).toEqual([400, 'INVALID_TYPE']);
  expect((await ask("SELECT Id FROM Lead WHERE Email IN ('x', 'y') OR IsDeleted = FALSE AND Name = NULL")).body.totalSize).toBe(1);
});

test('pages by an address of the same org', async () => {
  salesforce.seed({ account: { query_batch_size: 2 }, records: Array.from({ length: 5 }, () => ({ object: 'Lead' as const, fields: { Email: 'ada@example.com' } })) });
  const seen: string[] = [];
  let next = `${base}/query?q=${encodeURIComponent('SELECT Id FROM Lead')}`;
  for (;;) {
    const { body } = await call('GET', next);
    seen.push(...body.records.map((each: { Id: string }) => each.Id));
    expect(body.done).toBe(body.nextRecordsUrl === undefined);
    if (body.done) break;
    next = body.nextRecordsUrl;
  }
  expect(new Set(seen).size).toBe(5);
});

async function hardDelete(csv: string): Promise<string> {
  const made = await call('POST', '/jobs/ingest', JSON.stringify({ object: 'Contact', operation: 'hardDelete', contentType: 'CSV' }));
  expect(made.body.state).toBe('Open');
  expect((await call('PUT', `/jobs/ingest/${made.body.id}/batches`, csv, 'text/csv')).status).toBe(201);
  await call('PATCH', `/jobs/ingest/${made.body.id}`, JSON.stringify({ state: 'UploadComplete' }));
  return made.body.id;
}

test('a bulk job deletes for good where that is permitted, by and by, and counts what failed', async () => {
  plant({ may_hard_delete: true });
  const job = await hardDelete(`Id\n${contactId}\n003000000000009AAA\n`);
  const states: string[] = [];
  for (let look = 0; look < 5; look += 1) states.push((await call('GET', `/jobs/ingest/${job}`)).body.state);
  expect(states).toEqual(['UploadComplete', 'InProgress', 'InProgress', 'JobComplete', 'JobComplete']);
  expect((await call('GET', `/jobs/ingest/${job}`)).body).toMatchObject({ numberRecordsProcessed: 2, numberRecordsFailed: 1 });
  expect((await call('GET', `/jobs/ingest/${job}/failedResults`)).body).toContain('INVALID_CROSS_REFERENCE_KEY');
  expect(types()).toEqual(['Contact.purged']);
});

test('a bulk job that comes with its records in one multipart body is closed at once', async () => {
  plant({ may_hard_delete: true });
  const part = (name: string, type: string, content: string): string => `--b\r\nContent-Type: ${type}\r\nContent-Disposition: form-data; name="${name}"\r\n\r\n${content}\r\n`;
  const body = `${part('job', 'application/json', JSON.stringify({ object: 'Contact', operation: 'hardDelete' }))}${part('content', 'text/csv', `Id\r\n${contactId}`)}--b--\r\n`;
  const made = await call('POST', '/jobs/ingest', body, 'multipart/form-data; boundary=b');
  expect(made.body).toMatchObject({ state: 'UploadComplete', operation: 'hardDelete' });
  expect((await call('GET', `/sobjects/Contact/${contactId}`)).body.Email).toBe('ada@example.com');
  await wait(120_000);
  expect((await call('GET', `/jobs/ingest/${made.body.id}`)).body).toMatchObject({ state: 'JobComplete', numberRecordsFailed: 0 });
  expect(code(await call('GET', `/sobjects/Contact/${contactId}`))).toEqual([404, 'NOT_FOUND']);
});

test('a bulk job that is never closed does nothing, and without the permission there is none', async () => {
  plant({ may_hard_delete: true });
  const made = await call('POST', '/jobs/ingest', JSON.stringify({ object: 'Contact', operation: 'hardDelete' }));
  await call('PUT', `/jobs/ingest/${made.body.id}/batches`, `Id\n${contactId}\n`, 'text/csv');
  await wait(day);
  expect((await call('GET', `/jobs/ingest/${made.body.id}`)).body.state).toBe('Open');
  expect(types()).toEqual([]);
  plant({ may_hard_delete: false });
  expect(code(await call('POST', '/jobs/ingest', JSON.stringify({ object: 'Contact', operation: 'hardDelete' })))).toEqual([400, 'FEATURENOTENABLED']);
});

test('gives no token for a wrong secret, ends sessions, and refuses over the day’s limit with 403', async () => {
  expect((await tokenFor('wrong')).status).toBe(400);
  salesforce.seed({ account: { requests_per_day: 2 } });
  expect((await call('GET', '/limits')).status).toBe(200);
  expect((await call('GET', '/limits')).status).toBe(200);
  expect(code(await call('GET', '/limits'))).toEqual([403, 'REQUEST_LIMIT_EXCEEDED']);
  salesforce.advance(7_200_000);
  expect(code(await call('GET', '/limits'))).toEqual([401, 'INVALID_SESSION_ID']);
});
