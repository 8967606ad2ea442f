import { existsSync, readFileSync } from 'node:fs';
import { Ajv } from 'ajv';
import formats from 'ajv-formats';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Simulator } from '../simulator.ts';
import { defaultAccount, startTwilio } from './index.ts';

const folder = new URL('../../../../shared/specs/twilio/', import.meta.url);
const absent = existsSync(folder) ? '' : ' (skipped: no vendor descriptions in ../shared/specs/twilio)';
const account = `/2010-04-01/Accounts/${defaultAccount.accountSid}`;
const v2010 = '/2010-04-01/Accounts/{AccountSid}';
const memory = '/v1/Stores/{storeId}/Profiles';

type Node = Record<string, unknown>;
interface Description extends Node {
  paths: Record<string, Record<string, { responses: Record<string, { $ref?: string; content?: Record<string, unknown> }> }>>;
}
const ajv = new Ajv({ strict: false, allErrors: true, logger: false, validateSchema: false });
formats.default(ajv);
// v2010 describes its paging links as `uri`, and its own examples of them are relative.
ajv.addFormat('uri', /^(?:https?:\/\/[^\s/]+)?\/\S*$/u);
const descriptions = new Map<string, Description>();

/** Makes JSON Schema of OpenAPI 3.0, and refuses fields that the vendor does not describe. */
function tighten(node: unknown): void {
  if (Array.isArray(node)) node.forEach(tighten);
  if (node === null || typeof node !== 'object' || Array.isArray(node)) return;
  const schema = node as Node;
  if (schema['nullable'] === true && schema['type'] === undefined) delete schema['nullable'];
  if (schema['type'] === 'object' && typeof schema['properties'] === 'object' && schema['additionalProperties'] === undefined) schema['additionalProperties'] = false;
  Object.values(schema).forEach(tighten);
}

function describe(name: string): Description {
  const known = descriptions.get(name);
  if (known !== undefined) return known;
  const description = JSON.parse(readFileSync(new URL(`twilio_${name}.trimmed.json`, folder), 'utf8')) as Description;
  tighten(description);
  ajv.addSchema(description, name);
  descriptions.set(name, description);
  return description;
}

const escape = (part: string): string => encodeURIComponent(part.replaceAll('~', '~0').replaceAll('/', '~1'));

function faults(name: string, template: string, method: string, status: number, body: unknown): string[] {
  const response = describe(name).paths[template]?.[method.toLowerCase()]?.responses[String(status)];
  if (response === undefined) return [`${method} ${template} has no ${status}`];
  if (body === undefined) return response.content === undefined ? [] : ['a body is described, and none was given'];
  const at = response.$ref?.slice(1) ?? `/paths/${escape(template)}/${method.toLowerCase()}/responses/${status}`;
  const validate = ajv.compile({ $ref: `${name}#${at}/content/${escape('application/json')}/schema` });
  validate(body);
  return (validate.errors ?? []).map((each) => `${template}${each.instancePath} ${each.message} ${JSON.stringify(each.params)}`);
}

let twilio: Simulator;
// oxlint-disable-next-line typescript/no-explicit-any -- the planted ids, by the seed's own names
let made: any;
beforeAll(async () => {
  twilio = await startTwilio();
  made = twilio.seed({
    messages: [{ to: '+12025550111', from: '+12025550100', media: [{}] }, { to: '+12025550111', from: '+12025550100' }],
    calls: [{ to: '+12025550111', from: '+12025550100', recordings: [{ transcriptions: ['x'], add_on_results: 1 }] }],
    conversations: [{ participants: [{ address: '+12025550111' }, { identity: 'ada@example.com' }], messages: [{ author: 'ada@example.com', body: 'x' }] }],
    users: [{ identity: 'ada@example.com' }],
    profiles: [
      { key: 'main', traits: { Contact: { name: 'Ada' } }, identifiers: { phone: ['+12025550111'] }, observations: ['a', 'b'], summaries: ['c'] },
      { merged_into: 'main' },
    ],
    orchestrated_conversations: [{ name: 'x' }],
  });
});
afterAll(() => twilio.close());

async function ask(method: string, path: string, json?: unknown): Promise<{ status: number; body: unknown }> {
  const authorization = `Basic ${Buffer.from(`${defaultAccount.accountSid}:${defaultAccount.authToken}`).toString('base64')}`;
  const headers = { authorization, ...(json !== undefined && { 'content-type': 'application/json' }) };
  const answer = await fetch(twilio.url + path, { method, redirect: 'manual', headers, ...(json !== undefined && { body: JSON.stringify(json) }) });
  const text = await answer.text();
  return { status: answer.status, body: text === '' ? undefined : JSON.parse(text) };
}

