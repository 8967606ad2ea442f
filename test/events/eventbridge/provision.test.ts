import { CreateQueueCommand, SQSClient } from '@aws-sdk/client-sqs';
import { DeleteApiDestinationCommand, EventBridgeClient, PutEventsCommand, PutRuleCommand, PutTargetsCommand, RemoveTargetsCommand, UpdateApiDestinationCommand } from '@aws-sdk/client-eventbridge';
import { IAMClient, PutRolePolicyCommand } from '@aws-sdk/client-iam';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { destroyEventBridge, differenceAtEventBridge, provisionEventBridge, type EventBridgeDeps, type EventBridgeDifference } from '../../../src/event-bridge.ts';
import type { ConfigDocument } from '../../../src/platform/config/document.ts';
import { eventBridgeCredentials, startEventBridge, type EventBridgeSimulator } from '../../../src/sandbox/eventbridge/index.ts';
import { configOf, dyingClients, secretSources, secretValues, startReceiver, type Receiver } from './installation.ts';

let simulator: EventBridgeSimulator;
let receiver: Receiver;
let config: ConfigDocument;
let events: EventBridgeClient;
let iam: IAMClient;
let sqs: SQSClient;

beforeEach(async () => {
  simulator = await startEventBridge();
  receiver = await startReceiver();
  config = configOf(simulator, receiver);
  const settings = { region: 'eu-central-1', endpoint: simulator.url, credentials: { accessKeyId: eventBridgeCredentials.id, secretAccessKey: eventBridgeCredentials.secret } };
  events = new EventBridgeClient(settings);
  iam = new IAMClient(settings);
  sqs = new SQSClient(settings);
});

afterEach(async () => {
  for (const client of [events, iam, sqs]) client.destroy();
  await receiver.close();
  await simulator.close();
});

const depsOf = (over: Partial<EventBridgeDeps> = {}): EventBridgeDeps => ({
  config,
  secrets: secretSources(),
  // To wait is to let the simulator's time pass.
  wait: async (ms) => simulator.advance(ms),
  onStep: () => undefined,
  ...over,
});
const yes = async (): Promise<boolean> => true;
const provision = async (over: Partial<EventBridgeDeps> = {}, rewriteSecrets = false): Promise<boolean> => provisionEventBridge(depsOf(over), yes, { rewriteSecrets });
const todo = ({ changes }: EventBridgeDifference): string[] => changes.filter(({ action }) => action !== 'unchanged').map(({ action, kind, name }) => `${action} ${kind} ${name}`);
const difference = async (): Promise<EventBridgeDifference> => differenceAtEventBridge(depsOf());
const everything = [
  'create queue quittance-dead-letters',
  'create role quittance-eu-central-1-events',
  'create connection quittance-profiles',
  'create connection quittance-mailing',
  'create connection quittance-crm',
  'create api_destination quittance-profiles',
  'create api_destination quittance-mailing',
  'create api_destination quittance-crm',
  'create rule quittance-redacted',
  'create target quittance-redacted/profiles',
  'create target quittance-redacted/mailing',
  'create rule quittance-closed',
  'create target quittance-closed/crm',
];

interface Dump {
  readonly rules: readonly { readonly name: string }[];
  readonly connections: readonly unknown[];
  readonly api_destinations: readonly unknown[];
  readonly roles: readonly unknown[];
  readonly queues: readonly { messages: unknown[] }[];
}
const dump = (): Dump => simulator.dump() as Dump;

async function putRedacted(): Promise<string> {
  const { Entries } = await events.send(new PutEventsCommand({ Entries: [{ Source: 'compliance.service', DetailType: 'gdpr.deletion.complete', Detail: '{"customer_id":"cus_1","status":"redacted"}', Time: new Date('2026-11-21T10:00:00Z') }] }));
  await simulator.settled();
  return Entries?.[0]?.EventId ?? '';
}

