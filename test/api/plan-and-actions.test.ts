import { describe, expect, test } from 'vitest';
import { apiKey, call, eventually, untilStatus } from '../support/quittance.ts';
import { ada, effectsOf, openRequest, plantAda, tasksOf, untilShredded, useBench, type Running } from '../support/running.ts';

const bench = useBench();
let started: Promise<Running> | undefined;
/** One for the whole file: nothing runs before it is approved. */
const running = (): Promise<Running> => (started ??= bench.start({ requests: { approval: 'required' } }, { isShared: true }));

interface Plan {
  readonly preview: boolean;
  readonly identifiers: readonly { readonly kind: string; readonly found_by: string; readonly confidence: number; readonly seen_in: readonly string[] }[];
  readonly tasks: readonly { readonly id: string | null; readonly system: string; readonly status: string | null; readonly after: readonly string[] }[];
}
const planOf = async (url: string, id: string): Promise<Plan> => (await call(url, `/v1/privacy-requests/${id}/plan`)).body as unknown as Plan;
const act = (url: string, id: string, action: string, body: unknown = {}) => call(url, `/v1/privacy-requests/${id}/${action}`, { method: 'POST', body: JSON.stringify(body) });
const personOf = (name: string) => ({ email: `${name}@example.com`, phone: '+12025550151', userId: `user-${name}`, customer: `cus_${name}000` });
const plant = (who: ReturnType<typeof personOf>): void => plantAda(bench.sandbox(), { ...who, customers: [{ id: who.customer, email: who.email, name: 'Somebody Example' }] });

describe('the plan', () => {
  test('is a preview before resolution and real after it, and shows no value', { timeout: 30_000 }, async () => {
    const { url } = await running();
    const who = personOf('planned');
    plant(who);
    // Held where it is being resolved: Segment answers late.
    bench.sandbox().segment.fault({ kind: 'delay', delayMs: 1500, times: 20 });
    const id = await openRequest(url, { email: who.email, phone: who.phone });
    const preview = await planOf(url, id);
    expect(preview.preview).toBe(true);
    expect(preview.identifiers.map((each) => each.kind).toSorted()).toEqual(['email', 'phone']);
    expect(preview.tasks.length).toBeGreaterThan(0);
    for (const task of preview.tasks) expect(task).toMatchObject({ id: null, status: null });
    expect(await tasksOf(url, id)).toEqual([]);
    bench.sandbox().segment.clearFaults();

    await untilStatus(url, id, ['awaiting_approval']);
    const real = await planOf(url, id);
    expect(real.preview).toBe(false);
    expect(real.identifiers.map((each) => each.kind)).toEqual(expect.arrayContaining(['email', 'phone', 'user_id', 'stripe_customer']));
    expect(real.identifiers.find((each) => each.kind === 'stripe_customer')).toMatchObject({ found_by: 'connection:stripe', confidence: 1, seen_in: ['stripe'] });
    expect(real.tasks.map((each) => each.system)).toEqual(expect.arrayContaining(['stripe', 'twilio', 'segment']));
    for (const task of real.tasks) expect(task).toMatchObject({ id: expect.stringMatching(/^tsk_/u), status: 'waiting' });
    for (const task of real.tasks.filter((each) => each.system === 'segment')) expect(task.after.toSorted()).toEqual(['stripe', 'twilio']);
    const text = JSON.stringify([preview, real]);
    for (const value of Object.values(who)) expect(text).not.toContain(value);
  });
});

