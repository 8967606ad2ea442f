import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { compose, serviceNames, type Quittance } from '../../src/composition.ts';
import { parseConfig } from '../../src/platform/config/load.ts';
import { readSettings } from '../../src/platform/config/settings.ts';
import { createLog } from '../../src/platform/log.ts';
import { purgeCredentials, startPurge } from '../../src/sandbox/purge/index.ts';
import type { Simulator } from '../../src/sandbox/simulator.ts';
import { apiKey, call, testFolder, untilStatus } from '../support/quittance.ts';
import { tasksOf } from '../support/running.ts';

const folder = testFolder();
let vendor: Simulator;
let quittance: Quittance;
beforeAll(async () => {
  vendor = await startPurge();
  const warehouse = { connector: 'http', use: 'purge', base_url: vendor.url, allow_private_network: true, auth: { scheme: 'bearer', token: '${env:PURGE_TOKEN}' }, identifiers: { email: 'email', external_id: 'external_id' }, calls_per_second: 500 };
  const config = {
    version: 1,
    controller: { name: 'Example Company', contact: 'privacy@example.com' },
    requests: { grace_days: 0 },
    access: { api_keys: [{ name: 'tester', key: '${env:API_KEY}' }] },
    connections: { warehouse },
  };
  quittance = await compose({
    settings: readSettings({ QUITTANCE_DATA_DIR: folder.path, QUITTANCE_PORT: '0' }),
    config: parseConfig(JSON.stringify(config), 'test configuration'),
    services: serviceNames,
    log: createLog('fatal'),
    secrets: { environment: { PURGE_TOKEN: purgeCredentials.token, API_KEY: apiKey }, readFile: () => '' },
  });
});
beforeEach(() => vendor.reset());
afterAll(async () => {
  await quittance.stop();
  await vendor.close();
  folder.remove();
});

const request = async (email: string): Promise<{ id: string; verdict: string }> => {
  const opened = await call(quittance.url ?? '', '/v1/privacy-requests', { method: 'POST', body: JSON.stringify({ email }) });
  const closed = (await untilStatus(quittance.url ?? '', String(opened.body['id']), ['closed'])) as unknown as { verdict: string };
  return { id: String(opened.body['id']), verdict: closed.verdict };
};

describe('a person in a system that is only declared', () => {
  it('is found under every identifier, erased once though the first call was answered 503, and read back as gone', async () => {
    vendor.seed({ account: { stage_ms: 1 }, subjects: [{ email: 'ada@example.com', external_id: 'ADA-4711', cases: 2 }, { email: 'bystander@example.com' }] });
    vendor.fault({ kind: 'after', method: 'POST', path: '^/erasures', status: 503 });
    const { id, verdict } = await request('ada@example.com');
    const tasks = await tasksOf(quittance.url ?? '', id);
    expect(tasks.map(({ identifier, outcome, confirmation }) => [identifier.kind, outcome, confirmation]).toSorted(([one], [other]) => String(one).localeCompare(String(other)))).toEqual([
      ['email', expect.stringMatching(/^(?:erased|already_absent)$/u), 'verified_absent'],
      ['external_id', expect.stringMatching(/^(?:erased|already_absent)$/u), 'verified_absent'],
    ]);
    expect(tasks.some(({ outcome }) => outcome === 'erased')).toBe(true);
    expect(verdict).toBe('fulfilled');
    expect(vendor.effects.map(({ type }) => type)).toEqual(['subject.erased']);
    expect((vendor.dump() as { subjects: { email: string }[] }).subjects.map(({ email }) => email)).toEqual(['bystander@example.com']);
  });

  it('is nobody where the system knows nobody', async () => {
    const { id, verdict } = await request('nobody@example.com');
    expect((await tasksOf(quittance.url ?? '', id)).map(({ outcome }) => outcome)).toEqual(['nothing_matched']);
    expect(verdict).toBe('nothing_held');
  });
});
