import type { DelayReason, RefusalReason } from '../../../contract/justifications.ts';
import type { Confirmation, Outcome, Right, Verdict } from '../../../contract/outcomes.ts';

/** One notice in one language: paragraphs between empty lines, with placeholders in braces. */
export interface NoticeTemplate {
  /** Empty for messages to telephones. */
  readonly subject: string;
  readonly text: string;
}

/** What each notice can be filled with; those after the first group may be left out of a template of one's own. */
export const noticePlaceholders = {
  receipt: { needed: ['reference'], more: ['controller', 'contact', 'right', 'received', 'due', 'law'] },
  code: { needed: ['reference', 'code', 'minutes'], more: ['controller', 'contact', 'right'] },
  export_code: { needed: ['reference', 'code', 'minutes'], more: ['controller', 'contact', 'right'] },
  code_sms: { needed: ['reference', 'code'], more: ['controller', 'contact', 'minutes', 'right'] },
  verified: { needed: ['reference'], more: ['controller', 'contact', 'right', 'received', 'due', 'law'] },
  extended: { needed: ['reference', 'due', 'reason'], more: ['controller', 'contact', 'right', 'received', 'law'] },
  refused: { needed: ['reference', 'reason', 'remedy'], more: ['controller', 'contact', 'right', 'received', 'law'] },
  ready: { needed: ['reference', 'link', 'expires'], more: ['controller', 'contact', 'right'] },
  ready_sms: { needed: ['reference', 'link', 'expires'], more: ['controller', 'contact', 'right'] },
  closed: { needed: ['reference', 'verdict', 'systems', 'proof'], more: ['controller', 'contact', 'right', 'closed'] },
  closed_sms: { needed: ['reference', 'verdict'], more: ['controller', 'contact', 'right'] },
  appeal_decided: { needed: ['reference', 'decision'], more: ['controller', 'contact', 'right', 'received', 'law'] },
  recipient: { needed: ['reference', 'happened', 'person'], more: ['controller', 'contact', 'recipient', 'law', 'right', 'yours', 'corrections'] },
  recipient_lifted: { needed: ['person'], more: ['controller', 'contact', 'recipient', 'lifted', 'yours'] },
  dpo_erasure: { needed: ['reference', 'request', 'verdict', 'systems'], more: ['controller', 'contact', 'closed'] },
} as const satisfies Record<string, { readonly needed: readonly string[]; readonly more: readonly string[] }>;

/** A notice to a person, or the officer's of an erasure, by its name. */
export type NoticeName = keyof typeof noticePlaceholders;

/** Placeholders that stand for more than words: each is a paragraph of its own. */
export const blockPlaceholders: readonly string[] = ['systems', 'proof', 'disclosure', 'link', 'person', 'corrections', 'yours'];

/** Why something stays, where the reason is known here; another is shown as its code. */
type KnownWhy = 'legal_obligation' | 'vendor_retention' | 'not_deletable_by_api' | 'too_young_to_redact' | 'belongs_to_others' | 'unsupported';

/** The words that templates are filled with. */
export type WordName =
  | `verdict_${Verdict}`
  | 'verdict_erased'
  | 'verdict_nothing_left'
  | 'erased_before'
  | `told_${'erasure' | 'rectification' | 'restriction'}`
  | 'told_person'
  | 'told_corrections'
  | 'told_yours'
  | `outcome_${Outcome}`
  | `confirmation_${Confirmation}`
  | `right_${Right}`
  | `reason_${RefusalReason | DelayReason}`
  | `why_${KnownWhy}`
  | 'decision_granted'
  | 'decision_denied'
  | 'remedy_appeal'
  | 'remedy_authority'
  | 'in_each_system'
  | 'stays'
  | 'stays_until'
  | 'stays_open'
  | 'proof_attached'
  | 'proof_missing'
  | 'disclosure_note';

/** Everything that is said in one language. */
export interface NoticeTexts {
  readonly templates: Readonly<Record<NoticeName, NoticeTemplate>>;
  readonly words: Readonly<Record<WordName, string>>;
}
