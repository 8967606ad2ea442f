import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { createTestContext } from '../../src/connector-kit/conformance/index.ts';
import type { ExportedRecord } from '../../src/connector-kit/index.ts';
import { twilioConnector } from '../../src/connectors/twilio/index.ts';
import type { Identifier } from '../../src/contract/identifiers.ts';
import type { Simulator } from '../../src/sandbox/simulator.ts';
import { defaultAccount, startTwilio, type TwilioSeed } from '../../src/sandbox/twilio/index.ts';

let vendor: Simulator;
beforeAll(async () => {
  vendor = await startTwilio();
});
beforeEach(() => vendor.reset());
afterAll(async () => vendor.close());

const phone = '+12025550111';
const plant = (seed: TwilioSeed): readonly string[] => (vendor.seed(seed) as { profiles: readonly string[] }).profiles;

async function exported(identifier: Identifier): Promise<readonly ExportedRecord[]> {
  const hosts = { api: vendor.url, conversations: vendor.url, memory: vendor.url };
  const config = twilioConnector.config.parse({ account_sid: defaultAccount.accountSid, auth: { auth_token: defaultAccount.authToken }, hosts });
  const test = createTestContext({ egress: [vendor.url], identifier });
  const records: ExportedRecord[] = [];
  for await (const page of twilioConnector.connect(config).export?.(test.exporting()) ?? []) records.push(...page.records);
  return records;
}

describe('the export of a profile', () => {
  it('gives traits, identifiers, observations and summaries, and changes nothing', async () => {
    const [id = ''] = plant({
      profiles: [{ identifiers: { phone: [phone], email: ['ada@example.com'] }, traits: { Contact: { plan: 'pro' } }, observations: ['likes tea', 'dislikes coffee'], summaries: ['asked for tea'] }],
    });
    const records = await exported({ kind: 'twilio_profile', value: id });
    expect(records.map((each) => each.type)).toEqual(['profile', 'identifier', 'identifier', 'observation', 'observation', 'summary']);
    expect(JSON.stringify(records)).toContain('likes tea');
    expect(JSON.stringify(records)).toContain('asked for tea');
    expect(JSON.stringify(records)).toContain('pro');
    expect(vendor.effects).toEqual([]);
  });

  it('gives every note of a profile that has more than a page of them', async () => {
    const [id = ''] = plant({ profiles: [{ identifiers: { phone: [phone] }, observations: Array.from({ length: 1203 }, (_, n) => `note ${n}`) }] });
    expect((await exported({ kind: 'twilio_profile', value: id })).filter((each) => each.type === 'observation')).toHaveLength(1203);
  });

  it('is empty for a profile that is not there', async () => {
    plant({ profiles: [] });
    expect(await exported({ kind: 'twilio_profile', value: 'mem_profile_00000000000000000000000000' })).toEqual([]);
  });

  it('does not follow a merge into a profile that was not resolved', async () => {
    const [id = ''] = plant({ profiles: [{ identifiers: { phone: [phone] }, merged_into: 'canonical' }, { key: 'canonical', identifiers: { phone: [phone] }, observations: ['of somebody else'] }] });
    await expect(exported({ kind: 'twilio_profile', value: id })).rejects.toMatchObject({ code: 'SUBJECT_AMBIGUOUS' });
  });
});
