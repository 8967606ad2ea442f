import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';
import { sql } from 'kysely';
import { formatId, parseId, type RequestId } from '../../../src/contract/ids.ts';
import { newId } from '../../../src/platform/ids.ts';
import { openIntakeWorld, post, sendWebhook, type IntakeWorld } from './intake-world.ts';

let world: IntakeWorld;
let url: string;
let id: RequestId;

beforeAll(async () => {
  world = await openIntakeWorld();
});
beforeEach(async () => {
  const { id: outside } = (await sendWebhook(world, { source: 'form' })).json<{ id: string }>();
  const parsed = parseId('request', outside);
  if (parsed === undefined) throw new Error('no id');
  id = parsed;
  url = `/v1/privacy-requests/${outside}/verification`;
  await sql`DELETE FROM rate_limit`.execute(world.database.read());
});
afterAll(() => world.close());

const codeNow = async (number = 1): Promise<string> => {
  const sent = await world.database.transaction((tx) => world.verification.codeToSend(tx, id, number));
  if (sent?.code === undefined) throw new Error('no code');
  return sent.code;
};
const wrong = (code: string): string => String((Number(code) + 1) % 100_000_000).padStart(8, '0');
const give = async (code: string): Promise<number> => (await post(world, url, { code })).statusCode;
const status = async (): Promise<string | undefined> =>
  (await sql<{ status: string }>`SELECT status FROM privacy_request WHERE id = ${id}`.execute(world.database.read())).rows[0]?.status;
const attempts = async (): Promise<number | undefined> =>
  (await sql<{ attempts: number }>`SELECT attempts FROM verification WHERE request_id = ${id}`.execute(world.database.read())).rows[0]?.attempts;

it('the right code verifies the person and starts the work, once; given again it is accepted and does nothing', async () => {
  const code = await codeNow();
  const jobs = world.jobs.length;
  expect(await give(`${code.slice(0, 4)} ${code.slice(4)}`)).toBe(200);
  expect(await status()).toBe('verified');
  expect(world.jobs.slice(jobs)).toEqual([{ name: 'request-advance', data: { request_id: id } }]);
  expect(await give(code)).toBe(200);
  expect(world.jobs).toHaveLength(jobs + 1);
});

it('a wrong code is refused, counted, recorded, and starts nothing', async () => {
  const jobs = world.jobs.length;
  expect(await give(wrong(await codeNow()))).toBe(403);
  expect(await attempts()).toBe(1);
  expect(world.entries.at(-1)).toMatchObject({ type: 'request.verification_failed', reason_code: 'wrong', attempt: 1 });
  expect(await status()).toBe('verifying');
  expect(world.jobs).toHaveLength(jobs);
});

it('after five wrong codes the right one is refused too, also when they come at once', async () => {
  const code = await codeNow();
  expect(await Promise.all(Array.from({ length: 5 }, async () => give(wrong(code))))).toEqual([403, 403, 403, 403, 403]);
  expect(await attempts()).toBe(5);
  expect(await give(code)).toBe(403);
  expect(await status()).toBe('verifying');
});

it('after four wrong codes the right one is accepted', async () => {
  const code = await codeNow();
  for (let n = 0; n < 4; n += 1) expect(await give(wrong(code))).toBe(403);
  expect(await give(code)).toBe(200);
});

it('a code that has expired is refused; one sent again is accepted, and the one before is not', async () => {
  const first = await codeNow();
  world.clock.advance(30 * 60_000);
  expect(await give(first)).toBe(403);
  expect((await post(world, url, { send_again: true })).statusCode).toBe(202);
  const second = await codeNow(2);
  expect(second).not.toBe(first);
  expect(await give(first)).toBe(403);
  expect(await give(second)).toBe(200);
});

