import { nameRequest, type Evidence } from './evidence.ts';

/** The officer of the rounds' configurations. */
const officer = 'dpo@example.com';

/**
 * Who asked is told that it is over, once for each try at the most, and nobody is told of somebody else. A try whose acceptance was not
 * heard of is made again with the same message id; so no message is delivered more often than it was tried.
 */
export function mailViolations(evidence: Evidence): readonly string[] {
  const { world, notifications, requests } = evidence;
  const found: string[] = [];
  const deliveries = Map.groupBy(world.mails, (each) => each.messageId.replaceAll(/^<|@.*$/gu, ''));
  for (const each of notifications) {
    const delivered = deliveries.get(each.id)?.length ?? 0;
    if (each.sent_at !== null && delivered === 0) found.push(`notification ${each.id} (${each.template}) is marked as sent and was never delivered`);
    if (delivered > each.attempts) found.push(`notification ${each.id} (${each.template}) was delivered ${delivered} times in ${each.attempts} tries`);
  }
  const known = new Set(notifications.map((each) => each.id));
  for (const id of deliveries.keys()) if (!known.has(id)) found.push(`a message ${id} was delivered that no notification tells of`);
  for (const request of requests) {
    if (request.status !== 'closed') continue;
    const told = notifications.filter((each) => each.request_id === request.id && each.template === 'closed');
    if (told.length === 0) found.push(`${nameRequest(request.id)} is closed and nobody is told`);
  }
  return [...found, ...wrongReceivers(evidence)];
}

function wrongReceivers({ world, requests, requestsOf }: Evidence): readonly string[] {
  const found: string[] = [];
  const references = new Map(requests.map((each) => [each.reference, each]));
  for (const { to, text, messageId } of world.mails) {
    const strangers = world.people.filter((each) => each.email !== to && [...each.emails, each.phone, each.name].some((mark) => mark !== to && text.includes(mark)));
    if (strangers.length > 0) found.push(`the message ${messageId} names somebody who is not its receiver`);
    if (to === officer) continue;
    const request = references.get(/^Reference: (.*)$/mu.exec(text)?.[1] ?? '');
    const receiver = world.people.find((each) => each.email === to);
    if (request === undefined || receiver === undefined) found.push(`the message ${messageId} went to nobody who asked`);
    else if (!requestsOf(receiver).includes(request)) found.push(`the message ${messageId} about ${nameRequest(request.id)} went to somebody else`);
  }
  return found;
}
