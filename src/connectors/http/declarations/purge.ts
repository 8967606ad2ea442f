import { z } from 'zod';
import type { DeclarationInput } from '../declaration.ts';
import type { ReadyDeclaration } from './ready-declaration.ts';

/** Handed on as it is: the declaration's own schema reads it. */
const handedOn = <Key extends keyof DeclarationInput>(_key: Key): z.ZodOptional<z.ZodType<DeclarationInput[Key]>> => z.custom<DeclarationInput[Key]>().optional();
const needed = <Key extends keyof DeclarationInput>(_key: Key): z.ZodType<DeclarationInput[Key]> => z.custom<DeclarationInput[Key]>((value) => value !== undefined, 'is needed');

const parametersSchema = z.strictObject({
  title: handedOn('title'),
  base_url: needed('base_url'),
  auth: handedOn('auth'),
  tls: handedOn('tls'),
  allow_private_network: handedOn('allow_private_network'),
  identifiers: needed('identifiers'),
  latency: handedOn('latency'),
  limits: handedOn('limits'),
  residue: handedOn('residue'),
  /** What is to be erased there; everything when absent. */
  scope: z.array(z.string().min(1)).min(1).optional(),
  /** Where the request comes from: `genesys_cloud`. */
  origin_platform: z.string().min(1).optional(),
  /** The connection whose job is handed on as `gen_job_id`. */
  job_of: z.string().regex(/^[a-z][a-z0-9-]{0,39}$/u).default('genesys'),
  /** What its `legal_basis` may say. Anything else is left out. */
  legal_bases: z.array(z.string().min(1).max(200)).min(1).max(50).default(['a', 'b', 'c', 'd', 'e'].map((letter) => `GDPR Art. 17(3)(${letter})`)),
  /** Signs its callbacks; without it there are none. */
  callback_secret: z.string().min(1).optional(),
});
type Parameters = z.output<typeof parametersSchema>;

const subject = { kind: '{{identifier.field}}', value: '{{identifier.value}}' };
const job = '$.job_id';
const counts = { contacts: '$.deleted.contacts', cases: '$.deleted.cases', notes: '$.deleted.notes', attachments: '$.deleted.attachments' };

/** How a job stands: the same words wherever it is answered, be it to the poll or to the first call with the same key. */
const states = (status: number | number[], bases: string[]): DeclarationInput['erase'][number]['answers'] => [
  { status, when: { '$.status': ['queued', 'running'] }, is: 'pending', job, retry_after: '$.retry_after' },
  { status, when: { '$.status': 'completed' }, is: 'success', job, counts },
  { status, when: { '$.status': 'retained' }, is: 'retained', job, what: 'records', legal_basis: '$.legal_basis', legal_bases: bases, until: '$.until' },
  { status, when: { '$.status': 'failed' }, is: 'failure', job, retry: 'operator' },
];

/** Quittance's own purge contract, for services that implement it: `examples/purge-contract` has such a service. */
export const purge: ReadyDeclaration<Parameters> = {
  name: 'purge',
  parameters: parametersSchema,
  declare: ({ scope, origin_platform: origin, job_of: jobOf, callback_secret: secret, legal_bases: bases, ...given }) => ({
    ...Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined)) as typeof given,
    locate: [
      {
        type: 'contacts',
        request: { method: 'POST', path: '/subjects/search', body: { subject, cursor: '{{page?}}' } },
        items: '$.subjects',
        found: { email: '$.email', phone: '$.phone', external_id: '$.external_id', user_id: '$.user_id' },
        paging: { by: 'cursor', next: '$.next_cursor' },
      },
    ],
    erase: [
      {
        request: {
          method: 'POST',
          path: '/erasures',
          headers: { 'Idempotency-Key': '{{idempotency_key}}' },
          body: {
            request_id: '{{request.id}}',
            law: '{{request.law}}',
            subject,
            gen_job_id: `{{job.${jobOf}?}}`,
            ...(scope === undefined ? {} : { scope }),
            ...(origin === undefined ? {} : { origin_platform: origin }),
          },
        },
        answers: [...states([200, 202, 409], bases), { status: 404, when: { '$.code': 'not_found' }, is: 'nothing_matched' }],
        poll: {
          request: { path: '/erasures/{{vendor_job}}' },
          answers: [...states(200, bases), { status: 404, when: { '$.code': 'not_found' }, is: 'unknown_job' }],
        },
      },
    ],
    access: [
      {
        type: 'records',
        request: { method: 'POST', path: '/records/search', body: { subject, cursor: '{{page?}}' } },
        items: '$.records',
        paging: { by: 'cursor', next: '$.next_cursor' },
      },
    ],
    confirm: { by: 'locate' },
    ...(secret === undefined ? {} : { callback: { secret, job } }),
  }),
};
