import { createHmac, randomUUID } from 'node:crypto';
import type { ExamplePerson } from '../../sandbox/example-people.ts';

/** One of the demo's three requests: whose, what goes wrong, and how it must end. */
export interface DemoCase {
  readonly title: string;
  readonly person: ExamplePerson;
  readonly endsWith: 'closed' | 'escalated';
}

const person = (name: string, email: string, phone: string, behaviour: string): ExamplePerson => ({
  name: `${name} Example`,
  email,
  phone,
  userId: `user_${name.toLowerCase()}`,
  stripeCustomerId: `cus_Example${name}`,
  behaviour,
});

/** The three requests. What goes wrong is decided by the simulators' sentinel addresses and numbers (docs/reference/simulators.md). */
export const demoCases: readonly [DemoCase, DemoCase, DemoCase] = [
  { title: 'clean', person: person('Ada', 'ada@example.com', '+12025550111', 'every vendor does as it says'), endsWith: 'closed' },
  {
    title: 'troubled',
    person: person('Grace', 'grace+ratelimit@example.com', '+12025550140', 'Stripe and Segment answer 429, Twilio never answers once, and Stripe’s answer to the deletion is lost'),
    endsWith: 'closed',
  },
  { title: 'lied to', person: person('Loki', 'loki+liar@example.com', '+12025550166', 'the vendors say “deleted”, and the data stays'), endsWith: 'escalated' },
];

/** A message as Standard Webhooks signs it: `v1,` and HMAC-SHA-256 over `id.timestamp.body`. */
export function signWebhook(secret: string, body: string, nowMs: number): Readonly<Record<string, string>> {
  const id = `msg_${randomUUID()}`;
  const timestamp = String(Math.floor(nowMs / 1000));
  const key = Buffer.from(secret.replace(/^whsec_/u, ''), 'base64');
  const signature = createHmac('sha256', key).update(`${id}.${timestamp}.${body}`, 'utf8').digest('base64');
  return { 'content-type': 'application/json', 'webhook-id': id, 'webhook-timestamp': timestamp, 'webhook-signature': `v1,${signature}` };
}
