import type { Observed, ObservedConnection, ObservedDestination, ObservedRule } from './observed.ts';
import { ownerWords, type ApiDestinationResource, type ConnectionAuth, type ConnectionResource, type Policy, type Resources, type RuleResource, type TargetResource } from './resources.ts';

/** The kinds of things that are provisioned. */
export type ResourceKind = 'queue' | 'role' | 'connection' | 'api_destination' | 'rule' | 'target';

/** One field that is not as it should be; nothing secret is ever compared, so nothing secret is shown. */
export interface FieldDifference {
  readonly field: string;
  readonly from: string;
  readonly to: string;
}

/** What is to be done about one thing. A target is named `rule/id`. */
export interface Change {
  readonly action: 'create' | 'update' | 'delete' | 'unchanged';
  readonly kind: ResourceKind;
  readonly name: string;
  readonly fields: readonly FieldDifference[];
}

/** What is to be done about everything, and what has a name that is wanted but is somebody else's. */
export interface Comparison {
  readonly changes: readonly Change[];
  readonly foreign: readonly { readonly kind: ResourceKind; readonly name: string }[];
}

const unknownYet = 'known when provisioned';

/** JSON with the keys in order, so that equal things are equal texts. */
function canonical(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonical).join(',')}]`;
  if (typeof value !== 'object' || value === null) return JSON.stringify(value) ?? 'null';
  const entries = Object.entries(value).filter(([, each]) => each !== undefined);
  return `{${entries.toSorted(([one], [other]) => (one < other ? -1 : 1)).map(([key, each]) => `${JSON.stringify(key)}:${canonical(each)}`).join(',')}}`;
}

function canonicalText(text: string): string {
  try {
    return canonical(JSON.parse(text));
  } catch {
    return text;
  }
}

/** Amazon gives a list of one as its member. */
function canonicalPolicy(policy: Policy | string): string {
  const value: unknown = typeof policy === 'string' ? (policy === '' ? null : JSON.parse(policy)) : policy;
  const unwrapped = (each: unknown): unknown => {
    if (Array.isArray(each)) return each.length === 1 ? unwrapped(each[0]) : each.map(unwrapped).toSorted((one, other) => (canonical(one) < canonical(other) ? -1 : 1));
    if (typeof each !== 'object' || each === null) return each;
    return Object.fromEntries(Object.entries(each).map(([key, below]) => [key, unwrapped(below)]));
  };
  return canonical(unwrapped(value));
}

const show = (value: unknown): string => (typeof value === 'string' ? value : canonical(value));

function differences(wanted: Readonly<Record<string, unknown>>, found: Readonly<Record<string, unknown>>): readonly FieldDifference[] {
  return Object.keys({ ...wanted, ...found })
    .filter((field) => canonical(wanted[field]) !== canonical(found[field]))
    .map((field) => ({ field, from: found[field] === undefined ? '' : show(found[field]), to: wanted[field] === undefined ? '' : show(wanted[field]) }));
}

/** What a connection shows of its authorization: everything but the secret. */
export function publicAuth(auth: ConnectionAuth): Readonly<Record<string, unknown>> {
  switch (auth.type) {
    case 'BASIC':
      return { type: auth.type, username: auth.username };
    case 'API_KEY':
      return { type: auth.type, header: auth.header };
    case 'OAUTH_CLIENT_CREDENTIALS':
      return { type: auth.type, endpoint: auth.endpoint, method: auth.method, client_id: auth.clientId, body: auth.body };
    default:
      return auth satisfies never;
  }
}

/** A target in the terms of the API, as PutTargets takes it and ListTargetsByRule gives it. */
export function targetInput(target: TargetResource, arns: { readonly destination: string; readonly role: string; readonly queue: string }): Readonly<Record<string, unknown>> {
  const http = {
    ...(target.pathParameters.length === 0 ? {} : { PathParameterValues: target.pathParameters }),
    ...(Object.keys(target.headers).length === 0 ? {} : { HeaderParameters: target.headers }),
  };
  return {
    Id: target.id,
    Arn: arns.destination,
    RoleArn: arns.role,
    ...(target.transformer === undefined ? {} : { InputTransformer: { ...(Object.keys(target.transformer.InputPathsMap).length === 0 ? {} : { InputPathsMap: target.transformer.InputPathsMap }), InputTemplate: target.transformer.InputTemplate } }),
    ...(Object.keys(http).length === 0 ? {} : { HttpParameters: http }),
    RetryPolicy: { MaximumRetryAttempts: target.retries, MaximumEventAgeInSeconds: target.ageSeconds },
    DeadLetterConfig: { Arn: arns.queue },
  };
}

/** Leaves out what the API may give as empty instead of not at all. */
function withoutEmpty(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutEmpty);
  if (typeof value !== 'object' || value === null) return value;
  const kept = Object.entries(value).map(([key, each]): [string, unknown] => [key, withoutEmpty(each)]);
  return Object.fromEntries(kept.filter(([, each]) => each !== undefined && !(typeof each === 'object' && each !== null && Object.keys(each).length === 0)));
}

function compareConnection(wanted: ConnectionResource, found: ObservedConnection): readonly FieldDifference[] {
  const fields = differences({ description: wanted.description, ...publicAuth(wanted.auth) }, { description: found.description, ...found.auth });
  // A connection on its way to AUTHORIZED is waited for; any other state wants the credentials once more.
  const isUsable = ['AUTHORIZED', 'CREATING', 'UPDATING', 'AUTHORIZING', 'ACTIVE'].includes(found.state);
  return isUsable ? fields : [...fields, { field: 'state', from: found.state, to: 'AUTHORIZED' }];
}

function compareDestination(wanted: ApiDestinationResource, found: ObservedDestination, connection: ObservedConnection | undefined): readonly FieldDifference[] {
  const { endpoint, method, ratePerSecond, description } = wanted;
  return differences(
    { description, endpoint, method, rate_per_second: ratePerSecond, connection: connection?.arn ?? unknownYet },
    { description: found.description, endpoint: found.endpoint, method: found.method, rate_per_second: found.ratePerSecond, connection: found.connectionArn },
  );
}

function compareRule(wanted: RuleResource, found: ObservedRule): readonly FieldDifference[] {
  return differences(
    { description: wanted.description, pattern: canonicalText(wanted.pattern), state: wanted.state },
    { description: found.description, pattern: canonicalText(found.pattern), state: found.state },
  );
}

const change = (kind: ResourceKind, name: string, isThere: boolean, fields: readonly FieldDifference[]): Change => ({ kind, name, action: !isThere ? 'create' : fields.length > 0 ? 'update' : 'unchanged', fields: isThere ? fields : [] });
const gone = (kind: ResourceKind, name: string): Change => ({ kind, name, action: 'delete', fields: [] });

function compareTargets(resources: Resources, rule: RuleResource, observed: Observed): readonly Change[] {
  const found = observed.rules.get(rule.name)?.targets ?? [];
  const wanted = rule.targets.map((target) => {
    const destination = observed.destinations.get(target.destination)?.arn ?? unknownYet;
    const input = targetInput(target, { destination, role: resources.role?.arn ?? '', queue: resources.queue?.arn ?? '' });
    const old = found.find((each) => each['Id'] === target.id);
    return change('target', `${rule.name}/${target.id}`, old !== undefined, old === undefined ? [] : differences(withoutEmpty(input) as Record<string, unknown>, withoutEmpty(old) as Record<string, unknown>));
  });
  const stale = found.map((each) => String(each['Id'])).filter((id) => !rule.targets.some((target) => target.id === id));
  return [...wanted, ...stale.map((id) => gone('target', `${rule.name}/${id}`))];
}

function compareOwn(resources: Resources, observed: Observed): readonly Change[] {
  const { queue, role } = resources;
  const changes: Change[] = [];
  if (queue !== undefined) {
    const found = observed.queue;
    const fields = found === undefined ? [] : differences({ policy: canonicalPolicy(queue.policy), retention_seconds: queue.retentionSeconds }, { policy: canonicalPolicy(found.policy), retention_seconds: found.retentionSeconds });
    changes.push(change('queue', queue.name, found !== undefined, fields));
  }
  if (role !== undefined) {
    const found = observed.role;
    const policies = Object.fromEntries(Object.entries(found?.policies ?? {}).map(([name, text]) => [`policy ${name}`, canonicalPolicy(text)]));
    const fields = differences({ trust: canonicalPolicy(role.trust), [`policy ${role.policyName}`]: canonicalPolicy(role.policy) }, { trust: canonicalPolicy(found?.trust ?? ''), ...policies });
    changes.push(change('role', role.name, found !== undefined, fields));
  }
  return changes;
}

/** The names of the queue and the role of a prefix, which an empty plan has none of. */
export interface OwnNames {
  readonly queue: string;
  readonly role: string;
}

/**
 * Says what is to be done so that what is at Amazon is as it should be. What has a name of the prefix and the mark of Quittance but is in no rule any more is
 * deleted; what has not the mark is never touched: where its name is wanted, it is `foreign`.
 */
export function compareResources(resources: Resources, observed: Observed, names: OwnNames): Comparison {
  const words = ownerWords(resources.place.prefix);
  const foreign: { kind: ResourceKind; name: string }[] = [];
  const strange = (kind: ResourceKind, name: string, isOwn: boolean | undefined): void => {
    if (isOwn === false) foreign.push({ kind, name });
  };
  const isOwn = (found: { readonly description: string } | undefined): boolean | undefined => (found === undefined ? undefined : found.description.startsWith(words));
  if (resources.queue !== undefined) strange('queue', names.queue, observed.queue?.isOwn);
  if (resources.role !== undefined) strange('role', names.role, observed.role?.isOwn);
  for (const { name } of resources.connections) strange('connection', name, isOwn(observed.connections.get(name)));
  for (const { name } of resources.destinations) strange('api_destination', name, isOwn(observed.destinations.get(name)));
  for (const { name } of resources.rules) strange('rule', name, observed.rules.get(name)?.isOwn);

  const connections = resources.connections.map((wanted) => {
    const found = observed.connections.get(wanted.name);
    return change('connection', wanted.name, found !== undefined, found === undefined ? [] : compareConnection(wanted, found));
  });
  const destinations = resources.destinations.map((wanted) => {
    const found = observed.destinations.get(wanted.name);
    return change('api_destination', wanted.name, found !== undefined, found === undefined ? [] : compareDestination(wanted, found, observed.connections.get(wanted.connection)));
  });
  const rules = resources.rules.flatMap((wanted) => {
    const found = observed.rules.get(wanted.name);
    return [change('rule', wanted.name, found !== undefined, found === undefined ? [] : compareRule(wanted, found)), ...compareTargets(resources, wanted, observed)];
  });
  const isWanted = (all: readonly { readonly name: string }[], name: string): boolean => all.some((each) => each.name === name);
  const stale = [
    ...[...observed.rules].filter(([name, rule]) => rule.isOwn && !isWanted(resources.rules, name)).flatMap(([name, rule]) => [...rule.targets.map((each) => gone('target', `${name}/${String(each['Id'])}`)), gone('rule', name)]),
    ...[...observed.destinations].filter(([name, found]) => isOwn(found) === true && !isWanted(resources.destinations, name)).map(([name]) => gone('api_destination', name)),
    ...[...observed.connections].filter(([name, found]) => isOwn(found) === true && !isWanted(resources.connections, name)).map(([name]) => gone('connection', name)),
    ...(resources.role === undefined && observed.role?.isOwn === true ? [gone('role', names.role)] : []),
    ...(resources.queue === undefined && observed.queue?.isOwn === true ? [gone('queue', names.queue)] : []),
  ];
  return { changes: [...compareOwn(resources, observed), ...connections, ...destinations, ...rules, ...stale], foreign };
}
