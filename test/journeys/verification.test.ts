import { describe, expect, test } from 'vitest';
import { call, eventually, sendWebhook, untilStatus } from '../support/quittance.ts';
import { ada, effectsOf, movableClock, plantAda, useBench } from '../support/running.ts';

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

function vendorCalls(): number {
  const { stripe, twilio, segment } = bench.sandbox();
  return stripe.calls.length + twilio.calls.length + segment.calls.length;
}

describe('a person whom nobody verified', () => {
  test('is sent a code, and no vendor is called before it is given', async () => {
    const { url } = await bench.start();
    const email = 'verify@example.com';
    plantAda(bench.sandbox(), { email });
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

  test('who names something beside the proven address waits for a person, since it may be somebody else’s', async () => {
    const { url } = await bench.start();
    const email = 'mallory@example.com';
    plantAda(bench.sandbox());
    const { body } = await sendWebhook(url, { email, phone: ada.phone, stripe_customer_id: ada.customer }, { source: 'portal' });
    const id = String(body['id']);
    await give(url, id, await codeSentTo(email));
    await untilStatus(url, id, ['awaiting_approval']);
    expect(effectsOf(bench.sandbox())).toEqual({});
    const waiting = (await call(url, `/v1/manual-tasks?request_id=${id}`)).body['items'] as unknown as { reason_code: string }[];
    expect(waiting.map((each) => each.reason_code)).toEqual(['SUBJECT_AMBIGUOUS']);
    expect((await call(url, `/v1/privacy-requests/${id}/reject`, { method: 'POST', body: JSON.stringify({ reason_code: 'identity_not_proven' }) })).status).toBe(200);
    await eventually('The shredding', async () => {
      const plan = await call(url, `/v1/privacy-requests/${id}/plan`);
      return (plan.body['identifiers'] as unknown as unknown[]).length === 0 ? true : undefined;
    });
    expect(effectsOf(bench.sandbox())).toEqual({});
    const after = (await call(url, `/v1/manual-tasks?request_id=${id}`)).body['items'] as unknown as unknown[];
    expect(after).toEqual([]);
  });

  test('runs once a person approved what was not proven', async () => {
    const { url } = await bench.start();
    const email = 'ada.other@example.com';
    plantAda(bench.sandbox(), { email });
    const { body } = await sendWebhook(url, { email, phone: ada.phone }, { source: 'portal' });
    const id = String(body['id']);
    await give(url, id, await codeSentTo(email));
    await untilStatus(url, id, ['awaiting_approval']);
    expect((await call(url, `/v1/privacy-requests/${id}/approve`, { method: 'POST' })).status).toBe(200);
    await untilStatus(url, id, ['closed']);
    expect(effectsOf(bench.sandbox())).toMatchObject({ 'customer.deleted': 1, 'message.deleted': 2 });
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
    await eventually('The shredding', async () => {
      const plan = await call(url, `/v1/privacy-requests/${id}/plan`);
      return (plan.body['identifiers'] as unknown as unknown[]).length === 0 ? true : undefined;
    });
    expect(vendorCalls()).toBe(0);
  });
});
