import { runConformance } from '../../src/connector-kit/conformance/index.ts';
import { twilioConnector } from '../../src/connectors/twilio/index.ts';
import type { Identifier } from '../../src/contract/identifiers.ts';
import type { Simulator } from '../../src/sandbox/simulator.ts';
import { defaultAccount, startTwilio, type TwilioSeed } from '../../src/sandbox/twilio/index.ts';

const company = '+12025550100';
const phone: Identifier = { kind: 'phone', value: '+12025550111' };
const email: Identifier = { kind: 'email', value: 'ada@example.com' };
const bystander = '+12025550177';
const personal = ['2025550111', 'ada@example.com', 'Ada Example'];
const unknown: readonly Identifier[] = [
  { kind: 'phone', value: '+12025550199' },
  { kind: 'email', value: 'nobody@example.com' },
  { kind: 'twilio_profile', value: 'mem_profile_00000000000000000000000000' },
];

const configFor =
  (more: object = {}, secret: string = defaultAccount.apiKey.secret) =>
  (url: string): unknown => ({
    account_sid: defaultAccount.accountSid,
    auth: { api_key: defaultAccount.apiKey.sid, api_secret: secret },
    hosts: { api: url, conversations: url, memory: url },
    own_numbers: [company],
    own_identities: ['agent-1'],
    ...more,
  });

type Dump = Readonly<Record<string, readonly unknown[]>>;
const inDump = (vendor: Simulator, keys: readonly string[], words: readonly string[]): number => {
  const dump = vendor.dump() as Dump;
  return keys.flatMap((key) => dump[key] ?? []).filter((each) => words.some((word) => JSON.stringify(each).includes(word))).length;
};

/** Somebody else's data, which no erasure may touch. */
const others: TwilioSeed = {
  rate_limit: { per_second: 1_000_000 },
  messages: [{ to: bystander, from: company, body: 'Hello' }],
  calls: [{ to: company, from: bystander, recordings: [{ transcriptions: ['Somebody else'] }] }],
};

const exchanged: TwilioSeed = {
  ...others,
  messages: [
    ...(others.messages ?? []),
    { to: phone.value, from: company, body: 'Hello Ada Example', media: [{}] },
    { to: company, from: phone.value, body: 'Ada Example here' },
    { to: `whatsapp:${phone.value}`, from: `whatsapp:${company}`, body: 'Hello Ada Example' },
    { to: phone.value, from: company, body: 'Later', status: 'scheduled', in_flight: { ms: 3_600_000, tries: 1000 } },
  ],
  calls: [
    ...(others.calls ?? []),
    { to: phone.value, from: company, recordings: [{ transcriptions: ['Ada Example speaks'], add_on_results: 1 }] },
    { to: company, from: phone.value },
  ],
  conversations: [
    {
      participants: [{ address: phone.value, proxy_address: company }, { identity: 'agent-1' }],
      messages: [{ author: phone.value, body: 'Hi' }, { author: 'agent-1', body: 'Hello Ada Example' }],
    },
    {
      participants: [{ address: phone.value, proxy_address: company }, { address: bystander, proxy_address: company }],
      messages: [{ author: phone.value, body: 'Hi' }, { author: bystander, body: 'A group' }],
    },
  ],
};

runConformance({
  title: 'messages, calls and conversations of a number',
  connector: twilioConnector,
  start: startTwilio,
  config: configFor(),
  refusedConfig: configFor({}, 'revoked'),
  plant: (vendor) => {
    vendor.seed(exchanged);
    return { identifier: phone, identifiers: [phone, email], personal };
  },
  plantMany: (vendor) => {
    const calls = Array.from({ length: 230 }, (_, index) => ({ to: phone.value, from: company, recordings: index % 20 === 0 ? [{}, {}] : [] }));
    const media = Array.from({ length: 30 }, () => ({ to: phone.value, from: company, media: [{}] }));
    const chat = Array.from({ length: 130 }, () => ({ author: phone.value, body: 'Hi' }));
    vendor.seed({
      ...others,
      calls,
      messages: media,
      bulk: { to: company, from: phone.value, count: 520 },
      conversations: [{ participants: [{ address: phone.value }], messages: chat }, ...Array.from({ length: 60 }, () => ({ participants: [{ address: phone.value }] }))],
    });
    return { identifier: phone, identifiers: [phone], personal };
  },
  left: (vendor) => inDump(vendor, ['messages', 'calls', 'participants', 'conversation_messages', 'transcriptions'], [phone.value, 'Ada Example']),
  unknown,
  outcome: 'erased',
  lie: { method: 'DELETE' },
});

