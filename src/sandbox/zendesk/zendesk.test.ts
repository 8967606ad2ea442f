import { afterEach, beforeEach, expect, test } from 'vitest';
import type { Simulator } from '../simulator.ts';
import { startZendesk } from './index.ts';

interface Reply {
  readonly status: number;
  readonly headers: Headers;
  // oxlint-disable-next-line typescript/no-explicit-any -- bodies are read freely, the assertions are the check
  readonly body: any;
}

let zendesk: Simulator;
beforeEach(async () => {
  zendesk = await startZendesk();
});
afterEach(async () => zendesk.close());

const basic = `Basic ${Buffer.from('agent@example.com/token:api-token').toString('base64')}`;
async function call(method: string, path: string, authorization: string | undefined = basic): Promise<Reply> {
  const response = await fetch(`${zendesk.url}/api/v2${path}`, { method, headers: authorization === '' ? {} : { authorization } });
  const text = await response.text();
  return { status: response.status, headers: response.headers, body: text === '' ? undefined : JSON.parse(text) };
}
const search = async (query: string): Promise<number[]> => (await call('GET', `/users/search?query=${encodeURIComponent(query)}`)).body.users.map((each: { id: number }) => each.id);
const types = (): string[] => zendesk.effects.map(({ type }) => type);
const ada = { id: 11, name: 'Ada Example', email: 'ada@example.com', identities: ['ada@work.example'], external_id: 'C-1' };

test('a deletion is soft first: out of the search, whole in the list of the deleted', async () => {
  zendesk.seed({ users: [ada] });
  expect((await call('DELETE', '/deleted_users/11')).status, 'not before the soft one').toBe(404);
  expect((await call('DELETE', '/users/11')).body.user).toMatchObject({ id: 11, active: false });
  expect(await search('email:"ada@example.com"')).toEqual([]);
  expect((await call('GET', '/deleted_users/11')).body.deleted_user.email).toBe('ada@example.com');
  expect(types()).toEqual(['user.deleted']);
});

test('a permanent deletion goes on by itself in every area, and the name is gone only at its end', async () => {
  zendesk.seed({ users: [ada] });
  await call('DELETE', '/users/11');
  expect((await call('DELETE', '/deleted_users/11')).status).toBe(200);
  expect((await call('GET', '/users/11')).status).toBe(404);
  const look = async (area = ''): Promise<string[]> =>
    (await call('GET', `/users/11/compliance_deletion_statuses${area}`)).body.compliance_deletion_statuses.map((each: { action: string; application: string }) => `${each.application} ${each.action}`);
  expect(await look()).toEqual(['all request_deletion']);
  expect((await call('GET', '/deleted_users')).body.deleted_users[0].name).toBe('Ada Example');
  expect(await look('?application=support')).toEqual(['support started']);
  expect(await look()).toContain('chat complete');
  expect((await call('GET', '/deleted_users')).body.deleted_users[0]).toMatchObject({ name: 'Permanently Deleted User', email: null });
  expect((await call('DELETE', '/deleted_users/11')).status).toBe(404);
  expect(types()).toEqual(['user.deleted', 'user.permanently_deleted', 'user.personal_data_removed']);
});

test('soft-deleted users are queued for the permanent deletion after 30 days', async () => {
  zendesk.seed({ users: [ada] });
  await call('DELETE', '/users/11');
  zendesk.advance(30 * 86_400_000);
  expect((await call('GET', '/deleted_users/11')).status).toBe(404);
  expect(types()).toContain('user.permanently_deleted');
});

test('the requester of a ticket that is not closed cannot be deleted, of a closed one can, and the ticket stays', async () => {
  zendesk.seed({ users: [ada, { id: 12, name: 'Bo', email: 'bo@example.com' }], tickets: [{ requester: 'ada@example.com', subject: 'Ada’s order', status: 'solved' }, { requester: 'bo@example.com', subject: 'Bo’s order', status: 'closed' }] });
  expect((await call('DELETE', '/users/11')).body).toMatchObject({ error: 'RecordInvalid' });
  expect((await call('DELETE', '/users/12')).status).toBe(200);
  expect((await call('GET', '/users/12/tickets/requested')).body.tickets).toMatchObject([{ subject: 'Bo’s order' }]);
  expect(types()).toEqual(['user.deleted']);
});

