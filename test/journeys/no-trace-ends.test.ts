import { inject, expect, test } from 'vitest';
import { apiKey, call, eventually, sendWebhook, signedHeaders, untilStatus } from '../support/quittance.ts';
import { dumpOfCopy, filesChangedSince, findMarks, searchPlaces, type Place } from '../support/marks.ts';
import { apiAnswers, marks, marksInOfficersMail, person, plantMarked } from '../support/marked-person.ts';
import { movableClock, untilShredded, useBench, type Running } from '../support/running.ts';

const bench = useBench();
const dayMs = 86_400_000;
const identifiers = { email: person.email, phone: person.phone, stripe_customer_id: person.customer, user_id: person.userId };
/** Where the vault's values are while a request lives; empty once all are forgotten. */
const vaultColumns = ['subject_identity.sealed', 'request_key.wrapped', 'work_item.sealed', 'task.cursor', 'task.cursor_before'].map((each) => `public.${each}`);

interface Watched extends Running {
  readonly lines: readonly string[];
  readonly clock: ReturnType<typeof movableClock>;
}

/** Starts a Quittance that logs everything, whose log is kept. */
async function startWatched(changes: Parameters<typeof bench.start>[0] = {}): Promise<Watched> {
  const lines: string[] = [];
  const clock = movableClock();
  const running = await bench.start({ ...changes, requests: { grace_days: 1, ...changes.requests } }, { clock, logLevel: 'trace', logTo: { write: (line: string) => void lines.push(line) } });
  return { ...running, lines, clock };
}

/** Searches everything that there is at this instant, and answers the tables, to see what was searched. */
async function searchAll(at: string, quittance: Watched, ids: readonly string[]): Promise<readonly Place[]> {
  const { main, audit } = await dumpOfCopy(quittance.folder);
  const tables = [...main, ...audit];
  expect(tables.length, at).toBeGreaterThan(100);
  const api = await Promise.all(ids.map(async (id) => ({ where: 'API', content: await apiAnswers(quittance.url, id) })));
  const files = filesChangedSince(inject('databaseTemplate'), quittance.folder);
  expect(searchPlaces(marks, [...tables, ...files, ...api, { where: 'log', content: quittance.lines.join('\n') }]), at).toEqual([]);
  expect(marksInOfficersMail(bench.sandbox()).found, at).toEqual([]);
  return tables;
}

const act = (url: string, id: string, action: string, body: unknown = {}) => call(url, `/v1/privacy-requests/${id}/${action}`, { method: 'POST', body: JSON.stringify(body) });

const bytesIn = (tables: readonly Place[], column: string): number => tables.filter((each) => each.where === column).length;

/** Opens a request whose own id, at who sends it, is the person's address, as careless callers do. */
async function openUnverified(url: string, count: number): Promise<string> {
  const { status, body } = await sendWebhook(url, identifiers, { source: 'portal', id: `${count}-zyxmarkmail@example` });
  expect(status).toBe(202);
  return String(body['id']);
}

/** The same by an API key, whose holder has verified the person. */
async function openVerified(url: string, count: number): Promise<string> {
  const { status, body } = await call(url, '/v1/privacy-requests', { method: 'POST', body: JSON.stringify(identifiers), headers: { 'idempotency-key': `${person.email}-${count}` } });
  expect(status).toBe(202);
  return String(body['id']);
}

