import { expect, test } from 'vitest';
import { examplePeople, plantExamplePeople, startSandbox } from './index.ts';
import { createSentinels, Interruption, sentinelOf } from './sentinels.ts';

test('the sandbox starts every part on a port of its own, knows each example person everywhere, and stops whole', async () => {
  const sandbox = await startSandbox();
  const urls = [sandbox.stripe.url, sandbox.twilio.url, sandbox.segment.url, sandbox.mail.url, sandbox.mail.smtpUrl];
  try {
    expect(new Set(urls.map((url) => new URL(url).port)).size).toBe(5);
    plantExamplePeople(sandbox);
    for (const { email, phone } of examplePeople) {
      for (const vendor of [sandbox.stripe, sandbox.twilio, sandbox.segment]) {
        const held = JSON.stringify(vendor.dump(), (_key, value: unknown) => (value instanceof Map ? [...(value as Map<unknown, unknown>)] : value));
        expect([vendor.vendor, held.includes(email), held.includes(phone)]).toEqual([vendor.vendor, true, true]);
      }
    }
    expect(sandbox.stripe.effects, 'planting is not an effect').toEqual([]);
  } finally {
    await sandbox.close();
  }
  await expect(fetch(sandbox.stripe.url)).rejects.toThrow('fetch failed');
});

test('when one port is taken the parts that had started are closed again', async () => {
  const first = await startSandbox();
  const free = await startSandbox();
  const stripePort = free.stripe.port;
  await free.close();
  await expect(startSandbox({ ports: { stripe: stripePort, segment: first.segment.port } })).rejects.toMatchObject({ code: 'EADDRINUSE' });
  const again = await startSandbox({ ports: { stripe: stripePort } });
  expect(again.stripe.port).toBe(stripePort);
  await again.close();
  await first.close();
});

test('the control routes plant, show and misbehave for a process that holds only the URL', async () => {
  const sandbox = await startSandbox();
  const control = async (path: string, method = 'GET', body?: unknown): Promise<Response> =>
    fetch(`${sandbox.stripe.url}/_sandbox/${path}`, {
      method,
      ...(body === undefined ? {} : { body: JSON.stringify(body), headers: { 'content-type': 'application/json' } }),
    });
  const list = async (): Promise<number> =>
    (await fetch(`${sandbox.stripe.url}/v1/customers`, { headers: { authorization: 'Bearer sk_test_a' } })).status;
  try {
    expect((await control('seed', 'POST', { customers: [{ id: 'cus_a', email: 'ada@example.com' }] })).status).toBe(200);
    expect(await (await control('dump')).json()).toMatchObject({ customers: [{ id: 'cus_a' }] });
    await control('faults', 'POST', { kind: 'status', status: 503 });
    expect([await list(), await list()]).toEqual([503, 200]);
    const misspelt = await control('seed', 'POST', { costumers: [] });
    expect([misspelt.status, await misspelt.text()]).toEqual([400, expect.stringContaining('costumers')]);
  } finally {
    await sandbox.close();
  }
});

test('a sentinel is the suffix of the local part, in any case, and nothing else is', () => {
  expect(sentinelOf('grace+RateLimit@example.com')).toBe('ratelimit');
  for (const email of ['ratelimit@example.com', 'grace+ratelimited@example.com', 'grace@ratelimit.example', undefined]) {
    expect(sentinelOf(email)).toBeUndefined();
  }
});

test('a sentinel is counted for each person, whatever the spelling, and not across people', () => {
  const sentinels = createSentinels();
  expect(() => sentinels.visit('tim+timeout@example.com')).toThrow(Interruption);
  expect(() => sentinels.visit('TIM+timeout@example.com')).not.toThrow();
  expect(() => sentinels.visit('tom+timeout@example.com')).toThrow(Interruption);
  expect([sentinels.losesAnswer('a+lostanswer@example.com'), sentinels.losesAnswer('a+lostanswer@example.com')]).toEqual([true, false]);
  expect([sentinels.lies('a+liar@example.com'), sentinels.lies('a+liar@example.com')]).toEqual([true, true]);
});
