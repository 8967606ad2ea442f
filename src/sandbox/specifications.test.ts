import { existsSync, readFileSync } from 'node:fs';
import { Ajv, type ValidateFunction } from 'ajv';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { segmentPeople, stripePeople } from './example-people.ts';
import { startSegment } from './segment/index.ts';
import type { Simulator } from './simulator.ts';
import { startStripe } from './stripe/index.ts';

const specs = new URL('../../../shared/specs/', import.meta.url);
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

let stripe: Simulator;
let segment: Simulator;
beforeAll(async () => {
  stripe = await startStripe();
  segment = await startSegment();
  stripe.seed({ account: { requests_per_second: 1000 }, ...stripePeople() });
  stripe.seed({ customers: [{ id: 'cus_full', charges: [{ dispute: 'won' }], payment_intents: [{ status: 'succeeded' }], shipping: { name: 'Ada', address: {} } }] });
  segment.seed(segmentPeople());
});
afterAll(async () => {
  await stripe.close();
  await segment.close();
});

async function ask(simulator: Simulator, path: string, init: { method?: string; body?: unknown; token?: string } = {}): Promise<unknown> {
  const isForm = simulator === stripe;
  const authorization = init.token ?? (path.startsWith('/v1/spaces') ? `Basic ${Buffer.from('t:').toString('base64')}` : 'Bearer sk_test_sandbox');
  const response = await fetch(simulator.url + path, {
    method: init.method ?? 'GET',
    headers: { authorization, ...(init.body === undefined || isForm ? {} : { 'content-type': 'application/json' }) },
    ...(init.body === undefined ? {} : { body: isForm ? new URLSearchParams(init.body as Record<string, string>) : JSON.stringify(init.body) }),
  });
  return response.json();
}

function expectValid(validate: ValidateFunction, value: unknown, what: string): void {
  const isValid = validate(value);
  expect({ what, errors: isValid ? [] : validate.errors?.map((each) => `${each.instancePath} ${each.message}`) }).toEqual({ what, errors: [] });
}

test('what the Stripe simulator answers is what Stripe’s own specification describes', async ({ skip }) => {
  skip(!isPresent, ABSENT);
  const schema = loadSchemas('stripe/stripe.v1.trimmed.openapi.json');
  const lists: Record<string, string> = {
    '/v1/customers': 'customer',
    '/v1/customers/cus_ExampleAda/payment_methods': 'payment_method',
    '/v1/customers/cus_ExampleAda/tax_ids': 'tax_id',
    '/v1/charges': 'charge',
    '/v1/disputes': 'dispute',
    '/v1/invoices': 'invoice',
    '/v1/payment_intents': 'payment_intent',
    '/v1/subscriptions': 'subscription',
  };
  for (const [path, name] of Object.entries(lists)) {
    const { data } = (await ask(stripe, path)) as { data: unknown[] };
    expect(data.length, path).toBeGreaterThan(0);
    const validate = schema(name);
    for (const item of data) expectValid(validate, item, name);
  }
  expectValid(schema('deleted_customer'), await ask(stripe, '/v1/customers/cus_ExampleAda', { method: 'DELETE' }), 'deleted_customer');
  for (const problem of [await ask(stripe, '/v1/customers/cus_none'), await ask(stripe, '/v1/customers', { token: '' })]) {
    expectValid(schema('error'), problem, 'error');
  }
  expect(schema('customer')({ object: 'customer' }), 'the validation can fail').toBe(false);
});

test('what the redaction simulator answers is what Stripe’s client describes, in every status', async ({ skip }) => {
  skip(!isPresent, ABSENT);
  const schema = loadSchemas('stripe/redaction_jobs.preview.derived.openapi.json');
  const jobs = '/v1/privacy/redaction_jobs';
  const body = { 'objects[customers][]': 'cus_full', 'expand[]': 'objects' };
  const made = (await ask(stripe, jobs, { method: 'POST', body })) as { id: string };
  const seen: string[] = [];
  const look = async (path: string, method = 'GET'): Promise<void> => {
    const job = await ask(stripe, `${jobs}/${made.id}${path}`, { method });
    expectValid(schema('privacy.redaction_job'), job, 'redaction job');
    seen.push((job as { status: string }).status);
  };
  expectValid(schema('privacy.redaction_job'), made, 'new redaction job');
  await look('');
  await look('');
  await look('/run', 'POST');
  await look('');
  expect(seen).toEqual(['validating', 'ready', 'redacting', 'succeeded']);
  const failing = (await ask(stripe, jobs, { method: 'POST', body: { 'objects[customers][]': 'cus_ExampleLois' } })) as { id: string };
  await ask(stripe, `${jobs}/${failing.id}`);
  expectValid(schema('privacy.redaction_job'), await ask(stripe, `${jobs}/${failing.id}`), 'failed redaction job');
  expectValid(schema('privacy.redaction_job_list'), await ask(stripe, jobs), 'list');
  expectValid(schema('privacy.redaction_job_validation_error_list'), await ask(stripe, `${jobs}/${failing.id}/validation_errors`), 'errors');
});

test('what the Segment simulator answers is what Segment’s client and documentation describe', async ({ skip }) => {
  skip(!isPresent, ABSENT);
  const publicApi = loadSchemas('segment/public_api.deletion_and_suppression.derived.openapi.json');
  const regulation = { regulationType: 'SUPPRESS_WITH_DELETE', subjectType: 'USER_ID', subjectIds: ['user_ada'] };
  expectValid(publicApi('CreateWorkspaceRegulationV1Input'), regulation, 'request');
  const made = (await ask(segment, '/regulations', { method: 'POST', body: regulation })) as { data: { regulateId: string } };
  expectValid(publicApi('CreateWorkspaceRegulation200Response'), made, 'created');
  for (const stage of ['RUNNING', 'FINISHED', 'FINISHED again']) {
    expectValid(publicApi('GetRegulation200Response'), await ask(segment, `/regulations/${made.data.regulateId}`), stage);
  }
  expectValid(publicApi('ListWorkspaceRegulations200Response'), await ask(segment, '/regulations'), 'list');
  expectValid(publicApi('ListSuppressions200Response'), await ask(segment, '/suppressions'), 'suppressions');
  for (const path of ['/regulations/none', '/regulations?status=GONE']) {
    expectValid(publicApi('RequestErrorEnvelope'), await ask(segment, path), path);
  }
  const profileApi = loadSchemas('segment/profile_api.documented.openapi.json');
  const base = '/v1/spaces/spa_sandbox/collections/users/profiles/user_id:user_lois';
  const { data, cursor } = (await ask(segment, `${base}/external_ids`)) as { data: unknown[]; cursor: unknown };
  for (const id of data) expectValid(profileApi('ExternalId'), id, 'external id');
  expectValid(profileApi('Cursor'), cursor, 'cursor');
  expectValid(profileApi('Error'), await ask(segment, `${base}x/traits`), 'error');
  expect(publicApi('GetRegulation200Response')({ data: {} }), 'the validation can fail').toBe(false);
});