describe('provisioning EventBridge', () => {
  it('plans everything, makes it, and finds nothing to do any more', async () => {
    expect(todo(await difference())).toEqual(everything);
    expect(simulator.effects).toEqual([]);
    await provision();
    expect(todo(await difference())).toEqual([]);
    const made = simulator.effects.length;
    await provision();
    expect(simulator.effects).toHaveLength(made);
  });

  it('has events delivered by what it made, with exact bytes, credentials and path', async () => {
    await provision();
    const id = await putRedacted();
    expect(receiver.received).toHaveLength(2);
    const profile = receiver.received.find(({ url }) => url !== '/mailing');
    expect(profile).toMatchObject({ method: 'POST', url: '/v1/cus_1/profiles', body: '{"profile_id":"cus_1","action":"anonymize","identifiers":{"email":null,"phone":null}}' });
    expect(profile?.headers).toMatchObject({ authorization: 'Bearer marked-bearer-token', 'x-team': 'privacy', 'content-type': 'application/json; charset=utf-8' });
    const mailing = receiver.received.find(({ url }) => url === '/mailing');
    expect(mailing?.headers.authorization).toBe(`Basic ${Buffer.from('quittance:marked-basic-password').toString('base64')}`);
    expect(mailing?.body).toBe(`{"version":"0","id":"${id}","detail-type":"gdpr.deletion.complete","source":"compliance.service","account":"000000000000","time":"2026-11-21T10:00:00Z","region":"eu-central-1","resources":[],"detail":{"customer_id":"cus_1","status":"redacted"}}`);
  });

  it('enables a rule that was disabled, and its OAuth connection fetches a token as the client', async () => {
    await provision();
    config = configOf(simulator, receiver, (text) => text.replace('state: disabled', 'state: enabled'));
    expect(todo(await difference())).toEqual(['update rule quittance-closed']);
    await provision();
    await events.send(new PutEventsCommand({ Entries: [{ Source: 'compliance.service', DetailType: 'request.closed', Detail: '{}' }] }));
    await simulator.settled();
    expect(receiver.received.map(({ url, body }) => (url === '/token' ? body : url))).toEqual(['client_id=quittance&client_secret=marked-client-secret&grant_type=client_credentials&scope=erase', '/crm']);
    expect(receiver.received[1]?.headers.authorization).toBe('Bearer a-token');
  });

  it('mends what somebody changed by hand, shows the fields, and touches nothing else', async () => {
    await provision();
    await events.send(new PutRuleCommand({ Name: 'quittance-redacted', EventPattern: '{"source":["everything"]}', State: 'DISABLED' }));
    await events.send(new RemoveTargetsCommand({ Rule: 'quittance-redacted', Ids: ['mailing'] }));
    await events.send(new UpdateApiDestinationCommand({ Name: 'quittance-crm', InvocationEndpoint: 'https://elsewhere.example/' }));
    await iam.send(new PutRolePolicyCommand({ RoleName: 'quittance-eu-central-1-events', PolicyName: 'call-api-destinations', PolicyDocument: '{"Version":"2012-10-17","Statement":[]}' }));
    await iam.send(new PutRolePolicyCommand({ RoleName: 'quittance-eu-central-1-events', PolicyName: 'more', PolicyDocument: '{"Version":"2012-10-17","Statement":[]}' }));
    await events.send(new DeleteApiDestinationCommand({ Name: 'quittance-mailing' }));
    const found = await difference();
    expect(todo(found)).toEqual([
      'update role quittance-eu-central-1-events',
      'create api_destination quittance-mailing',
      'update api_destination quittance-crm',
      'update rule quittance-redacted',
      'create target quittance-redacted/mailing',
    ]);
    expect(found.changes.find(({ name, kind }) => name === 'quittance-crm' && kind === 'api_destination')?.fields).toEqual([{ field: 'endpoint', from: 'https://elsewhere.example/', to: `${receiver.url}/crm` }]);
    await provision();
    expect(todo(await difference())).toEqual([]);
    await putRedacted();
    expect(receiver.received).toHaveLength(2);
  });

  it('takes away what no rule has any more, a target, a rule and a destination, and leaves the queue', async () => {
    await provision();
    config = configOf(simulator, receiver, (text) => text.replace('        - { id: mailing, destination: mailing }\n', '').replace(/ {4}closed:[^]*?(?= {4}here-only)/u, ''));
    expect(todo(await difference())).toEqual([
      'update queue quittance-dead-letters',
      'update role quittance-eu-central-1-events',
      'delete target quittance-redacted/mailing',
      'delete target quittance-closed/crm',
      'delete rule quittance-closed',
      'delete api_destination quittance-crm',
      'delete api_destination quittance-mailing',
      'delete connection quittance-crm',
      'delete connection quittance-mailing',
    ]);
    await provision();
    expect(todo(await difference())).toEqual([]);
    await putRedacted();
    expect(receiver.received.map(({ url }) => url)).toEqual(['/v1/cus_1/profiles']);
  });

  it('writes secrets once more only when told to', async () => {
    await provision();
    const secrets = secretSources({ ...secretValues, TOKEN: 'a-new-token' });
    await provision({ secrets });
    await putRedacted();
    expect(receiver.received.map(({ headers }) => headers.authorization)).toContain('Bearer marked-bearer-token');
    await provision({ secrets }, true);
    simulator.advance(1000);
    await putRedacted();
    expect(receiver.received.map(({ headers }) => headers.authorization)).toContain('Bearer a-new-token');
  });

  it('changes nothing when it is not confirmed', async () => {
    expect(await provisionEventBridge(depsOf(), async () => false, { rewriteSecrets: false })).toBe(false);
    expect(simulator.effects).toEqual([]);
  });
});

