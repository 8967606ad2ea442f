import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { describe, expect, inject, test } from 'vitest';
import { call, untilStatus } from '../support/quittance.ts';
import { dumpOfCopy, filesChangedSince, findMarks, rowsOf, searchPlaces } from '../support/marks.ts';
import { apiAnswers, marks, marksInOfficersMail, person, plantMarked } from '../support/marked-person.ts';
import { certificateOf, openRequest, untilShredded, useBench } from '../support/running.ts';

const bench = useBench();

/** Where all events go, and with them, by a rule that declares it, the customer's id. */
async function startReceiver(): Promise<{ readonly url: string; readonly bodies: (path: string) => readonly string[]; readonly close: () => Promise<void> }> {
  const received: { readonly path: string; readonly body: string }[] = [];
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      received.push({ path: request.url ?? '', body: `${JSON.stringify(request.headers)}\n${Buffer.concat(chunks).toString('utf8')}` });
      response.writeHead(200).end();
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const close = async (): Promise<void> => {
    server.close();
    server.closeAllConnections();
  };
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, bodies: (path) => received.filter((each) => each.path === path).map(({ body }) => body), close };
}

const eventsTo = (url: string): Record<string, unknown> => {
  const http = { kind: 'http', auth: { kind: 'bearer', token: '${env:API_KEY}' }, allow_private_network: true };
  return {
    destinations: { all: { ...http, endpoint: `${url}/all` }, declared: { ...http, endpoint: `${url}/declared` } },
    rules: {
      all: { EventPattern: { source: ['quittance'] }, targets: [{ id: 'all', destination: 'all' }] },
      declared: { EventPattern: { 'detail-type': ['request.closed'] }, identifiers: ['stripe_customer'], targets: [{ id: 'declared', destination: 'declared' }] },
    },
  };
};

/** Everything that a Quittance left in a folder, searched; it must be stopped. */
async function traces(folder: string): Promise<{ readonly values: number; readonly found: readonly string[] }> {
  const places = [...(await rowsOf(join(folder, 'main'))), ...(await rowsOf(join(folder, 'audit'))), ...filesChangedSince(inject('databaseTemplate'), folder)];
  return { values: places.length, found: searchPlaces(marks, places) };
}

const markHash = (text: string, encoding: 'hex' | 'base64'): string => createHash('sha256').update(text, 'utf8').digest(encoding);

describe('the search for marks', () => {
  test.each([
    ['plain', `x ${person.email} y`],
    ['in lower case', 'zyxmarkmail@example.com'],
    ['URL-encoded', encodeURIComponent(person.email)],
    ['URL-encoded twice', encodeURIComponent(encodeURIComponent(person.email))],
    ['base64 inside of something', Buffer.from(`{"a":"${person.email}"}`).toString('base64')],
    ['base64url, one further', Buffer.from(`{"ab":"${person.email}"}`).toString('base64url')],
    ['hex', Buffer.from(person.email).toString('hex')],
    ['SHA-256 in hex of the normal form', 'cc'.concat(markHash('zyxmarkmail@example.com', 'hex'))],
    ['SHA-256 in base64 of the normal form', markHash('zyxmarkmail@example.com', 'base64')],
    ['SHA-256 with its kind before it', markHash('email:zyxmarkmail@example.com', 'hex')],
  ])('finds an e-mail address that is %s', (_form, content) => {
    expect(findMarks(marks, 'here', content).length).toBeGreaterThan(0);
  });
  test('finds nothing in what holds nothing', () => {
    expect(findMarks(marks, 'here', 'somebody.else@example.com, +12025550100')).toEqual([]);
  });
  test('has nothing to search yet in spans and metrics that leave the process: there are none', () => {
    // Whoever adds them finds this here: they go through the search too, like the log and the events below.
    const { dependencies } = JSON.parse(readFileSync('package.json', 'utf8')) as { dependencies: Record<string, string> };
    expect(Object.keys(dependencies).filter((name) => /opentelemetry|prom-client|statsd|sentry/u.test(name))).toEqual([]);
  });
});

test('a person is found nowhere but sealed while the request is open, and nowhere at all after it is closed', { timeout: 180_000 }, async () => {
  const lines: string[] = [];
  const options = { logLevel: 'trace', logTo: { write: (line: string) => void lines.push(line) } };
  const events = await startReceiver();
  const changes = { requests: { approval: 'required' }, connections: { stripe: { timeout_seconds: 1 } }, events: eventsTo(events.url) };
  const sandbox = bench.sandbox();
  plantMarked(sandbox);

  const before = await bench.start(changes, options);
  const id = await openRequest(before.url, { email: person.email, phone: person.phone, stripe_customer_id: person.customer });
  await untilStatus(before.url, id, ['awaiting_approval']);
  expect(findMarks(marks, 'API', await apiAnswers(before.url, id))).toEqual([]);
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
  expect(findMarks(marks, 'API', await apiAnswers(url, id))).toEqual([]);
  const waiting = await dumpOfCopy(folder);
  expect(searchPlaces(marks, [...waiting.main, ...waiting.audit])).toEqual([]);
  // What is sealed was among what was looked at, and what was recorded of the failures too.
  for (const kept of ['subject_identity.sealed', 'work_item.sealed', 'attempt.error_code', 'manual_task.reason_code']) expect(waiting.main.map((each) => each.where)).toContain(`public.${kept}`);
  sandbox.stripe.clearFaults();
  await call(url, `/v1/privacy-requests/${id}/retry`, { method: 'POST' });
  await untilStatus(url, id, ['closed']);
  expect(findMarks(marks, 'certificate', await certificateOf(url, id))).toEqual([]);
  await untilShredded(url, id);
  expect(findMarks(marks, 'API', await apiAnswers(url, id))).toEqual([]);
  expect(marksInOfficersMail(sandbox)).toEqual({ messages: expect.toSatisfy((count: number) => count > 0), found: [] });
  await stop();

  const after = await traces(folder);
  expect(after.values).toBeGreaterThan(100);
  expect(after.found).toEqual([]);
  const kept = (await rowsOf(join(folder, 'main'))).map((row) => row.where);
  for (const gone of ['subject_identity.sealed', 'request_key.wrapped', 'work_item.sealed', 'task.cursor', 'task.cursor_before', 'task.vendor_job']) expect(kept).not.toContain(`public.${gone}`);
  expect(lines.length).toBeGreaterThan(3);
  expect(findMarks(marks, 'log', lines.join('\n'))).toEqual([]);
  // Every event left, and only the rule that declares it carried anything of the person: the one kind that it declares.
  await events.close();
  expect(events.bodies('/all').length).toBeGreaterThan(10);
  expect(findMarks(marks, 'events', events.bodies('/all').join('\n'))).toEqual([]);
  const declared = events.bodies('/declared');
  expect(declared.length).toBeGreaterThan(0);
  expect(declared.join('\n')).toContain(person.customer);
  expect(findMarks(marks, 'events', declared.join('\n').replaceAll(person.customer, ''))).toEqual([]);
});
