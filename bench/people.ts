import type { Identifier } from '../src/contract/identifiers.ts';
import type { Vendors } from './vendors.ts';

/** A person who is planted at the vendors, and every text by which one of their calls differs from another person's. */
export interface Planted {
  readonly email: string;
  readonly phone: string;
  readonly customer: string;
  readonly identifiers: readonly Identifier[];
  /** In the same order for everybody. */
  readonly names: readonly string[];
}

const companyPhone = '+12025550190';
let last = 0;

/** Everything that a vendor answered as an id, in its order. */
function idsIn(made: unknown): readonly string[] {
  if (typeof made === 'string') return /^[A-Za-z]+_?[0-9a-zA-Z]{14,}$/u.test(made) ? [made] : [];
  if (typeof made !== 'object' || made === null) return [];
  return Object.values(made).flatMap((each) => idsIn(each));
}

/** Plants so many new people: one customer with a payment method and a tax id at Stripe, two messages at Twilio. */
export async function plantPeople(vendors: Vendors, count: number): Promise<readonly Planted[]> {
  const people = Array.from({ length: count }, () => {
    last += 1;
    const number = String(last).padStart(7, '0');
    // The last digit keeps clear of the numbers on which the simulator misbehaves.
    return { email: `person${number}@example.com`, phone: `+1202${number.slice(1)}5`, customer: `cus_bench${number}` };
  });
  const customers = people.map(({ email, customer }) => ({ id: customer, email, name: 'Example Person', payment_methods: [{ last4: '4242' }], tax_ids: [{ type: 'eu_vat', value: 'DE123456789' }] }));
  const messages = people.flatMap(({ phone }) => [
    { to: phone, from: companyPhone, body: 'hello' },
    { to: companyPhone, from: phone, body: 'hi' },
  ]);
  const atStripe = ((await vendors.seed('stripe', { customers })) as { readonly customers: readonly unknown[] }).customers;
  const atTwilio = ((await vendors.seed('twilio', { messages })) as { readonly messages: readonly unknown[] }).messages;
  return people.map((person, index) => ({
    ...person,
    identifiers: [
      { kind: 'email', value: person.email },
      { kind: 'phone', value: person.phone },
      { kind: 'stripe_customer', value: person.customer },
    ],
    names: [...new Set([person.email, person.phone, person.customer, ...idsIn(atStripe[index]), ...idsIn(atTwilio.slice(2 * index, 2 * index + 2))])],
  }));
}
