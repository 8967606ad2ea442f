import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { Simulator } from '../simulator.ts';
import { startSegment } from './index.ts';

interface Reply {
  readonly status: number;
  readonly headers: Headers;
  // oxlint-disable-next-line typescript/no-explicit-any -- bodies are read freely, the assertions are the check
  readonly body: any;
}

let segment: Simulator;
beforeEach(async () => {
  segment = await startSegment();
});
afterEach(async () => segment.close());

const basic = `Basic ${Buffer.from('profile_token:').toString('base64')}`;
async function call(method: string, path: string, body?: unknown, auth?: string): Promise<Reply> {
  const response = await fetch(`${segment.url}${path}`, {
    method,
    headers: {
      authorization: auth ?? (path.startsWith('/v1/') ? basic : 'Bearer public_token'),
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
    },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  return { status: response.status, headers: response.headers, body: await response.json() };
}
const profiles = '/v1/spaces/spa_sandbox/collections/users/profiles';
const effectsOf = (type: string): string[] => segment.effects.filter((each) => each.type === type).map((each) => each.object);
const plant = (email = 'ada@example.com', account: object = {}): void =>
  void segment.seed({
    account,
    profiles: [{ external_ids: [{ type: 'user_id', id: 'U1' }, { type: 'email', id: email }, { type: 'phone', id: '+12025550111' }], traits: { email, name: 'Ada' } }],
  });
const erase = async (subjectIds = ['U1'], regulationType = 'SUPPRESS_WITH_DELETE'): Promise<Reply> =>
  call('POST', '/regulations', { regulationType, subjectType: 'USER_ID', subjectIds });
const identify = async (body: unknown): Promise<Reply> => call('POST', '/v1/spaces/spa_sandbox/users/identify', body);
const daysAgo = (days: number): string => new Date(Date.now() - days * 86_400_000).toISOString();

describe('Profile API', () => {
  test('finds a profile by any identifier in lower case, and only with %2B for a plus sign', async () => {
    plant();
    for (const id of ['user_id:u1', 'email:ada%40example.com', 'phone:%2B12025550111']) {
      expect((await call('GET', `${profiles}/${id}/traits`)).body.traits).toEqual({ email: 'ada@example.com', name: 'Ada' });
    }
    for (const id of ['user_id:U1', 'phone:+12025550111', 'email:eve%40example.com']) {
      const { status, body } = await call('GET', `${profiles}/${id}/traits`);
      expect([status, body.error.code]).toEqual([404, 'not_found']);
    }
  });

  test('pages external ids to the last page, ten at a time unless asked, never more than a hundred', async () => {
    const ids = Array.from({ length: 23 }, (_, index) => ({ type: 'anonymous_id', id: `a${index}` }));
    segment.seed({ profiles: [{ external_ids: ids }] });
    const seen: string[] = [];
    let next = '';
    do {
      const { body } = await call('GET', `${profiles}/anonymous_id:a0/external_ids?next=${next}`);
      seen.push(...body.data.map((each: { id: string }) => each.id));
      next = body.cursor.next;
      expect(body.cursor.has_more).toBe(next !== '');
    } while (next !== '');
    expect(seen).toEqual(ids.map(({ id }) => id));
    expect((await call('GET', `${profiles}/anonymous_id:a0/external_ids?limit=100`)).body.data).toHaveLength(23);
    expect((await call('GET', `${profiles}/anonymous_id:a0/external_ids?limit=101`)).status).toBe(400);
  });

  test('answers only the last 14 days of events', async () => {
    segment.seed({ profiles: [{ external_ids: [{ type: 'user_id', id: 'u1' }], events: [{ event: 'old', timestamp: daysAgo(15) }, { event: 'new', timestamp: daysAgo(1) }] }] });
    expect((await call('GET', `${profiles}/user_id:u1/events`)).body.data).toMatchObject([{ event: 'new' }]);
  });

  test('refuses a wrong credential with 401 and an unknown space with 404', async () => {
    plant();
    expect((await call('GET', `${profiles}/user_id:u1/metadata`)).status).toBe(200);
    expect((await call('GET', `${profiles}/user_id:u1/metadata`, undefined, 'Bearer x')).body.error.code).toBe('authentication_error');
    expect((await call('GET', `${profiles.replace('spa_sandbox', 'spa_other')}/user_id:u1/metadata`)).status).toBe(404);
    expect((await call('GET', '/regulations', undefined, 'Bearer revoked')).status).toBe(401);
  });
});

describe('the identify form', () => {
  test('creates a profile for someone unknown, which a lookup never does', async () => {
    expect((await call('GET', `${profiles}/email:eve%40example.com/traits`)).status).toBe(404);
    expect(effectsOf('profile.created')).toEqual([]);
    const { body } = await identify({ traits: { email: 'eve@example.com' } });
    expect(effectsOf('profile.created')).toEqual([body.profile_id]);
    expect((await identify({ traits: { email: 'eve@example.com' } })).body.profile_id).toBe(body.profile_id);
    expect(segment.effects).toHaveLength(1);
  });

  test('merges two profiles when it names an identifier of each', async () => {
    segment.seed({ profiles: [{ external_ids: [{ type: 'email', id: 'ada@example.com' }] }, { external_ids: [{ type: 'phone', id: '+12025550111' }] }] });
    await identify({ traits: { email: 'ada@example.com', phone: '+12025550111' } });
    expect(effectsOf('profile.merged')).toHaveLength(1);
    const { body } = await call('GET', `${profiles}/phone:%2B12025550111/external_ids`);
    expect(body.data.map((each: { type: string }) => each.type).toSorted()).toEqual(['email', 'phone']);
  });
});

describe('regulations', () => {
  test('finish with the second poll, and only then is the profile gone', async () => {
    plant();
    const id = (await erase()).body.data.regulateId;
    const poll = async (): Promise<string> => (await call('GET', `/regulations/${id}`)).body.data.regulation.overallStatus;
    expect(await poll()).toBe('RUNNING');
    expect((await call('GET', `${profiles}/user_id:u1/traits`)).status).toBe(200);
    expect(await poll()).toBe('FINISHED');
    expect((await call('GET', `${profiles}/user_id:u1/traits`)).status).toBe(404);
    expect([effectsOf('regulation.created'), effectsOf('profile.deleted').length]).toEqual([[id], 1]);
    expect((await call('GET', '/suppressions')).body.data.suppressed).toEqual([{ subjectType: 'USER_ID', subjectIds: ['U1'] }]);
  });

  test('finish by the clock too, without being polled', async () => {
    plant();
    await erase();
    expect((await call('GET', '/regulations?status=INITIALIZED')).body.data.regulations).toHaveLength(1);
    segment.advance(2 * 3_600_000);
    expect((await call('GET', '/regulations?status=FINISHED')).body.data.regulations).toMatchObject([{ subjects: ['U1'] }]);
    expect(effectsOf('profile.deleted')).toHaveLength(1);
  });

  test('one unsupported destination makes the whole FAILED although the profile is deleted', async () => {
    const destinations = [
      { name: 'Warehouse', id: 'd1', final_status: 'FINISHED' },
      { name: 'Pixel', id: 'd2', final_status: 'NOT_SUPPORTED', err_string: 'deletion is not supported' },
    ];
    plant('ada@example.com', { destinations });
    const id = (await erase()).body.data.regulateId;
    await call('GET', `/regulations/${id}`);
    const { regulation } = (await call('GET', `/regulations/${id}`)).body.data;
    expect(regulation.overallStatus).toBe('FAILED');
    expect(regulation.streamStatus[0].destinationStatus.map((each: { status: string }) => each.status)).toEqual(['FINISHED', 'NOT_SUPPORTED']);
    expect(effectsOf('profile.deleted')).toHaveLength(1);
  });

  test('posted twice are two regulations, for there is no idempotency key', async () => {
    plant();
    const [one, two] = [await erase(), await erase()];
    expect(one.body.data.regulateId).not.toBe(two.body.data.regulateId);
    expect(effectsOf('regulation.created')).toHaveLength(2);
    const first = (await call('GET', '/regulations?pagination[count]=1')).body.data;
    const rest = (await call('GET', `/regulations?pagination[count]=1&pagination[cursor]=${encodeURIComponent(first.pagination.next)}`)).body.data;
    expect([first.regulations[0].id, rest.regulations[0].id]).toEqual([two.body.data.regulateId, one.body.data.regulateId]);
    expect(rest.pagination.next).toBeUndefined();
  });

  test('are forgotten after 90 days, and answered until then', async () => {
    const id = (await erase(['nobody'])).body.data.regulateId;
    segment.advance(90 * 86_400_000 - 60_000);
    expect((await call('GET', `/regulations/${id}`)).status).toBe(200);
    segment.advance(60_000);
    const { status, body } = await call('GET', `/regulations/${id}`);
    expect([status, body.errors[0].status]).toEqual([404, 404]);
    expect((await call('GET', '/regulations')).body.data.regulations).toEqual([]);
  });

  test('carry the rate-limit headers, with a date for the reset, and refuse over the limit with Retry-After', async () => {
    segment.seed({ account: { regulations_per_minute: 1 } });
    const first = await erase();
    expect([first.headers.get('x-ratelimit-remaining'), first.headers.get('x-ratelimit-consumed')]).toEqual(['0', '1']);
    expect(first.headers.get('x-ratelimit-reset')).toMatch(/^\w{3}, \d{2} \w{3} \d{4} [\d:]{8} GMT$/u);
    const second = await erase();
    expect([second.status, second.headers.get('retry-after')]).toEqual([429, '60']);
    expect((await erase(['U1'], 'DELETE_INTERNAL')).status).toBe(200);
  });

  test('a malformed one answers 422 with the field, and makes nothing', async () => {
    const { status, body } = await erase([]);
    expect([status, body.errors[0].field]).toEqual([422, 'subjectIds']);
    expect((await erase(['U1'], 'DELETE_EVERYTHING')).status).toBe(422);
    expect(segment.effects).toEqual([]);
  });
});

describe('sentinels', () => {
  test('+ratelimit@ refuses the first two calls about the person', async () => {
    plant('grace+ratelimit@example.com');
    const statuses = [];
    for (let index = 0; index < 3; index += 1) statuses.push((await call('GET', `${profiles}/user_id:u1/traits`)).status);
    expect(statuses).toEqual([429, 429, 200]);
  });

  test('+timeout@ leaves the first call unanswered', async () => {
    plant('tim+timeout@example.com');
    const abort = new AbortController();
    const url = `${segment.url}${profiles}/user_id:u1/traits`;
    const first = fetch(url, { headers: { authorization: basic }, signal: abort.signal });
    const failed = expect(first).rejects.toThrow('abort');
    await expect.poll(async () => (await call('GET', `${profiles}/user_id:u1/traits`)).status).toBe(200);
    abort.abort();
    await failed;
  });

  test('+lostanswer@ makes the regulation and drops its answer, so that it can be found by listing', async () => {
    plant('lois+lostanswer@example.com');
    await expect(erase()).rejects.toThrow('fetch failed');
    expect((await call('GET', '/regulations')).body.data.regulations).toMatchObject([{ subjects: ['U1'], regulationType: 'SUPPRESS_WITH_DELETE' }]);
    expect((await erase()).status).toBe(200);
  });

  test('+liar@ ends FINISHED and the profile is still answered', async () => {
    plant('loki+liar@example.com');
    const id = (await erase()).body.data.regulateId;
    await call('GET', `/regulations/${id}`);
    expect((await call('GET', `/regulations/${id}`)).body.data.regulation.overallStatus).toBe('FINISHED');
    expect((await call('GET', `${profiles}/user_id:u1/traits`)).body.traits.name).toBe('Ada');
    expect(effectsOf('profile.deleted')).toEqual([]);
  });
});