describe('provisioning that dies in the middle', () => {
  it('is gone on with by the next, whichever call it died at, before or after it was done', async () => {
    const whole = dyingClients(config, Infinity, false);
    await provision({ aws: whole.aws });
    expect(whole.calls()).toBeGreaterThan(10);
    const once = simulator.effects.map(({ type, object }) => `${type} ${object}`).toSorted();
    for (const isBefore of [true, false]) {
      for (let nth = 0; nth < whole.calls(); nth += 1) {
        simulator.reset();
        await expect(provision({ aws: dyingClients(config, nth, isBefore).aws })).rejects.toThrow('killed');
        await provision();
        expect(todo(await difference()), `died at call ${nth}`).toEqual([]);
        const created = (all: readonly string[]): readonly string[] => all.filter((each) => each.includes('.created'));
        expect(created(simulator.effects.map(({ type, object }) => `${type} ${object}`).toSorted())).toEqual(created(once));
      }
    }
  });

  it('is destroyed from any state between', async () => {
    const whole = dyingClients(config, Infinity, false);
    await provision({ aws: whole.aws });
    for (let nth = 0; nth < whole.calls(); nth += 3) {
      simulator.reset();
      await expect(provision({ aws: dyingClients(config, nth, false).aws })).rejects.toThrow('killed');
      await destroyEventBridge(depsOf(), yes, { discardDeadLetters: false });
      expect(dump()).toMatchObject({ rules: [], connections: [], api_destinations: [], roles: [], queues: [] });
    }
  });
});

describe('what the services do wrong', () => {
  it('waits for connections, for a role to be known and for the name of a deleted queue', async () => {
    await provision();
    await destroyEventBridge(depsOf(), yes, { discardDeadLetters: false });
    simulator.seed({ settings: { authorizes_after_ms: 30_000, role_after_ms: 20_000 } });
    await provision();
    expect(todo(await difference())).toEqual([]);
    await putRedacted();
    expect(receiver.received).toHaveLength(2);
  });

  it('says that a connection was not authorized, and ends well when it is mended', async () => {
    simulator.seed({ settings: { unauthorized: ['quittance-profiles'] } });
    await expect(provision()).rejects.toMatchObject({ code: 'CONNECTION_REFUSED', detail: expect.stringContaining('quittance-profiles is DEAUTHORIZED') as string });
    expect(todo(await difference())).toContain('update connection quittance-profiles');
    simulator.seed({ settings: { unauthorized: [] } });
    await provision();
    expect(todo(await difference())).toEqual([]);
  });

  it('puts targets that were refused once more, and names those that stay refused', async () => {
    simulator.seed({ faults: [{ operation: 'PutTargets', kind: 'entries', indices: [1], code: 'ConcurrentModificationException' }] });
    await provision();
    expect(todo(await difference())).toEqual([]);
    simulator.reset();
    simulator.seed({ faults: [{ operation: 'PutTargets', kind: 'entries', times: 3, code: 'InternalException' }] });
    await expect(provision()).rejects.toMatchObject({ code: 'CONNECTION_REFUSED', detail: expect.stringContaining('profiles (InternalException)') as string });
    expect(todo(await difference())).toContain('create target quittance-redacted/profiles');
  });

  it('is not stopped by a throttled call or an internal error, and tells what it may not do', async () => {
    simulator.seed({ faults: [{ operation: 'PutRule', kind: 'throttle' }, { operation: 'CreateConnection', kind: 'internal' }, { operation: 'CreateRole', kind: 'throttle' }] });
    await provision();
    expect(todo(await difference())).toEqual([]);
    simulator.reset();
    simulator.seed({ settings: { denied: ['iam:CreateRole'] } });
    await expect(provision()).rejects.toMatchObject({ code: 'CONNECTION_REFUSED', detail: expect.stringContaining('iam:CreateRole') as string });
  });

  it('takes an answer that was lost for no reason to make anything twice', async () => {
    const creating = ['CreateQueue', 'CreateConnection', 'CreateRole', 'PutRolePolicy', 'CreateApiDestination', 'PutRule', 'PutTargets'];
    simulator.seed({ faults: creating.map((operation) => ({ operation, kind: 'lost' as const })) });
    await provision();
    expect(todo(await difference())).toEqual([]);
    expect(simulator.effects.filter(({ type }) => type.endsWith('.created'))).toHaveLength(10);
    const deleting = ['RemoveTargets', 'DeleteRule', 'DeleteApiDestination', 'DeleteConnection', 'DeleteRolePolicy', 'DeleteRole', 'DeleteQueue'];
    simulator.seed({ faults: deleting.map((operation) => ({ operation, kind: 'lost' as const })) });
    await destroyEventBridge(depsOf(), yes, { discardDeadLetters: false });
    expect(dump()).toMatchObject({ rules: [], connections: [], api_destinations: [], roles: [], queues: [] });
  });

  it('says that nobody is there, and that a key is not known', async () => {
    const elsewhere = configOf({ url: 'http://127.0.0.1:1' }, receiver);
    await expect(differenceAtEventBridge(depsOf({ config: elsewhere }))).rejects.toMatchObject({ code: 'VENDOR_UNAVAILABLE' });
    const stranger = secretSources({ ...secretValues, AWS_KEY: 'AKIAANOTHER' });
    await expect(differenceAtEventBridge(depsOf({ secrets: stranger }))).rejects.toMatchObject({ code: 'CONNECTION_AUTH' });
  });

  it('stops before anything is changed when a secret is not set or is one that EventBridge does not take', async () => {
    const without = secretSources({ ...secretValues, PASSWORD: '' });
    await expect(provision({ secrets: without })).rejects.toMatchObject({ code: 'CONFIG_INVALID' });
    const colon = secretSources({ ...secretValues, PASSWORD: 'marked:colon' });
    const refused = provision({ secrets: colon });
    await expect(refused).rejects.toMatchObject({ code: 'CONFIG_INVALID', field: '/events/destinations/mailing/auth/password' });
    await expect(refused).rejects.not.toThrow('marked');
    expect(simulator.effects).toEqual([]);
  });
});

