import { createHmac } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parseId } from '../../../src/contract/ids.ts';
import { createReplaySweep } from '../../../src/modules/intake/index.ts';
import { apiKey, openIntakeWorld, post, sendWebhook, unverifiedApiKey, type IntakeWorld } from './intake-world.ts';

let world: IntakeWorld;
beforeAll(async () => {
  world = await openIntakeWorld();
});
afterAll(() => world.close());

interface Answer {
  readonly id: string;
  readonly status: string;
  readonly verification: { readonly method: string };
  readonly links: Record<string, string>;
}

describe('a message that is accepted', () => {
  it('is answered with the reference, the status, the deadline and the links, and its person is in the vault', async () => {
    const body = JSON.stringify({ email: 'Ada@example.com', phone: '202-555-0143', stripe_customer_id: 'cus_NffrFeUfNV2Hib' });
    const answer = await sendWebhook(world, { body });
    expect(answer.statusCode).toBe(202);
    const { id, links, ...rest } = answer.json<Answer>();
    expect(rest).toMatchObject({ status: 'verified', reference: expect.stringMatching(/^Q-/u) as string, due_at: expect.stringMatching(/^2026-12-/u) as string, verification: { method: 'source' } });
    expect(Object.keys(links).toSorted()).toEqual(['certificate', 'clock', 'events', 'plan', 'self', 'tasks', 'timeline', 'verification']);
    expect(links['self']).toBe(`/v1/privacy-requests/${id}`);
    const requestId = parseId('request', id);
    if (requestId === undefined) throw new Error('no id');
    const { identifiers } = await world.vault.unlock(requestId);
    expect(identifiers.map(({ kind, value, raw }) => [kind, value, raw])).toEqual([
      ['email', 'ada@example.com', 'Ada@example.com'],
      ['phone', '+12025550143', '202-555-0143'],
      ['stripe_customer', 'cus_NffrFeUfNV2Hib', undefined],
    ]);
    expect(world.jobs.at(-1)).toEqual({ name: 'request-advance', data: { request_id: requestId } });
    expect(JSON.stringify([answer.body, world.entries, world.jobs])).not.toMatch(/ada|2025550143|cus_/iu);
  });

  it('of another scheme is accepted in the same way', async () => {
    const timestamp = String(world.clock.now() / 1000);
    const payload = '{"subject":{"identifiers":[{"kind":"user_id","value":"u1"}]}}';
    const signature = createHmac('sha256', 'a secret of the crm, long enough').update(`evt.${timestamp}.${payload}`).digest('hex');
    const headers = { 'content-type': 'application/json; charset=utf-8', 'x-quittance-id': 'evt', 'x-quittance-timestamp': timestamp, 'x-quittance-signature': `sha256=${signature}` };
    const answer = await world.app.inject({ method: 'POST', url: '/v1/intake/crm', headers, payload });
    expect(answer.statusCode).toBe(202);
  });

  it('from a source that verifies nobody waits for the code, and nothing else is started', async () => {
    const jobs = world.jobs.length;
    const answer = await sendWebhook(world, { source: 'form' });
    expect(answer.json()).toMatchObject({ status: 'verifying', verification: { method: 'email_code' } });
    expect(world.jobs.slice(jobs).map((job) => job.name)).toEqual(['notification-send']);
  });

  it('of an unverified person without an address says that an operator must decide, and sends nothing', async () => {
    const jobs = world.jobs.length;
    const answer = await post(world, '/v1/privacy-requests', { phone: '+12025550143' }, { authorization: `Bearer ${unverifiedApiKey}` });
    expect(answer.json()).toMatchObject({ status: 'verifying', verification: { method: 'operator', detail: expect.stringContaining('operator must decide') as string } });
    expect(world.jobs).toHaveLength(jobs);
  });
});

const send = async (headers: Record<string, string>, body: unknown = { user_id: 'u1' }): ReturnType<typeof post> =>
  post(world, '/v1/privacy-requests', body, { authorization: `Bearer ${apiKey}`, ...headers });