test('however a request ends, its person is sealed until then and nowhere afterwards', { timeout: 300_000 }, async () => {
  const sandbox = bench.sandbox();
  plantMarked(sandbox);
  const quittance = await startWatched({ requests: { approval: 'required' } });
  const { url, clock } = quittance;

  // The mail server refuses the first code, and quotes whom it does not know.
  sandbox.mail.rejectNext(1);
  const withdrawn = await openUnverified(url, 1);
  await eventually('The refusal', async () => (quittance.lines.some((line) => line.includes('EENVELOPE') || line.includes('EMESSAGE')) ? true : undefined));
  const unsent = await searchAll('verifying, the code not sent', quittance, [withdrawn]);
  expect(bytesIn(unsent, 'public.subject_identity.sealed')).toBe(4);
  const expired = await openUnverified(url, 2);
  await sandbox.mail.waitFor('zyxmarkmail@example.com');
  expect((await act(url, expired, 'verification', { code: '00000000' })).status).toBe(403);
  expect((await act(url, expired, 'verification', { code: person.phone })).status).toBe(403);
  const rejected = await openUnverified(url, 3);
  await searchAll('verifying, the code sent and wrong ones given', quittance, [withdrawn, expired, rejected]);
  expect((await act(url, withdrawn, 'withdraw')).status).toBe(200);
  expect((await act(url, rejected, 'reject', { reason_code: 'identity_verification_failure' })).status).toBe(200);
  clock.advance(15 * dayMs);
  await quittance.sweep();
  await untilStatus(url, expired, ['expired']);
  await searchAll('withdrawn, rejected and expired', quittance, [withdrawn, expired, rejected]);

  const first = await openVerified(url, 4);
  await untilStatus(url, first, ['awaiting_approval']);
  const duplicate = await openVerified(url, 5);
  await eventually('The link', async () => ((await call(url, `/v1/privacy-requests/${duplicate}`)).body['duplicate_of'] === null ? undefined : true));
  const planned = await searchAll('planned, and asked for twice', quittance, [first, duplicate]);
  expect(bytesIn(planned, 'public.subject_identity.sealed')).toBeGreaterThan(8);

  sandbox.stripe.fault({ kind: 'status', status: 401, times: 50 });
  sandbox.twilio.fault({ kind: 'lost', method: 'DELETE' });
  expect((await act(url, first, 'approve')).status).toBe(200);
  await untilStatus(url, first, ['escalated']);
  await searchAll('waits for a person', quittance, [first, duplicate]);
  const waiting = (await call(url, `/v1/manual-tasks?request_id=${first}`)).body['items'] as unknown as { id: string }[];
  expect(waiting.length).toBeGreaterThan(0);
  sandbox.stripe.clearFaults();
  for (const [at, { id }] of waiting.entries()) {
    const settlement = at === 0 ? { how: 'done_manually', evidence: 'ticket:4711' } : { how: 'skipped_by_operator', reason: 'test_system' };
    expect((await call(url, `/v1/manual-tasks/${id}/settle`, { method: 'POST', body: JSON.stringify(settlement) })).status).toBe(200);
  }
  await untilStatus(url, first, ['closed']);
  // Something was left out of the first, so that the second has work of its own.
  await untilStatus(url, duplicate, ['awaiting_approval']);
  expect((await act(url, duplicate, 'approve')).status).toBe(200);
  await untilStatus(url, duplicate, ['closed']);
  const closed = await searchAll('closed, in the grace period', quittance, [first, duplicate]);
  expect(bytesIn(closed, 'public.subject_identity.sealed')).toBeGreaterThan(0);

  clock.advance(3 * dayMs);
  await quittance.sweep();
  const all = [withdrawn, expired, rejected, first, duplicate];
  for (const id of all) await untilShredded(url, id);
  const after = await searchAll('forgotten', quittance, all);
  expect(vaultColumns.filter((column) => bytesIn(after, column) > 0)).toEqual([]);
  expect(bytesIn(after, 'public.privacy_request.id')).toBe(5);
  expect(marksInOfficersMail(sandbox).messages).toBeGreaterThan(0);
});

interface Operation {
  readonly parameters?: readonly { readonly name: string; readonly in: string }[];
}
interface Route {
  readonly method: string;
  readonly path: string;
}

/** Texts of a person where no person belongs: plain, as an address ends a path, as a broken escape, as what a list calls a cursor, too long. */
const texts = [
  encodeURIComponent(person.email),
  `${person.email}%zz`,
  encodeURIComponent(person.name),
  Buffer.from(`${person.email} ${person.userId}`).toString('base64url'),
  encodeURIComponent(person.phone),
  person.body.repeat(40),
] as const;

const bodies: readonly (readonly [string, string])[] = [
  ['application/json', `{"email":"${person.email}`],
  ['application/json', `${person.email}\n    at ${person.userId}`],
  ['application/json', JSON.stringify([person.email])],
  ['application/json', JSON.stringify({ [person.email]: person.phone, [person.userId]: 1, '2025550177': 2 })],
  ['application/json', JSON.stringify({ email: { [person.email]: person.name } })],
  ['application/json', JSON.stringify({ subject: { identifiers: [{ kind: person.userId, value: person.email, [person.name]: 1 }] }, right: person.name })],
  ['application/json', JSON.stringify({ email: `${person.email} ${person.name}`, phone: person.name, jurisdiction: person.name })],
  ['application/json', JSON.stringify({ how: person.email, reason_code: person.userId, evidence: person.name, code: person.phone })],
  ['application/json', JSON.stringify({ email: person.email, [person.body.repeat(4000)]: 1 })],
  ['application/json', JSON.stringify({ email: 42, phone: [person.phone], jurisdiction: { [person.userId]: person.email } })],
  [`text/plain; name="${person.userId}"`, person.email],
  [`application/${person.userId}`, person.email],
];

