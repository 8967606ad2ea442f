import { afterEach, beforeEach, expect, test } from 'vitest';
import type { Simulator } from '../simulator.ts';
import { startIntercom } from './index.ts';

interface Reply {
  readonly status: number;
  readonly headers: Headers;
  // oxlint-disable-next-line typescript/no-explicit-any -- bodies are read freely, the assertions are the check
  readonly body: any;
}

let intercom: Simulator;
beforeEach(async () => {
  intercom = await startIntercom();
});
afterEach(async () => intercom.close());

async function call(method: string, path: string, body?: unknown, token = 'token'): Promise<Reply> {
  const response = await fetch(intercom.url + path, {
    method,
    headers: { authorization: `Bearer ${token}`, ...(body === undefined ? {} : { 'content-type': 'application/json' }) },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  return { status: response.status, headers: response.headers, body: await response.json() };
}
const where = (field: string, value: unknown, pagination?: object): object => ({ query: { field, operator: '=', value }, ...(pagination === undefined ? {} : { pagination }) });
const find = async (field: string, value: unknown, what = 'contacts'): Promise<Reply> => call('POST', `/${what}/search`, where(field, value));
const types = (): string[] => intercom.effects.map(({ type }) => type);
const ada = { id: 'c1', email: 'ada@example.com', phone: '+12025550111', name: 'Ada Example', external_id: '70' };

test('deletes a contact once, then answers an error list with 404; the conversations stay', async () => {
  intercom.seed({ contacts: [ada], conversations: [{ with: ['70'], body: 'Ada asks' }] });
  expect((await call('DELETE', '/contacts/c1')).body).toEqual({ type: 'contact', id: 'c1', external_id: '70', deleted: true });
  const again = await call('DELETE', '/contacts/c1');
  expect([again.status, again.body.type, again.body.errors[0].code]).toEqual([404, 'error.list', 'not_found']);
  const { body } = await find('contact_ids', 'c1', 'conversations');
  expect(body.conversations).toMatchObject([{ source: { body: 'Ada asks' } }]);
  expect((await call('DELETE', `/conversations/${body.conversations[0].id}`)).body).toMatchObject({ object: 'conversation', deleted: true });
  expect(types()).toEqual(['contact.deleted', 'conversation.deleted']);
});

test('an archived contact is found by nothing but its id, and is kept whole', async () => {
  intercom.seed({ contacts: [ada] });
  expect((await find('email', 'ada@example.com')).body.total_count).toBe(1);
  expect((await call('POST', '/contacts/c1/archive')).body.archived).toBe(true);
  expect((await find('email', 'ada@example.com')).body.total_count).toBe(0);
  expect((await call('GET', '/contacts/find_by_external_id/70')).status).toBe(404);
  expect((await call('GET', '/contacts/c1')).body.email).toBe('ada@example.com');
});

test('does not find for a while what is new', async () => {
  intercom.seed({ account: { search_lag_ms: 60_000 }, contacts: [ada] });
  expect((await find('email', 'ada@example.com')).body.data).toEqual([]);
  intercom.advance(60_000);
  expect((await find('email', 'ada@example.com')).body.data).toHaveLength(1);
});

test('searches by a group of conditions, refuses a field that it does not have, and pages by a cursor', async () => {
  intercom.seed({ contacts: Array.from({ length: 5 }, (_, index) => ({ email: `p${index}@example.com`, name: 'Same' })) });
  const group = { query: { operator: 'OR', value: [{ field: 'email', operator: '=', value: 'p1@example.com' }, { field: 'email', operator: '=', value: 'p2@example.com' }] } };
  expect((await call('POST', '/contacts/search', group)).body.total_count).toBe(2);
  expect((await find('shoe_size', '44')).body.errors[0].code).toBe('invalid_field');
  const seen: string[] = [];
  let after: string | undefined;
  do {
    const { body } = await call('POST', '/contacts/search', where('name', 'Same', { per_page: 2, ...(after === undefined ? {} : { starting_after: after }) }));
    seen.push(...body.data.map((each: { id: string }) => each.id));
    after = body.pages.next?.starting_after;
  } while (after !== undefined);
  expect(new Set(seen).size).toBe(5);
});

test('refuses over its limit with the time of the reset in seconds, a wrong token with 401, and by plan the deletion of conversations', async () => {
  intercom.seed({ account: { requests_per_ten_seconds: 2, may_delete_conversations: false } });
  expect((await call('DELETE', '/conversations/1')).body.errors[0].code).toBe('api_plan_restricted');
  expect((await call('GET', '/me')).status).toBe(200);
  const third = await call('GET', '/me');
  expect([third.status, third.body.errors[0].code]).toEqual([429, 'rate_limit_exceeded']);
  expect(Number(third.headers.get('x-ratelimit-reset'))).toBeGreaterThan(1_700_000_000);
  expect((await call('GET', '/me', undefined, 'revoked')).status).toBe(401);
});

test('lies where it is told to: deleted, and the contact stays', async () => {
  intercom.seed({ contacts: [{ ...ada, email: 'loki+liar@example.com' }] });
  expect((await call('DELETE', '/contacts/c1')).body.deleted).toBe(true);
  expect((await call('GET', '/contacts/c1')).status).toBe(200);
  expect(types()).toEqual([]);
});
