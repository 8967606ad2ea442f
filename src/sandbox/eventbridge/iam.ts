import { AwsProblem } from './gate.ts';
import type { AwsCall } from './operation.ts';
import type { Role } from './state.ts';

const xml = (text: string): string => text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;');
const element = (name: string, text: string): string => `<${name}>${xml(text)}</${name}>`;
const namespace = 'https://iam.amazonaws.com/doc/2010-05-08/';

/** A refusal in the query protocol's words. */
export function iamProblem({ code, message }: { readonly code: string; readonly message: string }): string {
  return `<ErrorResponse xmlns="${namespace}"><Error><Type>Sender</Type>${element('Code', code)}${element('Message', message)}</Error><RequestId>sandbox</RequestId></ErrorResponse>`;
}

type IamOperation = (call: AwsCall, form: URLSearchParams) => string;

function field(form: URLSearchParams, name: string, pattern?: RegExp): string {
  const value = form.get(name);
  if (value === null || (pattern !== undefined && !pattern.test(value))) throw new AwsProblem('ValidationError', `The parameter ${name} is missing or not valid.`);
  return value;
}

const roleName = /^[\w+=,.@-]{1,64}$/u;

function roleOf({ state }: AwsCall, form: URLSearchParams): Role {
  const name = field(form, 'RoleName', roleName);
  const role = state.roles.get(name);
  if (role === undefined) throw new AwsProblem('NoSuchEntity', `The role with name ${name} cannot be found.`, 404);
  return role;
}

function tagsIn(form: URLSearchParams): Record<string, string> {
  const tags: Record<string, string> = {};
  for (let at = 1; form.has(`Tags.member.${at}.Key`); at += 1) tags[form.get(`Tags.member.${at}.Key`) ?? ''] = form.get(`Tags.member.${at}.Value`) ?? '';
  return tags;
}

function documentIn(form: URLSearchParams, name: string): string {
  const text = field(form, name);
  try {
    JSON.parse(text);
  } catch {
    throw new AwsProblem('MalformedPolicyDocument', 'Syntax errors in policy.');
  }
  return text;
}

function roleElement({ state }: AwsCall, role: Role): string {
  const tags = Object.entries(state.tags.get(role.arn) ?? {}).map(([key, value]) => `<member>${element('Key', key)}${element('Value', value)}</member>`);
  const parts = [element('Path', '/'), element('RoleName', role.name), element('RoleId', 'AROASANDBOX'), element('Arn', role.arn), element('CreateDate', new Date(role.createdAt).toISOString()), element('AssumeRolePolicyDocument', encodeURIComponent(role.trust))];
  return `<Role>${parts.join('')}<Tags>${tags.join('')}</Tags></Role>`;
}

function createRole(call: AwsCall, form: URLSearchParams): string {
  const { state, context } = call;
  const name = field(form, 'RoleName', roleName);
  if (state.roles.has(name)) throw new AwsProblem('EntityAlreadyExists', `Role with name ${name} already exists.`, 409);
  const role: Role = { name, arn: `arn:aws:iam::${state.account}:role/${name}`, trust: documentIn(form, 'AssumeRolePolicyDocument'), policies: new Map(), createdAt: context.now() };
  state.roles.set(name, role);
  state.tags.set(role.arn, tagsIn(form));
  context.effect('role.created', name);
  return roleElement(call, role);
}

function deleteRole(call: AwsCall, form: URLSearchParams): string {
  const role = roleOf(call, form);
  if (role.policies.size > 0) throw new AwsProblem('DeleteConflict', 'Cannot delete entity, must delete policies first.', 409);
  call.state.roles.delete(role.name);
  call.state.tags.delete(role.arn);
  call.context.effect('role.deleted', role.name);
  return '';
}

function putRolePolicy(call: AwsCall, form: URLSearchParams): string {
  const role = roleOf(call, form);
  const name = field(form, 'PolicyName');
  role.policies.set(name, documentIn(form, 'PolicyDocument'));
  call.context.effect('role_policy.put', `${role.name} ${name}`);
  return '';
}

function policyOf(call: AwsCall, form: URLSearchParams): { readonly role: Role; readonly name: string; readonly text: string } {
  const role = roleOf(call, form);
  const name = field(form, 'PolicyName');
  const text = role.policies.get(name);
  if (text === undefined) throw new AwsProblem('NoSuchEntity', `The role policy with name ${name} cannot be found.`, 404);
  return { role, name, text };
}

/** The little of AWS IAM that a role for EventBridge needs. */
const operations: Readonly<Record<string, IamOperation>> = {
  CreateRole: createRole,
  GetRole: (call, form) => roleElement(call, roleOf(call, form)),
  UpdateAssumeRolePolicy: (call, form) => {
    const role = roleOf(call, form);
    role.trust = documentIn(form, 'PolicyDocument');
    call.context.effect('role.updated', role.name);
    return '';
  },
  DeleteRole: deleteRole,
  PutRolePolicy: putRolePolicy,
  GetRolePolicy: (call, form) => {
    const { role, name, text } = policyOf(call, form);
    return `${element('RoleName', role.name)}${element('PolicyName', name)}${element('PolicyDocument', encodeURIComponent(text))}`;
  },
  DeleteRolePolicy: (call, form) => {
    const { role, name } = policyOf(call, form);
    role.policies.delete(name);
    call.context.effect('role_policy.deleted', `${role.name} ${name}`);
    return '';
  },
  ListRolePolicies: (call, form) => `<PolicyNames>${[...roleOf(call, form).policies.keys()].map((name) => element('member', name)).join('')}</PolicyNames><IsTruncated>false</IsTruncated>`,
  TagRole: (call, form) => {
    const { arn } = roleOf(call, form);
    call.state.tags.set(arn, { ...call.state.tags.get(arn), ...tagsIn(form) });
    return '';
  },
};

/** Answers a call of IAM's query protocol with its XML. */
export function callIam(call: AwsCall, form: URLSearchParams): string {
  const action = form.get('Action') ?? '';
  const operation = operations[action];
  if (operation === undefined) throw new AwsProblem('InvalidAction', `Could not find operation ${action} for version 2010-05-08`);
  return `<${action}Response xmlns="${namespace}"><${action}Result>${operation(call, form)}</${action}Result><ResponseMetadata><RequestId>sandbox</RequestId></ResponseMetadata></${action}Response>`;
}
