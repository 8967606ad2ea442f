import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { runCli } from '../../src/cli/run-cli.ts';
import { compose, type Quittance } from '../../src/composition.ts';
import { parseConfig } from '../../src/platform/config/load.ts';
import { readSettings } from '../../src/platform/config/settings.ts';
import { createLog } from '../../src/platform/log.ts';
import { purgeCredentials, startPurge } from '../../src/sandbox/purge/index.ts';
import type { Simulator } from '../../src/sandbox/simulator.ts';
import { testFolder } from '../support/quittance.ts';

const apiKey = 'key-of-the-check';
const folder = testFolder();
let vendor: Simulator;
let quittance: Quittance;
beforeAll(async () => {
  vendor = await startPurge();
  const warehouse = { connector: 'http', use: 'purge', base_url: vendor.url, auth: { scheme: 'bearer', token: '${env:PURGE_TOKEN}' }, identifiers: { email: 'email' } };
  const config = {
    version: 1,
    controller: { name: 'Example Company', contact: 'privacy@example.com' },
    access: { api_keys: [{ name: 'operator', key: '${env:API_KEY}' }] },
    connections: {
      warehouse: { ...warehouse, allow_private_network: true },
      outside: warehouse,
      rebound: { ...warehouse, base_url: vendor.url.replace('127.0.0.1', 'localhost') },
      segment: { connector: 'segment', profile_api: { space_id: 'spa_1', token: '${env:PURGE_TOKEN}' }, public_api: { token: '${env:PURGE_TOKEN}' } },
    },
  };
  quittance = await compose({
    settings: readSettings({ QUITTANCE_DATA_DIR: folder.path, QUITTANCE_PORT: '0' }),
    config: parseConfig(JSON.stringify(config), 'test configuration'),
    services: ['http'],
    log: createLog('fatal'),
    secrets: { environment: { PURGE_TOKEN: purgeCredentials.token, API_KEY: apiKey }, readFile: () => '' },
  });
});
beforeEach(() => vendor.reset());
afterEach(() => vendor.clearFaults());
afterAll(async () => {
  await quittance.stop();
  await vendor.close();
  folder.remove();
});

async function check(...arguments_: string[]): Promise<{ code: number; out: string; err: string }> {
  let out = '';
  let err = '';
  const code = await runCli(['connector', 'check', ...arguments_], {
    process: {
      stdout: { write: (text) => (out += text) },
      stderr: { write: (text) => (err += text) },
      stdin: (async function* nothing() {
        yield '';
      })(),
      env: { QUITTANCE_URL: quittance.url ?? '', QUITTANCE_API_KEY: apiKey },
      exitCode: null,
    },
    fetch,
    now: Date.now,
  });
  return { code, out, err };
}

describe('quittance connector check, for a declared system', () => {
  it('puts the system to the test and ends well where every promise is kept', async () => {
    const { code, out } = await check('warehouse');
    expect(code).toBe(0);
    expect(out).toContain('warehouse answers, and takes the credentials');
    for (const row of ['strangers_are_refused', 'unknown_person_is_not_found', 'same_key_same_job', 'unknown_person_is_not_erased', 'unknown_job_is_not_finished', 'read_back']) expect(out).toMatch(new RegExp(`^${row} +kept`, 'mu'));
    expect(vendor.effects).toEqual([]);
  });

  it('fails where a promise is broken, and says which, for machines too', async () => {
    vendor.seed({ account: { claims_unknown: true } });
    const { code, out } = await check('warehouse', '--json');
    expect(code).toBe(1);
    expect((JSON.parse(out) as { checks: { check: string; result: string }[] }).checks.filter(({ result }) => result === 'violated').map((each) => each.check)).toContain('unknown_person_is_not_erased');
  });

  it('fails where the credentials are refused', async () => {
    vendor.seed({ account: { auth: 'basic' } });
    const { code, err } = await check('warehouse');
    expect(code).toBe(1);
    expect(err).toContain('CONNECTION_AUTH');
  });

  it.each(['outside', 'rebound'])('calls no private address without being told to, written out or by name: %s', async (name) => {
    const { code, err } = await check(name);
    expect(code).toBe(1);
    expect(err).toContain('EGRESS_FORBIDDEN');
    expect(vendor.calls).toEqual([]);
  });

  it('is not offered for a vendor that the conformance suite knows', async () => {
    const answer = await fetch(`${quittance.url}/v1/connections/segment/rehearsal`, { method: 'POST', headers: { authorization: `Bearer ${apiKey}` } });
    expect([answer.status, ((await answer.json()) as { code: string }).code]).toEqual([409, 'UNSUPPORTED']);
    const stranger = await fetch(`${quittance.url}/v1/connections/warehouse/rehearsal`, { method: 'POST' });
    expect(stranger.status).toBe(401);
  });
});
