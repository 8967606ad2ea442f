import { createServer, type IncomingHttpHeaders, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { CreateApiDestinationCommand, CreateConnectionCommand, DeauthorizeConnectionCommand, DeleteRuleCommand, DescribeConnectionCommand, EventBridgeClient, ListRulesCommand, PutEventsCommand, PutRuleCommand, PutTargetsCommand, RemoveTargetsCommand, TestEventPatternCommand, type Target } from '@aws-sdk/client-eventbridge';
import { CreateRoleCommand, GetRoleCommand, IAMClient, PutRolePolicyCommand } from '@aws-sdk/client-iam';
import { CreateQueueCommand, ReceiveMessageCommand, SQSClient } from '@aws-sdk/client-sqs';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { eventBridgeCredentials, startEventBridge, type EventBridgeSimulator } from '../../../src/sandbox/eventbridge/index.ts';

interface Received {
  readonly method: string;
  readonly url: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

let simulator: EventBridgeSimulator;
let events: EventBridgeClient;
let iam: IAMClient;
let sqs: SQSClient;
let receiver: Server;
let received: Received[];
let answer: (request: Received) => { readonly status: number; readonly headers?: Record<string, string>; readonly body?: string } | undefined;

beforeEach(async () => {
  simulator = await startEventBridge();
  const settings = { region: 'eu-central-1', endpoint: simulator.url, credentials: { accessKeyId: eventBridgeCredentials.id, secretAccessKey: eventBridgeCredentials.secret }, maxAttempts: 1 };
  events = new EventBridgeClient(settings);
  iam = new IAMClient(settings);
  sqs = new SQSClient(settings);
  received = [];
  answer = () => ({ status: 200 });
  receiver = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const got = { method: request.method ?? '', url: request.url ?? '', headers: request.headers, body: Buffer.concat(chunks).toString('utf8') };
      received.push(got);
      const said = answer(got);
      if (said !== undefined) response.writeHead(said.status, said.headers).end(said.body);
    });
  });
  await new Promise<void>((resolve) => {
    receiver.listen(0, '127.0.0.1', resolve);
  });
});

afterEach(async () => {
  receiver.closeAllConnections();
  await new Promise((resolve) => {
    receiver.close(resolve);
  });
  for (const client of [events, iam, sqs]) client.destroy();
  await simulator.close();
});

const endpoint = (path: string): string => `http://127.0.0.1:${(receiver.address() as AddressInfo).port}${path}`;
const trust = JSON.stringify({ Version: '2012-10-17', Statement: [{ Effect: 'Allow', Principal: { Service: 'events.amazonaws.com' }, Action: 'sts:AssumeRole' }] });
const names = { account: '000000000000', rule: 'arn:aws:events:eu-central-1:000000000000:rule/erased' };