const headers = {
  'user-agent': person.email,
  referer: `https://example.com/?${person.userId}`,
  cookie: `session=${person.userId}`,
  'x-forwarded-for': person.email,
  'x-request-id': person.userId,
  traceparent: person.userId,
  'last-event-id': person.email,
  'if-none-match': person.userId,
} as const;

/** Everything of an answer that a caller, and whoever keeps what callers are told, can see. */
async function answerTo(url: string, route: Route, path: string, init: RequestInit): Promise<{ readonly status: number; readonly text: string }> {
  const response = await fetch(`${url}${path}`, { method: route.method, signal: AbortSignal.timeout(5000), ...init });
  const seen = [...response.headers].flat().join('\n');
  return { status: response.status, text: `${seen}\n${await response.text()}` };
}

test('nothing of a person that is sent where it does not belong is repeated in an answer, logged or kept', { timeout: 300_000 }, async () => {
  const quittance = await startWatched();
  const { url } = quittance;
  const document = (await (await fetch(`${url}/openapi.json`)).json()) as { paths: Record<string, Record<string, Operation>> };
  const routes = Object.entries(document.paths).flatMap(([path, operations]) => Object.keys(operations).map((method) => ({ method: method.toUpperCase(), path })));
  expect(routes.length).toBeGreaterThan(20);
  const { body: planted } = await sendWebhook(url, { email: 'somebody.else@example.com' }, { source: 'portal' });
  const request = String(planted['id']);

  const found: string[] = [];
  const statuses: Record<number, number> = {};
  const send = async (route: Route, path: string, init: RequestInit = {}): Promise<void> => {
    const { status, text } = await answerTo(url, route, path, { ...init, headers: { ...headers, ...(init.headers as Record<string, string>) } });
    statuses[status] = (statuses[status] ?? 0) + 1;
    found.push(...findMarks(marks, `${route.method} ${route.path} ${status}`, text));
  };
  const keys = [{ authorization: `Bearer ${apiKey}` }, { authorization: `Bearer ${person.userId}` }, {}];
  // Streams end with their request, and this one does not end: what they say is searched elsewhere.
  for (const route of routes.filter(({ path }) => !path.endsWith('/events'))) {
    const real = route.path.replace('{id}', request).replace('{name}', 'stripe').replace('{source}', 'crm').replace('{*}', '0/000');
    for (const key of keys) {
      for (const text of texts) {
        if (route.path !== real) await send(route, route.path.replaceAll(/\{[^}]+\}/gu, text), { headers: key });
        await send(route, `${real}?${text}=1&limit=${text}&status=${text}&cursor=${text}&open=${text}&request_id=${text}`, { headers: key });
      }
      // Its check calls a vendor for whatever body.
      if (route.method === 'POST' && !route.path.endsWith('/check')) {
        for (const [type, body] of bodies) {
          await send(route, real, { headers: { ...key, 'content-type': type }, body });
          if (route.path === '/v1/intake/{source}') await send(route, real, { headers: { ...signedHeaders(body, { id: `${body.length}-${person.userId}` }), 'content-type': type }, body });
        }
      }
    }
  }
  const odd = [`/${texts[0]}`, `/docs/static/../${texts[0]}`, `/docs/static/%00${texts[0]}`, `/docs/${texts[1]}`, `/v1/${texts[5]}`, `//${texts[0]}`];
  for (const path of odd) for (const method of ['GET', 'POST', 'DELETE', 'OPTIONS']) await send({ method, path: 'elsewhere' }, path);
  for (const idempotencyKey of [person.email, person.email.repeat(20), person.name]) {
    await send({ method: 'POST', path: '/v1/privacy-requests' }, '/v1/privacy-requests', {
      headers: { ...keys[0], 'content-type': 'application/json', 'idempotency-key': idempotencyKey },
      body: JSON.stringify({ email: 'somebody.else@example.com' }),
    });
  }
  expect([...new Set(found)]).toEqual([]);
  // The search had something to search: refusals of every kind, and one request whose own id is a person's address.
  for (const status of [202, 400, 401, 404, 413]) expect(statuses[status] ?? 0, String(status)).toBeGreaterThan(0);
  expect(statuses[500] ?? 0).toBe(0);
  const tables = await searchAll('after all that', quittance, [request]);
  expect(bytesIn(tables, 'public.intake_replay.message_id')).toBe(2);
});