test.skipIf(absent !== '')(`Every answer fits the vendor's own description of it, with no field that the vendor does not have${absent}`, async () => {
  const profiles = `/v1/Stores/${made.stores.sandbox}/Profiles`;
  const [main, merged] = made.profiles;
  const conversation = made.conversations[0];
  const orchestrated = made.orchestrated_conversations[0];
  const rounds: [name: string, method: string, path: string, template: string, json?: unknown][] = [
    ['api_v2010', 'GET', `${account}/Messages.json?PageSize=1`, `${v2010}/Messages.json`],
    ['api_v2010', 'GET', `${account}/Messages/${made.messages[0]}.json`, `${v2010}/Messages/{Sid}.json`],
    ['api_v2010', 'GET', `${account}/Messages/${made.messages[0]}/Media.json`, `${v2010}/Messages/{MessageSid}/Media.json`],
    ['api_v2010', 'GET', `${account}/Calls.json`, `${v2010}/Calls.json`],
    ['api_v2010', 'GET', `${account}/Recordings.json`, `${v2010}/Recordings.json`],
    ['api_v2010', 'GET', `${account}/Transcriptions.json`, `${v2010}/Transcriptions.json`],
    ['api_v2010', 'DELETE', `${account}/Messages/${made.messages[0]}.json`, `${v2010}/Messages/{Sid}.json`],
    ['conversations_v1', 'GET', '/v1/ParticipantConversations?Identity=ada%40example.com', '/v1/ParticipantConversations'],
    ['conversations_v1', 'GET', '/v1/Conversations', '/v1/Conversations'],
    ['conversations_v1', 'GET', `/v1/Conversations/${conversation}`, '/v1/Conversations/{Sid}'],
    ['conversations_v1', 'GET', `/v1/Conversations/${conversation}/Participants`, '/v1/Conversations/{ConversationSid}/Participants'],
    ['conversations_v1', 'GET', `/v1/Conversations/${conversation}/Messages`, '/v1/Conversations/{ConversationSid}/Messages'],
    ['conversations_v1', 'GET', '/v1/Users/ada%40example.com', '/v1/Users/{Sid}'],
    ['conversations_v1', 'DELETE', `/v1/Conversations/${conversation}`, '/v1/Conversations/{Sid}'],
    ['memory_v1', 'GET', '/v1/ControlPlane/Stores', '/v1/ControlPlane/Stores'],
    ['memory_v1', 'GET', `/v1/ControlPlane/Stores/${made.stores.sandbox}`, '/v1/ControlPlane/Stores/{storeId}'],
    ['memory_v1', 'GET', profiles, memory],
    ['memory_v1', 'POST', `${profiles}/Lookup`, `${memory}/Lookup`, { idType: 'phone', value: '+1 202 555 0111' }],
    ['memory_v1', 'GET', `${profiles}/${main}`, `${memory}/{profileId}`],
    ['memory_v1', 'GET', `${profiles}/${main}/Traits`, `${memory}/{profileId}/Traits`],
    ['memory_v1', 'GET', `${profiles}/${main}/Identifiers`, `${memory}/{profileId}/Identifiers`],
    ['memory_v1', 'GET', `${profiles}/${main}/Identifiers/phone`, `${memory}/{profileId}/Identifiers/{idType}`],
    ['memory_v1', 'GET', `${profiles}/${main}/Observations?pageSize=1`, `${memory}/{profileId}/Observations`],
    ['memory_v1', 'GET', `${profiles}/${main}/ConversationSummaries`, `${memory}/{profileId}/ConversationSummaries`],
    ['memory_v1', 'GET', `${profiles}/${merged}`, `${memory}/{profileId}`],
    ['memory_v1', 'DELETE', `${profiles}/${merged}`, `${memory}/{profileId}`],
    ['memory_v1', 'PATCH', `${profiles}/${main}`, `${memory}/{profileId}`, { traits: { Contact: { name: null } } }],
    ['memory_v1', 'DELETE', `${profiles}/${main}/Identifiers/phone?removeAll=true`, `${memory}/{profileId}/Identifiers/{idType}`],
    ['memory_v1', 'DELETE', `${profiles}/${main}`, `${memory}/{profileId}`],
    ['memory_v1', 'GET', `${profiles}/mem_profile_${'0'.repeat(26)}`, `${memory}/{profileId}`],
    ['conversations_v2', 'GET', '/v2/Conversations', '/v2/Conversations'],
    ['conversations_v2', 'GET', `/v2/Conversations/${orchestrated}`, '/v2/Conversations/{id}'],
    ['conversations_v2', 'DELETE', `/v2/Conversations/${orchestrated}`, '/v2/Conversations/{id}'],
  ];
  const wrong: string[] = [];
  for (const [name, method, path, template, json] of rounds) {
    const { status, body } = await ask(method, path, json);
    wrong.push(...faults(name, template, method, status, body));
  }
  expect(wrong).toEqual([]);
  // The twin: an answer that does not fit is noticed.
  expect(faults('memory_v1', `${memory}/{profileId}`, 'GET', 200, { id: 'no', extra: 1 })).not.toEqual([]);
});