describe('what is not Quittance’s own', () => {
  it('is never changed: a name that is wanted and taken stops all, and what is beside stays', async () => {
    await events.send(new PutRuleCommand({ Name: 'quittance-redacted', EventPattern: '{"source":["theirs"]}' }));
    await expect(provision()).rejects.toMatchObject({ code: 'CONFLICT', detail: expect.stringContaining('rule quittance-redacted') as string });
    expect(simulator.effects.map(({ type }) => type)).toEqual(['rule.created']);
    config = configOf(simulator, receiver, (text) => text.replace('runs_rules: true', 'runs_rules: true\n    prefix: other'));
    await provision();
    await destroyEventBridge(depsOf(), yes, { discardDeadLetters: false });
    expect(dump().rules.map(({ name }) => name)).toEqual(['quittance-redacted']);
  });

  it('is what another prefix has, though its names start the same', async () => {
    config = configOf(simulator, receiver, (text) => text.replace('runs_rules: true', 'runs_rules: true\n    prefix: quittance-eu'));
    await provision();
    const theirs = simulator.dump();
    config = configOf(simulator, receiver);
    await provision();
    await destroyEventBridge(depsOf(), yes, { discardDeadLetters: false });
    expect(dump()).toMatchObject({ rules: (theirs as Dump).rules, connections: (theirs as Dump).connections, roles: (theirs as Dump).roles });
    expect(dump().rules).toHaveLength(2);
  });

  it('is a queue without the tag', async () => {
    await sqs.send(new CreateQueueCommand({ QueueName: 'quittance-dead-letters' }));
    await expect(provision()).rejects.toMatchObject({ code: 'CONFLICT', detail: expect.stringContaining('queue quittance-dead-letters') as string });
  });
});

describe('destroying', () => {
  it('deletes all that it made, and keeps dead letters until it is told', async () => {
    await provision();
    await events.send(new PutTargetsCommand({ Rule: 'quittance-redacted', Targets: [{ Id: 'by-hand', Arn: 'arn:aws:events:eu-central-1:000000000000:api-destination/none/1', RoleArn: 'arn:aws:iam::000000000000:role/quittance-eu-central-1-events', DeadLetterConfig: { Arn: 'arn:aws:sqs:eu-central-1:000000000000:quittance-dead-letters' } }] }));
    await putRedacted();
    expect(dump().queues[0]?.messages).toHaveLength(1);
    await expect(destroyEventBridge(depsOf(), yes, { discardDeadLetters: false })).rejects.toMatchObject({ code: 'CONFLICT', detail: expect.stringContaining('1 dead letters') as string });
    expect(dump().rules).toHaveLength(2);
    await destroyEventBridge(depsOf(), yes, { discardDeadLetters: true });
    expect(dump()).toMatchObject({ rules: [], connections: [], api_destinations: [], roles: [], queues: [] });
    await destroyEventBridge(depsOf(), yes, { discardDeadLetters: false });
  });
});
