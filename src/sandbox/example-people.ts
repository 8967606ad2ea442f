import type { SegmentSeed } from './segment/index.ts';
import type { Simulator } from './simulator.ts';
import type { StripeSeed } from './stripe/index.ts';
import type { TwilioSeed } from './twilio/index.ts';

/** A fictional person whom every simulator of the sandbox knows. */
export interface ExamplePerson {
  readonly name: string;
  readonly email: string;
  /** E.164; the last four digits are the Twilio simulator's sentinel, where it has one. */
  readonly phone: string;
  readonly userId: string;
  readonly stripeCustomerId: string;
  /** What goes wrong with this person's data, for the table that the sandbox prints. */
  readonly behaviour: string;
}

const person = (first: string, last: string, sentinel: string, phone: string, behaviour: string): ExamplePerson => ({
  name: `${first} ${last}`,
  email: `${first.toLowerCase()}${sentinel === '' ? '' : `+${sentinel}`}@example.com`,
  phone,
  userId: `user_${first.toLowerCase()}`,
  stripeCustomerId: `cus_Example${first}`,
  behaviour,
});

/** The people that `npm run sandbox` and the demo plant: one clean, one for each failure, one whose vendors lie. */
export const examplePeople: readonly ExamplePerson[] = [
  person('Ada', 'Example', '', '+12025550111', 'clean'),
  person('Grace', 'Example', 'ratelimit', '+12025550129', 'the first two calls answer 429'),
  person('Tim', 'Example', 'timeout', '+12025550140', 'the first call is never answered'),
  person('Lois', 'Example', 'lostanswer', '+12025550141', 'deletion is done, its answer is lost'),
  person('Loki', 'Example', 'liar', '+12025550166', 'deletion is confirmed, the data stays'),
];

/** What the Stripe simulator is planted with. */
export function stripePeople(people: readonly ExamplePerson[] = examplePeople): StripeSeed {
  return {
    customers: people.map((each) => ({
      id: each.stripeCustomerId,
      email: each.email,
      name: each.name,
      phone: each.phone,
      description: `Example customer ${each.name}`,
      address: { line1: '1 Example Street', city: 'Exampleton', postal_code: '00000', country: 'US' },
      tax_ids: [{ type: 'eu_vat', value: 'DE123456789' }],
      payment_methods: [{ last4: '4242' }],
      subscriptions: [{ status: 'active' as const }],
      charges: [{ amount: 4200, description: `Order of ${each.name}` }],
      invoices: [{ status: 'paid' as const, total: 4200 }],
    })),
  };
}

/** What the Segment simulator is planted with. */
export function segmentPeople(people: readonly ExamplePerson[] = examplePeople): SegmentSeed {
  return {
    profiles: people.map((each) => ({
      external_ids: [
        { type: 'user_id', id: each.userId },
        { type: 'email', id: each.email },
        { type: 'phone', id: each.phone },
        { type: 'anonymous_id', id: `anon_${each.userId}` },
        { type: 'stripe_customer_id', id: each.stripeCustomerId },
      ],
      traits: { email: each.email, phone: each.phone, name: each.name, stripe_customer_id: each.stripeCustomerId },
    })),
  };
}

/** The number that the example company writes and calls from. */
const COMPANY_PHONE = '+12025550100';

/** What the Twilio simulator is planted with. */
export function twilioPeople(people: readonly ExamplePerson[] = examplePeople): TwilioSeed {
  return {
    messages: people.flatMap((each) => [
      { to: each.phone, from: COMPANY_PHONE, body: `Hello ${each.name}, your order is on its way.`, media: [{ content_type: 'image/png' }] },
      { to: COMPANY_PHONE, from: each.phone, body: 'Thank you!' },
    ]),
    calls: people.map((each) => ({ to: each.phone, from: COMPANY_PHONE, recordings: [{ transcriptions: [`Call with ${each.name}`] }] })),
    profiles: people.map((each) => ({
      key: each.userId,
      traits: { Contact: { name: each.name, email: each.email } },
      identifiers: { email: [each.email], phone: [each.phone] },
      observations: [`${each.name} asked about an order.`],
    })),
  };
}

/** The simulators that example people can be planted in. */
export interface ExampleVendors {
  readonly stripe: Pick<Simulator, 'seed'>;
  readonly segment: Pick<Simulator, 'seed'>;
  readonly twilio: Pick<Simulator, 'seed'>;
}

/** Plants the same people in all three vendors, so that one person is found in each. */
export function plantExamplePeople(vendors: ExampleVendors, people: readonly ExamplePerson[] = examplePeople): void {
  vendors.stripe.seed(stripePeople(people));
  vendors.segment.seed(segmentPeople(people));
  vendors.twilio.seed(twilioPeople(people));
}
