import { sql } from 'kysely';
import type { Response as Injected } from 'light-my-request';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { apiKey, openIntakeWorld, profilesToken, type IntakeWorld } from './intake-world.ts';

let world: IntakeWorld;
beforeAll(async () => {
  world = await openIntakeWorld();
});
afterAll(() => world.close());

let profile = 'cus_fictional';
let profiles = 0;
beforeEach(() => {
  profiles += 1;
  profile = `cus_fictional${profiles}`;
});

const order = (change: object = {}): Record<string, unknown> => ({ profile_id: profile, action: 'anonymize', identifiers: { email: null, phone: null }, ...change });

/** As EventBridge calls: https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-api-destinations.html */
async function send(body: unknown, headers: Record<string, string | undefined> = {}): Promise<Injected> {
  const all = { 'content-type': 'application/json; charset=utf-8', 'user-agent': 'Amazon/EventBridge/ApiDestinations', authorization: `Bearer ${profilesToken}`, ...headers };
  const given = Object.fromEntries(Object.entries(all).filter((each): each is [string, string] => each[1] !== undefined));
  return world.app.inject({ method: 'POST', url: '/v1/destinations/profiles', headers: given, payload: typeof body === 'string' ? body : JSON.stringify(body) });
}
const follow = (id: string, headers: Record<string, string> = { authorization: `Bearer ${profilesToken}` }): Promise<Injected> => world.app.inject({ method: 'GET', url: `/v1/destinations/profiles/jobs/${id}`, headers });

const end = (job: string, status: 'closed' | 'rejected'): Promise<unknown> =>
  sql`UPDATE privacy_request SET status = ${status}, closed_at = ${new Date(world.clock.now())} WHERE id = (SELECT request_id FROM profile_job ORDER BY request_id DESC LIMIT 1) AND ${job} <> ''`.execute(world.database.read());

test('an order is answered 202 at once, with a job that can be followed, and opens a verified erasure in the named systems only', async () => {
  const answer = await send(order());
  expect(answer.statusCode).toBe(202);
  const body = answer.json<{ job_id: string; status: string; links: { self: string } }>();
  expect(body).toEqual({ job_id: expect.stringMatching(/^req_/u) as string, status: 'accepted', links: { self: `/v1/destinations/profiles/jobs/${body.job_id}` } });
  const followed = await follow(body.job_id);
  expect(followed.statusCode).toBe(200);
  expect(followed.json()).toEqual({ ...body, verdict: null, systems: [] });
  const { rows } = await sql<Record<string, unknown>>`SELECT source, request_right, status, verified_by, systems FROM privacy_request ORDER BY id DESC LIMIT 1`.execute(world.database.read());
  expect(rows).toEqual([{ source: 'destination:profiles', request_right: 'erasure', status: 'verified', verified_by: 'source', systems: ['twilio', 'segment'] }]);
  expect(world.jobs.at(-1)?.name).toBe('request-advance');
});

describe('the same order again', () => {
  test('gets the same job while that is open, with another event too', async () => {
    const first = await send(order(), { 'idempotency-key': `${profile}-1` });
    const again = await send(order(), { 'idempotency-key': `${profile}-2` });
    expect([first.statusCode, again.statusCode]).toEqual([202, 200]);
    expect(again.json()).toEqual(first.json());
  });

  test('gets one job, however many come at once', async () => {
    const before = (await world.countRows())['privacy_request'] ?? 0;
    const answers = await Promise.all(Array.from({ length: 8 }, (_, at) => send(order({ event_id: `${profile}-${at % 2}` }))));
    expect(answers.map((each) => each.statusCode).toSorted((a, b) => a - b)).toEqual([200, 200, 200, 200, 200, 200, 200, 202]);
    expect(new Set(answers.map((each) => each.json<{ job_id: string }>().job_id)).size).toBe(1);
    expect((await world.countRows())['privacy_request']).toBe(before + 1);
  });

  test('gets the same job for two days after its end, so that its own end sets off nothing, and after that a new one', async () => {
    const first = (await send(order())).json<{ job_id: string }>().job_id;
    await end(first, 'closed');
    world.clock.advance(47 * 3_600_000);
    expect((await send(order())).json()).toMatchObject({ job_id: first });
    world.clock.advance(2 * 3_600_000);
    const later = await send(order());
    expect(later.statusCode).toBe(202);
    expect(later.json<{ job_id: string }>().job_id).not.toBe(first);
  });

  test('gets the first job by its event’s id, also when a new order would get a new one', async () => {
    const first = (await send(order({ event_id: `${profile}-event` }))).json<{ job_id: string }>().job_id;
    await end(first, 'closed');
    world.clock.advance(49 * 3_600_000);
    expect((await send(order({ event_id: `${profile}-event` }))).json()).toMatchObject({ job_id: first });
    expect((await send(order(), { 'idempotency-key': `${profile}-event` })).json()).toMatchObject({ job_id: first });
    expect((await send(order({ event_id: `${profile}-other` }))).statusCode).toBe(202);
  });

  test('is a new one where the first was refused', async () => {
    const first = (await send(order())).json<{ job_id: string }>().job_id;
    await end(first, 'rejected');
    expect((await send(order())).statusCode).toBe(202);
  });

  test('with another profile under the id of an event is 422, and opens nothing', async () => {
    await send(order({ event_id: `${profile}-event` }));
    const rows = await world.countRows();
    const answer = await send(order({ profile_id: 'cus_somebodyelse', event_id: `${profile}-event` }));
    expect(answer.statusCode).toBe(422);
    expect(answer.json()).toMatchObject({ code: 'IDEMPOTENCY_KEY_REUSED' });
    expect(await world.countRows()).toEqual(rows);
  });
});