/** Makes all that a delivery needs, and gives the target. */
async function setUp(options: { path?: string; auth?: ConstructorParameters<typeof CreateConnectionCommand>[0]; target?: Partial<Target>; rate?: number; allowed?: boolean } = {}): Promise<string> {
  const connection = await events.send(
    new CreateConnectionCommand(options.auth ?? { Name: 'receiver', AuthorizationType: 'API_KEY', AuthParameters: { ApiKeyAuthParameters: { ApiKeyName: 'Authorization', ApiKeyValue: 'Bearer not-so-secret' } } }),
  );
  const destination = await events.send(
    new CreateApiDestinationCommand({ Name: 'receiver', ConnectionArn: connection.ConnectionArn, InvocationEndpoint: endpoint(options.path ?? '/v1'), HttpMethod: 'POST', ...(options.rate === undefined ? {} : { InvocationRateLimitPerSecond: options.rate }) }),
  );
  const role = await iam.send(new CreateRoleCommand({ RoleName: 'invoker', AssumeRolePolicyDocument: trust }));
  const policy = { Version: '2012-10-17', Statement: [{ Effect: 'Allow', Action: 'events:InvokeApiDestination', Resource: `arn:aws:events:eu-central-1:000000000000:api-destination/${options.allowed === false ? 'another' : 'receiver'}/*` }] };
  await iam.send(new PutRolePolicyCommand({ RoleName: 'invoker', PolicyName: 'invoke', PolicyDocument: JSON.stringify(policy) }));
  const queuePolicy = { Version: '2012-10-17', Statement: [{ Effect: 'Allow', Principal: { Service: 'events.amazonaws.com' }, Action: 'sqs:SendMessage', Resource: '*', Condition: { ArnEquals: { 'aws:SourceArn': names.rule } } }] };
  await sqs.send(new CreateQueueCommand({ QueueName: 'dead', Attributes: { Policy: JSON.stringify(queuePolicy) } }));
  await events.send(new PutRuleCommand({ Name: 'erased', EventPattern: JSON.stringify({ source: ['compliance.service'] }) }));
  const target: Target = {
    Id: 'receiver',
    Arn: destination.ApiDestinationArn,
    RoleArn: role.Role?.Arn,
    DeadLetterConfig: { Arn: 'arn:aws:sqs:eu-central-1:000000000000:dead' },
    ...options.target,
  };
  const taken = await events.send(new PutTargetsCommand({ Rule: 'erased', Targets: [target] }));
  expect(taken.FailedEntryCount).toBe(0);
  return destination.ApiDestinationArn ?? '';
}

const entry = (detail: unknown): { Source: string; DetailType: string; Detail: string; Time: Date } => ({ Source: 'compliance.service', DetailType: 'gdpr.deletion.complete', Detail: JSON.stringify(detail), Time: new Date('2026-11-21T10:00:00Z') });

async function put(...details: readonly unknown[]): Promise<readonly string[]> {
  const { Entries = [] } = await events.send(new PutEventsCommand({ Entries: details.map(entry) }));
  await simulator.settled();
  return Entries.map(({ EventId = '' }) => EventId);
}

interface Dump {
  readonly waiting: number;
  readonly outcomes: readonly { outcome: string; code?: string; attempts: number }[];
}
const outcomes = (): readonly { outcome: string; code?: string; attempts: number }[] => (simulator.dump() as Dump).outcomes;

async function deadLetter(): Promise<Record<string, string | undefined>> {
  const queue = `${simulator.url}/${names.account}/dead`;
  const { Messages: messages = [] } = await sqs.send(new ReceiveMessageCommand({ QueueUrl: queue, MessageAttributeNames: ['All'] }));
  return Object.fromEntries(Object.entries(messages[0]?.MessageAttributes ?? {}).map(([name, { StringValue }]) => [name, StringValue]));
}

