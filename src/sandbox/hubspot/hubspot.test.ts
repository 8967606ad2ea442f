import { afterEach, beforeEach, expect, test } from 'vitest';
import type { Simulator } from '../simulator.ts';
import { startHubspot } from './index.ts';

interface Reply {
  readonly status: number;
  readonly headers: Headers;
  // oxlint-disable-next-line typescript/no-explicit-any -- bodies are read freely, the assertions are the check
  readonly body: any;
}

let hubspot: Simulator;
beforeEach(async () => {
  hubspot = await startHubspot();
});
afterEach(async () => hubspot.close());

const base = '/crm/v3/objects/contacts';
async function call(method: string, path: string, body?: unknown, token = 'pat-sandbox'): Promise<Reply> {
  const response = await fetch(hubspot.url + path, {
    method,
    headers: { authorization: `Bearer ${token}`, ...(body === undefined ? {} : { 'content-type': 'application/json' }) },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  const text = await response.text();
  return { status: response.status, headers: response.headers, body: text === '' ? undefined : JSON.parse(text) };
}
const byEmail = (value: string, operator = 'EQ', rest: object = {}): object => ({ filterGroups: [{ filters: [{ propertyName: 'email', operator, value }] }], ...rest });
const purge = async (body: object): Promise<Reply> => call('POST', `${base}/gdpr-delete`, body);
const types = (): string[] => hubspot.effects.map(({ type }) => type);

test('deletes for good by id, and blocks every address of the contact', async () => {
  hubspot.seed({ contacts: [{ id: '501', properties: { email: 'ada@example.com', hs_additional_emails: 'ada@work.example;a@old.example' } }] });
  expect((await call('GET', `${base}/501`)).status).toBe(200);
  expect((await purge({ objectId: '501' })).status).toBe(204);
  expect((await call('GET', `${base}/501`)).body.category).toBe('OBJECT_NOT_FOUND');
  expect((await call('POST', `${base}/search`, byEmail('ada@example.com'))).body).toEqual({ total: 0, results: [] });
  expect(types()).toEqual(['contact.gdpr_deleted', 'email.blocklisted', 'email.blocklisted', 'email.blocklisted']);
  expect((await purge({ objectId: '501' })).status, 'by id an unknown contact has no effect').toBe(404);
});

test('an address that it does not know is put on the blocklist by a deletion that says 204', async () => {
  expect((await purge({ objectId: 'stranger@example.com', idProperty: 'email' })).status).toBe(204);
  expect(types()).toEqual(['email.blocklisted']);
  expect(hubspot.dump()).toMatchObject({ blocklist: ['stranger@example.com'] });
});

test('an ordinary deletion keeps the contact in the recycle bin, out of every search', async () => {
  hubspot.seed({ contacts: [{ id: '501', properties: { email: 'ada@example.com' } }] });
  expect((await call('DELETE', `${base}/501`)).status).toBe(204);
  expect((await call('POST', `${base}/search`, byEmail('ada@example.com'))).body.total).toBe(0);
  expect((await call('GET', `${base}/501?archived=true`)).body).toMatchObject({ archived: true, properties: { email: 'ada@example.com' } });
  hubspot.advance(90 * 86_400_000);
  expect((await call('GET', `${base}/501?archived=true`)).status).toBe(404);
});

test('searches exactly by EQ, by any word with CONTAINS_TOKEN, and in pages', async () => {
  hubspot.seed({ contacts: Array.from({ length: 5 }, (_, index) => ({ properties: { email: `p${index}@example.com` } })) });
  expect((await call('POST', `${base}/search`, byEmail('P1@example.com'))).body.results).toHaveLength(1);
  const seen: string[] = [];
  let after: string | undefined;
  do {
    const { body } = await call('POST', `${base}/search`, byEmail('nobody@example.com', 'CONTAINS_TOKEN', { limit: 2, ...(after === undefined ? {} : { after }) }));
    seen.push(...body.results.map((each: { id: string }) => each.id));
    after = body.paging?.next.after;
  } while (after !== undefined);
  expect(new Set(seen).size).toBe(5);
});

test('the search index may show for a while what is gone', async () => {
  hubspot.seed({ account: { search_lag_ms: 30_000 }, contacts: [{ id: '501', properties: { email: 'ada@example.com' } }] });
  await purge({ objectId: '501' });
  expect((await call('POST', `${base}/search`, byEmail('ada@example.com'))).body.total).toBe(1);
  hubspot.advance(30_000);
  expect((await call('POST', `${base}/search`, byEmail('ada@example.com'))).body.total).toBe(0);
});

test('refuses over its limits with the policy that was broken, and searches by a limit of their own', async () => {
  hubspot.seed({ account: { requests_per_ten_seconds: 4, searches_per_second: 1 } });
  expect((await call('POST', `${base}/search`, {})).status).toBe(200);
  expect((await call('POST', `${base}/search`, {})).body).toMatchObject({ category: 'RATE_LIMITS', policyName: 'SECONDLY' });
  const [first] = [await call('GET', base), await call('GET', base), await call('GET', base)];
  expect(first.headers.get('x-hubspot-ratelimit-max')).toBe('4');
  expect((await call('GET', base)).body).toMatchObject({ status: 'error', policyName: 'TEN_SECONDLY_ROLLING' });
  hubspot.advance(10_000);
  expect((await call('GET', base)).status).toBe(200);
});

test('refuses a wrong token with 401, and one without the scope to write with 403', async () => {
  expect((await call('GET', base, undefined, 'revoked')).body.category).toBe('INVALID_AUTHENTICATION');
  expect((await call('POST', `${base}/gdpr-delete`, { objectId: '1' }, 'readonly')).body.category).toBe('MISSING_SCOPES');
});

test('lies where it is told to: 204, and the contact stays', async () => {
  hubspot.seed({ contacts: [{ id: '501', properties: { email: 'loki+liar@example.com' } }] });
  expect((await purge({ objectId: '501' })).status).toBe(204);
  expect((await call('GET', `${base}/501`)).status).toBe(200);
  expect(types()).toEqual([]);
});