describe('a policy that asks for approval', () => {
  test('lets nothing be deleted before somebody approves, and everything after', { timeout: 60_000 }, async () => {
    const { url, sweep } = await running();
    plant(personOf('approved'));
    const id = await openRequest(url, { email: 'approved@example.com' });
    await untilStatus(url, id, ['awaiting_approval']);
    await sweep();
    expect(effectsOf(bench.sandbox())).toEqual({});
    for (const task of await tasksOf(url, id)) expect(task).toMatchObject({ status: 'waiting', attempts: 0 });
    expect((await act(url, id, 'approve')).body).toMatchObject({ status: 'executing' });
    await untilStatus(url, id, ['closed']);
    expect(effectsOf(bench.sandbox())['customer.deleted']).toBe(1);
    const timeline = (await call(url, `/v1/privacy-requests/${id}/timeline`)).body['items'] as unknown as { type: string; actor: unknown }[];
    expect(timeline.find((each) => each.type === 'request.approved')?.actor).toEqual({ role: 'operator', id: 'tester' });
  });

  test.each([
    ['withdraw', {}, 'withdrawn', null],
    ['reject', { reason_code: 'process_unfounded' }, 'rejected', 'refused'],
  ])('%s before execution ends it with nothing touched, and the person is forgotten', { timeout: 30_000 }, async (action, body, status, verdict) => {
    const { url } = await running();
    plant(personOf(action));
    const id = await openRequest(url, { email: `${action}@example.com` });
    await untilStatus(url, id, ['awaiting_approval']);
    expect((await act(url, id, action, body)).body).toMatchObject({ status, verdict });
    await untilShredded(url, id);
    expect(effectsOf(bench.sandbox())).toEqual({});
    for (const [again, sent] of [['approve', {}], ['withdraw', {}], ['reject', { reason_code: 'process_excessive' }]] as const) {
      const refused = await act(url, id, again, sent);
      expect({ again, status: refused.status, code: refused.body['code'] }).toEqual({ again, status: 409, code: 'CONFLICT' });
    }
    expect((await act(url, id, 'retry')).body).toEqual({ retried: 0 });
    expect(effectsOf(bench.sandbox())).toEqual({});
  });

  test('refuses what the state of a request does not allow, and changes nothing by it', { timeout: 60_000 }, async () => {
    const { url } = await running();
    plant(personOf('conflict'));
    const id = await openRequest(url, { email: 'conflict@example.com' });
    await untilStatus(url, id, ['awaiting_approval']);
    await act(url, id, 'approve');
    expect((await act(url, id, 'approve')).status).toBe(409);
    expect((await act(url, id, 'withdraw')).status).toBe(409);
    expect((await act(url, id, 'reject', { reason_code: 'process_excessive' })).status).toBe(409);
    expect((await untilStatus(url, id, ['closed']))['verdict']).not.toBe('refused');
    expect((await act(url, id, 'reject', { reason_code: 'because' })).body).toMatchObject({ status: 400, code: 'VALIDATION_FAILED' });
  });

  test('lets a request that could not be resolved be refused or tried again', { timeout: 60_000 }, async () => {
    const { url, mapping } = await running();
    // A switchboard's number, shared by more people than one has names.
    for (const email of ['other.stuck@example.com', 'stuck@example.com']) {
      await mapping.importCsv(['email,user_id\n', ...Array.from({ length: 101 }, (_, row) => `${email},${email}-${row}\n`)]);
    }
    const [refused, again] = [await openRequest(url, { email: 'other.stuck@example.com' }), await openRequest(url, { email: 'stuck@example.com' })];
    for (const id of [refused, again]) await untilStatus(url, id, ['escalated']);
    expect((await act(url, refused, 'reject', { reason_code: 'identity_verification_failure' })).body).toMatchObject({ status: 'rejected' });
    await untilShredded(url, refused);
    expect((await act(url, again, 'retry')).body).toEqual({ retried: 1 });
    await untilStatus(url, again, ['resolving', 'escalated']);
    await untilStatus(url, again, ['escalated']);
    expect(effectsOf(bench.sandbox())).toEqual({});
  });

  test('plans without a system that refuses us, which is searched once a person has mended that', { timeout: 60_000 }, async () => {
    const { url } = await running();
    const { stripe } = bench.sandbox();
    plant(personOf('locked'));
    stripe.fault({ kind: 'status', status: 401, times: 100 });
    const id = await openRequest(url, { email: 'locked@example.com' });
    await untilStatus(url, id, ['awaiting_approval']);
    expect((await tasksOf(url, id)).filter((task) => task.system === 'stripe').map((task) => (task as unknown as { action: string }).action)).toContain('locate');
    await act(url, id, 'approve');
    await untilStatus(url, id, ['escalated']);
    expect(effectsOf(bench.sandbox())['customer.deleted']).toBeUndefined();
    stripe.clearFaults();
    expect((await act(url, id, 'retry')).body).toMatchObject({ retried: 1 });
    await eventually('The search', async () => (await tasksOf(url, id)).find((task) => task.outcome === 'located'));
  });

  test('does not let a request be refused any more once something was deleted', { timeout: 60_000 }, async () => {
    const { url } = await running();
    const { stripe } = bench.sandbox();
    plant(personOf('halfway'));
    const id = await openRequest(url, { email: 'halfway@example.com' });
    await untilStatus(url, id, ['awaiting_approval']);
    stripe.fault({ kind: 'status', status: 401, method: 'POST', times: 100 });
    await act(url, id, 'approve');
    await untilStatus(url, id, ['escalated']);
    expect(effectsOf(bench.sandbox())['message.deleted']).toBe(2);
    expect((await act(url, id, 'reject', { reason_code: 'process_excessive' })).status).toBe(409);
    expect((await act(url, id, 'withdraw')).status).toBe(409);
  });
});

describe('the live events of a request', () => {
  test('tell every change of the request and its tasks, and end when it has ended', { timeout: 60_000 }, async () => {
    const { url } = await running();
    plant(personOf('followed'));
    const id = await openRequest(url, { email: 'followed@example.com' });
    const response = await fetch(`${url}/v1/privacy-requests/${id}/events`, { headers: { authorization: `Bearer ${apiKey}` }, signal: AbortSignal.timeout(50_000) });
    expect(response.headers.get('content-type')).toContain('text/event-stream');
    const statuses: string[] = [];
    const tasks: (readonly { outcome: string | null }[])[] = [];
    let buffer = '';
    for await (const part of response.body ?? []) {
      buffer += Buffer.from(part).toString('utf8');
      const events = buffer.split('\n\n');
      buffer = events.pop() ?? '';
      for (const event of events) {
        const [, name = '', data = ''] = /^event: (\w+)\ndata: (.*)$/u.exec(event) ?? [];
        if (name === 'tasks') tasks.push((JSON.parse(data) as typeof tasks)[0] === undefined ? [] : (JSON.parse(data) as { outcome: string | null }[]));
        if (name !== 'request') continue;
        const { status } = JSON.parse(data) as { status: string };
        if (statuses.at(-1) !== status) statuses.push(status);
        if (status === 'awaiting_approval') await act(url, id, 'approve');
      }
    }
    // The stream ended by itself.
    expect(buffer).toBe('');
    expect(statuses).toContain('awaiting_approval');
    expect(statuses.at(-1)).toBe('closed');
    expect(tasks.length).toBeGreaterThan(2);
    expect(tasks.at(-1)?.every((task) => task.outcome !== null)).toBe(true);
    expect(buffer).not.toContain(ada.email);
  });
});