describe('the simulated EventBridge, spoken to by Amazon’s own clients', () => {
  it('delivers what matches, transformed, with the headers that Amazon documents', async () => {
    await setUp({
      path: '/v1/*/profiles?kind=*',
      target: {
        InputTransformer: { InputPathsMap: { cid: '$.detail.customer_id' }, InputTemplate: '{"profile_id":"<cid>", "action":"anonymize",\n "rule": <aws.events.rule-name>, "none": "<cid>", "identifiers":{"email":null,"phone":null}}' },
        HttpParameters: { PathParameterValues: ['$.detail.customer_id', 'a/b'], HeaderParameters: { 'X-Trace': '$.detail.status', Authorization: 'overruled', Host: 'removed.example' } },
      },
    });
    await put({ customer_id: 'cus 1', status: 'redacted' });
    expect(received).toHaveLength(1);
    const [{ method, url, headers, body } = { method: '', url: '', headers: {}, body: '' }] = received;
    expect({ method, url }).toEqual({ method: 'POST', url: '/v1/cus%201/profiles?kind=a%2Fb' });
    expect(body).toBe('{"profile_id":"cus 1","action":"anonymize","rule":"erased","none":"cus 1","identifiers":{"email":null,"phone":null}}');
    expect(headers).toMatchObject({ authorization: 'Bearer not-so-secret', 'content-type': 'application/json; charset=utf-8', 'user-agent': 'Amazon/EventBridge/ApiDestinations', range: 'bytes=0-1048575', 'x-trace': 'redacted', connection: 'close' });
    expect(headers.host).toMatch(/^127\.0\.0\.1/u);
    expect(outcomes()).toMatchObject([{ outcome: 'delivered', attempts: 1 }]);
  });

  it('delivers the whole event where nothing transforms it, with the id that it gave and the detail as it was written', async () => {
    await setUp();
    const { Entries: entries = [] } = await events.send(new PutEventsCommand({ Entries: [{ ...entry({}), Detail: '{ "n": 1.0 }', Resources: ['arn:aws:x:::y'] }] }));
    await simulator.settled();
    expect(received[0]?.body).toBe(
      `{"version":"0","id":"${entries[0]?.EventId}","detail-type":"gdpr.deletion.complete","source":"compliance.service","account":"000000000000","time":"2026-11-21T10:00:00Z","region":"eu-central-1","resources":["arn:aws:x:::y"],"detail":{ "n": 1.0 }}`,
    );
  });

  it('delivers nothing that no rule matches, and nothing of a disabled rule', async () => {
    await setUp();
    await events.send(new PutEventsCommand({ Entries: [{ ...entry({}), Source: 'another.service' }] }));
    await simulator.settled();
    expect(received).toEqual([]);
    await events.send(new PutRuleCommand({ Name: 'erased', EventPattern: JSON.stringify({ source: ['compliance.service'] }), State: 'DISABLED' }));
    await put({});
    expect(received).toEqual([]);
    await events.send(new PutRuleCommand({ Name: 'erased', EventPattern: JSON.stringify({ source: ['compliance.service'] }) }));
    await put({});
    expect(received).toHaveLength(1);
  });

  it('tries again by its clock after 429 and 5xx, later where Retry-After says so, and gives up as the policy says', async () => {
    await setUp({ target: { RetryPolicy: { MaximumRetryAttempts: 2, MaximumEventAgeInSeconds: 3600 } } });
    answer = () => (received.length === 1 ? { status: 503, headers: { 'retry-after': '100' } } : { status: 500 });
    await put({});
    simulator.advance(99_000);
    await simulator.settled();
    expect(received).toHaveLength(1);
    simulator.advance(1100);
    await simulator.settled();
    expect(received).toHaveLength(2);
    simulator.advance(10_000);
    await simulator.settled();
    expect(received).toHaveLength(3);
    expect(outcomes()).toMatchObject([{ outcome: 'dead-lettered', code: 'ERROR_FROM_TARGET', attempts: 3 }]);
    expect(await deadLetter()).toMatchObject({ ERROR_CODE: 'ERROR_FROM_TARGET', EXHAUSTED_RETRY_CONDITION: 'MaximumRetryAttempts', RETRY_ATTEMPTS: '2', RULE_ARN: names.rule });
  });

  it('never tries again what is refused, redirected or forbidden by its role', async () => {
    const arn = await setUp();
    answer = () => ({ status: received.length === 1 ? 400 : 302, headers: { location: endpoint('/elsewhere') } });
    await put({}, {});
    expect(received).toHaveLength(2);
    expect(outcomes().map(({ outcome }) => outcome)).toEqual(['dead-lettered', 'dead-lettered']);
    await iam.send(new PutRolePolicyCommand({ RoleName: 'invoker', PolicyName: 'invoke', PolicyDocument: JSON.stringify({ Version: '2012-10-17', Statement: [{ Effect: 'Allow', Action: 'events:InvokeApiDestination', Resource: `${arn}x` }] }) }));
    await put({});
    expect(received).toHaveLength(2);
    expect(outcomes().at(-1)).toMatchObject({ outcome: 'dead-lettered', code: 'NO_PERMISSIONS' });
  });

  it('drops what cannot be delivered where no queue takes it', async () => {
    await setUp({ target: { DeadLetterConfig: undefined } });
    answer = () => ({ status: 404 });
    await put({});
    expect(outcomes()).toMatchObject([{ outcome: 'dropped', code: 'ERROR_FROM_TARGET' }]);
  });

  it('waits for an endpoint only so long', async () => {
    simulator.seed({ settings: { timeout_ms: 50 } });
    await setUp({ target: { RetryPolicy: { MaximumRetryAttempts: 0 } } });
    answer = () => undefined;
    await put({});
    expect(outcomes()).toMatchObject([{ outcome: 'dead-lettered', code: 'TIMEOUT' }]);
  });

  it('fetches a token once, uses it, and fetches another when it is no longer taken', async () => {
    let tokens = 0;
    answer = ({ url, headers }) => {
      if (url.startsWith('/token')) {
        tokens += 1;
        return { status: 200, body: JSON.stringify({ access_token: `token-${tokens}`, token_type: 'Bearer' }) };
      }
      return { status: tokens === 1 && received.length > 2 && headers.authorization === 'Bearer token-1' ? 401 : 200 };
    };
    await setUp({
      auth: {
        Name: 'receiver',
        AuthorizationType: 'OAUTH_CLIENT_CREDENTIALS',
        AuthParameters: {
          OAuthParameters: {
            ClientParameters: { ClientID: 'client', ClientSecret: 'hidden' },
            AuthorizationEndpoint: endpoint('/token'),
            HttpMethod: 'POST',
            OAuthHttpParameters: { BodyParameters: [{ Key: 'grant_type', Value: 'client_credentials', IsValueSecret: false }] },
          },
        },
      },
    });
    await put({});
    expect(received[0]?.body).toBe('client_id=client&client_secret=hidden&grant_type=client_credentials');
    expect(received[1]?.headers.authorization).toBe('Bearer token-1');
    await put({});
    simulator.advance(2000);
    await simulator.settled();
    expect(received.slice(2).map(({ url, headers }) => `${url} ${headers.authorization ?? ''}`)).toEqual(['/v1 Bearer token-1', '/token ', '/v1 Bearer token-2']);
    const described = await events.send(new DescribeConnectionCommand({ Name: 'receiver' }));
    expect(JSON.stringify(described)).toContain('client_credentials');
    expect(JSON.stringify(described)).not.toContain('hidden');
  });

  it('calls no faster than the rate of the API destination', async () => {
    await setUp({ rate: 2 });
    await put({}, {}, {}, {}, {}, {});
    const atOnce = received.length;
    expect(atOnce).toBeLessThan(6);
    simulator.advance(3000);
    await simulator.settled();
    expect(received).toHaveLength(6);
  });

  it('delivers twice, or last first, where it is told to', async () => {
    await setUp({ target: { InputPath: '$.detail' } });
    simulator.seed({ twice: 1 });
    await put({ n: 1 });
    expect(received.map(({ body }) => body)).toEqual(['{"n":1}', '{"n":1}']);
    simulator.seed({ reversed: true });
    await put({ n: 2 }, { n: 3 });
    expect(received.slice(2).map(({ body }) => body).toSorted()).toEqual(['{"n":2}', '{"n":3}']);
  });

  it('lets a change of a rule take its while', async () => {
    simulator.seed({ settings: { applies_after_ms: 60_000 } });
    await setUp();
    await put({});
    expect(received).toEqual([]);
    simulator.advance(60_000);
    await put({});
    expect(received).toHaveLength(1);
  });
});

