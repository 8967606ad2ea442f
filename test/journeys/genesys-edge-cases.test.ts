import { stringify } from 'yaml';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { compose, serviceNames, type Quittance } from '../../src/composition.ts';
import { parseConfig } from '../../src/platform/config/load.ts';
import { readSettings } from '../../src/platform/config/settings.ts';
import { createLog } from '../../src/platform/log.ts';
import { signCallback, startGenesys, type GenesysSeed } from '../../src/sandbox/genesys/index.ts';
import { startMailInbox, type MailInbox } from '../../src/sandbox/mail/index.ts';
import type { Simulator } from '../../src/sandbox/simulator.ts';
import { apiKey, call, eventually, sendWebhook, testFolder, webhookSecret } from '../support/quittance.ts';
import { movableClock, tasksOf, type TaskView } from '../support/running.ts';

const secret = 'a secret of the callbacks';
const hourMs = 3_600_000;
let genesys: Simulator;
let mail: MailInbox;
let folder: ReturnType<typeof testFolder>;
let clock: ReturnType<typeof movableClock>;
let running: Quittance | undefined;

beforeEach(async () => {
  [genesys, mail] = [await startGenesys(), await startMailInbox()];
  folder = testFolder();
  clock = movableClock();
});
afterEach(async () => {
  await running?.stop();
  running = undefined;
  await Promise.all([genesys.close(), mail.close()]);
  folder.remove();
});

const configText = (): string =>
  stringify({
    version: 1,
    controller: { name: 'Example Company', contact: 'privacy@example.com', dpo: 'dpo@example.com' },
    requests: { grace_days: 30 },
    access: { api_keys: [{ name: 'tester', key: '${env:API_KEY}' }] },
    mail: { smtp_url: '${env:SMTP_URL}', from: 'Example Company <privacy@example.com>' },
    sources: { crm: { secret: '${env:CRM_SECRET}', verify: 'source', jurisdiction: 'DE' } },
    connections: {
      genesys: { connector: 'genesys', api: 'pii', base_url: genesys.url, login_url: genesys.url, client_id: '${env:ID}', client_secret: '${env:GENESYS_SECRET}', callback_secret: '${env:CALLBACK_SECRET}', external_id: { prefix: 'CRM-', case: 'upper' }, analytics_refresh: 'none', timeout_seconds: 3 },
    },
    audit: { origin: 'example.com/quittance-test', checkpoint_seconds: 0.2 },
  });

/** Starts a Quittance, or starts it again on what it holds. */
async function start(): Promise<string> {
  running = await compose({
    settings: readSettings({ QUITTANCE_DATA_DIR: folder.path, QUITTANCE_PORT: '0' }),
    config: parseConfig(configText(), 'test configuration'),
    services: serviceNames,
    log: createLog('silent'),
    clock,
    secrets: { environment: { API_KEY: apiKey, SMTP_URL: mail.smtpUrl, CRM_SECRET: webhookSecret, ID: 'sandbox-client', GENESYS_SECRET: 'sandbox-client-secret', CALLBACK_SECRET: secret }, readFile: () => '' },
  });
  return running.url ?? '';
}

async function stop(): Promise<void> {
  await running?.stop();
  running = undefined;
}

const seed = (data: GenesysSeed): void => void genesys.seed(data);
const plant = (account: GenesysSeed['account'], ends?: 'completed' | 'never'): void =>
  seed({ account: { callback_secret: secret, ...account }, contacts: [{ external_id: 'CRM-ADA-4711', records: { interactions: 3 }, ...(ends === undefined ? {} : { ends }) }] });
const open = async (url: string, externalId = 'ada-4711'): Promise<string> =>
  String((await sendWebhook(url, { subject: { identifiers: [{ kind: 'external_id', value: externalId }] } })).body['id']);
const typesOf = async (url: string, id: string): Promise<readonly string[]> => ((await call(url, `/v1/privacy-requests/${id}/timeline?limit=200`)).body['items'] as unknown as { type: string }[]).map((each) => each.type);
const statusOf = async (url: string, id: string): Promise<unknown> => (await call(url, `/v1/privacy-requests/${id}`)).body['status'];
const until = (what: string, url: string, id: string, isSo: (task: TaskView) => boolean): Promise<TaskView> => eventually(what, async () => (await tasksOf(url, id)).find((task) => isSo(task)));
const jobOf = (): string => (genesys.dump() as { jobs: { id: string }[] }).jobs[0]?.id ?? '';
const advance = async (ms: number): Promise<void> => {
  clock.advance(ms);
  genesys.advance(ms);
  await running?.sweep();
};
async function callBack(url: string, body: string, at: number, with_ = secret): Promise<number> {
  return (await fetch(`${url}/v1/callbacks/genesys`, { method: 'POST', body, headers: { 'content-type': 'application/json', 'x-genesys-signature': signCallback(with_, body, at) } })).status;
}