test('an order that fails while it is taken leaves nothing, and the same event opens a job when it comes again', async () => {
  const rows = await world.countRows();
  world.failNextOpening();
  expect((await send(order({ event_id: `${profile}-event` }))).statusCode).toBe(500);
  expect(await world.countRows()).toEqual(rows);
  expect((await send(order({ event_id: `${profile}-event` }))).statusCode).toBe(202);
});

test.each<[string, unknown, string, string]>([
  ['another action', order({ action: 'delete' }), 'VALIDATION_FAILED', '/action'],
  ['an identifier of the person', order({ identifiers: { email: 'ada@example.com', phone: null } }), 'VALIDATION_FAILED', '/identifiers/email'],
  ['one of both identifiers', order({ identifiers: { email: null } }), 'VALIDATION_FAILED', '/identifiers/phone'],
  ['another identifier', order({ identifiers: { email: null, phone: null, 'ada@example.com': null } }), 'VALIDATION_FAILED', '/identifiers'],
  ['a field that is not known', order({ 'ada@example.com': true }), 'VALIDATION_FAILED', '/'],
  ['no profile', { action: 'anonymize', identifiers: { email: null, phone: null } }, 'VALIDATION_FAILED', '/profile_id'],
  ['an empty profile, as a template leaves whose path is missing', order({ profile_id: '' }), 'VALIDATION_FAILED', '/profile_id'],
  ['a profile that is none of its kind', order({ profile_id: 'ada@example.com' }), 'IDENTIFIER_INVALID', '/profile_id'],
  ['two ids of an event', order({ event_id: 'one' }), 'VALIDATION_FAILED', '/event_id'],
])('a body with %s is 400, names the field and says no value', async (what, body, code, field) => {
  const rows = await world.countRows();
  const answer = await send(body, what === 'two ids of an event' ? { 'idempotency-key': 'another' } : {});
  expect(answer.statusCode).toBe(400);
  expect(answer.json()).toMatchObject({ code, field });
  expect(answer.body).not.toContain('ada@example.com');
  expect(await world.countRows()).toEqual(rows);
});

test.each([['no JSON, as a quote in an unescaped value makes it', '{"profile_id":"cus_"1"}'], ['nothing', '']])('a body that is %s is 400', async (_what, body) => {
  expect((await send(body)).json()).toMatchObject({ status: 400, code: 'BODY_MALFORMED' });
});

test.each<[string, string | undefined]>([
  ['no token', undefined],
  ['another token', 'Bearer test-token-of-somebody-else'],
  ['an API key', `Bearer ${apiKey}`],
  ['the token in another scheme', `Basic ${profilesToken}`],
])('%s is 401, whatever the body is, and for the job too', async (_what, authorization) => {
  const job = (await send(order())).json<{ job_id: string }>().job_id;
  for (const body of [order(), '{']) expect(await send(body, { authorization })).toMatchObject({ statusCode: 401 });
  expect((await follow(job, authorization === undefined ? {} : { authorization })).statusCode).toBe(401);
});

test('a job that does not exist, a request that came another way, and an id that is none are told alike', async () => {
  const made = await world.app.inject({ method: 'POST', url: '/v1/privacy-requests', headers: { 'content-type': 'application/json', authorization: `Bearer ${apiKey}` }, payload: JSON.stringify({ email: 'ada@example.com' }) });
  const answers = await Promise.all([made.json<{ id: string }>().id, 'req_00000000000000000000000000', 'job_1'].map((id) => follow(id)));
  for (const answer of answers) expect(answer.statusCode).toBe(404);
  expect(new Set(answers.map((each) => each.body)).size).toBe(1);
});

test('orders over the limit are 429, and say when to come back', async () => {
  const answers = await Promise.all(Array.from({ length: 130 }, () => send(order())));
  const refused = answers.filter((each) => each.statusCode === 429);
  expect(refused.length).toBeGreaterThan(5);
  for (const each of refused) expect(Number(each.headers['retry-after'])).toBeGreaterThan(0);
  expect(answers.some((each) => each.statusCode === 202)).toBe(true);
  world.clock.advance(60_000);
});

test('which profile a job was about is forgotten two days after its end, and not before', async () => {
  const count = async (): Promise<number> => (await sql<{ n: number }>`SELECT count(*)::int AS n FROM profile_job`.execute(world.database.read())).rows[0]?.n ?? -1;
  await sql`DELETE FROM profile_job`.execute(world.database.read());
  await sql`DELETE FROM rate_limit`.execute(world.database.read());
  const job = (await send(order())).json<{ job_id: string }>().job_id;
  await world.profiles.forget();
  expect(await count()).toBe(1);
  await end(job, 'closed');
  await world.profiles.forget();
  expect(await count()).toBe(1);
  world.clock.advance(49 * 3_600_000);
  await world.profiles.forget();
  expect(await count()).toBe(0);
});

test('no log line has a profile', () => {
  expect(world.logged.join('\n')).not.toContain('cus_fictional');
});
