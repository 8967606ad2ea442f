import { z } from 'zod';
import { requestStatusSchema } from '../../contract/outcomes.ts';

/** What an accepted request is answered, the first time and every time its message is repeated. */
export const acceptedAnswerSchema = z
  .object({
    id: z.string(),
    reference: z.string().describe('For people, to name the request by.'),
    status: requestStatusSchema.describe('As it was when the request was accepted.'),
    due_at: z.string().describe('When the law wants it done, ISO 8601.'),
    verification: z.object({
      method: z.enum(['source', 'email_code', 'sms_code', 'proof', 'operator']).describe('By whom, or how, it is proven who the person is.'),
      detail: z.string(),
    }),
    links: z.record(z.string(), z.string()),
  })
  .describe('The request is durably accepted.');

/** What an accepted request is answered. */
export type AcceptedAnswer = z.infer<typeof acceptedAnswerSchema>;
