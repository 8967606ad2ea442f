import { z } from 'zod';
import type { DeclarationInput } from '../declaration.ts';
import type { ReadyDeclaration } from './ready-declaration.ts';

const parametersSchema = z.strictObject({
  /** The account's own address: `https://example.zendesk.com`. */
  base_url: z.string(),
  /** An administrator's address; `api_token` belongs to the account. */
  agent_email: z.string().min(3),
  api_token: z.string().min(1),
  /** Whether the tickets that the person requested are deleted too; kept ones are reported, and an open one goes to a person. */
  tickets: z.enum(['delete', 'keep']).default('delete'),
  allow_private_network: z.boolean().default(false),
});
type Parameters = z.output<typeof parametersSchema>;

const users = '/api/v2/users';
const statuses = '$.compliance_deletion_statuses[*].action';
const isGone = { status: 404, when: { '$.error': 'RecordNotFound' }, is: 'already_gone' } as const;

/** A ticket is deleted softly, then for good by a job, and looked for again. Before its requester, whom Zendesk would not delete otherwise. */
const ticketSteps: DeclarationInput['erase'] = [
  { each: 'tickets', request: { method: 'DELETE', path: '/api/v2/tickets/{{item.id}}' }, answers: [{ status: 204, is: 'success' }, isGone] },
  {
    each: 'tickets',
    request: { method: 'DELETE', path: '/api/v2/deleted_tickets/{{item.id}}' },
    answers: [{ status: 200, when: { '$.job_status.id': { exists: true } }, is: 'pending', job: '$.job_status.id' }, isGone],
    poll: {
      request: { path: '/api/v2/job_statuses/{{vendor_job}}' },
      answers: [
        { status: 200, when: { '$.job_status.status': ['queued', 'working'] }, is: 'pending', job: '$.job_status.id' },
        { status: 200, when: { '$.job_status.status': 'completed' }, is: 'success', job: '$.job_status.id' },
        { status: 200, when: { '$.job_status.status': ['failed', 'killed'] }, is: 'failure', retry: 'operator' },
        { status: 404, is: 'unknown_job' },
      ],
    },
  },
  { each: 'tickets', request: { path: '/api/v2/tickets/{{item.id}}' }, answers: [{ status: 200, when: { '$.ticket.id': { exists: true } }, is: 'still_there' }, isGone] },
];

/**
 * Zendesk: tickets that the person requested, then the end user, both softly and for good; the user's deletion is followed until Zendesk Support
 * reports its end. Where tickets are kept, the requester of one that is not closed cannot be deleted and goes to a person.
 */
export const zendesk: ReadyDeclaration<Parameters> = {
  name: 'zendesk',
  parameters: parametersSchema,
  declare: ({ base_url: baseUrl, agent_email: agent, api_token: token, tickets, allow_private_network: isPrivate }) => ({
    title: 'Zendesk',
    base_url: baseUrl,
    allow_private_network: isPrivate,
    auth: { scheme: 'basic', username: `${agent}/token`, password: token },
    identifiers: { email: 'email', phone: 'phone', external_id: 'external_id' },
    // Without valid credentials Zendesk answers 200 all the same, with nobody's id.
    check: { request: { path: `${users}/me` }, works: { status: 200, when: { '$.user.role': ['admin', 'agent'] } } },
    locate: [
      ...(tickets === 'keep' ? [] : [{ type: 'tickets', of: 'users', request: { path: `${users}/{{parent.id}}/tickets/requested` }, items: '$.tickets', paging: { by: 'link' as const, next: '$.next_page' } }]),
      {
        type: 'users',
        request: { path: `${users}/search`, query: { query: '{{identifier.field}}:"{{identifier.value | escaped}}"' } },
        items: '$.users',
        // Agents are not the persons that a company is asked to forget, and deleting one takes the tickets' history along.
        where: { '$.role': 'end-user' },
        match: { email: '$.email', phone: '$.phone', external_id: '$.external_id' },
        // Zendesk finds a user by further addresses too, and does not show them.
        unmatched: 'ambiguous',
        found: { email: '$.email', phone: '$.phone', external_id: '$.external_id' },
        paging: { by: 'link', next: '$.next_page' },
      },
    ],
    erase: [
      ...(tickets === 'keep' ? [] : ticketSteps),
      {
        each: 'users',
        request: { method: 'DELETE', path: `${users}/{{item.id}}` },
        answers: [{ status: 200, when: { '$.user.active': false }, is: 'success' }, isGone, { status: 422, is: 'failure', retry: 'operator' }],
      },
      {
        each: 'users',
        request: { method: 'DELETE', path: '/api/v2/deleted_users/{{item.id}}' },
        answers: [{ status: 200, when: { '$.deleted_user.id': { exists: true } }, is: 'success' }, isGone],
      },
      // What said done is looked at: a user who is still active, or still only softly deleted.
      {
        each: 'users',
        request: { path: `${users}/{{item.id}}` },
        answers: [{ status: 200, when: { '$.user.active': true }, is: 'still_there' }, { status: 200, when: { '$.user.active': false }, is: 'already_gone' }, isGone],
      },
      {
        each: 'users',
        request: { path: '/api/v2/deleted_users/{{item.id}}' },
        answers: [{ status: 200, when: { '$.deleted_user.id': { exists: true } }, is: 'pending' }, isGone],
      },
      {
        each: 'users',
        request: { path: `${users}/{{item.id}}/compliance_deletion_statuses`, query: { application: 'support' } },
        answers: [
          { status: 200, when: { [statuses]: { exists: false } }, is: 'pending' },
          { status: 200, when: { [statuses]: { every: ['request_deletion', 'started'] } }, is: 'pending' },
          { status: 200, when: { [statuses]: { every: ['request_deletion', 'started', 'complete'] } }, is: 'already_gone' },
          isGone,
        ],
      },
    ],
    confirm: { by: 'locate', within_seconds: 600 },
    residue: [
      ...(tickets === 'keep' ? [{ what: 'tickets', why: 'not_requested', legal_basis: 'Zendesk, Forgetting a user in Zendesk' }] : []),
      { what: 'tickets_of_others', why: 'belongs_to_others' },
      { what: 'other_products', why: 'vendor_retention', until_days: 30, legal_basis: 'Zendesk, Show compliance deletion statuses' },
    ],
    sanitization: 'purge',
    latency: { typical_seconds: 3600, worst_seconds: 30 * 86_400 },
    // Half of the 400 a minute of the Professional plan, and five calls for each of 700 permanent deletions in ten minutes.
    limits: { concurrency: 2, calls_per_second: 3, burst: 6 },
  }),
};
