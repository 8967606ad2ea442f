import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { compose, serviceNames, type Quittance } from '../../src/composition.ts';
import { readZip } from '../../src/cli/demo/read-zip.ts';
import { parseConfig } from '../../src/platform/config/load.ts';
import { readSettings } from '../../src/platform/config/settings.ts';
import { createLog } from '../../src/platform/log.ts';
import { startGenesys } from '../../src/sandbox/genesys/index.ts';
import { startSegment } from '../../src/sandbox/segment/index.ts';
import type { Simulator } from '../../src/sandbox/simulator.ts';
import { startStripe } from '../../src/sandbox/stripe/index.ts';
import { genesysConfigFor } from '../support/genesys-bench.ts';
import { apiKey, call, eventually, testFolder, untilStatus } from '../support/quittance.ts';
import { movableClock, tasksOf } from '../support/running.ts';
import { segmentConfigFor } from '../support/segment-bench.ts';

const hourMs = 3_600_000;
const folder = testFolder();
const clock = movableClock();
let stripe: Simulator;
let segment: Simulator;
let genesys: Simulator;
let quittance: Quittance;
const url = (): string => quittance.url ?? '';

beforeAll(async () => {
  [stripe, segment, genesys] = await Promise.all([startStripe(), startSegment(), startGenesys()]);
  const config = {
    version: 1,
    controller: { name: 'Example Company', contact: 'privacy@example.com' },
    requests: { grace_days: 0 },
    access: { api_keys: [{ name: 'tester', key: '${env:API_KEY}' }] },
    connections: {
      stripe: { connector: 'stripe', api_key: '${env:STRIPE_KEY}', base_url: stripe.url, calls_per_second: 500 },
      segment: { connector: 'segment', ...segmentConfigFor(segment.url), profile_api: { space_id: 'spa_sandbox', token: '${env:SEGMENT_TOKEN}', base_url: segment.url }, public_api: { token: '${env:SEGMENT_TOKEN}', base_url: segment.url } },
      genesys: { connector: 'genesys', ...genesysConfigFor(genesys.url, { api: 'gdpr' }), client_secret: '${env:GENESYS_SECRET}', window_hours: 336 },
    },
  };
  quittance = await compose({
    settings: readSettings({ QUITTANCE_DATA_DIR: folder.path, QUITTANCE_PORT: '0' }),
    config: parseConfig(JSON.stringify(config), 'test configuration'),
    services: serviceNames,
    log: createLog('fatal'),
    clock,
    secrets: { environment: { API_KEY: apiKey, STRIPE_KEY: 'sk_test_sandbox', SEGMENT_TOKEN: 'token', GENESYS_SECRET: 'sandbox-client-secret' }, readFile: () => '' },
  });
});
beforeEach(() => {
  for (const each of [stripe, segment, genesys]) each.reset();
  stripe.seed({ account: { requests_per_second: 1000 }, customers: [{ id: 'cus_ada', email: 'ada@example.com', name: 'Ada Example', phone: '+12025550123', invoices: [{ status: 'paid' }] }, { id: 'cus_bob', email: 'bob@example.com', name: 'Bob Example' }] });
  segment.seed({ profiles: [{ external_ids: [{ type: 'user_id', id: 'u-1' }, { type: 'email', id: 'ada@example.com' }], traits: { plan: 'plan of Ada' } }, { external_ids: [{ type: 'user_id', id: 'u-2' }], traits: { plan: 'plan of Bob' } }] });
  genesys.seed({ subjects: [{ subject: { externalContactId: 'contact-1', name: 'Ada Example', emailAddresses: ['ada@example.com'], phoneNumbers: ['+12025550123'] }, archives: ['calls of Ada'] }] });
});
afterAll(async () => {
  await quittance.stop();
  await Promise.all([stripe.close(), segment.close(), genesys.close()]);
  folder.remove();
});

const open = async (body: object): Promise<string> => {
  const opened = await call(url(), '/v1/privacy-requests', { method: 'POST', body: JSON.stringify({ subject: { identifiers: [{ kind: 'email', value: 'ada@example.com' }, { kind: 'phone', value: '+12025550123' }] }, ...body }) });
  expect(opened.status).toBe(202);
  return String(opened.body['id']);
};
/** Lets days pass at Genesys, once it works on something. */
const letDaysPass = async (id: string): Promise<void> => {
  await eventually('A request at Genesys', async () => {
    const waiting = ((await call(url(), `/v1/privacy-requests/${id}/timeline`)).body['items'] as unknown as { type: string }[]).some(({ type }) => type === 'task.vendor_job');
    return waiting ? true : undefined;
  });
  for (let hours = 0; hours < 60; hours += 10) {
    clock.advance(10 * hourMs);
    genesys.advance(10 * hourMs);
    await quittance.sweep();
  }
};

describe('a person at Stripe, Segment and Genesys Cloud', () => {
  it('gets one package of all three, although Genesys takes days, and nothing of anybody else’s', { timeout: 120_000 }, async () => {
    const id = await open({ right: 'access' });
    await letDaysPass(id);
    expect(await untilStatus(url(), id, ['closed'])).toMatchObject({ verdict: 'fulfilled' });
    expect((await tasksOf(url(), id)).map(({ system, outcome }) => `${system} ${outcome}`).toSorted()).toEqual(['genesys exported', 'segment exported', 'stripe exported']);
    await eventually('The package', async () => ((await call(url(), `/v1/privacy-requests/${id}/export`)).body['state'] === ('ready' as never) ? true : undefined));
    const file = await fetch(`${url()}/v1/privacy-requests/${id}/export/file`, { headers: { authorization: `Bearer ${apiKey}` } });
    const files = readZip(Buffer.from(await file.arrayBuffer()));
    const whole = [...files.values()].map((each) => each.toString('utf8')).join('\n');
    for (const own of ['cus_ada', 'plan of Ada', 'calls of Ada', 'object_not_included']) expect(whole).toContain(own);
    for (const others of ['Bob', 'cus_bob']) expect(whole).not.toContain(others);
    expect([...files.keys()].some((name) => /^attachments\/genesys-.*\.zip$/u.test(name))).toBe(true);
    expect(stripe.effects).toEqual([]);
    expect(segment.effects).toEqual([]);
    expect(genesys.effects.map(({ type }) => type)).toEqual(['gdpr_request.created']);
  });

  it('is corrected at Stripe and Genesys Cloud, once each, and read back; a person has to see to Segment', { timeout: 120_000 }, async () => {
    const id = await open({ right: 'rectification', corrections: [{ field: 'name', from: 'Ada Example', to: 'Ada L. Example' }] });
    await letDaysPass(id);
    const over = async (): Promise<true | undefined> => ((await tasksOf(url(), id)).every(({ status }) => status === 'settled' || status === 'manual') ? true : undefined);
    await eventually('The end of all tasks', over);
    const tasks = await tasksOf(url(), id);
    const summary = tasks.map(({ system, outcome, confirmation, error_code: code }) => [system, outcome ?? code, confirmation].join(' '));
    expect([...new Set(summary)].toSorted()).toEqual(['genesys corrected verified_as_asked', 'segment UNSUPPORTED ', 'stripe corrected verified_as_asked']);
    expect(stripe.effects.map(({ type }) => type)).toEqual(['customer.updated']);
    expect(genesys.effects.map(({ type }) => type)).toEqual(['gdpr_request.created', 'subject.updated']);
    expect(JSON.stringify([stripe.dump(), genesys.dump()])).toContain('Ada L. Example');
    expect(segment.effects).toEqual([]);
  });
});
