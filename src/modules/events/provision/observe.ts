import {
  DescribeApiDestinationCommand,
  DescribeConnectionCommand,
  DescribeEventBusCommand,
  ListApiDestinationsCommand,
  ListConnectionsCommand,
  ListRulesCommand,
  ListTagsForResourceCommand,
  ListTargetsByRuleCommand,
  type DescribeConnectionResponse,
  type Rule,
} from '@aws-sdk/client-eventbridge';
import { GetRoleCommand, GetRolePolicyCommand, ListRolePoliciesCommand } from '@aws-sdk/client-iam';
import { GetQueueAttributesCommand, GetQueueUrlCommand, ListQueueTagsCommand } from '@aws-sdk/client-sqs';
import { Failure } from '../../../platform/failure.ts';
import { AwsRefusal, orAbsent, type Aws } from './aws.ts';
import type { OwnNames } from './compare.ts';
import type { Observed, ObservedConnection, ObservedDestination, ObservedQueue, ObservedRole, ObservedRule } from './observed.ts';
import { nameStart, ownerTag, type EventBridgePlace } from './resources.ts';

/** Reads a list page by page. */
async function all<Item>(read: (token: string | undefined) => Promise<{ readonly items: readonly Item[] | undefined; readonly next: string | undefined }>): Promise<readonly Item[]> {
  const items: Item[] = [];
  let token: string | undefined;
  do {
    const page = await read(token);
    items.push(...(page.items ?? []));
    token = page.next;
  } while (token !== undefined);
  return items;
}

const tokenOf = (token: string | undefined): { NextToken?: string } => (token === undefined ? {} : { NextToken: token });

/** What a description says of the authorization, in the same terms as `publicAuth`. */
function authOf({ AuthorizationType: type, AuthParameters: parameters }: DescribeConnectionResponse): ObservedConnection['auth'] {
  const basic = parameters?.BasicAuthParameters;
  const key = parameters?.ApiKeyAuthParameters;
  const oauth = parameters?.OAuthParameters;
  if (type === 'BASIC') return { type, username: basic?.Username };
  if (type === 'API_KEY') return { type, header: key?.ApiKeyName };
  const body = Object.fromEntries((oauth?.OAuthHttpParameters?.BodyParameters ?? []).map(({ Key = '', Value = '' }) => [Key, Value]));
  return { type, endpoint: oauth?.AuthorizationEndpoint, method: oauth?.HttpMethod, client_id: oauth?.ClientParameters?.ClientID, body };
}

async function observeConnections(aws: Aws, prefix: string): Promise<ReadonlyMap<string, ObservedConnection>> {
  const found = new Map<string, ObservedConnection>();
  const list = await all(async (token) => {
    const { Connections, NextToken } = await aws.events.send(new ListConnectionsCommand({ NamePrefix: prefix, ...tokenOf(token) }));
    return { items: Connections, next: NextToken };
  });
  for (const { Name: name = '' } of list) {
    const one = await orAbsent(aws.events.send(new DescribeConnectionCommand({ Name: name })));
    if (one === undefined || one.ConnectionState === 'DELETING') continue;
    found.set(name, { arn: one.ConnectionArn ?? '', description: one.Description ?? '', state: one.ConnectionState ?? '', auth: authOf(one) });
  }
  return found;
}

async function observeDestinations(aws: Aws, prefix: string): Promise<ReadonlyMap<string, ObservedDestination>> {
  const found = new Map<string, ObservedDestination>();
  const list = await all(async (token) => {
    const { ApiDestinations, NextToken } = await aws.events.send(new ListApiDestinationsCommand({ NamePrefix: prefix, ...tokenOf(token) }));
    return { items: ApiDestinations, next: NextToken };
  });
  for (const { Name: name = '' } of list) {
    const one = await orAbsent(aws.events.send(new DescribeApiDestinationCommand({ Name: name })));
    if (one === undefined) continue;
    found.set(name, {
      arn: one.ApiDestinationArn ?? '',
      description: one.Description ?? '',
      connectionArn: one.ConnectionArn ?? '',
      endpoint: one.InvocationEndpoint ?? '',
      method: one.HttpMethod ?? '',
      ratePerSecond: one.InvocationRateLimitPerSecond ?? 300,
    });
  }
  return found;
}

