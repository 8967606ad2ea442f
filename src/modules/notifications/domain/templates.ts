import type { Confirmation, Outcome, Residue, Verdict } from '../../../contract/outcomes.ts';
import type { ClosureFacts, ManualTaskFacts, MessageText } from '../notification.ts';

/** Who writes. */
export interface Sender {
  readonly name: string;
  readonly contact: string;
}

const verdictWords: Record<Verdict, string> = {
  fulfilled: 'Your data was erased.',
  fulfilled_with_retention: 'Your request was carried out, except for what the law or a system has to keep for a time. What that is stands below.',
  partially_fulfilled: 'Your request was carried out in part. What was not done stands below.',
  nothing_held: 'No data about you was found, or what had been there was gone already.',
  refused: 'Your request was refused.',
};

const confirmationWords: Record<Confirmation, string> = {
  verified_absent: 'and seen to be gone',
  attested_by_vendor: 'by the word of the system, which cannot be read back',
  unconfirmed: 'not confirmed',
};

const outcomeWords: Record<Outcome, string> = {
  erased: 'erased',
  anonymised: 'anonymised',
  exported: 'exported',
  corrected: 'corrected',
  restricted: 'restricted',
  already_absent: 'was already gone',
  nothing_matched: 'held nothing under what is known of you',
  retained: 'kept',
  refreshed: 'made anew its statistics without you',
  located: 'was searched',
  unsupported: 'could not be erased, since the system offers no way to',
  skipped_by_operator: 'left as it is, by decision of a person',
  done_manually: 'done by hand',
  failed: 'not erased: it failed',
};

const confirmed: ReadonlySet<Outcome> = new Set(['erased', 'anonymised', 'already_absent', 'corrected', 'restricted']);

const words = (code: string): string => code.replaceAll('_', ' ');

function residueLine(residue: Residue): string {
  const until = residue.until === undefined ? 'no end date is known' : `until ${residue.until.slice(0, 10)}`;
  const basis = residue.legal_basis === undefined ? words(residue.why) : `${words(residue.why)}, ${residue.legal_basis}`;
  return `      stays: ${residue.count === undefined ? '' : `${residue.count} `}${words(residue.what)} (${basis}; ${until})`;
}

function systemLines(tasks: ClosureFacts['tasks']): string[] {
  const lines = tasks.flatMap(({ system, outcome, confirmation, residue }) => {
    const how = confirmed.has(outcome) && confirmation !== undefined ? `, ${confirmationWords[confirmation]}` : '';
    return [`  ${system}: ${outcomeWords[outcome]}${how}`, ...residue.map((each) => `${residueLine(each)} [${system}]`)];
  });
  // Several identifiers of a person often end alike in one system; one line says it.
  return [...new Set(lines)];
}

/** The message with a one-time code. */
export function verificationCodeMessage(sender: Sender, reference: string, code: string, minutes: number): MessageText {
  return {
    subject: `Your code for ${sender.name}: privacy request ${reference}`,
    text: [
      `${sender.name} received a request to erase the data of the person who reads this address.`,
      '',
      `If you asked for it, give this code where you asked: ${code}`,
      `It is valid for ${minutes} minutes.`,
      '',
      'If you did not ask for it, do nothing. Nothing is erased without the code.',
      '',
      `Reference: ${reference}`,
      `Questions: ${sender.contact}`,
      '',
    ].join('\n'),
  };
}

/** The same for a telephone: as short as a message may be, which is read on a locked screen too. */
export function verificationCodeText(sender: Sender, reference: string, code: string, minutes: number): string {
  return `${sender.name}: ${code} is the code for privacy request ${reference}, valid for ${minutes} minutes. If you did not ask for it, do nothing.`;
}

/** The text that a request is closed, for who has no proven e-mail address: that it is, and where to ask for the rest. */
export function closedText(sender: Sender, facts: ClosureFacts): string {
  return `${sender.name}: privacy request ${facts.reference} is closed. ${verdictWords[facts.verdict]} Ask ${sender.contact} for the certificate.`;
}

/**
 * The message that a request is closed: what was seen in each system and nothing better, the certificate, and the disclosure by which the
 * person alone can show that the certificate is about them.
 */
export function closedMessage(sender: Sender, facts: ClosureFacts, disclosure: { readonly nonce: Buffer; readonly email: string }): MessageText {
  const attached = facts.certificate !== undefined;
  return {
    subject: `${sender.name}: privacy request ${facts.reference} is closed`,
    text: [
      verdictWords[facts.verdict],
      '',
      ...(facts.tasks.length === 0 ? [] : ['In each system:', ...systemLines(facts.tasks), '']),
      ...(attached
        ? [
            'The certificate is attached. It shows that this record existed, unaltered, when the request was closed; it can be verified without us.',
            'It names you only by keyed hashes. With this key, which nobody else has and which we destroy, you can show that it is about you:',
            '',
            `  key:  ${disclosure.nonce.toString('hex')}`,
            `  text: email:${disclosure.email}`,
            '  HMAC-SHA-256 of the text under the key is a commitment in the certificate.',
            '',
            'Keep this message: the key cannot be had again.',
          ]
        : [`No certificate is attached. Write to ${sender.contact} with the reference to ask for it.`]),
      '',
      `Reference: ${facts.reference}`,
      `Closed: ${facts.closedAt}`,
      `Questions: ${sender.contact}`,
      '',
    ].join('\n'),
    ...(facts.certificate === undefined
      ? {}
      : { attachments: [{ filename: `certificate-${facts.reference}.json`, content: facts.certificate, contentType: 'application/json' }] }),
  };
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
 * The message that a request may miss its deadline if nobody looks, since the deadline is near (`due_soon`) or the latest safe start of one of its
 * tasks (`latest_safe_start`): ids and codes, nothing of the person.
 */
export function deadlineMessage(reference: string, request: string, occasion: string): MessageText {
  return {
    subject: `Privacy request ${reference} may miss its deadline`,
    text: [
      occasion === 'due_soon'
        ? 'The statutory deadline is near, and the request is still open.'
        : 'The latest safe start of a task that has not begun is near, or has passed: with the time that its system may take, the statutory deadline may be missed.',
      '',
      `Reference:   ${reference}`,
      `Request:     ${request}`,
      '',
    ].join('\n'),
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
