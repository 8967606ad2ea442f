import type { Confirmation, Outcome, Residue, Right } from '../../../contract/outcomes.ts';
import type { ClosureFacts, ExportFacts, MessageText, RequestFacts } from '../notification.ts';
import type { LanguageTexts } from './notice-catalogue.ts';
import type { NoticeName, WordName } from './notice-texts.ts';
import { blocksOf, fill, renderNotice, type Block } from './render-notice.ts';
import type { Sender } from './templates.ts';

/** What every notice is written with: who writes, and in which language. */
export interface Writing {
  readonly sender: Sender;
  readonly texts: LanguageTexts;
}

/** What is told of a request itself: that it came, that it goes on, takes longer, is not carried out, and how an appeal ended. */
export type RequestNotice = Extract<NoticeName, 'receipt' | 'verified' | 'extended' | 'refused' | 'appeal_decided'>;

const confirmed: ReadonlySet<Outcome> = new Set(['erased', 'anonymised', 'already_absent', 'corrected', 'restricted']);

const words = (code: string): string => code.replaceAll('_', ' ');

/** A word where the language has it, else the code as it is: a system's own codes are in no dictionary. */
function wordFor({ texts }: Writing, prefix: 'why' | 'reason', code: string): string {
  const all: Readonly<Record<string, string>> = texts.words;
  return all[`${prefix}_${code}`] ?? words(code);
}

const rightWord = ({ texts }: Writing, right: Right): string => texts.words[`right_${right}`];
const confirmationWord = ({ texts }: Writing, confirmation: Confirmation): string => texts.words[`confirmation_${confirmation}`];

/** The verdict in words. Of a copy that came too late for what was erased under another request, this is said: never that there had been nothing. */
function verdictWord({ texts }: Writing, { verdict, right, erasedUnder: other }: Pick<ClosureFacts, 'verdict' | 'right' | 'erasedUnder'>): string {
  if (other !== undefined && verdict === 'nothing_held') return fill(texts.words.verdict_nothing_left, { other });
  const name: WordName = verdict === 'fulfilled' && right === 'erasure' ? 'verdict_erased' : `verdict_${verdict}`;
  return other === undefined ? texts.words[name] : `${texts.words[name]} ${fill(texts.words.erased_before, { other })}`;
}

/** The last day of a period, as people write it there, in the calendar of the law. */
export function dayWord({ texts }: Writing, iso: string, timeZone: string): string {
  return new Intl.DateTimeFormat(texts.language, { dateStyle: 'long', timeZone }).format(new Date(iso));
}

const common = ({ sender }: Writing): Record<string, string> => ({ controller: sender.name, contact: sender.contact });

const render = (writing: Writing, name: NoticeName, values: Readonly<Record<string, string>>, blocks: Readonly<Record<string, readonly Block[]>> = {}): MessageText =>
  renderNotice(writing.texts.templates[name], { values: { ...common(writing), ...values }, blocks }, writing.texts.language);

/** The message with a one-time code: for the request itself, or for fetching the copy of the data. */
export function codeMessage(writing: Writing, name: 'code' | 'export_code', facts: { readonly reference: string; readonly right: Right; readonly code: string; readonly minutes: number }): MessageText {
  return render(writing, name, { reference: facts.reference, right: rightWord(writing, facts.right), code: facts.code, minutes: String(facts.minutes) });
}

/** The same for a telephone: as short as a message may be, which is read on a locked screen too. */
export function codeText(writing: Writing, facts: { readonly reference: string; readonly right: Right; readonly code: string; readonly minutes: number }): string {
  const values = { ...common(writing), reference: facts.reference, right: rightWord(writing, facts.right), code: facts.code, minutes: String(facts.minutes) };
  return fill(writing.texts.templates.code_sms.text, values);
}

/** The message about the request itself. */
export function requestMessage(writing: Writing, name: RequestNotice, facts: RequestFacts): MessageText {
  const { contact } = writing.sender;
  const reason = facts.reasonCode === undefined ? '' : wordFor(writing, 'reason', facts.reasonCode);
  return render(writing, name, {
    reference: facts.reference,
    right: rightWord(writing, facts.right),
    law: facts.law,
    received: dayWord(writing, facts.receivedAt, facts.timeZone),
    due: dayWord(writing, facts.dueAt, facts.timeZone),
    reason,
    remedy: facts.mayAppeal ? fill(writing.texts.words.remedy_appeal, { contact }) : writing.texts.words.remedy_authority,
    decision: facts.decision === undefined ? '' : fill(writing.texts.words[`decision_${facts.decision}`], { reason }),
  });
}

