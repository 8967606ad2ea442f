import { beforeEach, describe, expect, test } from 'vitest';
import { readZip } from '../../src/cli/demo/read-zip.ts';
import { apiKey, call, eventually, untilStatus } from '../support/quittance.ts';
import { ada, useRights } from './rights-bench.ts';

const bench = useRights();
/** Has a telephone, and no address that anybody knows. */
const carl = { external_id: 'u-4720', phone: '+12025550177' };
const byPhone = { right: 'access', subject: { identifiers: [{ kind: 'phone', value: carl.phone }] } };
beforeEach(() => bench.crm().seed({ subjects: [carl] }));
const messages = () => (bench.twilio().dump() as { messages: readonly { to: string; body: string }[] }).messages.filter((each) => each.to === carl.phone);
const openTasks = async (id: string) => (await bench.items(`/v1/manual-tasks?request_id=${id}`)).map((each) => each['reason_code']);
const fetchByHand = (url: string, id: string) => fetch(`${url}/v1/privacy-requests/${id}/export/file`, { headers: { authorization: `Bearer ${apiKey}` } });

test('who has a telephone and nothing else gets the link and the code there, and the package for it', { timeout: 120_000 }, async () => {
  const url = await bench.start({ smsOnly: true });
  const id = await bench.open(byPhone);
  expect(await untilStatus(url, id, ['closed'])).toMatchObject({ verdict: 'fulfilled' });
  const told = await eventually('The link', async () => messages().find((each) => each.body.includes('/v1/exports/'))?.body);
  const link = /https?:\/\/\S+\/v1\/exports\/\S+/u.exec(told)?.[0] ?? '';
  expect((await fetch(`${link}/code`, { method: 'POST' })).status).toBe(202);
  const code = await eventually('The code', async () => messages().map((each) => /\b(\d{8})\b/u.exec(each.body)?.[1]).find((each) => each !== undefined));
  const download = await fetch(`${link}/download`, { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify({ code }) });
  expect(download.status).toBe(200);
  expect([...readZip(Buffer.from(await download.arrayBuffer())).values()].map((each) => each.toString('utf8')).join('\n')).toContain(carl.phone);
  expect(await openTasks(id)).toEqual([]);
});

describe('a copy of which the person could not be told', () => {
  const undelivered = async (): Promise<{ readonly url: string; readonly id: string; readonly task: string }> => {
    const url = await bench.start({ unreachable: true, requests: { grace_days: 1 } });
    const id = await bench.open(byPhone);
    await untilStatus(url, id, ['closed']);
    return { url, id, task: await bench.manualTask(id, 'EXPORT_NOT_DELIVERED') };
  };

  test('is settled when an operator has fetched it for them, whole', { timeout: 120_000 }, async () => {
    const { url, id } = await undelivered();
    const answer = await fetchByHand(url, id);
    expect(answer.status).toBe(200);
    expect(readZip(Buffer.from(await answer.arrayBuffer())).get('index.html')?.toString('utf8')).toContain(carl.phone);
    await eventually('The settling', async () => ((await openTasks(id)).length === 0 ? true : undefined));
    expect(await bench.items(`/v1/manual-tasks?request_id=${id}&open=false`)).toMatchObject([{ reason_code: 'EXPORT_NOT_DELIVERED', settled_by: 'tester', settled_how: 'delivered' }]);
    expect((await bench.items(`/v1/privacy-requests/${id}/timeline`)).filter((each) => each['type'] === 'export.handed_to_operator')).toMatchObject([{ actor: { role: 'operator', id: 'tester' } }]);
  });

  test('is settled when an operator says how it was delivered, and not by an approval of anything', { timeout: 120_000 }, async () => {
    const { id, task } = await undelivered();
    expect((await bench.post(`/v1/manual-tasks/${task}/settle`, { how: 'done_manually', evidence: 'post:RR123456785DE' })).status).toBe(200);
    expect(await openTasks(id)).toEqual([]);
    expect((await bench.items(`/v1/privacy-requests/${id}/timeline`)).find((each) => each['type'] === 'notification.settled_manually')).toMatchObject({ error_code: 'EXPORT_NOT_DELIVERED', reason_code: 'post:RR123456785DE' });
    expect((await bench.post(`/v1/manual-tasks/${task}/settle`, { how: 'retry' })).body).toMatchObject({ code: 'CONFLICT' });
  });

  test('is told of when it is tried again and there is a way by now', { timeout: 120_000 }, async () => {
    const { id, task } = await undelivered();
    const url = await bench.start({ smsOnly: true, requests: { grace_days: 1 } });
    expect((await bench.post(`/v1/manual-tasks/${task}/settle`, { how: 'retry' })).status).toBe(200);
    await eventually('The link', async () => messages().find((each) => each.body.includes('/v1/exports/')));
    expect(await openTasks(id)).toEqual([]);
    expect((await call(url, `/v1/privacy-requests/${id}/export`)).body).toMatchObject({ state: 'ready', downloads: 0 });
  });
});

