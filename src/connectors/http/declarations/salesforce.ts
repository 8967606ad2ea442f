import { z } from 'zod';
import type { DeclarationInput } from '../declaration.ts';
import type { ReadyDeclaration } from './ready-declaration.ts';

const fieldName = z.string().regex(/^[A-Za-z]\w{0,79}$/u, 'must be the API name of a field');
const parametersSchema = z.strictObject({
  /** The org's own address: `https://example.my.salesforce.com`. Tokens come from there too. */
  base_url: z.string(),
  client_id: z.string().min(1),
  client_secret: z.string().min(1),
  api_version: z.string().regex(/^v\d{2,3}\.0$/u).default('v66.0'),
  /** The field of contacts and leads with your own id of the person, where you keep one. */
  external_id_field: fieldName.optional(),
  /** True where the client's user has the permission to delete for good (Bulk API Hard Delete); otherwise records go into the recycle bin. */
  hard_delete: z.boolean().default(false),
  allow_private_network: z.boolean().default(false),
});
type Parameters = z.output<typeof parametersSchema>;

type Locate = NonNullable<DeclarationInput['locate']>[number];
type Step = DeclarationInput['erase'][number];

const boundary = 'quittance';
/** Job and records in one multipart request, which Salesforce takes for small jobs. */
const bulkBody = (object: string): string =>
  [
    `--${boundary}`,
    'Content-Type: application/json; charset=UTF-8',
    'Content-Disposition: form-data; name="job"',
    '',
    JSON.stringify({ object, operation: 'hardDelete', contentType: 'CSV', lineEnding: 'CRLF' }),
    `--${boundary}`,
    'Content-Type: text/csv; charset=UTF-8',
    'Content-Disposition: form-data; name="content"; filename="content"',
    '',
    'Id',
    '{{item.id}}',
    `--${boundary}--`,
    '',
  ].join('\r\n');

const isGone: Step['answers'][number] = { status: 404, when: { '$[0].errorCode': ['ENTITY_IS_DELETED', 'NOT_FOUND'] }, is: 'already_gone' };

/** Into the recycle bin. */
const deleteSteps = (base: string, type: string, object: string): Step[] => [
  { each: type, request: { method: 'DELETE', path: `${base}/sobjects/${object}/{{item.id}}` }, answers: [{ status: 204, is: 'success' }, isGone] },
];

/**
 * Past the recycle bin: a bulk job for one record, and a look whether it is gone. A job whose answer was lost is made a second time, whose row then
 * fails since the record is gone; so a failed row says nothing, and the look decides.
 */
function purgeSteps(base: string, type: string, object: string): Step[] {
  const job = '$.id';
  const purge: Step = {
    each: type,
    request: { method: 'POST', path: `${base}/jobs/ingest`, text: { content_type: `multipart/form-data; boundary=${boundary}`, body: bulkBody(object) } },
    answers: [{ status: 200, when: { '$.id': { exists: true } }, is: 'pending', job }],
    poll: {
      request: { path: `${base}/jobs/ingest/{{vendor_job}}` },
      answers: [
        { status: 200, when: { '$.state': ['UploadComplete', 'InProgress'] }, is: 'pending', job },
        { status: 200, when: { '$.state': 'JobComplete', '$.numberRecordsFailed': 0 }, is: 'success', job },
        { status: 200, when: { '$.state': 'JobComplete' }, is: 'already_gone', job },
        { status: 200, when: { '$.state': ['Failed', 'Aborted'] }, is: 'failure', retry: 'operator' },
        { status: 404, is: 'unknown_job' },
      ],
    },
  };
  const look: Step = { each: type, request: { path: `${base}/sobjects/${object}/{{item.id}}` }, answers: [{ status: 200, when: { '$.Id': { exists: true } }, is: 'still_there' }, isGone] };
  return [purge, look];
}

const byField = "{{identifier.field}} = '{{identifier.value | escaped}}'";

/**
 * Salesforce: leads, contacts, and the cases of a contact or from an address. What is deleted stays in the recycle bin for 15 days, where an
 * administrator can restore it, unless the client may delete for good.
 */
export const salesforce: ReadyDeclaration<Parameters> = {
  name: 'salesforce',
  parameters: parametersSchema,
  declare: (parameters) => {
    const { base_url: baseUrl, client_id: clientId, client_secret: clientSecret, external_id_field: externalId } = parameters;
    const base = `/services/data/${parameters.api_version}`;
    const query = (soql: string): Pick<Locate, 'request' | 'items' | 'id' | 'paging'> =>
      ({ request: { path: `${base}/query`, query: { q: soql } }, items: '$.records', id: '$.Id', paging: { by: 'link', next: '$.nextRecordsUrl' } });
    const erase = parameters.hard_delete ? purgeSteps : deleteSteps;
    const found = { email: '$.Email', phone: '$.Phone', ...(externalId === undefined ? {} : { external_id: `$.${externalId}` }) };
    const fields = ['Id', 'Email', 'Phone', ...(externalId === undefined ? [] : [externalId])].join(', ');
    return {
      title: 'Salesforce',
      base_url: baseUrl,
      allow_private_network: parameters.allow_private_network,
      auth: { scheme: 'oauth2', token_url: `${baseUrl.replace(/\/+$/u, '')}/services/oauth2/token`, client_id: clientId, client_secret: clientSecret, authentication: 'body' },
      identifiers: { email: 'Email', phone: 'Phone', ...(externalId === undefined ? {} : { external_id: externalId }) },
      check: { request: { path: `${base}/limits` }, works: { status: 200, when: { '$.DailyApiRequests.Max': { exists: true } } } },
      // Salesforce says 403 when the day's calls are used up, and 400 when a row is held by another write: neither needs a person.
      failures: [
        { status: 403, when: { '$[0].errorCode': 'REQUEST_LIMIT_EXCEEDED' }, retry: 'later' },
        { status: 400, when: { '$[0].errorCode': 'UNABLE_TO_LOCK_ROW' }, retry: 'later' },
      ],
      locate: [
        { type: 'cases', of: 'contacts', ...query("SELECT Id FROM Case WHERE ContactId = '{{parent.id | escaped}}'") },
        { type: 'cases', by: ['email'], ...query("SELECT Id, SuppliedEmail FROM Case WHERE SuppliedEmail = '{{identifier.value | escaped}}'"), match: { email: '$.SuppliedEmail' } },
        { type: 'contacts', ...query(`SELECT ${fields} FROM Contact WHERE ${byField}`), found },
        { type: 'leads', ...query(`SELECT ${fields} FROM Lead WHERE ${byField}`), found },
      ],
      // Cases first: Salesforce refuses to delete a contact that has some.
      erase: [...erase(base, 'cases', 'Case'), ...erase(base, 'contacts', 'Contact'), ...erase(base, 'leads', 'Lead')],
      confirm: { by: 'locate' },
      residue: parameters.hard_delete ? [] : [{ what: 'recycle_bin', why: 'vendor_retention', until_days: 15, legal_basis: 'Salesforce, Recycle Bin' }],
      sanitization: parameters.hard_delete ? 'purge' : 'clear',
      limits: { concurrency: 4, calls_per_second: 10, burst: 10 },
    };
  },
};