describe('offline during all callback retries', () => {
  test('a completion is found by asking once Quittance is back', { timeout: 120_000 }, async () => {
    plant({ job_ms: 60_000, queued_ms: 1000 });
    let url = await start();
    seed({ account: { callback_url: `${url}/v1/callbacks/genesys` } });
    const id = await open(url);
    await until('The job', url, id, (task) => task.status === 'running' && jobOf() !== '');
    await stop();
    // All three tries of the callback find nobody.
    for (const ms of [61_000, 31_000, 301_000]) {
      genesys.advance(ms);
      clock.advance(ms);
      await fetch(`${genesys.url}/_sandbox/callbacks`, { method: 'POST' });
    }
    const { deliveries } = genesys.dump() as { deliveries: { tries: number[]; isOver: boolean }[] };
    expect(deliveries.map((each) => [each.tries, each.isOver])).toEqual([[[0, 0, 0], true]]);
    url = await start();
    await running?.sweep();
    expect(await until('The end', url, id, (task) => task.status === 'settled')).toMatchObject({ outcome: 'erased', confirmation: 'attested_by_vendor' });
  });
});

describe('lost callback', () => {
  // What is polled in hours and days is found by the reconciliation: `contact-centre.test.ts` plays that.
  test('a completion that nobody was told of is found by asking, and the reconciliation finds nothing that is not there', { timeout: 120_000 }, async () => {
    plant({ job_ms: 60_000, queued_ms: 1000, callbacks: 'lost' });
    const url = await start();
    const id = await open(url);
    await until('The job', url, id, (task) => task.status === 'running' && jobOf() !== '');
    expect(await running?.reconcile()).toMatchObject({ woken: 0, contradicted: 0 });
    const task = await eventually('The end', async () => {
      await advance(15_000);
      return (await tasksOf(url, id)).find((each) => each.status === 'settled');
    });
    expect(task).toMatchObject({ outcome: 'erased', confirmation: 'attested_by_vendor' });
    expect(await typesOf(url, id)).not.toContain('task.called_back');
    expect(genesys.effects.filter((each) => each.type === 'pii.deleted')).toHaveLength(1);
  });
});

describe('a callback', () => {
  test('that is forged, stale or about nothing changes nothing; a true one has the vendor asked at once, and its repetitions change nothing more', { timeout: 120_000 }, async () => {
    plant({ job_ms: 10_000, queued_ms: 1000, callbacks: 'lost' });
    const url = await start();
    const id = await open(url);
    await until('The job', url, id, (task) => task.status === 'running' && jobOf() !== '');
    const body = JSON.stringify({ id: jobOf(), externalId: 'CRM-ADA-4711', status: 'completed', recordsDeleted: 3 });
    expect(await callBack(url, body, clock.now(), 'not the secret')).toBe(401);
    expect(await callBack(url, body, clock.now() - hourMs)).toBe(401);
    expect(await callBack(url, JSON.stringify({ id: 'nobody', status: 'completed' }), clock.now())).toBe(204);
    expect((await fetch(`${url}/v1/callbacks/nobody`, { method: 'POST', body, headers: { 'content-type': 'application/json' } })).status).toBe(401);
    expect(await typesOf(url, id)).not.toContain('task.called_back');
    // True to the letter and too early: the vendor is asked, says that it is at work, and nothing is settled by the callback's word.
    expect(await callBack(url, body, clock.now())).toBe(204);
    await eventually('The wake-up', async () => ((await typesOf(url, id)).includes('task.called_back') ? true : undefined));
    expect((await tasksOf(url, id))[0]?.status).toBe('running');
    genesys.advance(11_000);
    // Within a quarter of a minute a repetition is passed over.
    const looks = genesys.calls.length;
    for (let twice = 0; twice < 5; twice += 1) expect(await callBack(url, body, clock.now())).toBe(204);
    expect(genesys.calls.length).toBe(looks);
    clock.advance(16_000);
    await eventually('The end', async () => {
      await callBack(url, body, clock.now());
      return (await tasksOf(url, id))[0]?.status === 'settled' ? true : undefined;
    });
    const types = await typesOf(url, id);
    for (let twice = 0; twice < 2; twice += 1) expect(await callBack(url, body, clock.now())).toBe(204);
    expect((await typesOf(url, id)).filter((type) => type.startsWith('task.'))).toEqual(types.filter((type) => type.startsWith('task.')));
    expect(genesys.effects.filter((each) => each.type === 'pii.deleted')).toHaveLength(1);
  });
});