describe('a copy that is asked for when an erasure of the same person has begun', () => {
  test('says so at once to the operator and the officer, and to the person that the data was erased under the other request', { timeout: 120_000 }, async () => {
    const url = await bench.start({ requests: { grace_days: 1 } });
    bench.crm().seed({ account: { stage_ms: 600_000, polls_per_stage: 1000 } });
    const subject = { identifiers: [{ kind: 'email', value: ada.email }] };
    const erasure = await bench.open({ right: 'erasure', subject });
    await eventually('The beginning', async () => ((await bench.items(`/v1/privacy-requests/${erasure}/timeline`)).some((each) => each['type'] === 'task.started' && each['action'] === 'erase') ? true : undefined));
    const copy = await bench.open({ right: 'access', subject });
    const waiting = await eventually('The warning', async () => {
      const { body } = await call(url, `/v1/privacy-requests/${copy}`);
      return body['erased_under'] === null ? undefined : body;
    });
    expect(waiting).toMatchObject({ status: 'verified', erased_under: erasure, duplicate_of: erasure });
    expect((await call(url, `/v1/privacy-requests/${copy}/plan`)).body['warnings']).toEqual([{ code: 'erasure_has_begun', request_id: erasure }]);
    expect((await bench.items(`/v1/privacy-requests/${copy}/timeline`)).find((each) => each['type'] === 'request.duplicate')).toMatchObject({ reason_code: 'erasure_has_begun' });
    await bench.mailTo('dpo@example.com', /what was erased will not be in it/u);
    bench.crm().seed({ account: { stage_ms: 1, polls_per_stage: 1 } });
    expect(await untilStatus(url, erasure, ['closed'])).toMatchObject({ verdict: 'fulfilled' });
    expect(await untilStatus(url, copy, ['closed'])).toMatchObject({ verdict: 'nothing_held' });
    const { reference } = (await call(url, `/v1/privacy-requests/${erasure}`)).body as unknown as { reference: string };
    const told = await bench.mailTo(ada.email, /before a copy of it could be made/u);
    expect(told).toContain(reference);
    expect(told).not.toContain('No data about you was found');
  });

  test('is told of nothing of the kind where nothing was being erased', { timeout: 60_000 }, async () => {
    const url = await bench.start();
    const copy = await bench.open({ right: 'access', subject: { identifiers: [{ kind: 'email', value: 'nobody@example.com' }] } });
    expect(await untilStatus(url, copy, ['closed'])).toMatchObject({ verdict: 'nothing_held', erased_under: null });
    expect(await bench.mailTo('nobody@example.com', /is closed|No data about you was found/u)).toContain('No data about you was found');
    expect((await call(url, `/v1/privacy-requests/${copy}/plan`)).body['warnings']).toEqual([]);
  });
});
