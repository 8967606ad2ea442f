import type { ExportCategory, ExportDocument } from '../../../contract/export-package.ts';
import type { IdentifierKind } from '../../../contract/identifiers.ts';
import type { Survey, SurveyedCategory } from './survey.ts';

/** What a package says of the request that it answers. */
export interface PackageFacts {
  /** ISO 8601. */
  readonly generatedAt: string;
  readonly requestId: string;
  readonly reference: string;
  readonly right: 'access' | 'portability';
  readonly law: string;
  readonly jurisdiction: string | null;
  /** ISO 8601. */
  readonly receivedAt: string;
  readonly controller: { readonly name: string; readonly contact: string; readonly dpo?: string | undefined };
  /** Where to complain, in the controller's words; a general sentence where it is not configured. */
  readonly complaint: string | undefined;
  /** Whether decisions are made by machines alone, in the controller's words. */
  readonly automatedDecisions: string | undefined;
  readonly copiesBefore: number;
  readonly identifiers: readonly { readonly kind: IdentifierKind; readonly value: string; readonly foundBy: string; readonly confidence: number }[];
  /** The reference of the erasure that had begun when this copy was asked for, and has erased something; undefined where there was none. */
  readonly erasedUnder: string | undefined;
  /** Systems from which nothing could be had, and why, as codes. */
  readonly notSearched: readonly { readonly system: string; readonly reason: string }[];
}

/** The files of a category that has its own. */
export const filesOf = (category: SurveyedCategory): { readonly jsonl: string; readonly csv: string } => ({
  jsonl: `data/${category.name}.jsonl`,
  csv: `data/${category.name}.csv`,
});

/** Art. 15(1)(e) and (f) GDPR and what they refer to, in plain words. */
const gdprRights = [
  { right: 'rectification', text: 'You may have wrong data corrected and incomplete data completed.', source: 'Art. 16 GDPR' },
  { right: 'erasure', text: 'You may have data erased, unless there is a ground to keep it.', source: 'Art. 17 GDPR' },
  { right: 'restriction', text: 'You may have processing restricted while a question about the data is settled.', source: 'Art. 18 GDPR' },
  { right: 'portability', text: 'You may take what you provided, on consent or a contract, to somebody else.', source: 'Art. 20 GDPR' },
  { right: 'objection', text: 'You may object to processing on legitimate interests or in the public interest, and to direct marketing at any time.', source: 'Art. 21 GDPR' },
  { right: 'withdrawal', text: 'Where processing is based on your consent, you may withdraw it at any time.', source: 'Art. 7(3) GDPR' },
] as const;

/** Cal. Civ. Code 1798.105, 106, 120, 121 and 125. */
const ccpaRights = [
  { right: 'delete', text: 'You may have personal information deleted that was collected from you.', source: 'Cal. Civ. Code 1798.105' },
  { right: 'correct', text: 'You may have inaccurate personal information corrected.', source: 'Cal. Civ. Code 1798.106' },
  { right: 'opt_out', text: 'You may have the sale and sharing of your personal information stopped.', source: 'Cal. Civ. Code 1798.120' },
  { right: 'limit', text: 'You may limit the use of your sensitive personal information.', source: 'Cal. Civ. Code 1798.121' },
  { right: 'no_retaliation', text: 'You must not be treated worse for using these rights.', source: 'Cal. Civ. Code 1798.125' },
] as const;

const isCcpa = (facts: PackageFacts): boolean => facts.law === 'ccpa';

const byName = <Named extends { readonly name: string }>(a: Named, b: Named): number => (a.name < b.name ? -1 : 1);
const unique = (values: readonly string[]): string[] => [...new Set(values)].toSorted();

function categoryOf(category: SurveyedCategory): ExportCategory {
  const { jsonl, csv } = filesOf(category);
  return {
    name: category.name,
    records: category.records,
    repetitions: category.repetitions,
    ...(category.mayRepeat ? { may_repeat: true as const } : {}),
    sources: [...category.sources.values()].map((source) => ({ ...source })),
    files: category.inline === undefined ? [jsonl, csv] : [],
    attachments: category.attachments,
    ...(category.inline === undefined ? {} : { data: category.inline.map((record) => ({ ...record })) }),
  };
}

/** The right to know, from the same declarations: Cal. Civ. Code 1798.110(a)(1) to (5). */
function ccpaOf(categories: readonly ExportCategory[]): NonNullable<ExportDocument['ccpa']> {
  const by = categories.map(({ name, sources }) => ({
    category: name,
    sources: unique(sources.map((source) => (source.provided_by_subject === true ? `you, by ${source.title}` : source.title))),
    purposes: unique(sources.flatMap((source) => source.purpose ?? [])),
    third_parties: unique(sources.flatMap((source) => source.recipients ?? [])),
  }));
  return {
    categories_collected: by.map((each) => each.category),
    sources: unique(by.flatMap((each) => each.sources)),
    purposes: unique(by.flatMap((each) => each.purposes)),
    third_parties: unique(by.flatMap((each) => each.third_parties)),
    by_category: by,
    specific_pieces: 'The specific pieces of personal information are in the categories of this file and in the files that they name.',
  };
}

/** Gives `export.json` as it is written. */
export function exportDocument(facts: PackageFacts, survey: Survey): ExportDocument {
  const categories = [...survey.categories.values()].toSorted(byName).map(categoryOf);
  const { name, contact, dpo } = facts.controller;
  return {
    format: 'quittance-export',
    version: 1,
    metadata: {
      generated_at: facts.generatedAt,
      reference: facts.reference,
      request_id: facts.requestId,
      right: facts.right,
      law: facts.law,
      jurisdiction: facts.jurisdiction,
      received_at: facts.receivedAt,
      controller: { name, contact, ...(dpo === undefined ? {} : { data_protection_officer: dpo }) },
      copies_before: facts.copiesBefore,
      left_out: [...survey.leftOut.values()].map((left) => ({ ...left })),
      not_searched: facts.notSearched.map((each) => ({ ...each })),
      ...(facts.erasedUnder === undefined ? {} : { erased_under: facts.erasedUnder }),
    },
    data_subject: { identifiers: facts.identifiers.map(({ kind, value, foundBy, confidence }) => ({ kind, value, found_by: foundBy, confidence })) },
    categories,
    rights: [...(isCcpa(facts) ? ccpaRights : gdprRights)],
    complaint: facts.complaint ?? `You may complain to the supervisory authority of where you live or work, or of where the infringement was (Art. 77 GDPR), and write to ${contact} before that.`,
    automated_decisions: facts.automatedDecisions ?? `The controller has not declared whether decisions are made by machines alone; ask ${contact}.`,
    ...(isCcpa(facts) ? { ccpa: ccpaOf(categories) } : {}),
  };
}
