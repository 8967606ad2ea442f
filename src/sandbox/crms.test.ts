import { expect, test } from 'vitest';
import { plantCrmPeople, startCrms } from './crms.ts';
import { examplePeople } from './example-people.ts';

test('the CRMs start on ports of their own, know each example person, and stop whole', async () => {
  const crms = await startCrms();
  const all = [crms.hubspot, crms.salesforce, crms.zendesk, crms.intercom];
  try {
    expect(new Set(all.map(({ port }) => port)).size).toBe(4);
    plantCrmPeople(crms);
    for (const { email, phone } of examplePeople) {
      for (const crm of all) {
        const held = JSON.stringify(crm.dump());
        expect([crm.vendor, held.includes(email), held.includes(phone)]).toEqual([crm.vendor, true, true]);
      }
    }
    expect(all.flatMap(({ effects }) => effects), 'planting is not an effect').toEqual([]);
  } finally {
    await crms.close();
  }
  await expect(fetch(crms.hubspot.url)).rejects.toThrow('fetch failed');
});

test('when one port is taken the CRMs that had started are closed again', async () => {
  const first = await startCrms();
  const free = await startCrms();
  const hubspot = free.hubspot.port;
  await free.close();
  await expect(startCrms({ hubspot, intercom: first.intercom.port })).rejects.toMatchObject({ code: 'EADDRINUSE' });
  const again = await startCrms({ hubspot });
  expect(again.hubspot.port).toBe(hubspot);
  await again.close();
  await first.close();
});

test('each CRM answers the sentinels of its example people', async () => {
  const crms = await startCrms();
  try {
    plantCrmPeople(crms);
    const search = async (email: string): Promise<number> =>
      (await fetch(`${crms.intercom.url}/contacts/search`, { method: 'POST', headers: { authorization: 'Bearer t', 'content-type': 'application/json' }, body: JSON.stringify({ query: { field: 'email', operator: '=', value: email } }) })).status;
    expect(await search('ada@example.com')).toBe(200);
    expect([await search('grace+ratelimit@example.com'), await search('grace+ratelimit@example.com'), await search('grace+ratelimit@example.com')]).toEqual([429, 429, 200]);
  } finally {
    await crms.close();
  }
});
