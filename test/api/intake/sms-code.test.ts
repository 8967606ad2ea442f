import { sql } from 'kysely';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { parseId, type RequestId } from '../../../src/contract/ids.ts';
import { openIntakeWorld, post, sendWebhook, type IntakeWorld } from './intake-world.ts';

let world: IntakeWorld;
let id: RequestId;
let url: string;
let outside: string;

async function openRequest(): Promise<void> {
  await sql`DELETE FROM rate_limit`.execute(world.database.read());
  const answer = await sendWebhook(world, { source: 'texts', body: JSON.stringify({ phone: '+12025550143', email: 'ada@example.com' }) });
  expect(answer.json()).toMatchObject({ status: 'verifying', verification: { method: 'sms_code' } });
  outside = answer.json<{ id: string }>().id;
  const parsed = parseId('request', outside);
  if (parsed === undefined) throw new Error('no id');
  id = parsed;
  url = `/v1/privacy-requests/${outside}/verification`;
}

const give = async (code: string): Promise<number> => (await post(world, url, { code })).statusCode;
const stored = async (): Promise<{ status: string; verified_by: string | null; attempts: number }> => {
  const { rows } = await sql<{ status: string; verified_by: string | null; attempts: number }>`
    SELECT r.status, r.verified_by, v.attempts FROM privacy_request r JOIN verification v ON v.request_id = r.id WHERE r.id = ${id}`.execute(world.database.read());
  if (rows[0] === undefined) throw new Error('no row');
  return rows[0];
};
const failures = (): (string | undefined)[] => world.entries.filter((each) => each.type === 'request.verification_failed' && each.request_id === outside).map((each) => each.verification_method);

describe('a code by SMS that Quittance makes', () => {
  beforeAll(async () => {
    world = await openIntakeWorld();
  });
  beforeEach(openRequest);
  afterAll(() => world.close());

  it('goes to the phone, proves it by the method sms_code, and proves it once', async () => {
    const sent = await world.database.transaction((tx) => world.verification.codeToSend(tx, id, 1));
    expect(sent?.to).toBe('phone');
    const code = sent?.code ?? '';
    const wrong = String((Number(code) + 1) % 100_000_000).padStart(8, '0');
    expect(await give(wrong)).toBe(403);
    expect(failures()).toEqual(['sms_code']);
    expect(await stored()).toMatchObject({ status: 'verifying', attempts: 1 });
    expect([await give(code), await give(code)]).toEqual([200, 200]);
    expect(await stored()).toMatchObject({ status: 'verified', verified_by: 'sms_code' });
    expect(world.jobs.filter((each) => each.name === 'request-advance' && each.data['request_id'] === id)).toHaveLength(1);
  });
});

describe('a code by SMS that a service makes and judges', () => {
  const asked: string[] = [];
  const rightCode = '471181';
  let isDown = false;

  beforeAll(async () => {
    world = await openIntakeWorld(undefined, { smsCodesBy: 'service', failedProofsPerHour: 1000 });
    world.services.judgeCode = (code) => {
      asked.push(code);
      if (isDown) return 'unknown';
      return code === rightCode ? 'right' : 'wrong';
    };
  });
  beforeEach(async () => {
    asked.length = 0;
    isDown = false;
    await openRequest();
  });
  afterAll(() => world.close());

  it('is not ours to know, and proves the number when the service says so; given again it is accepted and the service not asked', async () => {
    expect(await world.database.transaction((tx) => world.verification.codeToSend(tx, id, 1))).toEqual({ to: 'phone', code: undefined });
    expect([await give('471 181'), await give(rightCode)]).toEqual([200, 200]);
    expect(asked).toEqual([rightCode]);
    expect(await stored()).toMatchObject({ status: 'verified', verified_by: 'sms_code' });
  });

  it('is refused when it is wrong, counted and recorded, and no service is asked about what is no code', async () => {
    expect([await give('000000'), await give('not a code'), await give('12345678901')]).toEqual([403, 403, 403]);
    expect(asked).toEqual(['000000']);
    expect(await stored()).toMatchObject({ status: 'verifying', attempts: 3 });
    expect(failures()).toEqual(['sms_code', 'sms_code', 'sms_code']);
  });

  it('cannot be guessed at once more often than in turn: after five tries the right one is refused too, and the service hears of no more', async () => {
    expect(new Set(await Promise.all(Array.from({ length: 8 }, async (_each, n) => give(`00000${n}`))))).toEqual(new Set([403]));
    expect(asked).toHaveLength(5);
    expect(await give(rightCode)).toBe(403);
    expect(asked).toHaveLength(5);
  });

  it('costs no try while the service is away, and is answered like a wrong one', async () => {
    isDown = true;
    const away = await post(world, url, { code: rightCode });
    isDown = false;
    const wrong = await post(world, url, { code: '000000' });
    expect([away.statusCode, away.body]).toEqual([wrong.statusCode, wrong.body]);
    expect(failures()).toHaveLength(1);
    expect(await stored()).toMatchObject({ status: 'verifying', attempts: 1 });
    expect(await give(rightCode)).toBe(200);
  });

  it('is refused after its time without asking, and taken again once another was sent', async () => {
    world.clock.advance(31 * 60_000);
    expect(await give(rightCode)).toBe(403);
    expect(asked).toEqual([]);
    await post(world, url, { send_again: true });
    expect(await give(rightCode)).toBe(200);
  });
});

it('wrong codes over many requests of one source have all of its people wait, and nobody of another', async () => {
  world = await openIntakeWorld(undefined, { failedProofsPerHour: 3 });
  try {
    const right: { url: string; code: string }[] = [];
    for (let n = 0; n < 3; n += 1) {
      await openRequest();
      right.push({ url, code: (await world.database.transaction((tx) => world.verification.codeToSend(tx, id, 1)))?.code ?? '' });
      expect(await give('1')).toBe(403);
    }
    const last = right[0] ?? { url: '', code: '' };
    const refused = await post(world, last.url, { code: last.code });
    expect(refused.json()).toMatchObject({ status: 403, code: 'VERIFICATION_FAILED' });
    world.clock.advance(29 * 60_000);
    expect((await post(world, last.url, { code: last.code })).statusCode).toBe(403);
    await sql`UPDATE verification SET expires_at = expires_at + interval '1 hour'`.execute(world.database.read());
    world.clock.advance(31 * 60_000 + 1);
    expect((await post(world, last.url, { code: last.code })).statusCode).toBe(200);
  } finally {
    await world.close();
  }
});
