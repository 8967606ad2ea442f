import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { compose, serviceNames, type Quittance } from '../../src/composition.ts';
import { parseConfig } from '../../src/platform/config/load.ts';
import { readSettings } from '../../src/platform/config/settings.ts';
import { createLog } from '../../src/platform/log.ts';
import { startCloud, type Cloud } from '../../src/sandbox/cloud.ts';
import { pubsubAccountKey, pubsubNames } from '../../src/sandbox/pubsub/index.ts';
import { s3Credentials } from '../../src/sandbox/s3/index.ts';
import { apiKey, call, testFolder, untilStatus } from '../support/quittance.ts';
import { tasksOf } from '../support/running.ts';

const folder = testFolder();
let cloud: Cloud;
let quittance: Quittance;
beforeAll(async () => {
  cloud = await startCloud();
  const { client_email: email, private_key: key } = cloud.gcs.seed({}) as { client_email: string; private_key: string };
  const names = { prefixes: ['users/{user_id}/'], objects: ['avatars/{user_id}.png'] };
  const config = {
    version: 1,
    controller: { name: 'Example Company', contact: 'privacy@example.com' },
    requests: { grace_days: 0 },
    access: { api_keys: [{ name: 'tester', key: '${env:API_KEY}' }] },
    connections: {
      files: { connector: 's3', buckets: ['files'], region: 'eu-central-1', endpoint: cloud.s3.url, path_style: true, access_key: { id: '${env:S3_ID}', secret: '${env:S3_SECRET}' }, retention: { legal_basis: 'HGB § 257' }, ...names },
      pictures: { connector: 'gcs', buckets: ['exports-bucket'], endpoint: cloud.gcs.url, credentials: '${env:GCS_KEY}', ...names },
      workstations: { connector: 'pubsub', topic: pubsubNames.topic, endpoint: cloud.pubsub.url, credentials: '${env:PUBSUB_KEY}', acknowledgement: { subscription: pubsubNames.subscription } },
    },
  };
  const environment = { API_KEY: apiKey, S3_ID: s3Credentials.id, S3_SECRET: s3Credentials.secret, GCS_KEY: JSON.stringify({ client_email: email, private_key: key }), PUBSUB_KEY: pubsubAccountKey };
  quittance = await compose({
    settings: readSettings({ QUITTANCE_DATA_DIR: folder.path, QUITTANCE_PORT: '0' }),
    config: parseConfig(JSON.stringify(config), 'test configuration'),
    services: serviceNames,
    log: createLog('fatal'),
    secrets: { environment, readFile: () => '' },
  });
});
beforeEach(() => {
  for (const each of [cloud.s3, cloud.gcs, cloud.pubsub]) each.reset();
});
afterAll(async () => {
  await quittance.stop();
  await cloud.close();
  folder.remove();
});

const erase = async (userId: string): Promise<{ verdict: string; tasks: readonly (readonly unknown[])[] }> => {
  const opened = await call(quittance.url ?? '', '/v1/privacy-requests', { method: 'POST', body: JSON.stringify({ user_id: userId }) });
  const closed = (await untilStatus(quittance.url ?? '', String(opened.body['id']), ['closed'])) as unknown as { verdict: string };
  const tasks = await tasksOf(quittance.url ?? '', String(opened.body['id']));
  return { verdict: closed.verdict, tasks: tasks.map(({ system, outcome, confirmation }) => [system, outcome, confirmation]).toSorted(([one], [other]) => String(one).localeCompare(String(other))) };
};
const plant = (lock: object = {}): void => {
  cloud.s3.seed({ buckets: [{ name: 'files', object_lock: true }], objects: ['u-1', 'u-12'].flatMap((id) => [{ bucket: 'files', key: `users/${id}/notes.txt`, ...lock }, { bucket: 'files', key: `avatars/${id}.png` }]) });
  cloud.gcs.seed({ settings: { versioning: true }, objects: ['u-1', 'u-12'].flatMap((id) => [{ name: `users/${id}/a.png` }, { name: `users/${id}/a.png` }]) });
  cloud.pubsub.seed({ workstations: ['u-1', 'u-12'].map((id) => ({ user_id: id, name: `of-${id}` })), receiver: { delay_ms: 0 } });
};
const left = (): string => JSON.stringify([cloud.s3.dump(), cloud.gcs.dump(), (cloud.pubsub.dump() as { workstations: unknown }).workstations]);

describe('a user of the company’s own application', () => {
  it('is erased from both object stores and by event, another user stays, and each system’s proof is what was seen there', async () => {
    plant();
    cloud.s3.fault({ kind: 'after', method: 'POST', status: 503 });
    expect(await erase('u-1')).toEqual({
      // What Google soft-deleted stays for seven days, and is said.
      verdict: 'fulfilled_with_retention',
      tasks: [['files', 'erased', 'verified_absent'], ['pictures', 'erased', 'verified_absent'], ['workstations', 'erased', 'attested_by_vendor']],
    });
    expect(left()).not.toMatch(/u-1\b/u);
    expect(left().match(/u-12\b/gu)?.length).toBeGreaterThan(3);
    expect(cloud.pubsub.effects).toHaveLength(1);
  });

  it('is retained where an object is locked, with the reason', async () => {
    plant({ lock: { mode: 'COMPLIANCE', retain_until: '2040-01-01T00:00:00.000Z' } });
    const { verdict, tasks } = await erase('u-1');
    expect(verdict).toBe('fulfilled_with_retention');
    expect(tasks[0]).toEqual(['files', 'retained', null]);
    expect(JSON.stringify(cloud.s3.dump())).toContain('users/u-1/notes.txt');
    expect(JSON.stringify(cloud.s3.dump())).not.toContain('avatars/u-1.png');
  });
});
