import type { Sandbox } from '../../src/sandbox/index.ts';
import { findMarks, markForms } from './marks.ts';
import { apiKey, call } from './quittance.ts';
import { plantAda } from './running.ts';

/** A person whose every datum is a mark: a text that stands nowhere else. */
export const person = {
  email: 'Zyxmarkmail@Example.com',
  phone: '+1 (202) 555-0177',
  name: 'Zyxmarkname Qwvmarkfamily',
  userId: 'zyxmarkuserid',
  customer: 'cus_Zyxmarkcustomer',
  body: 'zyxmarkmessagebody',
} as const;

/** What must be found nowhere of them. */
export const marks = [
  markForms('e-mail', [person.email, 'zyxmarkmail'], 'email'),
  markForms('phone', [person.phone, '+12025550177', '2025550177', '(202) 555-0177'], 'phone'),
  markForms('name', ['Zyxmarkname', 'Qwvmarkfamily', person.name]),
  markForms('user id', [person.userId], 'user_id'),
  markForms('customer id', [person.customer, 'Zyxmarkcustomer'], 'stripe_customer'),
  markForms('message', [person.body]),
];

/** Plants them at all three vendors. */
export function plantMarked(sandbox: Sandbox): void {
  const phone = '+12025550177';
  plantAda(sandbox, {
    email: person.email,
    phone,
    userId: person.userId,
    customers: [{ id: person.customer, email: person.email, name: person.name, phone, description: person.body, payment_methods: [{ last4: '4242' }], charges: [{ description: person.name }] }],
  });
  sandbox.twilio.seed({
    messages: [{ to: phone, from: '+12025550190', body: person.body }],
    profiles: [{ key: 'marked', traits: { Contact: { name: person.name, email: person.email } }, identifiers: { email: [person.email], phone: [phone] }, observations: [person.body] }],
  });
}

/** What of them the officer's mail holds; mail to the person may name the person. */
export function marksInOfficersMail(sandbox: Sandbox): { readonly messages: number; readonly found: readonly string[] } {
  const messages = sandbox.mail.messages.filter((each) => each.to.includes('dpo@example.com'));
  return { messages: messages.length, found: messages.flatMap((each) => findMarks(marks, 'mail to the officer', each.raw)) };
}

/** Everything that the API says of a request, live events included, and of all requests, as one text. */
export async function apiAnswers(url: string, id: string): Promise<string> {
  const paths = ['', '/plan', '/tasks', '/timeline'].map((each) => `/v1/privacy-requests/${id}${each}`);
  const all = await Promise.all([...paths, '/v1/privacy-requests', '/v1/manual-tasks?open=false', '/v1/connections'].map(async (path) => call(url, path)));
  const bad = all.filter((each) => each.status !== 200);
  if (bad.length > 0) throw new Error(`${bad.length} of the API's answers about the request were not 200`);
  const response = await fetch(`${url}/v1/privacy-requests/${id}/events`, { headers: { authorization: `Bearer ${apiKey}` }, signal: AbortSignal.timeout(30_000) });
  let live = '';
  // A request that waits has no end of its events: the first of each kind tell all that there is.
  for await (const part of response.body ?? []) {
    live += Buffer.from(part).toString('utf8');
    if (/event: tasks\ndata: .*\n\n/u.test(live)) break;
  }
  if (!live.includes('event: tasks')) throw new Error('The live events told nothing');
  return JSON.stringify(all) + live;
}