/** The same for who has no proven e-mail address: what its first line says, and where to ask for the rest. */
export function requestText(writing: Writing, name: RequestNotice, facts: RequestFacts): string {
  return `${requestMessage(writing, name, facts).subject}. ${writing.sender.contact}`;
}

/** The message that a copy of the data can be fetched, and until when. */
export function readyMessage(writing: Writing, facts: ExportFacts & { readonly reference: string; readonly right: Right }): MessageText {
  const values = { reference: facts.reference, right: rightWord(writing, facts.right), link: facts.url, expires: dayWord(writing, facts.expiresAt, 'UTC') };
  return render(writing, 'ready', values, { link: [{ kind: 'link', url: facts.url }] });
}

/** The same for a telephone. */
export function readyText(writing: Writing, facts: ExportFacts & { readonly reference: string; readonly right: Right }): string {
  const values = { ...common(writing), reference: facts.reference, right: rightWord(writing, facts.right), link: facts.url, expires: dayWord(writing, facts.expiresAt, 'UTC') };
  return fill(writing.texts.templates.ready_sms.text, values);
}

/** The text that a request is closed, for who has no proven e-mail address: that it is, and where to ask for the rest. */
export function closedText(writing: Writing, facts: ClosureFacts): string {
  const values = { ...common(writing), reference: facts.reference, verdict: verdictWord(writing, facts), right: rightWord(writing, facts.right) };
  return fill(writing.texts.templates.closed_sms.text, values);
}

/**
 * The message that a request is closed: what was seen in each system and nothing better, the certificate, and the disclosure by which the
 * person alone can show that the certificate is about them.
 */
export function closedMessage(writing: Writing, facts: ClosureFacts, disclosure: { readonly nonce: Buffer; readonly email: string }): MessageText {
  const { words: all } = writing.texts;
  const key: Block = { kind: 'code', lines: [`key:  ${disclosure.nonce.toString('hex')}`, `text: email:${disclosure.email}`, all.disclosure_note] };
  const proof = blocksOf(facts.certificate === undefined ? all.proof_missing : all.proof_attached, { values: common(writing), blocks: { disclosure: [key] } });
  const message = render(writing, 'closed', closureValues(writing, facts), { systems: systemBlocks(writing, facts.tasks), proof });
  if (facts.certificate === undefined) return message;
  return { ...message, attachments: [{ filename: `certificate-${facts.reference}.json`, content: facts.certificate, contentType: 'application/json' }] };
}

/** The officer's message of an erasure that is closed: what was done in each system, and nothing of the person. */
export function erasureMessage(writing: Writing, facts: ClosureFacts, request: string): MessageText {
  return render(writing, 'dpo_erasure', { ...closureValues(writing, facts), request }, { systems: systemBlocks(writing, facts.tasks) });
}

const closureValues = (writing: Writing, facts: ClosureFacts): Record<string, string> => ({
  reference: facts.reference,
  verdict: verdictWord(writing, facts),
  right: rightWord(writing, facts.right),
  closed: facts.closedAt,
});

/** Several identifiers of a person often end alike in one system: one line says it. */
function systemBlocks(writing: Writing, tasks: ClosureFacts['tasks']): readonly Block[] {
  const lines = new Map<string, Set<string>>();
  for (const { system, outcome, confirmation, residue } of tasks) {
    const how = confirmed.has(outcome) && confirmation !== undefined ? `, ${confirmationWord(writing, confirmation)}` : '';
    const line = `${system}: ${writing.texts.words[`outcome_${outcome}`]}${how}`;
    const under = lines.get(line) ?? new Set<string>();
    for (const each of residue) under.add(residueLine(writing, each));
    lines.set(line, under);
  }
  if (lines.size === 0) return [];
  return [{ kind: 'list', intro: writing.texts.words.in_each_system, items: [...lines].map(([text, under]) => ({ text, under: [...under] })) }];
}

function residueLine(writing: Writing, residue: Residue): string {
  const { words: all } = writing.texts;
  const why = wordFor(writing, 'why', residue.why);
  return fill(all.stays, {
    what: `${residue.count === undefined ? '' : `${residue.count} `}${words(residue.what)}`,
    why: residue.legal_basis === undefined ? why : `${why}, ${residue.legal_basis}`,
    until: residue.until === undefined ? all.stays_open : fill(all.stays_until, { date: residue.until.slice(0, 10) }),
  });
}
