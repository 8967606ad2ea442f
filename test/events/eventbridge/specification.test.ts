import { existsSync, readFileSync } from 'node:fs';
import { buffer } from 'node:stream/consumers';
import { Readable } from 'node:stream';
import {
  CreateApiDestinationCommand,
  CreateConnectionCommand,
  CreateEventBusCommand,
  DeauthorizeConnectionCommand,
  DeleteApiDestinationCommand,
  DeleteConnectionCommand,
  DescribeApiDestinationCommand,
  DescribeConnectionCommand,
  DescribeEventBusCommand,
  DescribeRuleCommand,
  EventBridgeClient,
  ListApiDestinationsCommand,
  ListConnectionsCommand,
  ListRulesCommand,
  ListTargetsByRuleCommand,
  PutEventsCommand,
  PutRuleCommand,
  PutTargetsCommand,
  RemoveTargetsCommand,
  TestEventPatternCommand,
  UpdateApiDestinationCommand,
  UpdateConnectionCommand,
} from '@aws-sdk/client-eventbridge';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { eventBridgeCredentials, startEventBridge, type EventBridgeSimulator } from '../../../src/sandbox/eventbridge/index.ts';

const file = new URL('../../../../shared/specs/aws/eventbridge.trimmed.service-2.json', import.meta.url);
const isPresent = existsSync(file);
const ABSENT = 'Amazon’s service description is not beside this repository (../shared/specs)';

interface Shape {
  readonly type: string;
  readonly members?: Readonly<Record<string, { shape: string }>>;
  readonly member?: { shape: string };
  readonly key?: { shape: string };
  readonly enum?: readonly string[];
  readonly pattern?: string;
}
interface Description {
  readonly operations: Readonly<Record<string, { output?: { shape: string } }>>;
  readonly shapes: Readonly<Record<string, Shape>>;
}

/** Says what of an answer is not as the description has it. */
function faults(description: Description, name: string, value: unknown, at: string): readonly string[] {
  const shape = description.shapes[name];
  if (shape === undefined) return [`${at}: no shape ${name}`];
  if (shape.type === 'structure') {
    return Object.entries(value as Record<string, unknown>).flatMap(([key, each]) => {
      const member = shape.members?.[key];
      return member === undefined ? [`${at}.${key} is no member of ${name}`] : faults(description, member.shape, each, `${at}.${key}`);
    });
  }
  if (shape.type === 'list') return (value as readonly unknown[]).flatMap((each, index) => faults(description, shape.member?.shape ?? '', each, `${at}[${index}]`));
  if (shape.type === 'map') return typeof value === 'object' ? [] : [`${at} is no map`];
  const type = { string: 'string', timestamp: 'number', integer: 'number', long: 'number', boolean: 'boolean' }[shape.type];
  if (typeof value !== type) return [`${at} is a ${typeof value}, not a ${shape.type}`];
  if (shape.enum !== undefined && !shape.enum.includes(String(value))) return [`${at} is ${String(value)}, none of ${shape.enum.join()}`];
  return shape.pattern !== undefined && !new RegExp(shape.pattern).test(String(value)) ? [`${at} does not fit ${shape.pattern}`] : [];
}

let simulator: EventBridgeSimulator;
let events: EventBridgeClient;
let answers: { operation: string; body: unknown }[];

beforeEach(async () => {
  simulator = await startEventBridge();
  events = new EventBridgeClient({ region: 'eu-central-1', endpoint: simulator.url, credentials: { accessKeyId: eventBridgeCredentials.id, secretAccessKey: eventBridgeCredentials.secret } });
  answers = [];
  const inner = events.config.requestHandler;
  const handle: typeof inner.handle = async (request, options) => {
    const answer = await inner.handle(request, options);
    const bytes = await buffer(answer.response.body as Readable);
    answers.push({ operation: String(request.headers['x-amz-target']).split('.')[1] ?? '', body: JSON.parse(bytes.toString('utf8')) });
    answer.response.body = Readable.from([bytes]);
    return answer;
  };
  events.config.requestHandler = { ...inner, metadata: inner.metadata, handle, destroy: () => inner.destroy?.() } as typeof inner;
});
afterEach(async () => {
  events.destroy();
  await simulator.close();
});

