import type { SegmentSeed } from '../../src/sandbox/segment/index.ts';
import type { SimulatorCore } from '../../src/sandbox/simulator.ts';
import type { StripeSeed } from '../../src/sandbox/stripe/index.ts';
import type { TwilioSeed } from '../../src/sandbox/twilio/index.ts';
import type { SeededRandom } from './seeded-random.ts';

/** The vendors of a round. */
export interface Simulators {
  readonly stripe: SimulatorCore;
  readonly twilio: SimulatorCore;
  readonly segment: SimulatorCore;
}

/** What the vendors are given to hold of one person. */
export interface Holdings {
  readonly customers: NonNullable<StripeSeed['customers']>;
  readonly messages: NonNullable<TwilioSeed['messages']>;
  readonly calls: NonNullable<TwilioSeed['calls']>;
  /** Profiles of Twilio's Conversation Memory. */
  readonly memory: NonNullable<TwilioSeed['profiles']>;
  readonly profiles: NonNullable<SegmentSeed['profiles']>;
}

/** A fictional person, all that is theirs, and what they ask with. */
export interface Person {
  readonly name: string;
  readonly email: string;
  readonly phone: string;
  /** Every address of theirs that a vendor knows, `email` among them. */
  readonly emails: readonly string[];
  readonly customers: readonly string[];
  readonly userIds: readonly string[];
  readonly anonymousIds: readonly string[];
  /** The body of their request. Everything that is held of them can be found from what it names. */
  readonly request: Readonly<Record<string, string>>;
  readonly holds: Holdings;
}

const firstNames = ['Ada', 'Bela', 'Cleo', 'Dara', 'Emil', 'Fenja', 'Goran', 'Hedda', 'Ivo', 'Jule', 'Kai', 'Lois'] as const;
const companyNumber = '+12025550190';
/** Numbers +1 202-555-0100 to 0189 are for people; what is above is the company's and the bystanders'. */
const peopleMax = 90;

const pad = (index: number, size: number): string => String(index).padStart(size, '0');
const times = <Item>(count: number, make: (index: number) => Item): Item[] => Array.from({ length: count }, (_, index) => make(index));

/** Makes people with anything from nothing at all to two customers, calls with recordings and several profiles. At most 90. */
export function makePeople(random: SeededRandom, count: number): readonly Person[] {
  if (count > peopleMax) throw new Error(`There are numbers for ${peopleMax} people only`);
  return times(count, (index) => makePerson(random.fork(`person ${index}`), index));
}

function makePerson(random: SeededRandom, index: number): Person {
  const first = random.pick(firstNames);
  const name = `${first} Sample${pad(index, 2)}`;
  const email = `${first.toLowerCase()}.sample${pad(index, 2)}@${random.pick(['example.com', 'mail.example', 'home.test'])}`;
  const phone = `+120255501${pad(index, 2)}`;
  const drawn = makeProfiles(random, index, email, phone);
  const isKnownBoth = drawn.some((each) => each.external_ids.some(({ id }) => id === email) && each.external_ids.some(({ id }) => id === phone));
  const givesEmail = !isKnownBoth || random.chance(0.85);
  const givesPhone = !givesEmail || random.chance(0.7);
  // A number that nothing leads to is no one's, as far as anybody could find out.
  const isPhoneFound = givesPhone || isKnownBoth;
  const profiles = drawn.filter((each) => isPhoneFound || !each.external_ids.some(({ id }) => id === phone));
  const customers = makeCustomers(random, index, { email, name });
  const ids = customers.map((each) => each.id ?? '');
  const userIds = profiles.flatMap((each) => each.external_ids.filter(({ type }) => type === 'user_id').map(({ id }) => id));
  const other = customers.find((each) => each.email !== email);
  const request = {
    ...(givesEmail ? { email: random.chance(0.2) ? email.toUpperCase() : email } : {}),
    ...(givesPhone ? { phone: random.chance(0.2) ? `+1 (202) 555-01${pad(index, 2)}` : phone } : {}),
    // A customer under another address is found by the id alone.
    ...(other !== undefined || (ids.length > 0 && random.chance(0.4)) ? { stripe_customer_id: other?.id ?? ids[0] ?? '' } : {}),
    ...(userIds.length > 0 && random.chance(0.3) ? { user_id: userIds[0] ?? '' } : {}),
  };
  return {
    name,
    email,
    phone,
    emails: [...new Set([email, ...customers.flatMap((each) => each.email ?? [])])],
    customers: ids,
    userIds,
    anonymousIds: profiles.flatMap((each) => each.external_ids.filter(({ type }) => type === 'anonymous_id').map(({ id }) => id)),
    request,
    holds: { customers, profiles, ...(isPhoneFound ? makeTraffic(random, name, phone) : { messages: [], calls: [] }), memory: makeMemory(random, givesEmail ? email : undefined, name) },
  };
}