test('a ticket is deleted softly, then for good by a job that takes its time', async () => {
  zendesk.seed({ users: [ada], tickets: [{ requester: 'ada@example.com', subject: 'Ada’s order', status: 'open' }] });
  const { id } = (await call('GET', '/users/11/tickets/requested')).body.tickets[0];
  expect((await call('DELETE', `/deleted_tickets/${id}`)).status, 'not before the soft one').toBe(404);
  expect((await call('DELETE', `/tickets/${id}`)).status).toBe(204);
  expect((await call('GET', `/tickets/${id}`)).status).toBe(404);
  expect((await call('DELETE', '/users/11')).status, 'it holds its requester no longer').toBe(200);
  const job = (await call('DELETE', `/deleted_tickets/${id}`)).body.job_status;
  const seen: string[] = [];
  for (let look = 0; look < 4; look += 1) seen.push((await call('GET', `/job_statuses/${job.id}`)).body.job_status.status);
  expect([job.status, ...seen]).toEqual(['queued', 'queued', 'working', 'working', 'completed']);
  expect((await call('DELETE', `/deleted_tickets/${id}`)).status).toBe(404);
  expect(types()).toEqual(['ticket.deleted', 'user.deleted', 'ticket.permanently_deleted']);
});

test('a plain search finds any word, so also other people; one by field does not', async () => {
  zendesk.seed({ users: [ada, { id: 12, name: 'Eve', email: 'eve@example.com' }] });
  expect(await search('ada@example.com')).toEqual([11, 12]);
  expect(await search('email:"ADA@example.com"')).toEqual([11]);
  expect(await search('email:"ada@work.example"'), 'a further address finds the user too').toEqual([11]);
  expect(await search('external_id:"C-1"')).toEqual([11]);
  expect((await call('GET', '/users/search?external_id=c-1')).body.count).toBe(1);
});

test('pages with absolute addresses, null at the end', async () => {
  zendesk.seed({ account: { page_size: 2 }, users: Array.from({ length: 3 }, (_, index) => ({ name: `Same ${index}`, email: `p${index}@example.com` })) });
  const first = await call('GET', '/users/search?query=same');
  expect(first.body.users).toHaveLength(2);
  const next = await fetch(first.body.next_page, { headers: { authorization: basic } });
  expect(await next.json()).toMatchObject({ users: [{ name: 'Same 2' }], next_page: null, count: 3 });
});

test('refuses over 700 permanent deletions in ten minutes, and over the plan’s requests, with Retry-After', async () => {
  zendesk.seed({ account: { permanent_deletions_per_ten_minutes: 1, requests_per_minute: 5 }, users: [{ ...ada, deleted: true }, { id: 12, name: 'Bo', deleted: true }] });
  expect((await call('DELETE', '/deleted_users/11')).status).toBe(200);
  const second = await call('DELETE', '/deleted_users/12');
  expect([second.status, second.headers.get('retry-after')]).toEqual([429, '600']);
  for (let index = 0; index < 3; index += 1) expect((await call('GET', '/users/me')).status).toBe(200);
  const sixth = await call('GET', '/users/me');
  expect([sixth.status, sixth.headers.get('retry-after')]).toEqual([429, '60']);
});

test('answers 200 and nobody to the question who one is without credentials, and 401 to wrong ones', async () => {
  expect((await call('GET', '/users/me', '')).body.user).toMatchObject({ id: null });
  expect((await call('GET', '/users/me', 'Bearer revoked')).status).toBe(401);
  expect((await call('GET', '/users/search?query=a', '')).status).toBe(401);
});