describe('what the simulated EventBridge refuses', () => {
  it('refuses single entries and takes the others, and says which', async () => {
    await setUp();
    const answerOf = await events.send(new PutEventsCommand({ Entries: [entry({}), { ...entry({}), Detail: '[1]' }, { ...entry({}), DetailType: undefined }, { ...entry({}), Source: 'aws.ec2' }, { ...entry({}), EventBusName: 'none' }] }));
    expect(answerOf.FailedEntryCount).toBe(4);
    expect(answerOf.Entries?.map(({ ErrorCode, EventId }) => ErrorCode ?? (EventId === undefined ? 'none' : 'id'))).toEqual(['id', 'MalformedDetail', 'InvalidArgument', 'NotAuthorizedForSourceException', 'InvalidArgument']);
    simulator.seed({ faults: [{ operation: 'PutEvents', kind: 'entries', indices: [1], code: 'ThrottlingException' }] });
    const partly = await events.send(new PutEventsCommand({ Entries: [entry({}), entry({})] }));
    expect(partly.Entries?.[1]).toMatchObject({ ErrorCode: 'ThrottlingException' });
    await simulator.settled();
    expect(received).toHaveLength(2);
  });

  it('refuses calls as a whole: none or eleven entries, too large, throttled, not permitted, not known, falsely signed', async () => {
    await expect(events.send(new PutEventsCommand({ Entries: [] }))).rejects.toMatchObject({ name: 'ValidationException' });
    await expect(events.send(new PutEventsCommand({ Entries: Array.from({ length: 11 }, () => entry({})) }))).rejects.toMatchObject({ name: 'ValidationException' });
    await expect(events.send(new PutEventsCommand({ Entries: [entry({ a: 'x'.repeat(256 * 1024) })] }))).rejects.toMatchObject({ name: 'ValidationException' });
    simulator.seed({ faults: [{ operation: 'PutEvents', kind: 'throttle' }] });
    await expect(events.send(new PutEventsCommand({ Entries: [entry({})] }))).rejects.toMatchObject({ name: 'ThrottlingException' });
    await expect(events.send(new PutEventsCommand({ Entries: [entry({})] }))).resolves.toMatchObject({ FailedEntryCount: 0 });
    simulator.seed({ settings: { denied: ['events:PutRule'] } });
    await expect(events.send(new PutRuleCommand({ Name: 'x', EventPattern: '{"source":["a"]}' }))).rejects.toMatchObject({ name: 'AccessDeniedException' });
    const stranger = new EventBridgeClient({ region: 'eu-central-1', endpoint: simulator.url, credentials: { accessKeyId: eventBridgeCredentials.id, secretAccessKey: 'wrong' }, maxAttempts: 1 });
    await expect(stranger.send(new PutEventsCommand({ Entries: [entry({})] }))).rejects.toMatchObject({ name: 'InvalidSignatureException' });
    stranger.destroy();
  });

  it('refuses rules that are none, and to delete a rule that has targets', async () => {
    for (const pattern of ['{}', '{"a":"b"}', '{"a":[]}', '{"a":[{"prefix":1}]}', '{"a":[{"wildcard":"a**b"}]}', '{"a":[{"cidr":"10.0.0.0/32"}]}', '{"$or":[{"a":["b"]}]}', '{"a":[{"numeric":[">",2,"<",1]}]}', '{"a":[{"like":"x"}]}', 'no json']) {
      await expect(events.send(new PutRuleCommand({ Name: 'x', EventPattern: pattern })), pattern).rejects.toMatchObject({ name: 'InvalidEventPatternException' });
    }
    await setUp();
    await expect(events.send(new DeleteRuleCommand({ Name: 'erased' }))).rejects.toMatchObject({ name: 'ValidationException', message: "Rule can't be deleted since it has targets." });
    await events.send(new RemoveTargetsCommand({ Rule: 'erased', Ids: ['receiver'] }));
    await events.send(new DeleteRuleCommand({ Name: 'erased' }));
    await expect(events.send(new DeleteRuleCommand({ Name: 'erased' }))).resolves.toBeDefined();
  });

  it('refuses targets without a role that can be taken on, and a sixth target', async () => {
    const arn = await setUp();
    await expect(events.send(new PutTargetsCommand({ Rule: 'erased', Targets: [{ Id: 'x', Arn: arn }] }))).rejects.toMatchObject({ name: 'ValidationException' });
    await expect(events.send(new PutTargetsCommand({ Rule: 'erased', Targets: [{ Id: 'x', Arn: arn, RoleArn: 'arn:aws:iam::000000000000:role/none' }] }))).rejects.toMatchObject({ message: expect.stringContaining('cannot be assumed') as string });
    const role = (await iam.send(new GetRoleCommand({ RoleName: 'invoker' }))).Role?.Arn;
    const five = Array.from({ length: 5 }, (_, index) => ({ Id: `t${index}`, Arn: arn, RoleArn: role }));
    await expect(events.send(new PutTargetsCommand({ Rule: 'erased', Targets: five }))).rejects.toMatchObject({ name: 'LimitExceededException' });
    await expect(events.send(new PutTargetsCommand({ Rule: 'erased', Targets: [{ Id: 'x', Arn: arn, RoleArn: role, InputTransformer: { InputTemplate: '{<a>:1}', InputPathsMap: { a: '$.a' } } }] }))).rejects.toMatchObject({ name: 'ValidationException' });
  });

  it('gives connections their states with time, and never a secret', async () => {
    simulator.seed({ settings: { authorizes_after_ms: 1000, unauthorized: ['bad'] } });
    const make = (Name: string): CreateConnectionCommand => new CreateConnectionCommand({ Name, AuthorizationType: 'BASIC', AuthParameters: { BasicAuthParameters: { Username: 'user', Password: 'hidden' }, InvocationHttpParameters: { HeaderParameters: [{ Key: 'a', Value: 'hidden', IsValueSecret: true }] } } });
    await events.send(make('good'));
    await events.send(make('bad'));
    const stateOf = async (Name: string): Promise<string | undefined> => (await events.send(new DescribeConnectionCommand({ Name }))).ConnectionState;
    expect(await stateOf('good')).toBe('CREATING');
    simulator.advance(600);
    expect(await stateOf('good')).toBe('AUTHORIZING');
    simulator.advance(600);
    expect(await stateOf('good')).toBe('AUTHORIZED');
    expect(await stateOf('bad')).toBe('DEAUTHORIZED');
    expect(JSON.stringify([await events.send(new DescribeConnectionCommand({ Name: 'good' })), simulator.dump()])).not.toContain('hidden');
    await events.send(new DeauthorizeConnectionCommand({ Name: 'good' }));
    expect(await stateOf('good')).toBe('DEAUTHORIZED');
    await expect(events.send(make('good'))).rejects.toMatchObject({ name: 'ResourceAlreadyExistsException' });
    await expect(events.send(new CreateApiDestinationCommand({ Name: 'x', ConnectionArn: 'arn:aws:events:eu-central-1:000000000000:connection/none/1', InvocationEndpoint: 'https://receiver.example/', HttpMethod: 'POST' }))).rejects.toMatchObject({ name: 'ResourceNotFoundException' });
  });

  it('lists in pages', async () => {
    for (let at = 0; at < 5; at += 1) await events.send(new PutRuleCommand({ Name: `rule-${at}`, EventPattern: '{"source":["a"]}' }));
    const first = await events.send(new ListRulesCommand({ NamePrefix: 'rule-', Limit: 3 }));
    const second = await events.send(new ListRulesCommand({ NamePrefix: 'rule-', Limit: 3, NextToken: first.NextToken }));
    expect([...(first.Rules ?? []), ...(second.Rules ?? [])].map(({ Name }) => Name)).toEqual(['rule-0', 'rule-1', 'rule-2', 'rule-3', 'rule-4']);
    expect(second.NextToken).toBeUndefined();
  });
});

