import { z } from 'zod';
import type { ExamplePerson } from '../../sandbox/example-people.ts';
import type { Sandbox } from '../../sandbox/index.ts';

/** What the simulators really hold of a person, whatever anybody said. */
export interface Held {
  readonly stripe: number;
  readonly twilio: number;
  readonly segment: number;
}

const text = z.string().nullish();
const stripeDump = z.object({ customers: z.array(z.looseObject({ id: z.string(), deleted: z.boolean().optional(), email: text })) });
const twilioDump = z.object({
  messages: z.array(z.looseObject({ to: text, from: text })),
  calls: z.array(z.looseObject({ to: text, from: text })),
  profiles: z.array(z.looseObject({ identifiers: z.record(z.string(), z.array(z.string())).optional() })),
});
const segmentDump = z.object({ profiles: z.array(z.looseObject({ externalIds: z.array(z.looseObject({ type: z.string(), id: z.string() })) })) });

/** Counts what each simulator holds of a person: living customers; messages, calls and profiles; profiles. */
export function countHeld(sandbox: Sandbox, person: ExamplePerson): Held {
  const stripe = stripeDump.parse(sandbox.stripe.dump());
  const twilio = twilioDump.parse(sandbox.twilio.dump());
  const segment = segmentDump.parse(sandbox.segment.dump());
  const theirs = (record: { readonly to?: string | null | undefined; readonly from?: string | null | undefined }): boolean => record.to === person.phone || record.from === person.phone;
  return {
    stripe: stripe.customers.filter((each) => each.id === person.stripeCustomerId && each.deleted !== true).length,
    twilio:
      twilio.messages.filter(theirs).length +
      twilio.calls.filter(theirs).length +
      twilio.profiles.filter((each) => Object.values(each.identifiers ?? {}).flat().some((value) => value === person.phone || value === person.email)).length,
    segment: segment.profiles.filter((each) => each.externalIds.some(({ id }) => id === person.userId)).length,
  };
}

/** Deletions and orders to delete that a simulator carried out more than once on the same object: there must be none. */
export function repeatedEffects(sandbox: Sandbox): readonly string[] {
  const counts = new Map<string, number>();
  for (const vendor of [sandbox.stripe, sandbox.twilio, sandbox.segment]) {
    for (const { type, object } of vendor.effects) {
      if (!type.endsWith('.deleted') && type !== 'regulation.created') continue;
      const key = `${vendor.vendor} ${type} ${object}`;
      counts.set(key, (counts.get(key) ?? 0) + 1);
    }
  }
  return [...counts].flatMap(([key, count]) => (count > 1 ? [`${key} ×${count}`] : []));
}

/** How often effects of a type were really made at a vendor, on one object where it is named. */
export function countEffects(vendor: Sandbox['stripe'], type: string, object?: string): number {
  return vendor.effects.filter((each) => each.type === type && (object === undefined || each.object === object)).length;
}

/** How many calls a vendor answered with a status; 0 where it never answered. */
export function countCalls(vendor: Sandbox['stripe'], status: number, method?: string, path?: string): number {
  return vendor.calls.filter((each) => each.status === status && (method === undefined || each.method === method) && (path === undefined || each.path.includes(path))).length;
}
