import type { ManualTaskFacts, MessageText } from '../notification.ts';

/** Who writes. */
export interface Sender {
  readonly name: string;
  readonly contact: string;
}

/** The message that something waits for the data protection officer: ids and codes, nothing of the person. */
export function manualTaskMessage(facts: ManualTaskFacts, ids: { readonly request: string; readonly manualTask: string }): MessageText {
  return {
    subject: `Privacy request ${facts.reference} waits for a decision (${facts.reasonCode})`,
    text: [
      'A privacy request cannot go on without a person.',
      '',
      `Reference:   ${facts.reference}`,
      `Request:     ${ids.request}`,
      `Manual task: ${ids.manualTask}`,
      ...(facts.system === undefined ? [] : [`System:      ${facts.system}`]),
      `Reason:      ${facts.reasonCode}`,
      '',
    ].join('\n'),
  };
}

/**
 * The message that a request may miss its deadline if nobody looks, since the latest safe start of one of its tasks is near or has passed: ids and codes, nothing of the person.
 */
export function deadlineMessage(reference: string, request: string): MessageText {
  return {
    subject: `Privacy request ${reference} may miss its deadline`,
    text: [
      'The latest safe start of a task that has not begun is near, or has passed: with the time that its system may take, the statutory deadline may be missed.',
      '',
      `Reference:   ${reference}`,
      `Request:     ${request}`,
      '',
    ].join('\n'),
  };
}

const clockWords: Readonly<Record<string, string>> = {
  acknowledgement_soon: 'Its receipt is to be confirmed to the person soon, and nobody has written to them.',
  acknowledgement_passed: 'Its receipt was to be confirmed to the person by now, and nobody has written to them.',
  extension_notice_soon: 'If it needs more time than the law gives, the person must be told soon: extend it now, or answer it in time.',
  extension_notice_passed: 'The time for telling the person of an extension is over: it can no longer be extended.',
  target_soon: 'The internal target is near, and the request is still open.',
  target_passed: 'The internal target was missed.',
  deadline_soon: 'The statutory deadline is near, and the request is still open.',
  deadline_passed: 'The statutory deadline has passed, and the request is still open.',
  appeal_opened: 'The person appeals against how their request ended. Decide it in time.',
  appeal_soon: 'An appeal is to be decided soon.',
  appeal_passed: 'The time for deciding an appeal has passed.',
  appeal_granted: 'An appeal was granted. The request is open again and is carried out anew; the date is its deadline.',
  copy_after_erasure: 'A copy was asked for by a person whose erasure has begun under another request. It waits for the end of that one, and what was erased will not be in it.',
};

/** The message about a legal date of a request, which an occasion names (`deadline_passed:2026-12-21T22:59:59.000Z`): ids, codes and dates, nothing of the person. */
export function clockMessage(reference: string, request: string, occasion: string): MessageText {
  const [what = '', date] = occasion.split(/:(.*)/su);
  return {
    subject: `Privacy request ${reference}: ${what.replaceAll('_', ' ')}`,
    text: [clockWords[what] ?? 'A date of a request needs a person.', '', ...(date === undefined || date === '' ? [] : [`Date:        ${date}`]), `Reference:   ${reference}`, `Request:     ${request}`, ''].join('\n'),
  };
}

/** The message that a system takes back what a task was settled by: ids and codes, nothing of the person. */
export function contradictedMessage(reference: string, ids: { readonly request: string; readonly task: string }): MessageText {
  return {
    subject: `Privacy request ${reference}: a system takes back what it reported`,
    text: [
      'A system had reported an erasure as finished, and now says that its job failed or is still at work. What was certified is what was observed then.',
      'Look at the system, and open a new request for the person if data is left there.',
      '',
      `Reference: ${reference}`,
      `Request:   ${ids.request}`,
      `Task:      ${ids.task}`,
      '',
    ].join('\n'),
  };
}

/** The message that a recipient could not be told that a restriction has ended, which the occasion names (`lifted:2026-11-21T10:00:00.000Z`): codes and a date, nothing of the person. */
export function recipientAlertMessage(sender: Sender, occasion: string): MessageText {
  const [recipient = '', lifted] = occasion.split(/:(.*)/su);
  return {
    subject: `${sender.name}: a recipient could not be told that a restriction has ended`,
    text: ['Who ended it knows the person: have the recipient told by hand.', '', `Recipient: ${recipient}`, `Ended:     ${lifted ?? ''}`, ''].join('\n'),
  };
}

/** The message that the audit log needs a person: what failed, as codes. */
export function auditAlertMessage(sender: Sender, occasion: string): MessageText {
  const [kind = '', ...details] = occasion.split(':');
  const what: Readonly<Record<string, string>> = {
    failed: 'The audit log does not hold: its verification found a row or a signed head that is not what it must be.',
    overdue: 'The audit log was not verified for more than a week.',
    unwritable: 'The audit log does not continue what was signed, so nothing is written to it. Requests go on; certificates wait.',
  };
  return {
    subject: `${sender.name}: the audit log needs a person (${kind})`,
    text: [what[kind] ?? 'The audit log needs a person.', '', `Finding: ${details.join(' ')}`, 'Run `quittance audit verify` and keep the databases as they are until it is understood.', ''].join('\n'),
  };
}

/** The message that events could not be delivered, or that a receiver wants none any more: names of the configuration and codes. The occasion is `<destination>:<code>:<day>`. */
export function eventAlertMessage(sender: Sender, occasion: string): MessageText {
  const [destination = '', code = ''] = occasion.split(':');
  return {
    subject: `${sender.name}: events could not be delivered to ${destination} (${code})`,
    text: [
      'Privacy events could not be delivered, and are kept as dead letters. Whoever was to act on them has not been told.',
      '',
      `Destination: ${destination}`,
      `Reason:      ${code}`,
      '',
      'See what is dead with `quittance events deliveries --status dead`, mend it, and send it once more with `quittance events replay --only dead`.',
      '',
    ].join('\n'),
  };
}

const busWords: Readonly<Record<string, string>> = {
  refused: 'A message that came over an event bus can never be accepted as a request, and was taken off the bus or left in its dead letters. Nothing of what it says is kept here. Whoever sent it has to send it again in order.',
  unreadable: 'An event bus that requests come by cannot be read, or what comes by it cannot be accepted. Requests wait there, and their clocks may run.',
};

/** The message that requests which come by an event bus are held up, or were refused: names of the configuration and codes. The occasion is `<refused|unreadable>:<source>:<code>:<day>`. */
export function busAlertMessage(sender: Sender, occasion: string): MessageText {
  const [what = '', source = '', code = ''] = occasion.split(':');
  return {
    subject: `${sender.name}: requests by the source ${source} need a person (${code})`,
    text: [busWords[what] ?? 'A source of requests needs a person.', '', `Source: ${source}`, `Reason: ${code}`, '', 'The log has the place of each message on its bus.', ''].join('\n'),
  };
}
