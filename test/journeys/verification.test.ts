import { describe, expect, test } from 'vitest';
import { call, eventually, sendWebhook, untilStatus, decideAll } from '../support/quittance.ts';
import { ada, effectsOf, movableClock, plantAda, untilShredded, useBench } from '../support/running.ts';

const bench = useBench();
const dayMs = 86_400_000;

/** The code in the newest message to an address. */
async function codeSentTo(address: string): Promise<string> {
  return eventually('The code', async () => {
    const mail = bench.sandbox().mail.messages.filter((each) => each.to.includes(address)).at(-1);
    return /\b(\d{8})\b/u.exec(mail?.text ?? '')?.[1];
  });
}

const give = (url: string, id: string, code: string) => call(url, `/v1/privacy-requests/${id}/verification`, { method: 'POST', body: JSON.stringify({ code }) });

const manualTasksOf = async (url: string, id: string): Promise<readonly { id: string; reason_code: string }[]> =>
  (await call(url, `/v1/manual-tasks?request_id=${id}`)).body['items'] as unknown as readonly { id: string; reason_code: string }[];

function vendorCalls(): number {
  const { stripe, twilio, segment } = bench.sandbox();
  return stripe.calls.length + twilio.calls.length + segment.calls.length;
}

describe('a person whom nobody verified', () => {
  test('is sent a code, and no vendor is called before it is given', async () => {
    const { url } = await bench.start();
    const email = 'verify@example.com';
    bench.sandbox().stripe.seed({ customers: [{ id: ada.customer, email, name: 'Ada Example' }] });
    const { body } = await sendWebhook(url, { email }, { source: 'portal' });
    const id = String(body['id']);
    const code = await codeSentTo(email);
    const wrong = code === '00000000' ? '11111111' : '00000000';
    expect((await give(url, id, wrong)).status).toBe(403);
    expect(vendorCalls()).toBe(0);
    expect((await give(url, id, code)).status).toBe(200);
    await untilStatus(url, id, ['closed']);
    expect(effectsOf(bench.sandbox())).toMatchObject({ 'customer.deleted': 1 });
  });

  test('is refused every code after too many wrong ones, the right one too, until another one is sent', async () => {
    const clock = movableClock();
    const { url } = await bench.start({}, { clock });
    const email = 'guessed@example.com';
    const { body } = await sendWebhook(url, { email }, { source: 'portal' });
    const id = String(body['id']);
    const code = await codeSentTo(email);
    const wrong = code === '00000000' ? '11111111' : '00000000';
    const answers = [];
    for (let attempt = 0; attempt < 5; attempt += 1) answers.push(await give(url, id, wrong));
    answers.push(await give(url, id, code));
    expect(answers.map((each) => each.status)).toEqual([403, 403, 403, 403, 403, 403]);
    expect(new Set(answers.map((each) => JSON.stringify(each.body))).size).toBe(1);
    expect(vendorCalls()).toBe(0);
    clock.advance(2 * 60_000);
    expect((await call(url, `/v1/privacy-requests/${id}/verification`, { method: 'POST', body: JSON.stringify({ send_again: true }) })).status).toBe(202);
    const second = await eventually('Another code', async () => {
      const newest = await codeSentTo(email);
      return newest === code ? undefined : newest;
    });
    expect((await give(url, id, code)).status).toBe(403);
    expect((await give(url, id, second)).status).toBe(200);
    await untilStatus(url, id, ['closed']);
    expect(vendorCalls()).toBeGreaterThan(0);
  });

  test('cannot revive by the right code what was refused or taken back', async () => {
    const { url } = await bench.start();
    for (const [name, action, sent] of [['refused', 'reject', { reason_code: 'process_excessive' }], ['regretted', 'withdraw', {}]] as const) {
      const email = `${name}@example.com`;
      const { body } = await sendWebhook(url, { email }, { source: 'portal' });
      const id = String(body['id']);
      const code = await codeSentTo(email);
      expect((await call(url, `/v1/privacy-requests/${id}/${action}`, { method: 'POST', body: JSON.stringify(sent) })).status).toBe(200);
      expect((await give(url, id, code)).status).toBe(403);
      await untilShredded(url, id);
      expect((await give(url, id, code)).status).toBe(403);
    }
    expect(vendorCalls()).toBe(0);
  });

  test('who names something beside the proven address waits for a person, since it may be somebody else’s', async () => {
    const { url } = await bench.start();
    const email = 'mallory@example.com';
    plantAda(bench.sandbox());
    const { body } = await sendWebhook(url, { email, phone: ada.phone, stripe_customer_id: ada.customer }, { source: 'portal' });
    const id = String(body['id']);
    await give(url, id, await codeSentTo(email));
    await untilStatus(url, id, ['escalated']);
    expect(effectsOf(bench.sandbox())).toEqual({});
    const waiting = await manualTasksOf(url, id);
    expect(new Set(waiting.map((each) => each.reason_code))).toEqual(new Set(['SUBJECT_AMBIGUOUS']));
    for (const each of waiting) await call(url, `/v1/manual-tasks/${each.id}/settle`, { method: 'POST', body: JSON.stringify({ how: 'skipped_by_operator', reason: 'test_system' }) });
    const closed = await untilStatus(url, id, ['closed']);
    expect(closed['verdict']).toBe('partially_fulfilled');
    expect(effectsOf(bench.sandbox())).toEqual({});
  });

  test('whose own record at a vendor carries another person’s number does not reach that person', async () => {
    const { url } = await bench.start();
    const email = 'mallory.two@example.com';
    const { stripe, twilio } = bench.sandbox();
    stripe.seed({ customers: [{ id: 'cus_mallory0001', email, name: 'Mallory Example', phone: ada.phone }] });
    twilio.seed({ messages: [{ to: ada.phone, from: '+12025550190', body: 'to the victim' }] });
    const { body } = await sendWebhook(url, { email }, { source: 'portal' });
    const id = String(body['id']);
    await give(url, id, await codeSentTo(email));
    await untilStatus(url, id, ['escalated']);
    expect(effectsOf(bench.sandbox())).toMatchObject({ 'customer.deleted': 1 });
    expect(effectsOf(bench.sandbox())['message.deleted']).toBeUndefined();
  });

  test('is erased wholly once a person decided on what was not proven', async () => {
    const { url } = await bench.start();
    const email = 'ada.other@example.com';
    plantAda(bench.sandbox(), { email });
    const { body } = await sendWebhook(url, { email, phone: ada.phone }, { source: 'portal' });
    const id = String(body['id']);
    await give(url, id, await codeSentTo(email));
    await untilStatus(url, id, ['escalated']);
    expect(effectsOf(bench.sandbox())['message.deleted']).toBeUndefined();
    // Not by a click that sends everything back to work: whose it is, is decided one by one.
    expect((await call(url, `/v1/privacy-requests/${id}/retry`, { method: 'POST' })).body).toEqual({ retried: 0 });
    await decideAll(url, id);
    await untilStatus(url, id, ['closed']);
    expect(effectsOf(bench.sandbox())).toMatchObject({ 'customer.deleted': 1, 'message.deleted': 2 });
  });

  test('who gave no address is verified by an operator who says what they saw, and by nobody else', async () => {
    const { url } = await bench.start();
    const { body } = await sendWebhook(url, { phone: '+12025550177' }, { source: 'portal' });
    const id = String(body['id']);
    const say = (evidence: string, headers: Record<string, string> = {}) =>
      call(url, `/v1/privacy-requests/${id}/verification`, { method: 'POST', body: JSON.stringify({ evidence }), headers });
    expect((await say('called_back', { authorization: 'Bearer nobody' })).status).toBe(401);
    expect((await say('he seemed nice')).status).toBe(400);
    expect(vendorCalls()).toBe(0);
    expect((await say('called_back')).status).toBe(200);
    expect((await say('called_back')).status).toBe(409);
    await untilStatus(url, id, ['closed', 'escalated']);
    const entries = (await call(url, `/v1/privacy-requests/${id}/timeline`)).body['items'] as unknown as { type: string; verification_method?: string }[];
    expect(entries.find((each) => each.type === 'request.verified')?.verification_method).toBe('operator:called_back');
  });

  test('who never gives the code has the request expire, and is forgotten', async () => {
    const clock = movableClock();
    const { url, sweep } = await bench.start({}, { clock });
    const { body } = await sendWebhook(url, { email: 'nobody@example.com' }, { source: 'portal' });
    const id = String(body['id']);
    await codeSentTo('nobody@example.com');
    clock.advance(15 * dayMs);
    await sweep();
    await untilStatus(url, id, ['expired']);
    for (const action of ['approve', 'withdraw']) expect((await call(url, `/v1/privacy-requests/${id}/${action}`, { method: 'POST' })).status).toBe(409);
    await untilShredded(url, id);
    expect(vendorCalls()).toBe(0);
  });
});
