import { z } from 'zod';
import { identifierKindSchema } from './identifiers.ts';
import { legalBasisSchema } from './holds.ts';

const count = z.int().nonnegative();
const sha256 = z.string().regex(/^[0-9a-f]{64}$/u);
const filePath = z.string().regex(/^[A-Za-z0-9._-]+(?:\/[A-Za-z0-9._-]+)*$/u);

const sourceSchema = z.strictObject({
  system: z.string().describe('The system that the records come from.'),
  title: z.string(),
  type: z.string().describe('The system’s own name for such a record.'),
  records: count,
  redactions: count.describe('Values about other people that were replaced by [redacted].'),
  declared: z.boolean().describe('False where the controller has not declared what such records are; the five below are absent then.'),
  purpose: z.string().optional(),
  legal_basis: legalBasisSchema.optional(),
  retention: z.string().optional(),
  recipients: z.array(z.string()).optional(),
  transfers: z.array(z.string()).optional(),
  provided_by_subject: z.boolean().optional(),
});

const recordSchema = z.strictObject({ system: z.string(), type: z.string(), data: z.unknown() });

const categorySchema = z.strictObject({
  name: z.string(),
  records: count,
  repetitions: count.describe('Records that are not here a second time: a system gave them for one of the person’s identifiers, and again for another.'),
  may_repeat: z.literal(true).optional().describe('Set where there were too many records to find every repetition.'),
  sources: z.array(sourceSchema),
  files: z.array(filePath).describe('Where the records are, as JSON Lines and as CSV. Empty where they are in `data`.'),
  attachments: count.describe('Files in attachments/ that belong to records of this category.'),
  data: z.array(recordSchema).optional().describe('The records themselves, of a small category.'),
});

/** Why records are not in a package. */
export const leftOutReasonSchema = z.enum(['not_disclosed', 'not_provided_by_subject', 'basis_not_consent_or_contract', 'not_declared', 'too_large', 'archived', 'elsewhere']);

/** The file `export.json` of a package: what was found, and what the law asks to be told of it. */
export const exportDocumentSchema = z.strictObject({
  format: z.literal('quittance-export'),
  version: z.literal(1),
  metadata: z.strictObject({
    generated_at: z.iso.datetime(),
    reference: z.string().describe('The request’s reference, for people.'),
    request_id: z.string(),
    right: z.string(),
    law: z.string(),
    jurisdiction: z.string().nullable(),
    received_at: z.iso.datetime(),
    controller: z.strictObject({ name: z.string(), contact: z.string(), data_protection_officer: z.string().optional() }),
    copies_before: count.describe('Copies that the person was given in the twelve months before. The first is free of charge.'),
    left_out: z.array(z.strictObject({ category: z.string(), system: z.string(), type: z.string(), records: count, reason: leftOutReasonSchema, detail: z.string() })),
    not_searched: z.array(z.strictObject({ system: z.string(), reason: z.string() })).describe('Systems from which nothing could be had, and why, as codes.'),
    erased_under: z.string().optional().describe('The reference of the person’s other request, under which data was erased before this copy could be made: it is not in here.'),
  }),
  data_subject: z.strictObject({
    identifiers: z.array(z.strictObject({ kind: identifierKindSchema, value: z.string(), found_by: z.string(), confidence: z.number().min(0).max(1) })),
  }),
  categories: z.array(categorySchema),
  rights: z.array(z.strictObject({ right: z.string(), text: z.string(), source: z.string() })),
  complaint: z.string().describe('Where to complain.'),
  automated_decisions: z.string().describe('Whether decisions are made by machines alone, and by what logic (Art. 15(1)(h)).'),
  ccpa: z
    .strictObject({
      categories_collected: z.array(z.string()),
      sources: z.array(z.string()),
      purposes: z.array(z.string()),
      third_parties: z.array(z.string()),
      by_category: z.array(z.strictObject({ category: z.string(), sources: z.array(z.string()), purposes: z.array(z.string()), third_parties: z.array(z.string()) })),
      specific_pieces: z.string(),
    })
    .optional()
    .describe('Under the CCPA, the right to know: Cal. Civ. Code 1798.110(a).'),
});
/** The file `export.json` of a package. */
export type ExportDocument = z.infer<typeof exportDocumentSchema>;
/** One category in it. */
export type ExportCategory = z.infer<typeof categorySchema>;
/** Records of one type from one system, in a category. */
export type ExportSource = z.infer<typeof sourceSchema>;
/** Why records are not in a package. */
export type LeftOutReason = z.infer<typeof leftOutReasonSchema>;

/** The file `manifest.json` of a package: each other file with its length in bytes and its SHA-256. */
export const exportManifestSchema = z.strictObject({
  format: z.literal('quittance-export-manifest'),
  version: z.literal(1),
  files: z.array(z.strictObject({ path: filePath, bytes: count, sha256 })),
});
