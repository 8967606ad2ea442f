import { bystanders, type Person } from '../people.ts';
import type { Evidence } from './evidence.ts';
import type { VendorTruth } from './vendors.ts';

/** Nothing of people who never asked has changed. */
export function bystanderViolations({ vendors }: Evidence): readonly string[] {
  return bystanders.flatMap((person) => changesOf(person, vendors).map((what) => `${person.name} never asked, and ${what}`));
}

const same = (left: readonly string[], right: readonly string[]): boolean => left.toSorted().join('\n') === right.toSorted().join('\n');

function changesOf(person: Person, { stripe, twilio, segment }: VendorTruth): readonly string[] {
  const { holds } = person;
  const changes: string[] = [];
  const check = (isSame: boolean, what: string): void => {
    if (!isSame) changes.push(`${what} changed`);
  };
  for (const seed of holds.customers) {
    const customer = stripe.customers.find((each) => each.id === seed.id);
    check(customer?.email === seed.email && customer?.name === seed.name, 'their customer');
    for (const kind of ['payment_methods', 'tax_ids', 'charges'] as const) {
      check(stripe[kind].filter((each) => each.customer === seed.id).length === (seed[kind]?.length ?? 0), `their ${kind}`);
    }
  }
  const isTheirs = (each: { readonly to: string; readonly from: string }): boolean => each.to === person.phone || each.from === person.phone;
  check(same(twilio.messages.filter(isTheirs).map((each) => each.body ?? ''), holds.messages.map((each) => each.body ?? '')), 'their messages');
  const calls = twilio.calls.filter(isTheirs);
  check(calls.length === holds.calls.length, 'their calls');
  const recordings = twilio.recordings.filter((each) => each.status !== 'deleted' && calls.some((call) => call.sid === each.call_sid));
  check(recordings.length === holds.calls.flatMap((each) => each.recordings ?? []).length, 'their recordings');
  const texts = twilio.transcriptions.filter((each) => recordings.some(({ sid }) => sid === each.recording_sid)).map((each) => each.transcription_text);
  check(same(texts, holds.calls.flatMap((call) => call.recordings ?? []).flatMap((each) => each.transcriptions ?? [])), 'their transcriptions');
  const memory = twilio.profiles.find(({ identifiers = {} }) => Object.values(identifiers).flat().includes(person.phone));
  check(memory !== undefined && twilio.observations.filter((each) => each.profile === memory.id).length === (holds.memory[0]?.observations?.length ?? 0), 'their memory profile');
  const ids = holds.profiles.flatMap((each) => each.external_ids.map(({ id }) => id));
  const profiles = segment.profiles.filter(({ externalIds }) => externalIds.some(({ id }) => ids.includes(id)));
  check(same(profiles.flatMap((each) => each.externalIds.map(({ id }) => id)), ids), 'their profile');
  check(!ids.some((id) => segment.suppressed.includes(id)), 'whether they are suppressed');
  return changes;
}
