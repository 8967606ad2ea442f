import type { Sandbox } from '../../sandbox/index.ts';
import { renderTable } from '../terminal/table.ts';
import type { Expectations } from './expectations.ts';
import type { PlayedRequest } from './play-requests.ts';
import { countCalls, countEffects, countHeld, repeatedEffects } from './vendor-truth.ts';

/**
 * Compares what Quittance says with what the simulators really hold, checks that each deletion was made once, and that the troubles of the second
 * request really happened. Answers the lines to print.
 */
export function lookAtVendors(sandbox: Sandbox, played: readonly PlayedRequest[], expect: Expectations['expect']): readonly string[] {
  const rows = played.map(({ demo, request }) => {
    const held = countHeld(sandbox, demo.person);
    const left = held.stripe + held.twilio + held.segment;
    if (demo.endsWith === 'closed') expect(`${demo.title}: the vendors hold nothing of the person any more`, left === 0, `${left} objects`);
    else expect(`${demo.title}: the vendors really still hold the person`, held.stripe > 0 && held.twilio > 0 && held.segment > 0, `${left} objects`);
    return [request.reference, demo.title, request.verdict ?? request.status, String(held.stripe), String(held.twilio), String(held.segment)];
  });
  const repeated = repeatedEffects(sandbox);
  expect('no deletion was made twice, whatever was retried', repeated.length === 0, repeated.join('; ') || 'one effect for each');
  const customers = played.filter(({ demo }) => demo.endsWith === 'closed').map(({ demo }) => countEffects(sandbox.stripe, 'customer.deleted', demo.person.stripeCustomerId));
  expect('each erased customer was deleted exactly once', customers.every((count) => count === 1), customers.join(' and '));
  const regulations = countEffects(sandbox.segment, 'regulation.created');
  expect('each person got exactly one regulation at Segment', regulations === played.length, `${regulations} for ${played.length} people`);
  return [
    ...renderTable(['request', 'case', 'Quittance says', 'Stripe customers', 'Twilio objects', 'Segment profiles'], rows),
    '',
    ...lookAtTroubles(sandbox, played, expect),
  ];
}

function lookAtTroubles(sandbox: Sandbox, played: readonly PlayedRequest[], expect: Expectations['expect']): readonly string[] {
  const troubled = played.find(({ demo }) => demo.title === 'troubled');
  const customer = troubled?.demo.person.stripeCustomerId ?? '';
  const limited = { stripe: countCalls(sandbox.stripe, 429), segment: countCalls(sandbox.segment, 429) };
  const unanswered = countCalls(sandbox.twilio, 0, 'DELETE');
  const lost = countCalls(sandbox.stripe, 0, 'DELETE', `/customers/${customer}`);
  const deletions = sandbox.stripe.calls.filter((each) => each.method === 'DELETE' && each.path.endsWith(`/customers/${customer}`)).length;
  expect('troubled: the rate limits really happened, and were waited out', limited.stripe > 0 && limited.segment > 0, `429 from Stripe ${limited.stripe}, from Segment ${limited.segment}`);
  expect('troubled: the time-out really happened, and was tried again', unanswered === 1, `${unanswered} call to Twilio was never answered`);
  expect('troubled: the lost answer really happened, and the deletion was made once', lost === 1, `Stripe got ${deletions} DELETE, ${lost} without an answer`);
  return [
    `Seen at the vendors: ${limited.stripe} calls to Stripe and ${limited.segment} to Segment answered 429; ${unanswered} call to Twilio never answered;`,
    `${lost} answer of Stripe lost after the customer was deleted, and the customer deleted once.`,
  ];
}
