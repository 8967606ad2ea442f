import { describe, expect, test } from 'vitest';
import { call, eventually, untilStatus } from '../support/quittance.ts';
import { certificateOf, untilShredded } from '../support/running.ts';
import { ada, useRights } from './rights-bench.ts';

const bench = useRights();
// Virginia's law knows an appeal to the controller.
const jurisdiction = 'US-VA';
const subject = { identifiers: [{ kind: 'email', value: ada.email }] };
const appeal = async (id: string): Promise<void> => {
  expect((await bench.post(`/v1/privacy-requests/${id}/appeal`)).status).toBe(200);
};
const grant = (id: string) => bench.post(`/v1/privacy-requests/${id}/appeal/decision`, { decision: 'granted' });
const typesOf = async (id: string) => (await bench.items(`/v1/privacy-requests/${id}/timeline`)).map((each) => each['type']);
const actsOf = async (id: string) => (await bench.items(`/v1/privacy-requests/${id}/tasks`)).filter((each) => each['action'] === 'erase');

describe('an appeal that is granted', () => {
  test('against a refusal opens the request again: it is planned, approved and carried out, and the refusal stays on record', { timeout: 120_000 }, async () => {
    const url = await bench.start({ requests: { approval: 'required' } });
    const id = await bench.open({ right: 'erasure', subject, jurisdiction });
    await untilStatus(url, id, ['awaiting_approval']);
    expect((await bench.post(`/v1/privacy-requests/${id}/reject`, { reason_code: 'third_party_rights_impaired' })).status).toBe(200);
    await eventually('What was planned is left out', async () => ((await actsOf(id)).every((each) => each['outcome'] === 'skipped_by_operator') ? true : undefined));
    expect(bench.crm().effects).toEqual([]);
    await appeal(id);
    const { body: clock } = await grant(id);
    expect((clock['dates'] as unknown as { name: string; steps: { what: string }[] }[]).find((each) => each.name === 'due')?.steps.at(-1)?.what).toContain('an appeal was granted');
    expect(await bench.mailTo(ada.email, /We decided in your favour/u)).toContain('carried out anew');
    await untilStatus(url, id, ['awaiting_approval']);
    expect(bench.crm().effects).toEqual([]);
    expect((await bench.post(`/v1/privacy-requests/${id}/approve`)).status).toBe(200);
    expect(await untilStatus(url, id, ['closed'])).toMatchObject({ verdict: 'fulfilled', reason_code: null });
    expect(bench.crm().effects).toHaveLength(1);
    const types = await typesOf(id);
    const told = ['request.rejected', 'request.appealed', 'request.appeal_decided', 'request.reopened', 'request.closed'].map((type) => types.indexOf(type));
    expect(told).not.toContain(-1);
    expect(told).toEqual(told.toSorted((a, b) => a - b));
    await untilShredded(url, id);
  });

  test('against what it came to has what a person left out decided by a person anew, and keeps what was done', { timeout: 120_000 }, async () => {
    const url = await bench.start({ requests: { approval: 'none', grace_days: 1 }, connections: { paper: { connector: 'manual', title: 'Paper files', identifiers: ['email'] } } });
    const id = await bench.open({ right: 'erasure', subject, jurisdiction });
    const skip = await bench.manualTask(id, 'MANUAL_STEP');
    expect((await bench.post(`/v1/manual-tasks/${skip}/settle`, { how: 'skipped_by_operator', reason: 'archive' })).status).toBe(200);
    expect(await untilStatus(url, id, ['closed'])).toMatchObject({ verdict: 'partially_fulfilled' });
    const first = await certificateOf(url, id);
    expect(bench.crm().effects).toHaveLength(1);
    await appeal(id);
    expect((await grant(id)).status).toBe(200);
    const anew = await bench.manualTask(id, 'MANUAL_STEP');
    expect(anew).not.toBe(skip);
    expect((await bench.post(`/v1/manual-tasks/${anew}/settle`, { how: 'done_manually', evidence: 'ticket:17' })).status).toBe(200);
    expect(await untilStatus(url, id, ['closed'])).toMatchObject({ verdict: 'partially_fulfilled' });
    expect((await actsOf(id)).map((each) => [each['system'], each['outcome']])).toEqual(expect.arrayContaining([['crm', 'erased'], ['paper', 'done_manually']]));
    expect(bench.crm().effects).toHaveLength(1);
    // The certificate is another; that the first was issued stays in the log.
    expect(JSON.stringify(JSON.parse((await certificateOf(url, id)).toString('utf8')))).not.toBe(JSON.stringify(JSON.parse(first.toString('utf8'))));
    expect((await typesOf(id)).filter((type) => type === 'certificate.issued')).toHaveLength(2);
    expect((await bench.post(`/v1/privacy-requests/${id}/appeal`)).body).toMatchObject({ code: 'CONFLICT' });
  });

  test('against an answer that nothing was found has every system searched and read once more', { timeout: 120_000 }, async () => {
    const url = await bench.start({ requests: { grace_days: 1 } });
    const late = { email: 'late@example.com', external_id: 'u-4719' };
    const id = await bench.open({ right: 'erasure', subject: { identifiers: [{ kind: 'email', value: late.email }] }, jurisdiction });
    expect(await untilStatus(url, id, ['closed'])).toMatchObject({ verdict: 'nothing_held' });
    await certificateOf(url, id);
    bench.crm().seed({ subjects: [late] });
    await appeal(id);
    expect((await grant(id)).status).toBe(200);
    expect(await untilStatus(url, id, ['closed'])).toMatchObject({ verdict: 'fulfilled' });
    expect(bench.crm().effects).toHaveLength(1);
  });
});

test('an appeal that is denied leaves the request as it ended', { timeout: 60_000 }, async () => {
  const url = await bench.start({ requests: { grace_days: 1 } });
  const id = await bench.open({ right: 'erasure', subject: { identifiers: [{ kind: 'email', value: 'nobody@example.com' }] }, jurisdiction });
  await untilStatus(url, id, ['closed']);
  await appeal(id);
  expect((await bench.post(`/v1/privacy-requests/${id}/appeal/decision`, { decision: 'denied', reason_code: 'process_unfounded' })).status).toBe(200);
  expect((await call(url, `/v1/privacy-requests/${id}`)).body).toMatchObject({ status: 'closed', verdict: 'nothing_held' });
  expect(await typesOf(id)).not.toContain('request.reopened');
});