test.skipIf(!isPresent)(`every answer of the simulated EventBridge has the members and types of Amazon’s description${isPresent ? '' : `: ${ABSENT}`}`, async () => {
  const description = JSON.parse(readFileSync(file, 'utf8')) as Description;
  const auth = { ApiKeyAuthParameters: { ApiKeyName: 'X-Key', ApiKeyValue: 'a' } };
  await events.send(new CreateEventBusCommand({ Name: 'privacy' }));
  await events.send(new DescribeEventBusCommand({ Name: 'privacy' }));
  const { ConnectionArn: connection } = await events.send(new CreateConnectionCommand({ Name: 'c', AuthorizationType: 'API_KEY', AuthParameters: auth }));
  await events.send(new UpdateConnectionCommand({ Name: 'c', AuthParameters: auth }));
  const oauth = { ClientParameters: { ClientID: 'a', ClientSecret: 'b' }, AuthorizationEndpoint: 'https://t.example/', HttpMethod: 'POST' as const, OAuthHttpParameters: { BodyParameters: [{ Key: 'a', Value: 'b', IsValueSecret: false }] } };
  await events.send(new CreateConnectionCommand({ Name: 'o', Description: 'x', AuthorizationType: 'OAUTH_CLIENT_CREDENTIALS', AuthParameters: { OAuthParameters: oauth } }));
  for (const Name of ['c', 'o']) await events.send(new DescribeConnectionCommand({ Name }));
  await events.send(new ListConnectionsCommand({}));
  await events.send(new CreateApiDestinationCommand({ Name: 'd', Description: 'x', ConnectionArn: connection, InvocationEndpoint: 'https://d.example/*', HttpMethod: 'POST' }));
  await events.send(new UpdateApiDestinationCommand({ Name: 'd', HttpMethod: 'PUT' }));
  await events.send(new DescribeApiDestinationCommand({ Name: 'd' }));
  await events.send(new ListApiDestinationsCommand({}));
  await events.send(new PutRuleCommand({ Name: 'r', EventPattern: '{"source":["a"]}', Description: 'x' }));
  await events.send(new DescribeRuleCommand({ Name: 'r' }));
  await events.send(new ListRulesCommand({}));
  await events.send(new PutTargetsCommand({ Rule: 'r', Targets: [{ Id: 't', Arn: 'arn:aws:sqs:eu-central-1:000000000000:q', RetryPolicy: { MaximumRetryAttempts: 1 } }] }));
  simulator.seed({ faults: [{ operation: 'PutTargets', kind: 'entries' }] });
  await events.send(new PutTargetsCommand({ Rule: 'r', Targets: [{ Id: 't', Arn: 'arn:aws:sqs:eu-central-1:000000000000:q' }] }));
  await events.send(new ListTargetsByRuleCommand({ Rule: 'r' }));
  await events.send(new PutEventsCommand({ Entries: [{ Source: 'a', DetailType: 'b', Detail: '{}' }, { Source: 'a', DetailType: 'b', Detail: 'c' }] }));
  await events.send(new TestEventPatternCommand({ EventPattern: '{"source":["a"]}', Event: '{}' }));
  await events.send(new RemoveTargetsCommand({ Rule: 'r', Ids: ['t'] }));
  await events.send(new DeleteApiDestinationCommand({ Name: 'd' }));
  await events.send(new DeauthorizeConnectionCommand({ Name: 'c' }));
  await events.send(new DeleteConnectionCommand({ Name: 'c' }));
  expect(answers).toHaveLength(24);
  const wrong = answers.flatMap(({ operation, body }) => {
    const output = description.operations[operation]?.output?.shape;
    return output === undefined ? [`${operation} is not described`] : faults(description, output, body, operation);
  });
  // The description admits no ! in a secret's ARN, and the user guide's policies name secrets events!connection/…; the guide is followed.
  expect(wrong.filter((each) => !each.startsWith('DescribeConnection.SecretArn does not fit'))).toEqual([]);
  expect(faults(description, 'PutRuleResponse', { RuleArn: 1, More: 2 }, 'x')).toHaveLength(2);
});
