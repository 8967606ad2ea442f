import type { Effect } from '../../../src/sandbox/simulator.ts';
import type { Person, Simulators } from '../people.ts';

interface StripeItem {
  readonly id: string;
  readonly customer?: string | null;
  readonly email?: string | null;
  readonly name?: string | null;
}
interface Parties {
  readonly sid: string;
  readonly to: string;
  readonly from: string;
  readonly body?: string;
}

/** What the simulators hold now, and every change that they ever made. */
export interface VendorTruth {
  readonly stripe: Readonly<Record<'customers' | 'payment_methods' | 'tax_ids' | 'charges' | 'subscriptions', readonly StripeItem[]>>;
  readonly twilio: {
    readonly messages: readonly Parties[];
    readonly calls: readonly Parties[];
    readonly recordings: readonly { readonly sid: string; readonly call_sid: string | null; readonly status: string }[];
    readonly transcriptions: readonly { readonly recording_sid: string; readonly transcription_text: string }[];
    readonly profiles: readonly { readonly id: string; readonly identifiers?: Readonly<Record<string, readonly string[]>> }[];
    readonly observations: readonly { readonly profile: string; readonly content: string }[];
  };
  readonly segment: {
    readonly profiles: readonly { readonly id: string; readonly traits: Readonly<Record<string, unknown>>; readonly externalIds: readonly { readonly type: string; readonly id: string }[] }[];
    readonly regulations: readonly { readonly id: string; readonly subjects: readonly string[] }[];
    readonly suppressed: readonly string[];
  };
  readonly effects: Readonly<Record<keyof Simulators, readonly Effect[]>>;
}

/** Reads what the simulators hold. */
export function readVendors(simulators: Simulators): VendorTruth {
  return {
    stripe: simulators.stripe.dump() as VendorTruth['stripe'],
    twilio: simulators.twilio.dump() as VendorTruth['twilio'],
    segment: simulators.segment.dump() as VendorTruth['segment'],
    effects: { stripe: simulators.stripe.effects, twilio: simulators.twilio.effects, segment: simulators.segment.effects },
  };
}

/** One thing that a vendor holds of a person: under which identifiers, and what it is. */
export interface HeldThing {
  readonly system: keyof Simulators;
  readonly what: 'customer' | 'message' | 'call' | 'recording' | 'memory_profile' | 'profile';
  readonly under: readonly { readonly kind: string; readonly value: string }[];
}

/** Everything that the vendors still hold of a person. Charges and the like, which law keeps, are not among it. */
export function heldOf(person: Person, { stripe, twilio, segment }: VendorTruth): readonly HeldThing[] {
  const held: HeldThing[] = [];
  for (const each of stripe.customers) {
    if (!person.customers.includes(each.id)) continue;
    const under = [{ kind: 'stripe_customer', value: each.id }, ...(typeof each.email === 'string' ? [{ kind: 'email', value: each.email }] : [])];
    held.push({ system: 'stripe', what: 'customer', under });
  }
  const phone = [{ kind: 'phone', value: person.phone }];
  const isTheirs = (each: Parties): boolean => each.to === person.phone || each.from === person.phone;
  const calls = twilio.calls.filter(isTheirs);
  for (const _ of twilio.messages.filter(isTheirs)) held.push({ system: 'twilio', what: 'message', under: phone });
  for (const call of calls) {
    held.push({ system: 'twilio', what: 'call', under: phone });
    for (const each of twilio.recordings) if (each.call_sid === call.sid && each.status !== 'deleted') held.push({ system: 'twilio', what: 'recording', under: phone });
  }
  for (const { identifiers = {} } of twilio.profiles) {
    const values = Object.values(identifiers).flat();
    if (values.includes(person.phone) || person.emails.some((email) => values.includes(email))) held.push({ system: 'twilio', what: 'memory_profile', under: [{ kind: 'twilio_profile', value: '' }, ...values.map((value) => ({ kind: 'identifier', value }))] });
  }
  const own = new Set([...person.userIds, ...person.emails, person.phone, ...person.anonymousIds]);
  for (const { externalIds } of segment.profiles) {
    if (externalIds.some(({ id }) => own.has(id))) held.push({ system: 'segment', what: 'profile', under: externalIds.map(({ type, id }) => ({ kind: type, value: id })) });
  }
  return held;
}

/** Every name under which a person can be found from what their request says, in the connected systems. */
export function findableOf(person: Person, systems: readonly string[]): ReadonlySet<string> {
  const { request, holds } = person;
  const names = new Set(Object.entries(request).map(([field, value]) => (field === 'phone' ? person.phone : field === 'email' ? value.toLowerCase() : value)));
  for (let before = -1; before !== names.size; ) {
    before = names.size;
    const profiles = systems.includes('segment') ? holds.profiles : [];
    for (const { external_ids: ids } of profiles) if (ids.some(({ id }) => names.has(id))) for (const { id } of ids) names.add(id);
    const customers = systems.includes('stripe') ? holds.customers : [];
    for (const { id = '', email } of customers) if (names.has(id) || names.has(email ?? '')) names.add(id);
  }
  return names;
}