runConformance({
  title: 'conversations of an e-mail address',
  connector: twilioConnector,
  start: startTwilio,
  config: configFor(),
  refusedConfig: configFor({}, 'revoked'),
  plant: (vendor) => {
    vendor.seed({
      ...others,
      users: [{ identity: email.value }, { identity: 'agent-1' }],
      conversations: [{ participants: [{ identity: email.value }], messages: [{ author: email.value, body: 'Hi' }] }],
    });
    return { identifier: email, identifiers: [email], personal };
  },
  left: (vendor) => inDump(vendor, ['participants', 'conversation_messages', 'users'], [email.value]),
  unknown,
  outcome: 'erased',
  lie: { method: 'DELETE' },
});

const profileSeed: TwilioSeed = {
  ...others,
  profiles: [
    {
      traits: { Contact: { name: 'Ada Example', email: email.value }, Shop: { size: 'M' } },
      identifiers: { phone: [phone.value], email: [email.value] },
      observations: ['Ada Example likes tea', 'and cake'],
      summaries: ['Ada Example asked'],
    },
    { traits: { Contact: { name: 'Somebody' } }, identifiers: { phone: [bystander] } },
  ],
};

function plantProfile(vendor: Simulator, more: TwilioSeed = {}): { identifier: Identifier; identifiers: Identifier[]; personal: string[] } {
  const planted = vendor.seed({ ...profileSeed, ...more }) as { profiles: string[] };
  const identifier: Identifier = { kind: 'twilio_profile', value: planted.profiles[0] ?? '' };
  return { identifier, identifiers: [identifier, phone, email], personal };
}

const profileWords = ['Ada Example', email.value, phone.value, 'and cake'];

for (const action of ['erase', 'anonymise'] as const) {
  runConformance({
    title: `a Memory profile, ${action}`,
    connector: twilioConnector,
    start: startTwilio,
    config: configFor(),
    refusedConfig: configFor({}, 'revoked'),
    // A repeated change of traits is one more change at the vendor while it still shows the old ones.
    plant: (vendor) => plantProfile(vendor, action === 'anonymise' ? { visibility: { reads: 0 } } : {}),
    plantMany: (vendor) => {
      const text = Array.from({ length: 120 }, (_, index) => `and cake ${index}`);
      return plantProfile(vendor, { profiles: [{ identifiers: { phone: [phone.value] }, traits: { Contact: { name: 'Ada Example' } }, observations: text, summaries: text }] });
    },
    left: (vendor) => inDump(vendor, ['profiles', 'observations', 'summaries'], profileWords),
    unknown,
    outcome: action === 'erase' ? 'erased' : 'anonymised',
    action,
    lie: { path: '/v1/Stores/' },
  });
}

runConformance({
  title: 'a profile at the literal endpoint',
  connector: twilioConnector,
  start: startTwilio,
  config: (url) => configFor({ profiles: 'literal', literal_profile_url: `${url}/2010-04-01/Accounts/{AccountSid}/Profiles/{ProfileSid}.json` })(url),
  refusedConfig: (url) => configFor({ profiles: 'literal', literal_profile_url: `${url}/2010-04-01/Accounts/{AccountSid}/Profiles/{ProfileSid}.json` }, 'revoked')(url),
  plant: (vendor) => plantProfile(vendor, { literal_profiles: true }),
  left: (vendor) => inDump(vendor, ['profiles', 'observations', 'summaries'], profileWords),
  unknown,
  outcome: 'erased',
  lie: { method: 'DELETE', path: '/Profiles/' },
});