describe('the simulator’s own reading of event patterns', () => {
  const cases: readonly (readonly [pattern: unknown, event: unknown, expected: boolean])[] = [
    [{ a: ['x'] }, { a: 'x' }, true],
    [{ a: ['x'] }, { a: ['y', 'x'] }, true],
    [{ a: [null] }, { a: null }, true],
    [{ a: [null] }, { a: 'null' }, false],
    [{ a: [''] }, { a: null }, false],
    [{ a: [1] }, { a: '1' }, false],
    [{ a: [{ prefix: 'ab' }] }, { a: 'abc' }, true],
    [{ a: [{ prefix: { 'equals-ignore-case': 'AB' } }] }, { a: 'abc' }, true],
    [{ a: [{ suffix: '.png' }] }, { a: 'x.png' }, true],
    [{ a: [{ suffix: '.png' }] }, { a: 'x.PNG' }, false],
    [{ a: [{ 'equals-ignore-case': 'ÄB' }] }, { a: 'äb' }, true],
    [{ a: [{ wildcard: 'a*c' }] }, { a: 'abbc' }, true],
    [{ a: [{ wildcard: 'a*c' }] }, { a: 'abbcd' }, false],
    [{ a: [{ wildcard: 'a\\*c' }] }, { a: 'a*c' }, true],
    [{ a: [{ wildcard: 'a\\*c' }] }, { a: 'abc' }, false],
    [{ a: [{ 'anything-but': ['x', 'y'] }] }, { a: 'z' }, true],
    [{ a: [{ 'anything-but': ['x', 'y'] }] }, { a: 'x' }, false],
    [{ a: [{ 'anything-but': 'x' }] }, {}, false],
    [{ a: [{ 'anything-but': 'x' }] }, { a: ['x', 'y'] }, true],
    [{ a: [{ 'anything-but': { prefix: 'in' } }] }, { a: 'init' }, false],
    [{ a: [{ 'anything-but': { wildcard: ['*/lib/*'] } }] }, { a: 'x/lib/y' }, false],
    [{ a: [{ numeric: ['>', 0, '<=', 5] }] }, { a: 5 }, true],
    [{ a: [{ numeric: ['>', 0, '<=', 5] }] }, { a: 0 }, false],
    [{ a: [{ numeric: ['=', 301.8] }] }, { a: 3.018e2 }, true],
    [{ a: [{ exists: true }] }, { a: null }, true],
    [{ a: [{ exists: true }] }, { a: { b: 1 } }, false],
    [{ a: [{ exists: false }] }, { a: [] }, true],
    [{ a: [{ exists: false }] }, { a: { b: 1 } }, true],
    [{ a: [{ cidr: '10.0.0.0/24' }] }, { a: '10.0.0.255' }, true],
    [{ a: [{ cidr: '10.0.0.0/24' }] }, { a: '10.0.1.0' }, false],
    [{ a: [{ cidr: '2001:db8::/32' }] }, { a: '2001:db8::1' }, true],
    [{ $or: [{ a: ['x'] }, { b: [{ numeric: ['>', 1] }] }], c: ['z'] }, { b: 2, c: 'z' }, true],
    [{ $or: [{ a: ['x'] }, { b: ['y'] }] }, { a: 'y', b: 'x' }, false],
    [{ a: { b: [1], c: [2] } }, { a: [{ b: 1, c: 3 }, { b: 4, c: 2 }] }, false],
    [{ a: { b: [1], c: [2] } }, { a: [{ b: 1, c: 3 }, { b: 1, c: 2 }] }, true],
    [{ 'a.b': [1] }, { a: { b: 1 } }, true],
  ];

  it.each(cases)('%j of %j: %s', async (pattern, event, expected) => {
    const { Result: result } = await events.send(new TestEventPatternCommand({ EventPattern: JSON.stringify(pattern), Event: JSON.stringify(event) }));
    expect(result).toBe(expected);
  });
});
