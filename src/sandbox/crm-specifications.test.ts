import { existsSync, readFileSync } from 'node:fs';
import { Ajv, type ValidateFunction } from 'ajv';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { plantCrmPeople, startCrms, type Crms } from './crms.ts';
import type { Simulator } from './simulator.ts';

const specs = new URL('../../../shared/specs/crm/', import.meta.url);
const isPresent = existsSync(specs);
const ABSENT = 'the vendors’ specifications are not beside this repository (../shared/specs)';

/** OpenAPI 3.0 says `nullable` where JSON Schema has a null type. */
function toJsonSchema(node: unknown): unknown {
  if (Array.isArray(node)) return node.map(toJsonSchema);
  if (typeof node !== 'object' || node === null) return node;
  const { nullable, ...rest } = node as Record<string, unknown>;
  const schema = Object.fromEntries(Object.entries(rest).map(([key, value]) => [key, toJsonSchema(value)]));
  return nullable === true ? { anyOf: [schema, { type: 'null' }] } : schema;
}

function loadSchemas(file: string): (name: string) => ValidateFunction {
  const { components } = JSON.parse(readFileSync(new URL(file, specs), 'utf8')) as { components: unknown };
  const ajv = new Ajv({ strict: false, validateFormats: false, allErrors: true });
  ajv.addSchema({ $id: 'vendor', components: toJsonSchema(components) });
  return (name) => ajv.compile({ $ref: `vendor#/components/schemas/${name}` });
}

let crms: Crms;
beforeAll(async () => {
  crms = await startCrms();
  plantCrmPeople(crms);
});
afterAll(async () => crms.close());

async function ask(vendor: Simulator, method: string, path: string, body?: unknown, token = 'token'): Promise<unknown> {
  const response = await fetch(vendor.url + path, {
    method,
    headers: { authorization: `Bearer ${token}`, ...(body === undefined ? {} : { 'content-type': 'application/json' }) },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  return response.json();
}

function expectValid(validate: ValidateFunction, value: unknown, what: string): void {
  const isValid = validate(value);
  expect({ what, errors: isValid ? [] : validate.errors?.map((each) => `${each.instancePath} ${each.message}`) }).toEqual({ what, errors: [] });
}

test('what the Intercom simulator answers is what Intercom’s own specification describes', async ({ skip }) => {
  skip(!isPresent, ABSENT);
  const schema = loadSchemas('intercom.v2.15.trimmed.openapi.json');
  const query = { query: { field: 'email', operator: '=', value: 'ada@example.com' } };
  const contacts = (await ask(crms.intercom, 'POST', '/contacts/search', query)) as { data: { id: string }[] };
  const id = contacts.data[0]?.id ?? '';
  expectValid(schema('contact_list'), contacts, 'contacts');
  expectValid(schema('contact'), await ask(crms.intercom, 'GET', `/contacts/${id}`), 'contact');
  expectValid(schema('contact'), await ask(crms.intercom, 'GET', '/contacts/find_by_external_id/user_ada'), 'contact by external id');
  const conversations = (await ask(crms.intercom, 'POST', '/conversations/search', { query: { field: 'contact_ids', operator: '=', value: id } })) as { conversations: { id: string }[] };
  expectValid(schema('conversation_list'), conversations, 'conversations');
  expectValid(schema('conversation_deleted'), await ask(crms.intercom, 'DELETE', `/conversations/${conversations.conversations[0]?.id}`), 'deleted conversation');
  expectValid(schema('contact_archived'), await ask(crms.intercom, 'POST', `/contacts/${id}/archive`), 'archived contact');
  expectValid(schema('contact_deleted'), await ask(crms.intercom, 'DELETE', `/contacts/${id}`), 'deleted contact');
  for (const problem of [await ask(crms.intercom, 'DELETE', `/contacts/${id}`), await ask(crms.intercom, 'GET', '/me', undefined, 'revoked')]) expectValid(schema('error'), problem, 'error');
  expect(schema('error')({ type: 'error.list' }), 'the validation can fail').toBe(false);
});

test('what the HubSpot simulator refuses with is what HubSpot’s client describes', async ({ skip }) => {
  skip(!isPresent, ABSENT);
  const schema = loadSchemas('hubspot.gdpr_delete.derived.openapi.json');
  const path = '/crm/v3/objects/contacts/gdpr-delete';
  const problems = [await ask(crms.hubspot, 'POST', path, { objectId: '1' }), await ask(crms.hubspot, 'POST', path, {}), await ask(crms.hubspot, 'POST', path, {}, 'revoked')];
  for (const problem of problems) expectValid(schema('Error'), problem, 'error');
  expect(schema('Error')({ status: 'error' }), 'the validation can fail').toBe(false);
});
