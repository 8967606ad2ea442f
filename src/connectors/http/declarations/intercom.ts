import { z } from 'zod';
import type { DeclarationInput } from '../declaration.ts';
import type { ReadyDeclaration } from './ready-declaration.ts';

const parametersSchema = z.strictObject({
  /** An access token that may read and write users and conversations. */
  token: z.string().min(1),
  /** `https://api.eu.intercom.io` and `https://api.au.intercom.io` for workspaces there. */
  base_url: z.string().default('https://api.intercom.io'),
  allow_private_network: z.boolean().default(false),
});
type Parameters = z.output<typeof parametersSchema>;
type LookUpRequest = NonNullable<DeclarationInput['locate']>[number]['request'];

const version = { 'Intercom-Version': '2.15' };
const paging = { by: 'cursor', next: '$.pages.next.starting_after' } as const;
const isGone = { status: 404, when: { '$.type': 'error.list' }, is: 'already_gone' } as const;
const search = (what: 'contacts' | 'conversations', field: string, value: string): LookUpRequest => ({
  method: 'POST',
  path: `/${what}/search`,
  headers: version,
  body: { query: { field, operator: '=', value }, pagination: { per_page: 100, starting_after: '{{page?}}' } },
});
/** A conversation with anybody else in it is theirs too. */
const isAlone = { '$.contacts.contacts[1].id': { exists: false } };

/**
 * Intercom: conversations that are the person's alone, then the contact. Never by archiving: an archived contact is kept whole and found by nothing but
 * its id.
 */
export const intercom: ReadyDeclaration<Parameters> = {
  name: 'intercom',
  parameters: parametersSchema,
  declare: ({ token, base_url: baseUrl, allow_private_network: isPrivate }) => ({
    title: 'Intercom',
    base_url: baseUrl,
    allow_private_network: isPrivate,
    auth: { scheme: 'bearer', token },
    identifiers: { email: 'email', phone: 'phone', external_id: 'external_id' },
    check: { request: { path: '/me', headers: version }, works: { status: 200, when: { '$.type': 'admin' } } },
    // The plan does not include it: a person has to decide, and no new token would help.
    failures: [{ status: 403, when: { '$.errors[0].code': 'api_plan_restricted' }, retry: 'operator' }],
    locate: [
      { type: 'conversations', of: 'contacts', request: search('conversations', 'contact_ids', '{{parent.id}}'), items: '$.conversations', where: isAlone, paging },
      // What is left of a person whose contact is gone.
      { type: 'conversations', by: ['email'], request: search('conversations', 'source.author.email', '{{identifier.value}}'), items: '$.conversations', where: isAlone, match: { email: '$.source.author.email' }, paging },
      {
        type: 'contacts',
        request: search('contacts', '{{identifier.field}}', '{{identifier.value}}'),
        items: '$.data',
        match: { email: '$.email', phone: '$.phone', external_id: '$.external_id' },
        found: { email: '$.email', phone: '$.phone', external_id: '$.external_id' },
        paging,
      },
    ],
    erase: [
      {
        each: 'conversations',
        request: { method: 'DELETE', path: '/conversations/{{item.id}}', headers: version },
        answers: [{ status: 200, when: { '$.deleted': true }, is: 'success' }, isGone],
      },
      {
        each: 'contacts',
        request: { method: 'DELETE', path: '/contacts/{{item.id}}', headers: version },
        answers: [{ status: 200, when: { '$.deleted': true }, is: 'success' }, isGone],
      },
    ],
    confirm: { by: 'locate', within_seconds: 600 },
    residue: [
      { what: 'deleted_contact', why: 'vendor_retention', until_days: 7, legal_basis: 'Intercom, Delete a contact' },
      { what: 'conversation_reports', why: 'vendor_retention', legal_basis: 'Intercom, Delete a conversation' },
      { what: 'shared_conversations', why: 'belongs_to_others' },
    ],
    sanitization: 'clear',
    limits: { concurrency: 4, calls_per_second: 10, burst: 10 },
  }),
};