describe('a message that comes again', () => {
  it('gets the first answer and opens nothing, however the request stands by then', async () => {
    const first = await sendWebhook(world, { source: 'form', id: 'msg_twice' });
    const before = await world.countRows();
    const id = parseId('request', first.json<Answer>().id);
    if (id === undefined) throw new Error('no id');
    const code = (await world.database.transaction((tx) => world.verification.codeToSend(tx, id, 1)))?.code;
    expect((await post(world, first.json<Answer>().links['verification'] ?? '', { code })).statusCode).toBe(200);
    world.clock.advance(60_000);
    const second = await sendWebhook(world, { source: 'form', id: 'msg_twice' });
    expect(second.statusCode).toBe(200);
    expect(second.json()).toEqual(first.json());
    expect(await world.countRows()).toEqual(before);
  });

  it('with another body is refused', async () => {
    expect((await sendWebhook(world, { id: 'msg_other' })).statusCode).toBe(202);
    const before = await world.countRows();
    const again = await sendWebhook(world, { id: 'msg_other', body: JSON.stringify({ email: 'eve@example.com' }) });
    expect(again.json()).toMatchObject({ status: 422, code: 'IDEMPOTENCY_KEY_REUSED' });
    const unreadable = await sendWebhook(world, { id: 'msg_other', body: '{' });
    expect(unreadable.json()).toMatchObject({ status: 422, code: 'IDEMPOTENCY_KEY_REUSED' });
    expect(await world.countRows()).toEqual(before);
  });

  it('ten times at once opens one request', async () => {
    const before = await world.countRows();
    const answers = await Promise.all(Array.from({ length: 10 }, async () => sendWebhook(world, { id: 'msg_crowd' })));
    expect(answers.map((each) => each.statusCode).toSorted((a, b) => a - b)).toEqual([...Array.from({ length: 9 }, () => 200), 202]);
    for (const answer of answers) expect(answer.json()).toEqual(answers[0]?.json());
    expect((await world.countRows())['privacy_request']).toBe((before['privacy_request'] ?? 0) + 1);
  });

  it('from another source under the same id is another message', async () => {
    const one = await sendWebhook(world, { id: 'msg_shared' });
    const two = await sendWebhook(world, { id: 'msg_shared', source: 'form' });
    expect([one.statusCode, two.statusCode]).toEqual([202, 202]);
  });

  it('after its first answer was forgotten opens nothing either', async () => {
    const first = await sendWebhook(world, { id: 'msg_late' });
    world.clock.advance(31 * 86_400_000);
    await createReplaySweep({ database: world.database, clock: world.clock, forgetMore: async () => undefined })();
    expect((await world.countRows())['intake_replay']).toBe(0);
    const late = await sendWebhook(world, { id: 'msg_late' });
    expect([late.statusCode, late.json<Answer>().id]).toEqual([200, first.json<Answer>().id]);
    const other = await sendWebhook(world, { id: 'msg_late', body: '{"user_id":"u9"}' });
    expect(other.json()).toMatchObject({ status: 422, code: 'IDEMPOTENCY_KEY_REUSED' });
  });

  it('under one idempotency key, quoted or not, gets the first answer; without one, each opens its own', async () => {
    const first = await send({ 'idempotency-key': '"k-1"' });
    const second = await send({ 'idempotency-key': 'k-1' });
    expect([first.statusCode, second.statusCode]).toEqual([202, 200]);
    expect(second.json()).toEqual(first.json());
    expect((await send({ 'idempotency-key': 'k-1' }, { user_id: 'u2' })).json()).toMatchObject({ status: 422, code: 'IDEMPOTENCY_KEY_REUSED' });
    const [third, fourth] = [await send({}), await send({})];
    expect(third.json<Answer>().id).not.toBe(fourth.json<Answer>().id);
  });
});

it('the description of the API names the routes, their bodies and answers', async () => {
  const { paths } = (await world.app.inject('/openapi.json')).json<{ paths: Record<string, { post?: { requestBody?: unknown; responses: Record<string, unknown> } }> }>();
  for (const path of ['/v1/intake/{source}', '/v1/privacy-requests', '/v1/privacy-requests/{id}/verification']) {
    expect(paths[path]?.post?.requestBody, path).toBeDefined();
    expect(Object.keys(paths[path]?.post?.responses ?? {}), path).toEqual(path === '/v1/intake/{source}' ? ['200', '202', '204'] : ['200', '202']);
  }
});
