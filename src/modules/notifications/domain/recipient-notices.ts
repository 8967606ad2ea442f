import type { Correction } from '../../../connector-kit/index.ts';
import type { Identifier } from '../../../contract/identifiers.ts';
import type { MessageText, RequestFacts } from '../notification.ts';
import { dayWord, type Writing } from './person-notices.ts';
import type { MailedRecipient } from './recipients.ts';
import { blocksOf, renderNotice, type Block } from './render-notice.ts';

/** Rights of which recipients are told (Art. 19 GDPR). */
export type ToldRight = 'erasure' | 'rectification' | 'restriction';
const toldRights: readonly string[] = ['erasure', 'rectification', 'restriction'] satisfies readonly ToldRight[];

/** Whether recipients are told what a right came to. */
export const isTold = (right: string): right is ToldRight => toldRights.includes(right);

const words = (code: string): string => code.replaceAll('_', ' ');
const listOf = (intro: string, items: readonly string[]): readonly Block[] => (items.length === 0 ? [] : [{ kind: 'list', intro, items: items.map((text) => ({ text, under: [] })) }]);

/** What of a person a recipient may be told of them by, each once. */
export function namesFor(recipient: MailedRecipient, identifiers: readonly Identifier[]): readonly Identifier[] {
  const known = identifiers.filter((each) => recipient.identifiers.includes(each.kind));
  return [...new Map(known.map((each) => [`${each.kind}:${each.value}`, { kind: each.kind, value: each.value }])).values()];
}

function partsFor({ texts }: Writing, recipient: MailedRecipient, names: readonly Identifier[]): { readonly person: readonly Block[]; readonly yours: readonly Block[] } {
  const person = listOf(texts.words.told_person, names.map(({ kind, value }) => `${words(kind)}: ${value}`));
  return { person, yours: recipient.reference === undefined ? [] : blocksOf(texts.words.told_yours, { values: { reference: recipient.reference } }) };
}

/** The message to a recipient that data which was disclosed to it was erased, corrected or restricted; it carries of the person what the declaration of the recipient says, and nothing else. */
export function recipientMessage(
  writing: Writing,
  recipient: MailedRecipient,
  facts: { readonly right: ToldRight; readonly about: RequestFacts; readonly names: readonly Identifier[]; readonly corrections: readonly Correction[] },
): MessageText {
  const { sender, texts } = writing;
  const { reference, law } = facts.about;
  const told = facts.corrections.filter((each) => recipient.corrections.includes(each.field));
  const corrections = listOf(texts.words.told_corrections, told.map(({ field, to }) => `${words(field)}: ${to}`));
  const values = { controller: sender.name, contact: sender.contact, recipient: recipient.name, reference, law, right: texts.words[`right_${facts.right}`], happened: texts.words[`told_${facts.right}`] };
  return renderNotice(texts.templates.recipient, { values, blocks: { ...partsFor(writing, recipient, facts.names), corrections } }, texts.language);
}

/** The message to a recipient that a restriction which it was told of has ended. */
export function recipientLiftedMessage(writing: Writing, recipient: MailedRecipient, facts: { readonly names: readonly Identifier[]; readonly liftedAt: string }): MessageText {
  const { sender, texts } = writing;
  const values = { controller: sender.name, contact: sender.contact, recipient: recipient.name, lifted: dayWord(writing, facts.liftedAt, 'UTC') };
  return renderNotice(texts.templates.recipient_lifted, { values, blocks: partsFor(writing, recipient, facts.names) }, texts.language);
}
