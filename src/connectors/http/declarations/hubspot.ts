import { z } from 'zod';
import type { DeclarationInput } from '../declaration.ts';
import type { ReadyDeclaration } from './ready-declaration.ts';

const parametersSchema = z.strictObject({
  /** A private app's token with `crm.objects.contacts.read` and `crm.objects.contacts.write`. */
  token: z.string().min(1),
  /** The contact property with your own id of the person, where you keep one. */
  external_id_property: z.string().regex(/^[a-z]\w{0,99}$/u).optional(),
  base_url: z.string().default('https://api.hubapi.com'),
  allow_private_network: z.boolean().default(false),
});
type Parameters = z.output<typeof parametersSchema>;
type LookUpRequest = NonNullable<DeclarationInput['locate']>[number]['request'];

const contacts = '/crm/v3/objects/contacts';
const equals = [{ propertyName: '{{identifier.field}}', operator: 'EQ', value: '{{identifier.value}}' }];
const additional = [{ propertyName: 'hs_additional_emails', operator: 'CONTAINS_TOKEN', value: '{{identifier.value}}' }];

/**
 * HubSpot: contacts are found by search and deleted for good by their id. Never by e-mail address: HubSpot puts an address that it does not know on a
 * blocklist and answers 204 (HubSpot, Permanently delete a contact).
 */
export const hubspot: ReadyDeclaration<Parameters> = {
  name: 'hubspot',
  parameters: parametersSchema,
  declare: ({ token, external_id_property: externalId, base_url: baseUrl, allow_private_network: isPrivate }) => {
    const properties = ['email', 'hs_additional_emails', 'phone', ...(externalId === undefined ? [] : [externalId])];
    const search = (filterGroups: { filters: typeof equals }[]): LookUpRequest => ({ method: 'POST', path: `${contacts}/search`, body: { filterGroups, properties, limit: 100, after: '{{page?}}' } });
    const found = { email: '$.properties.email', phone: '$.properties.phone', ...(externalId === undefined ? {} : { external_id: `$.properties.${externalId}` }) };
    const paging = { by: 'cursor', next: '$.paging.next.after' } as const;
    return {
      title: 'HubSpot',
      base_url: baseUrl,
      allow_private_network: isPrivate,
      auth: { scheme: 'bearer', token },
      identifiers: { email: 'email', phone: 'phone', ...(externalId === undefined ? {} : { external_id: externalId }) },
      check: { request: { path: contacts, query: { limit: '1' } }, works: { status: 200, when: { '$.results': { exists: true } } } },
      // A record is locked by another write, or being moved between data centres.
      failures: [{ status: [423, 477], retry: 'later' }],
      locate: [
        // CONTAINS_TOKEN finds everybody who shares a word of the address, such as the domain.
        { type: 'contacts', by: ['email'], request: search([{ filters: equals }, { filters: additional }]), items: '$.results', match: { email: ['$.properties.email', '$.properties.hs_additional_emails'] }, found, paging },
        { type: 'contacts', by: ['phone', 'external_id'], request: search([{ filters: equals }]), items: '$.results', match: { phone: '$.properties.phone', ...(externalId === undefined ? {} : { external_id: `$.properties.${externalId}` }) }, found, paging },
      ],
      erase: [
        {
          each: 'contacts',
          request: { method: 'POST', path: `${contacts}/gdpr-delete`, body: { objectId: '{{item.id}}' } },
          answers: [
            { status: 204, is: 'success' },
            { status: 404, when: { '$.category': 'OBJECT_NOT_FOUND' }, is: 'already_gone' },
          ],
        },
      ],
      confirm: { by: 'locate', within_seconds: 600 },
      residue: [
        { what: 'purge_pending', why: 'vendor_retention', until_days: 30, legal_basis: 'HubSpot, Perform a permanent delete' },
        { what: 'blocklist_entry', why: 'prevents_new_collection', legal_basis: 'HubSpot, Perform a permanent delete' },
        { what: 'activities_of_other_records', why: 'belongs_to_others', legal_basis: 'HubSpot, Understand restorable and permanent contact deletions' },
      ],
      sanitization: 'purge',
      latency: { typical_seconds: 60, worst_seconds: 86_400 },
      // Half of the 100 calls in ten seconds of the smallest plan; searches have five a second for the whole account.
      limits: { concurrency: 2, calls_per_second: 4, burst: 4 },
    };
  },
};
