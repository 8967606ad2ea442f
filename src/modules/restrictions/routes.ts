import { z } from 'zod';
import { identifierKindSchema, type Identifier, type IdentifierKind } from '../../contract/identifiers.ts';
import { restrictingRights, rightSchema } from '../../contract/outcomes.ts';
import { Failure } from '../../platform/failure.ts';
import type { HttpServer } from '../../platform/http/server.ts';
import type { Authenticate } from '../access/index.ts';
import type { Restrictions } from './restrictions.ts';

const subjectSchema = z.strictObject({ identifiers: z.array(z.strictObject({ kind: identifierKindSchema, value: z.string().min(1).max(1024) })).min(1).max(20) });
const purposeSchema = z.string().regex(/^[a-z][a-z0-9_]{0,63}$/u, 'must be a code such as direct_marketing');

/** Registers the routes by which services ask, before they process, whether a right of the person stops it; and by which an operator ends such a right. */
export function registerRestrictionRoutes(
  app: HttpServer,
  deps: { readonly restrictions: Restrictions; readonly authenticate: Authenticate; /** Fails with `IDENTIFIER_INVALID`. */ readonly readIdentifier: (kind: IdentifierKind, text: string, field: string) => Identifier },
): void {
  const security = [{ apiKey: [] }];
  const read = (subject: z.infer<typeof subjectSchema>): readonly Identifier[] => subject.identifiers.map(({ kind, value }, index) => deps.readIdentifier(kind, value, `/subject/identifiers/${index}/value`));
  app.post(
    '/v1/processing/validate',
    {
      schema: {
        summary: 'Ask whether a right of the person stops some processing',
        tags: ['restrictions'],
        security,
        body: z.strictObject({
          subject: subjectSchema,
          purpose: purposeSchema.describe('direct_marketing, sale, sharing, targeted_advertising, sensitive_data, automated_decision, storage, legal_claims, or a purpose of your own.'),
          legal_basis: z.enum(['consent', 'contract', 'legal_obligation', 'vital_interests', 'public_task', 'legitimate_interests']).optional().describe('GDPR Art. 6(1); an objection stops what has none given.'),
        }),
        response: { 200: z.object({ allowed: z.boolean(), stopped_by: z.array(z.object({ right: rightSchema, since: z.string() })) }) },
      },
    },
    async (request) => {
      deps.authenticate(request);
      const { subject, purpose, legal_basis: legalBasis } = request.body;
      const answer = await deps.restrictions.judge(read(subject), { purpose, legalBasis });
      return { allowed: answer.allowed, stopped_by: [...answer.stopped_by] };
    },
  );
  app.post(
    '/v1/restrictions/lift',
    {
      schema: {
        summary: 'End a restriction, objection or opt-out of a person, who has to be told before',
        tags: ['restrictions'],
        security,
        body: z.strictObject({ subject: subjectSchema, right: rightSchema }),
        response: { 200: z.object({ lifted: z.int() }) },
      },
    },
    async (request) => {
      const operator = deps.authenticate(request);
      const { subject, right } = request.body;
      if (!restrictingRights.includes(right)) throw new Failure('VALIDATION_FAILED', `/right must be one of ${restrictingRights.join(', ')}`, { field: '/right' });
      return { lifted: await deps.restrictions.lift(right, read(subject), operator.name) };
    },
  );
}
