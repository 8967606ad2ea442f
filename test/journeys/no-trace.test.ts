import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { describe, expect, inject, test } from 'vitest';
import { apiKey, call, untilStatus } from '../support/quittance.ts';
import { filesChangedSince, findMarks, markForms, rowsOf } from '../support/marks.ts';
import { certificateOf, openRequest, plantAda, untilShredded, useBench } from '../support/running.ts';

const bench = useBench();

const person = {
  email: 'Zyxmarkmail@Example.com',
  phone: '+1 (202) 555-0177',
  name: 'Zyxmarkname Qwvmarkfamily',
  userId: 'zyxmarkuserid',
  customer: 'cus_Zyxmarkcustomer',
  body: 'zyxmarkmessagebody',
} as const;
const marks = [
  markForms('e-mail', [person.email, 'zyxmarkmail'], 'email'),
  markForms('phone', [person.phone, '+12025550177', '2025550177', '(202) 555-0177'], 'phone'),
  markForms('name', ['Zyxmarkname', 'Qwvmarkfamily', person.name]),
  markForms('user id', [person.userId], 'user_id'),
  markForms('customer id', [person.customer, 'Zyxmarkcustomer'], 'stripe_customer'),
  markForms('message', [person.body]),
];

/** Everything that a Quittance left in a folder, searched; it must be stopped. */
async function traces(folder: string): Promise<{ readonly values: number; readonly found: readonly string[] }> {
  const rows = [...(await rowsOf(join(folder, 'main'))), ...(await rowsOf(join(folder, 'audit')))];
  const files = filesChangedSince(inject('databaseTemplate'), folder);
  const found = [...rows.flatMap((row) => findMarks(marks, row.where, row.content)), ...files.flatMap((file) => findMarks(marks, file.path, file.content))];
  return { values: rows.length + files.length, found: [...new Set(found)] };
}

/** What the API says of a request, as one text. */
async function answers(url: string, id: string): Promise<string> {
  const paths = ['', '/plan', '/tasks', '/timeline'].map((each) => `/v1/privacy-requests/${id}${each}`);
  const all = await Promise.all([...paths, '/v1/privacy-requests', '/v1/manual-tasks?open=false', '/v1/connections'].map(async (path) => call(url, path)));
  for (const each of all) expect(each.status).toBe(200);
  const events = await fetch(`${url}/v1/privacy-requests/${id}/events`, { headers: { authorization: `Bearer ${apiKey}` }, signal: AbortSignal.timeout(2000) });
  let live = '';
  try {
    for await (const part of events.body ?? []) live += Buffer.from(part).toString('utf8');
  } catch (error) {
    // A request that waits has no end of its events: two seconds of them are looked at.
    if (!(error instanceof Error) || error.name !== 'TimeoutError') throw error;
  }
  expect(live).toContain('event: tasks');
  return JSON.stringify(all) + live;
}

describe('the search for marks', () => {
  test.each([
    ['plain', `x ${person.email} y`],
    ['in lower case', 'zyxmarkmail@example.com'],
    ['URL-encoded', encodeURIComponent(person.email)],
    ['base64 inside of something', Buffer.from(`{"a":"${person.email}"}`).toString('base64')],
    ['base64url, one further', Buffer.from(`{"ab":"${person.email}"}`).toString('base64url')],
    ['hex', Buffer.from(person.email).toString('hex')],
    ['SHA-256 in hex of the normal form', 'cc'.concat(markHash('zyxmarkmail@example.com', 'hex'))],
    ['SHA-256 in base64 of the normal form', markHash('zyxmarkmail@example.com', 'base64')],
  ])('finds an e-mail address that is %s', (_form, content) => {
    expect(findMarks(marks, 'here', content).length).toBeGreaterThan(0);
  });
  test('finds nothing in what holds nothing', () => {
    expect(findMarks(marks, 'here', 'somebody.else@example.com, +12025550100')).toEqual([]);
  });
});

function markHash(text: string, encoding: 'hex' | 'base64'): string {
  return createHash('sha256').update(text, 'utf8').digest(encoding);
}

test('a person is found nowhere but sealed while the request is open, and nowhere at all after it is closed', { timeout: 180_000 }, async () => {
  const lines: string[] = [];
  const options = { logLevel: 'trace', logTo: { write: (line: string) => void lines.push(line) } };
  const changes = { requests: { approval: 'required' }, connections: { stripe: { timeout_seconds: 1 } } };
  const sandbox = bench.sandbox();
  plantAda(sandbox, {
    email: person.email,
    phone: '+12025550177',
    userId: person.userId,
    customers: [{ id: person.customer, email: person.email, name: person.name, phone: '+12025550177', description: person.body, payment_methods: [{ last4: '4242' }], charges: [{ description: person.name }] }],
  });
  sandbox.twilio.seed({
    messages: [{ to: '+12025550177', from: '+12025550190', body: person.body }],
    profiles: [{ key: 'marked', traits: { Contact: { name: person.name, email: person.email } }, identifiers: { email: [person.email], phone: ['+12025550177'] }, observations: [person.body] }],
  });

  const before = await bench.start(changes, options);
  const id = await openRequest(before.url, { email: person.email, phone: person.phone, stripe_customer_id: person.customer });
  await untilStatus(before.url, id, ['awaiting_approval']);
  expect(findMarks(marks, 'API', await answers(before.url, id))).toEqual([]);
  await before.stop();
  const open = await traces(before.folder);
  expect(open.values).toBeGreaterThan(100);
  expect(open.found).toEqual([]);
  const sealed = (await rowsOf(join(before.folder, 'main'))).filter((row) => row.where === 'public.subject_identity.sealed');
  expect(sealed.length).toBeGreaterThanOrEqual(4);

  // What fails is what is logged: refusals that quote the person, broken answers, lost ones.
  sandbox.stripe.fault({ kind: 'status', status: 500, method: 'POST', path: '^/v1/customers/' });
  sandbox.stripe.fault({ kind: 'malformed', method: 'GET', path: '^/v1/customers/' });
  sandbox.stripe.fault({ kind: 'lie', method: 'DELETE', path: '^/v1/customers/', times: 20 });
  sandbox.twilio.fault({ kind: 'after', status: 500, method: 'DELETE' });
  sandbox.segment.fault({ kind: 'status', status: 400, method: 'POST', path: '/regulations' });
  const { url, stop, folder } = await bench.start(changes, { ...options, folder: before.folder });
  expect((await call(url, `/v1/privacy-requests/${id}/approve`, { method: 'POST' })).status).toBe(200);
  await untilStatus(url, id, ['escalated']);
  expect(findMarks(marks, 'API', await answers(url, id))).toEqual([]);
  sandbox.stripe.clearFaults();
  await call(url, `/v1/privacy-requests/${id}/retry`, { method: 'POST' });
  await untilStatus(url, id, ['closed']);
  expect(findMarks(marks, 'certificate', await certificateOf(url, id))).toEqual([]);
  await untilShredded(url, id);
  expect(findMarks(marks, 'API', await answers(url, id))).toEqual([]);
  await stop();

  const after = await traces(folder);
  expect(after.values).toBeGreaterThan(100);
  expect(after.found).toEqual([]);
  const kept = (await rowsOf(join(folder, 'main'))).map((row) => row.where);
  for (const gone of ['subject_identity.sealed', 'request_key.wrapped', 'work_item.sealed', 'task.cursor']) expect(kept).not.toContain(`public.${gone}`);
  expect(lines.length).toBeGreaterThan(3);
  expect(findMarks(marks, 'log', lines.join('\n'))).toEqual([]);
});
