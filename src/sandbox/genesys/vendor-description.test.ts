import { existsSync, readFileSync } from 'node:fs';
import { Ajv } from 'ajv';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Simulator } from '../simulator.ts';
import { startGenesys } from './index.ts';

const file = new URL('../../../../shared/specs/genesys/gdpr_and_externalcontacts.derived.swagger.json', import.meta.url);
const isPresent = existsSync(file);
const absent = 'the vendors’ specifications are not beside this repository (../shared/specs)';

let vendor: Simulator;
beforeAll(async () => {
  vendor = await startGenesys();
  vendor.seed({ subjects: [{ subject: { externalContactId: 'c1', dialerContactId: { id: 'd', contactListId: 'l' }, emailAddresses: ['ada@example.com'] } }] });
});
afterAll(async () => vendor.close());

type Call = (path: string, body?: unknown) => Promise<unknown>;

async function authorised(): Promise<Call> {
  const answer = await fetch(`${vendor.url}/oauth/token`, {
    method: 'POST',
    headers: { 'content-type': 'application/x-www-form-urlencoded' },
    body: new URLSearchParams({ grant_type: 'client_credentials', client_id: 'sandbox-client', client_secret: 'sandbox-client-secret' }).toString(),
  });
  const { access_token: token } = (await answer.json()) as { access_token: string };
  const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' };
  return async (path, body) => (await fetch(vendor.url + path, { headers, ...(body === undefined ? {} : { method: 'POST', body: JSON.stringify(body) }) })).json();
}

/** Every object closed: a field that the description does not name is an error of the simulator's. */
function closed(node: unknown): unknown {
  if (Array.isArray(node)) return node.map(closed);
  if (typeof node !== 'object' || node === null) return node;
  const entries = Object.entries(node).map(([key, value]) => [key, closed(value)] as const);
  const isShape = 'properties' in node && !('allOf' in node) && !('additionalProperties' in node);
  return { ...Object.fromEntries(entries), ...(isShape ? { additionalProperties: false } : {}) };
}

test('what the simulator of the GDPR API answers is what Genesys’ own description describes', async ({ skip }) => {
  skip(!isPresent, absent);
  const { definitions } = JSON.parse(readFileSync(file, 'utf8')) as { definitions: unknown };
  const ajv = new Ajv({ strict: false, validateFormats: false, allErrors: true });
  ajv.addSchema({ $id: 'vendor', definitions: closed(definitions) });
  const expectValid = (name: string, value: unknown): void => {
    const validate = ajv.compile({ $ref: `vendor#/definitions/${name}` });
    validate(value);
    expect({ name, errors: validate.errors?.map((each) => `${each.instancePath} ${each.message} ${JSON.stringify(each.params)}`) ?? [] }).toEqual({ name, errors: [] });
  };
  const call = await authorised();
  const found = (await call('/api/v2/gdpr/subjects?searchType=EMAIL&searchValue=ada@example.com')) as { entities: readonly unknown[] };
  expect(found.entities).toHaveLength(1);
  expectValid('GDPRSubjectEntityListing', found);
  const made = (await call('/api/v2/gdpr/requests?deleteConfirmed=true', { requestType: 'GDPR_DELETE', subject: found.entities[0] })) as { id: string };
  expectValid('GDPRRequest', made);
  expectValid('GDPRRequest', await call(`/api/v2/gdpr/requests/${made.id}`));
  const replacementTerms = [{ type: 'EMAIL', existingValue: 'ada@example.com', updatedValue: 'ada.new@example.com' }];
  expectValid('GDPRRequest', await call('/api/v2/gdpr/requests', { requestType: 'GDPR_UPDATE', subject: found.entities[0], replacementTerms }));
  const copy = (await call('/api/v2/gdpr/requests', { requestType: 'GDPR_EXPORT', subject: found.entities[0] })) as { id: string };
  vendor.advance(3 * 86_400_000);
  const anew = await authorised();
  const done = await anew(`/api/v2/gdpr/requests/${copy.id}`);
  expect(done).toMatchObject({ status: 'COMPLETED', resultsUrl: expect.any(String) as string });
  expectValid('GDPRRequest', done);
  expectValid('GDPRRequestEntityListing', await anew('/api/v2/gdpr/requests?pageSize=1'));
  expectValid('ErrorBody', await anew('/api/v2/gdpr/requests/none'));
  expectValid('ErrorBody', await anew('/api/v2/gdpr/subjects?searchType=ODD&searchValue=x'));
});
