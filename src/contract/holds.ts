import { z } from 'zod';

/** On what ground data is processed: the six of Art. 6(1) GDPR, in its order. */
export const legalBasisSchema = z.enum(['consent', 'contract', 'legal_obligation', 'vital_interests', 'public_task', 'legitimate_interests']);
/** On what ground data is processed. */
export type LegalBasis = z.infer<typeof legalBasisSchema>;

/** Names of categories go into file names of a package, so they are as narrow as file names should be. */
const categoryName = z.string().regex(/^[a-z][a-z0-9_]{0,39}$/u, 'must be lower-case letters, digits and underscores, starting with a letter, at most 40');

/** `$.messages[*].author.email`: members by name, `[*]` for each element or member, `[0]` for one element. */
export const redactionPath = z
  .string()
  .max(200)
  .regex(/^\$(?:\.[A-Za-z0-9_-]+|\[\*\]|\[\d{1,6}\])+$/u, 'must be a path such as $.messages[*].author.email');

const words = z.string().min(1).max(500);

/** What one type of record is, as the controller answers for it: what Art. 15(1) GDPR asks to be told of it. */
export const holdSchema = z.strictObject({
  category: categoryName.describe('The category of data, which may have records of several types and systems.'),
  purpose: words.describe('Why it is processed (Art. 15(1)(a)).'),
  legal_basis: legalBasisSchema,
  retention: words.describe('How long it is kept, or by what that is decided (Art. 15(1)(d)).'),
  recipients: z.array(words).max(100).default([]).describe('Who it was or will be disclosed to (Art. 15(1)(c)).'),
  transfers: z.array(words).max(100).default([]).describe('Third countries it goes to, with the safeguard (Art. 15(2)).'),
  provided_by_subject: z.boolean().default(false).describe('Whether the person provided it: with consent or contract as its basis it is portable (Art. 20).'),
  redact: z.array(redactionPath).max(100).default([]).describe('What of a record is about other people, as paths; it is replaced by [redacted].'),
  not_disclosed: z.strictObject({ reason: words }).optional().describe('Set where records of this type are not handed out, with the reason that the person is told.'),
});
/** What one type of record is. */
export type Hold = z.infer<typeof holdSchema>;

/** What a system holds, by the type of its records. */
export const holdsSchema = z.record(z.string().min(1).max(100), holdSchema);
/** What a system holds, by the type of its records. */
export type Holds = z.infer<typeof holdsSchema>;

/** The category of records whose type is not declared. */
export const undeclaredCategory = 'other';