async function observeRule(aws: Aws, place: EventBridgePlace, rule: Rule): Promise<ObservedRule> {
  const { Name: name = '', Arn: arn = '' } = rule;
  const targets = await all(async (token) => {
    const { Targets, NextToken } = await aws.events.send(new ListTargetsByRuleCommand({ Rule: name, EventBusName: place.bus, ...tokenOf(token) }));
    return { items: Targets, next: NextToken };
  });
  const { Tags: tags = [] } = await aws.events.send(new ListTagsForResourceCommand({ ResourceARN: arn }));
  return {
    isOwn: tags.some(({ Key, Value }) => Key === ownerTag && Value === place.prefix),
    description: rule.Description ?? '',
    pattern: rule.EventPattern ?? '',
    state: rule.State ?? '',
    targets: targets as unknown as readonly Readonly<Record<string, unknown>>[],
  };
}

async function observeRules(aws: Aws, place: EventBridgePlace): Promise<ReadonlyMap<string, ObservedRule>> {
  const found = new Map<string, ObservedRule>();
  const list = await all(async (token) => {
    const { Rules, NextToken } = await aws.events.send(new ListRulesCommand({ NamePrefix: nameStart(place.prefix), EventBusName: place.bus, ...tokenOf(token) }));
    return { items: Rules, next: NextToken };
  });
  for (const rule of list) found.set(rule.Name ?? '', await observeRule(aws, place, rule));
  return found;
}

/** Reads the queue; undefined where there is none. */
export async function observeQueue(aws: Aws, name: string, prefix: string): Promise<ObservedQueue | undefined> {
  const url = (await orAbsent(aws.sqs.send(new GetQueueUrlCommand({ QueueName: name }))))?.QueueUrl;
  if (url === undefined) return undefined;
  const { Attributes: attributes = {} } = await aws.sqs.send(new GetQueueAttributesCommand({ QueueUrl: url, AttributeNames: ['All'] }));
  const { Tags: tags = {} } = await aws.sqs.send(new ListQueueTagsCommand({ QueueUrl: url }));
  return {
    isOwn: tags[ownerTag] === prefix,
    url,
    policy: attributes.Policy ?? '',
    retentionSeconds: Number(attributes.MessageRetentionPeriod ?? 0),
    messages: Number(attributes.ApproximateNumberOfMessages ?? 0) + Number(attributes.ApproximateNumberOfMessagesNotVisible ?? 0),
  };
}

async function observeRole(aws: Aws, name: string, prefix: string): Promise<ObservedRole | undefined> {
  const role = (await orAbsent(aws.iam.send(new GetRoleCommand({ RoleName: name }))))?.Role;
  if (role === undefined) return undefined;
  const { PolicyNames: names = [] } = await aws.iam.send(new ListRolePoliciesCommand({ RoleName: name }));
  const policies: Record<string, string> = {};
  for (const policy of names) {
    const found = await orAbsent(aws.iam.send(new GetRolePolicyCommand({ RoleName: name, PolicyName: policy })));
    if (found !== undefined) policies[policy] = decodeURIComponent(found.PolicyDocument ?? '');
  }
  return { isOwn: role.Tags?.some(({ Key, Value }) => Key === ownerTag && Value === prefix) === true, trust: decodeURIComponent(role.AssumeRolePolicyDocument ?? ''), policies };
}

/** Checks that the bus is there and is of the account that the configuration names, for every ARN has it. Fails with `CONFIG_INVALID`. */
async function checkBus(aws: Aws, place: EventBridgePlace): Promise<void> {
  let arn: string;
  try {
    arn = (await aws.events.send(new DescribeEventBusCommand({ Name: place.bus }))).Arn ?? '';
  } catch (error) {
    if (!(error instanceof AwsRefusal) || error.code !== 'ResourceNotFoundException') throw error;
    throw new Failure('CONFIG_INVALID', `/events/eventbridge/bus: there is no event bus ${place.bus} in ${place.region}; make it: aws events create-event-bus --name ${place.bus}`, { cause: error, field: '/events/eventbridge/bus' });
  }
  const account = arn.split(':')[4] ?? '';
  if (account !== place.account) throw new Failure('CONFIG_INVALID', `/events/eventbridge/account is ${place.account}, and the credentials are of the account ${account}`, { field: '/events/eventbridge/account' });
}

/** Reads what is at Amazon under the names of the prefix. Changes nothing. */
export async function observe(aws: Aws, place: EventBridgePlace, names: OwnNames): Promise<Observed> {
  await checkBus(aws, place);
  const start = nameStart(place.prefix);
  return {
    connections: await observeConnections(aws, start),
    destinations: await observeDestinations(aws, start),
    rules: await observeRules(aws, place),
    role: await observeRole(aws, names.role, place.prefix),
    queue: await observeQueue(aws, names.queue, place.prefix),
  };
}