describe('a system that hangs for days', () => {
  test('is with a person after its window, and a late success closes the manual task and settles what it was about', { timeout: 120_000 }, async () => {
    plant({ job_ms: 400 * hourMs, queued_ms: 1000, callbacks: 'lost' });
    const url = await start();
    const id = await open(url);
    await until('The job', url, id, (task) => task.status === 'running' && jobOf() !== '');
    await eventually('The escalation', async () => {
      await advance(9 * hourMs);
      return (await statusOf(url, id)) === 'escalated' ? true : undefined;
    });
    expect((await tasksOf(url, id))[0]).toMatchObject({ status: 'manual', error_code: 'TASK_WINDOW_PASSED' });
    await eventually('The alert', async () => (mail.messages.some((each) => each.to.includes('dpo@example.com')) ? true : undefined));
    expect(await running?.reconcile()).toMatchObject({ woken: 0 });
    await advance(400 * hourMs);
    // Whichever finds it first: this one, or the one that the server runs of itself every quarter of an hour.
    await running?.reconcile();
    expect(await until('The end', url, id, (task) => task.status === 'settled')).toMatchObject({ outcome: 'erased' });
    const { items } = (await call(url, `/v1/manual-tasks?request_id=${id}&open=false`)).body as unknown as { items: { settled_how: string; settled_by: string | null }[] };
    expect(items).toMatchObject([{ settled_how: 'finished_late', settled_by: null }]);
    expect(await typesOf(url, id)).toContain('task.resumed');
  });
});

describe('a connection that is shut', () => {
  test('keeps a task for its window, and then a person hears of it', { timeout: 120_000 }, async () => {
    plant({ job_ms: 5000, queued_ms: 500 });
    const url = await start();
    expect((await call(url, '/v1/connections/genesys/suspend', { method: 'POST' })).status).toBe(200);
    const id = await open(url);
    await eventually('The plan', async () => ((await tasksOf(url, id)).length > 0 ? true : undefined));
    await advance(hourMs);
    await eventually('The escalation', async () => {
      expect((await tasksOf(url, id))[0]?.status).toMatch(/^(waiting|manual)$/u);
      await advance(6 * hourMs);
      return (await statusOf(url, id)) === 'escalated' ? true : undefined;
    });
    expect((await tasksOf(url, id))[0]).toMatchObject({ status: 'manual', attempts: 0, error_code: 'TASK_WINDOW_PASSED' });
    await eventually('The alert', async () => (mail.messages.some((each) => each.to.includes('dpo@example.com')) ? true : undefined));
  });
});

describe('zero records', () => {
  test('completed with nothing deleted, under every form of the id, goes to a person and is no success', { timeout: 120_000 }, async () => {
    seed({ account: { callback_secret: secret, job_ms: 1000, queued_ms: 500 }, contacts: [{ external_id: 'ada-4711', records: { interactions: 3 } }] });
    const url = await start();
    const id = await open(url);
    await until('The job', url, id, (task) => task.status === 'running' && jobOf() !== '');
    await advance(20_000);
    expect(await until('A person', url, id, (task) => task.status === 'manual')).toMatchObject({ error_code: 'NOTHING_MATCHED', outcome: null });
    expect(genesys.effects).toEqual([]);
  });
});

describe('a vendor that takes its success back', () => {
  test('is told of to the data protection officer, once, and what was observed stays as it was', { timeout: 120_000 }, async () => {
    plant({ job_ms: 5000, queued_ms: 500 });
    const url = await start();
    const id = await open(url);
    await until('The job', url, id, (task) => task.status === 'running' && jobOf() !== '');
    await advance(20_000);
    await until('The end', url, id, (task) => task.status === 'settled');
    const job = jobOf();
    const live = (genesys.dump() as { jobs: { id: string; status: string }[] }).jobs.find((each) => each.id === job);
    if (live === undefined) throw new Error('The simulator has lost its job');
    live.status = 'failed';
    expect(await running?.reconcile()).toMatchObject({ contradicted: 1 });
    clock.advance(7 * hourMs);
    expect(await running?.reconcile()).toMatchObject({ contradicted: 0 });
    await eventually('The alert', async () => (mail.messages.some((each) => each.subject.includes('takes back what it reported')) ? true : undefined));
    expect((await tasksOf(url, id))[0]).toMatchObject({ status: 'settled', outcome: 'erased' });
  });
});
