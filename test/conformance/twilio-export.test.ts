import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { createTestContext } from '../../src/connector-kit/conformance/index.ts';
import type { ExportedRecord, Json } from '../../src/connector-kit/index.ts';
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

describe('the export of what is held under a number', () => {
  const ada: Identifier = { kind: 'phone', value: phone };
  const company = '+12025550100';
  const bystander = '+12025550177';
  const seed: TwilioSeed = {
    messages: [{ to: phone, from: company, body: 'hello' }, { to: company, from: phone, body: 'with a picture', media: [{}] }, { to: bystander, from: company, body: 'not hers' }],
    calls: [{ to: phone, from: company, recordings: [{ transcriptions: ['we spoke'] }, {}] }, { to: company, from: phone }],
    conversations: [
      { friendly_name: 'group', participants: [{ address: phone }, { address: bystander }], messages: [{ author: phone, body: 'mine' }, { author: bystander, body: 'theirs' }] },
      { friendly_name: 'alone', participants: [{ address: phone }, { identity: 'agent-1' }], messages: Array.from({ length: 230 }, (_, at) => ({ author: at % 2 === 0 ? 'agent-1' : phone, body: `line ${at}` })) },
    ],
    users: [{ identity: phone, friendly_name: 'Ada Example' }],
  };
  /** As Twilio serves sound; the simulator has none. */
  const withSound =
    (sound: () => Response) =>
    (guarded: typeof fetch): typeof fetch =>
    async (input, init) =>
      (typeof input === 'string' ? input : '').endsWith('.mp3') ? sound() : guarded(input, init);

  async function read(options: { cursor?: Json; resumesMax?: number; sound?: () => Response; identifier?: Identifier } = {}): Promise<{ records: ExportedRecord[]; resume: Json; resumes: number }> {
    const hosts = { api: vendor.url, conversations: vendor.url, memory: vendor.url };
    const config = twilioConnector.config.parse({ account_sid: defaultAccount.accountSid, auth: { auth_token: defaultAccount.authToken }, hosts, profiles: 'none', own_numbers: [company], own_identities: ['agent-1'] });
    expect(twilioConnector.capabilities(config).exports).toEqual(['phone', 'email']);
    const test = createTestContext({ egress: [vendor.url], identifier: options.identifier ?? ada, wrapFetch: withSound(options.sound ?? (() => new Response('sound', { headers: { 'content-type': 'audio/mpeg' } }))) });
    const records: ExportedRecord[] = [];
    let resumes = 0;
    for await (const page of twilioConnector.connect(config).export?.(test.exporting(options.cursor ?? null)) ?? []) {
      expect(JSON.stringify(page.records).length).toBeLessThan(8 * 1024 * 1024);
      records.push(...page.records);
      resumes += page.resume === undefined ? 0 : 1;
      if (resumes === options.resumesMax) return { records, resume: page.resume ?? null, resumes };
    }
    return { records, resume: null, resumes };
  }
  const counts = (records: readonly ExportedRecord[]): Record<string, number> => {
    const result: Record<string, number> = {};
    for (const { type } of records) result[type] = (result[type] ?? 0) + 1;
    return result;
  };

  it('gives messages, calls, recordings with their sound, conversations and the chat user, of nobody else, and changes nothing', async () => {
    plant({ rate_limit: { per_second: 1_000_000 }, ...seed });
    const { records } = await read();
    expect(counts(records)).toEqual({ call: 2, recording: 2, transcription: 1, message: 2, object_not_included: 1, conversation: 2, conversation_message: 231, chat_user: 1 });
    const text = JSON.stringify(records);
    for (const held of ['hello', 'with a picture', 'we spoke', 'mine', 'line 0', 'line 229', 'Ada Example']) expect(text).toContain(held);
    for (const others of ['not hers', 'theirs']) expect(text).not.toContain(others);
    expect(records.find(({ type }) => type === 'recording')?.data).toMatchObject({ content_type: 'audio/mpeg', base64: Buffer.from('sound').toString('base64') });
    expect(records.find(({ type }) => type === 'object_not_included')?.data).toMatchObject({ object: 'message_media', not_included: 'elsewhere' });
    expect(vendor.effects).toEqual([]);
  });

  it('goes on from every place that it names, without leaving out or repeating anything', async () => {
    plant({ rate_limit: { per_second: 1_000_000 }, ...seed });
    const all = await read();
    expect(all.resumes).toBeGreaterThan(10);
    for (let resumesMax = 1; resumesMax < all.resumes; resumesMax += 1) {
      const first = await read({ resumesMax });
      expect([...first.records, ...(await read({ cursor: first.resume })).records]).toEqual(all.records);
    }
  });

  it('names sound that is too large or stored elsewhere, and does not follow there', async () => {
    plant({ calls: [{ to: phone, from: company, recordings: [{}] }] });
    const dataOf = async (sound: () => Response): Promise<unknown> => (await read({ sound })).records.find(({ type }) => type === 'object_not_included')?.data;
    expect(await dataOf(() => new Response(Buffer.alloc(5 * 1024 * 1024 + 1)))).toMatchObject({ object: 'recording', not_included: 'too_large' });
    expect(await dataOf(() => new Response(null, { status: 307, headers: { location: 'https://bucket.example/sound.mp3' } }))).toMatchObject({ object: 'recording', not_included: 'elsewhere' });
    expect(await dataOf(() => new Response('sound'))).toBeUndefined();
    await expect(read({ sound: () => new Response(null, { status: 500 }) })).rejects.toMatchObject({ code: 'VENDOR_UNAVAILABLE' });
  });

  it('is not made for one of the account’s own numbers', async () => {
    plant(seed);
    await expect(read({ identifier: { kind: 'phone', value: company } })).rejects.toMatchObject({ code: 'SUBJECT_AMBIGUOUS' });
  });
});
