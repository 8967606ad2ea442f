import type { EventsConfig } from '../../../platform/config/events.ts';
import { authParameters } from './connection-input.ts';
import { eventBridgePlan, placeOf } from './event-bridge-plan.ts';
import type { Policy, Resources, RuleResource, SecretSlot, TargetResource } from './resources.ts';
import { createNames } from './template-names.ts';

type Json = Readonly<Record<string, unknown>>;

/** Lets CloudFormation put the account, the region and the partition into the texts of a policy. */
function substituted(value: unknown): unknown {
  if (typeof value === 'string') return value.includes('${AWS::') ? { 'Fn::Sub': value } : value;
  if (Array.isArray(value)) return value.map(substituted);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, each]) => [key, substituted(each)]));
}

const pascal = (text: string): string => text.split(/[^A-Za-z0-9]+/u).map((word) => word.slice(0, 1).toUpperCase() + word.slice(1)).join('');
const arnOf = (id: string): Json => ({ 'Fn::GetAtt': [id, 'Arn'] });

function targetOf(target: TargetResource, idOf: (key: string) => string): Json {
  const http = {
    ...(target.pathParameters.length === 0 ? {} : { PathParameterValues: target.pathParameters }),
    ...(Object.keys(target.headers).length === 0 ? {} : { HeaderParameters: target.headers }),
  };
  return {
    Id: target.id,
    Arn: arnOf(idOf(`ApiDestination ${target.destination}`)),
    RoleArn: arnOf('Role'),
    ...(target.transformer === undefined ? {} : { InputTransformer: target.transformer }),
    ...(Object.keys(http).length === 0 ? {} : { HttpParameters: http }),
    RetryPolicy: { MaximumRetryAttempts: target.retries, MaximumEventAgeInSeconds: target.ageSeconds },
    DeadLetterConfig: { Arn: arnOf('DeadLetters') },
  };
}

function ruleOf(rule: RuleResource, bus: string, idOf: (key: string) => string): Json {
  return {
    Type: 'AWS::Events::Rule',
    Properties: {
      Name: rule.name,
      EventBusName: bus,
      ...(rule.description === '' ? {} : { Description: rule.description }),
      EventPattern: JSON.parse(rule.pattern) as unknown,
      State: rule.state,
      Targets: rule.targets.map((target) => targetOf(target, idOf)),
    },
  };
}

function ownResources({ queue, role }: Resources): Json {
  if (queue === undefined || role === undefined) return {};
  const sendTo = (policy: Policy): unknown => substituted({ ...policy, Statement: policy.Statement.map((statement) => ({ ...statement, Resource: arnOf('DeadLetters') })) });
  return {
    DeadLetters: { Type: 'AWS::SQS::Queue', Properties: { QueueName: queue.name, MessageRetentionPeriod: queue.retentionSeconds, SqsManagedSseEnabled: true } },
    DeadLettersPolicy: { Type: 'AWS::SQS::QueuePolicy', Properties: { Queues: [{ Ref: 'DeadLetters' }], PolicyDocument: sendTo(queue.policy) } },
    Role: { Type: 'AWS::IAM::Role', Properties: { AssumeRolePolicyDocument: substituted(role.trust), Policies: [{ PolicyName: role.policyName, PolicyDocument: substituted(role.policy) }] } },
  };
}

/** Gives a CloudFormation template of what the rules need. Secrets are parameters that are never echoed; no value is in it. Fails as `eventBridgePlan` does. */
export function cloudFormationTemplate(config: EventsConfig): Json {
  const plan = eventBridgePlan(config, { ...placeOf(config), partition: '${AWS::Partition}', region: '${AWS::Region}', account: '${AWS::AccountId}' });
  const idOf = createNames(pascal);
  const parameterOf = createNames(pascal);
  const parameters: Record<string, Json> = {};
  const secretOf = (slot: SecretSlot): unknown => {
    const [, , , destination = '', , field = ''] = slot.at.split('/');
    const name = parameterOf(`${destination} ${field}`);
    parameters[name] = { Type: 'String', NoEcho: true, Description: `What ${slot.reference.slice(2, -1)} is in the configuration of Quittance.` };
    return slot.before === '' ? { Ref: name } : { 'Fn::Sub': `${slot.before}\${${name}}` };
  };
  const resources: Record<string, unknown> = { ...ownResources(plan) };
  for (const { name, description, auth } of plan.connections) {
    resources[idOf(`Connection ${name}`)] = { Type: 'AWS::Events::Connection', Properties: { Name: name, Description: description, AuthorizationType: auth.type, AuthParameters: authParameters(auth, secretOf) } };
  }
  for (const each of plan.destinations) {
    resources[idOf(`ApiDestination ${each.name}`)] = {
      Type: 'AWS::Events::ApiDestination',
      Properties: { Name: each.name, Description: each.description, ConnectionArn: arnOf(idOf(`Connection ${each.connection}`)), InvocationEndpoint: each.endpoint, HttpMethod: each.method, InvocationRateLimitPerSecond: each.ratePerSecond },
    };
  }
  for (const rule of plan.rules) resources[idOf(`Rule ${rule.name}`)] = ruleOf(rule, plan.place.bus, idOf);
  if (plan.rules.length > 0) {
    resources['Publisher'] = { Type: 'AWS::IAM::ManagedPolicy', Properties: { Description: 'What Quittance needs to put events on the bus.', PolicyDocument: substituted(plan.publisher) } };
  }
  return {
    AWSTemplateFormatVersion: '2010-09-09',
    Description: 'What the event rules of Quittance need at Amazon EventBridge. Made by: quittance eventbridge plan --format cloudformation',
    ...(Object.keys(parameters).length === 0 ? {} : { Parameters: parameters }),
    Resources: resources,
    ...(plan.rules.length === 0 ? {} : { Outputs: { PublisherPolicy: { Value: { Ref: 'Publisher' } }, DeadLetterQueue: { Value: { Ref: 'DeadLetters' } } } }),
  };
}