function makeCustomers(random: SeededRandom, index: number, about: { readonly email: string; readonly name: string }): Holdings['customers'] {
  const customer = (number: number, email: string): Holdings['customers'][number] => ({
    id: `cus_Sample${pad(index, 3)}x${number}`,
    email,
    name: about.name,
    ...(random.chance(0.3) ? { metadata: { note: about.name } } : {}),
    payment_methods: times(random.int(3), (each) => ({ last4: `4${pad(each, 3)}` })),
    tax_ids: times(random.int(2), () => ({ type: 'eu_vat', value: `DE1234567${pad(index, 2)}` })),
    ...(random.chance(0.3) ? { charges: [{ amount: 1900 }] } : {}),
    ...(random.chance(0.2) ? { subscriptions: [{ status: 'active' as const }] } : {}),
  });
  const kind = random.fraction();
  if (kind < 0.2) return [];
  if (kind < 0.7) return [customer(1, about.email)];
  if (kind < 0.9) return [customer(1, about.email), customer(2, about.email)];
  return [customer(1, `other.${about.email}`)];
}

function makeTraffic(random: SeededRandom, name: string, phone: string): Pick<Holdings, 'messages' | 'calls'> {
  const between = (): { to: string; from: string } => (random.chance(0.5) ? { to: phone, from: companyNumber } : { to: companyNumber, from: phone });
  return {
    messages: times(random.pick([0, 1, 2, 5, 13]), (each) => ({ ...between(), body: `Message ${each} for ${name}`, ...(random.chance(0.1) ? { media: [{}] } : {}) })),
    calls: times(random.pick([0, 0, 1, 2]), () => ({ ...between(), ...(random.chance(0.4) ? { recordings: [{ transcriptions: [`${name} speaks`] }] } : {}) })),
  };
}

function makeMemory(random: SeededRandom, email: string | undefined, name: string): Holdings['memory'] {
  if (email === undefined || random.chance(0.8)) return [];
  return [{ traits: { contact: { name } }, identifiers: { email: [email] }, observations: [`${name} likes tea`], summaries: [] }];
}

function makeProfiles(random: SeededRandom, index: number, email: string, phone: string): Holdings['profiles'] {
  const user = { type: 'user_id', id: `user-sample-${pad(index, 2)}` };
  const byEmail = { type: 'email', id: email };
  const byPhone = { type: 'phone', id: phone };
  const kind = random.fraction();
  if (kind < 0.25) return [];
  if (kind < 0.75) return [{ external_ids: [user, byEmail, byPhone] }];
  if (kind < 0.87) return [{ external_ids: [user, byEmail] }, { external_ids: [{ type: 'user_id', id: `${user.id}-mobile` }, byPhone] }];
  if (kind < 0.94) return [{ external_ids: [user, byEmail, { type: 'anonymous_id', id: `anon-sample-${pad(index, 2)}` }] }];
  // No regulation of a workspace reaches a profile without a user id.
  return [{ external_ids: [{ type: 'anonymous_id', id: `anon-sample-${pad(index, 2)}` }, byEmail] }];
}

/** People of whom the vendors hold much the same, and who never ask: nothing of theirs may ever change. */
export const bystanders: readonly Person[] = times(3, (index) => {
  const name = `Mona Bystander${index}`;
  const email = `mona.bystander${index}@example.com`;
  const phone = `+12025550${197 + index}`;
  const userId = `user-bystander-${index}`;
  const customer = `cus_Bystander${index}`;
  return {
    name,
    email,
    phone,
    emails: [email],
    customers: [customer],
    userIds: [userId],
    anonymousIds: [],
    request: {},
    holds: {
      customers: [{ id: customer, email, name, payment_methods: [{ last4: '4242' }], tax_ids: [{ type: 'eu_vat', value: `DE99999999${index}` }], charges: [{ amount: 100 }] }],
      messages: [
        { to: phone, from: companyNumber, body: `For ${name}` },
        { to: companyNumber, from: phone, body: `From ${name}` },
      ],
      calls: [{ to: phone, from: companyNumber, recordings: [{ transcriptions: [`${name} speaks`] }] }],
      memory: [{ traits: { contact: { name } }, identifiers: { email: [email], phone: [phone] }, observations: [`${name} likes coffee`], summaries: [] }],
      profiles: [{ external_ids: [{ type: 'user_id', id: userId }, { type: 'email', id: email }, { type: 'phone', id: phone }], traits: { name } }],
    },
  };
});

/** Plants what the vendors hold of these people, and of the bystanders. To be called once on empty simulators. */
export function plantPeople(simulators: { readonly [Vendor in keyof Simulators]: Pick<SimulatorCore, 'seed'> }, people: readonly Person[]): void {
  for (const { holds } of [...people, ...bystanders]) {
    simulators.stripe.seed({ customers: holds.customers } satisfies StripeSeed);
    simulators.twilio.seed({ messages: holds.messages, calls: holds.calls, profiles: holds.memory } satisfies TwilioSeed);
    simulators.segment.seed({ profiles: holds.profiles } satisfies SegmentSeed);
  }
}
