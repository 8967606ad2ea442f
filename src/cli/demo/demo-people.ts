import { randomUUID } from 'node:crypto';
import { readWebhookSecret, webhookHeaders } from '../../platform/crypto/standard-webhooks.ts';
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

/** The headers of a message that is signed as Standard Webhooks has it. */
export function signWebhook(secret: string, body: string, nowMs: number): Readonly<Record<string, string>> {
  const headers = webhookHeaders(readWebhookSecret(secret, 'the demo’s secret'), `msg_${randomUUID()}`, Math.floor(nowMs / 1000), Buffer.from(body, 'utf8'));
  return { 'content-type': 'application/json', ...headers };
}