it('a code is sent again at most five times in all, and not twice within a minute', async () => {
  const sent = (): number => world.entries.filter((each) => each.type === 'request.verification_sent' && each.request_id === formatId('request', id)).length;
  await post(world, url, { send_again: true });
  expect(sent()).toBe(1);
  for (let n = 0; n < 7; n += 1) {
    world.clock.advance(61_000);
    expect((await post(world, url, { send_again: true })).statusCode).toBe(202);
  }
  expect(sent()).toBe(5);
});

it('nobody can lock a person out: a code sent again can be tried anew', async () => {
  for (let n = 0; n < 5; n += 1) await give('00000000');
  world.clock.advance(61_000);
  await post(world, url, { send_again: true });
  expect(await give(await codeNow(2))).toBe(200);
});

it('a code whose message waited is valid from when it is sent, and a message that another one replaced has no code', async () => {
  world.clock.advance(3 * 3_600_000);
  expect(await give(await codeNow())).toBe(200);
  expect(await world.database.transaction((tx) => world.verification.codeToSend(tx, id, 1))).toBeUndefined();
});

it('a request that does not exist, an id that is none, a wrong, an expired and a locked code answer exactly alike', async () => {
  const code = await codeNow();
  const bodies = new Set<string>();
  const unknown = `/v1/privacy-requests/${formatId('request', newId('request'))}/verification`;
  for (const [at, given] of [[url, wrong(code)], [unknown, code], ['/v1/privacy-requests/nonsense/verification', code]] as const) {
    const answer = await post(world, at, { code: given });
    bodies.add(JSON.stringify([answer.statusCode, answer.body, answer.headers['ratelimit-policy'], answer.headers['content-type']]));
  }
  world.clock.advance(31 * 60_000);
  bodies.add(JSON.stringify(await post(world, url, { code }).then((answer) => [answer.statusCode, answer.body, answer.headers['ratelimit-policy'], answer.headers['content-type']])));
  for (let n = 0; n < 5; n += 1) await give('00000000');
  bodies.add(JSON.stringify(await post(world, url, { code }).then((answer) => [answer.statusCode, answer.body, answer.headers['ratelimit-policy'], answer.headers['content-type']])));
  expect(bodies.size).toBe(1);
  expect([...bodies][0]).toContain('VERIFICATION_FAILED');
  const again = await Promise.all([url, unknown].map(async (at) => (await post(world, at, { send_again: true })).body));
  expect(again[0]).toBe(again[1]);
});

it('a request that waits for an operator takes no code, not even the one that would be its first', async () => {
  const answer = await sendWebhook(world, { source: 'form', body: '{"phone":"+12025550143"}' });
  const parsed = parseId('request', answer.json<{ id: string }>().id);
  if (parsed === undefined) throw new Error('no id');
  id = parsed;
  url = answer.json<{ links: Record<string, string> }>().links['verification'] ?? '';
  expect(await world.database.transaction((tx) => world.verification.codeToSend(tx, id, 1))).toBeUndefined();
  expect(await world.database.transaction((tx) => world.verification.sendAgain(tx, id))).toBe(false);
  expect(await give('00000000')).toBe(403);
  expect(await status()).toBe('verifying');
});

it('tries are limited to ten a minute, for a request that exists and for one that does not', async () => {
  for (const at of [url, `/v1/privacy-requests/${formatId('request', newId('request'))}/verification`]) {
    const answers: number[] = [];
    for (let n = 0; n < 11; n += 1) answers.push((await post(world, at, { code: '1' })).statusCode);
    expect(answers).toEqual([...Array.from({ length: 10 }, () => 403), 429]);
  }
});

it.each([[{}], [{ code: '1', send_again: true }], [{ code: 12_345_678 }], [{ code: '1', x: 1 }], [{ send_again: false }]])('%j is not a body for it', async (body) => {
  expect((await post(world, url, body)).json()).toMatchObject({ status: 400, code: 'VALIDATION_FAILED' });
  expect(await attempts()).toBe(0);
});
