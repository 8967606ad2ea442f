import {
  CreateApiDestinationCommand,
  CreateConnectionCommand,
  DeleteApiDestinationCommand,
  DeleteConnectionCommand,
  DeleteRuleCommand,
  DescribeConnectionCommand,
  PutRuleCommand,
  PutTargetsCommand,
  RemoveTargetsCommand,
  UpdateApiDestinationCommand,
  UpdateConnectionCommand,
  type CreateConnectionCommandInput,
  type Target,
} from '@aws-sdk/client-eventbridge';
import { CreateRoleCommand, DeleteRoleCommand, DeleteRolePolicyCommand, PutRolePolicyCommand, UpdateAssumeRolePolicyCommand } from '@aws-sdk/client-iam';
import { CreateQueueCommand, DeleteQueueCommand, SetQueueAttributesCommand } from '@aws-sdk/client-sqs';
import { Failure } from '../../../platform/failure.ts';
import { AwsRefusal, orAbsent, type Aws } from './aws.ts';
import { targetInput, type Change, type OwnNames } from './compare.ts';
import { authParameters, secretFor } from './connection-input.ts';
import type { Observed } from './observed.ts';
import { ownerTag, type ApiDestinationResource, type ConnectionResource, type Resources, type RuleResource } from './resources.ts';

/** A connection, a role and the name of a deleted queue take seconds to a minute; after two minutes one is told. */
const waitMs = 2000;
const waitsMax = 60;
const targetsPerRule = 5;
const targetTriesMax = 3;

/** What the changes are made with. */
export interface ApplyDeps {
  readonly aws: Aws;
  /** Reads a secret of the configuration; fails with `CONFIG_INVALID`. */
  readonly resolve: (reference: string, at: string) => string;
  readonly wait: (ms: number) => Promise<void>;
  /** Told before each change, counted from 0. */
  readonly onStep: (done: number, total: number) => void;
}

/** What is applied: the plan, what was found, and what differs. */
export interface Apply {
  readonly resources: Resources;
  readonly observed: Observed;
  readonly names: OwnNames;
  readonly changes: readonly Change[];
}

const isRefusal = (error: unknown, code: RegExp): error is AwsRefusal => error instanceof AwsRefusal && code.test(error.code);

/** Does it again after a while, as long as it is refused for a reason that time mends. */
async function patiently<Value>(deps: ApplyDeps, attempt: () => Promise<Value>, mends: (error: unknown) => boolean): Promise<Value> {
  for (let waits = 0; ; waits += 1) {
    try {
      return await attempt();
    } catch (error) {
      if (waits === waitsMax || !mends(error)) throw error;
      await deps.wait(waitMs);
    }
  }
}

async function putQueue(deps: ApplyDeps, { resources: { queue, place }, observed, names }: Apply): Promise<void> {
  if (queue === undefined) return;
  const attributes = { Policy: JSON.stringify(queue.policy), MessageRetentionPeriod: String(queue.retentionSeconds) };
  if (observed.queue !== undefined) {
    await deps.aws.sqs.send(new SetQueueAttributesCommand({ QueueUrl: observed.queue.url, Attributes: attributes }));
    return;
  }
  const create = new CreateQueueCommand({ QueueName: names.queue, Attributes: { ...attributes, SqsManagedSseEnabled: 'true' }, tags: { [ownerTag]: place.prefix } });
  // The name of a queue that was deleted is free again after a minute.
  await patiently(deps, async () => deps.aws.sqs.send(create), (error) => isRefusal(error, /QueueDeletedRecently/u));
}

async function putRole({ aws }: ApplyDeps, { resources: { role, place }, observed }: Apply): Promise<void> {
  if (role === undefined) return;
  const trust = JSON.stringify(role.trust);
  if (observed.role === undefined) {
    try {
      await aws.iam.send(new CreateRoleCommand({ RoleName: role.name, AssumeRolePolicyDocument: trust, Description: 'EventBridge calls the API destinations of Quittance with it.', Tags: [{ Key: ownerTag, Value: place.prefix }] }));
    } catch (error) {
      // An answer that was lost: the client asked once more, and the role is there.
      if (!isRefusal(error, /^EntityAlreadyExists/u)) throw error;
    }
  } else {
    await aws.iam.send(new UpdateAssumeRolePolicyCommand({ RoleName: role.name, PolicyDocument: trust }));
  }
  await aws.iam.send(new PutRolePolicyCommand({ RoleName: role.name, PolicyName: role.policyName, PolicyDocument: JSON.stringify(role.policy) }));
  for (const name of Object.keys(observed.role?.policies ?? {}).filter((each) => each !== role.policyName)) await orAbsent(aws.iam.send(new DeleteRolePolicyCommand({ RoleName: role.name, PolicyName: name })));
}

async function putConnection(deps: ApplyDeps, connection: ConnectionResource, isThere: boolean): Promise<void> {
  const input = {
    Name: connection.name,
    Description: connection.description,
    AuthorizationType: connection.auth.type,
    AuthParameters: authParameters(connection.auth, (slot) => secretFor(slot, deps.resolve)),
  } as CreateConnectionCommandInput;
  if (!isThere) {
    try {
      await deps.aws.events.send(new CreateConnectionCommand(input));
      return;
    } catch (error) {
      if (!isRefusal(error, /^ResourceAlreadyExists/u)) throw error;
    }
  }
  await deps.aws.events.send(new UpdateConnectionCommand(input));
}

/** Waits until a connection is AUTHORIZED and gives its ARN. Fails with `CONNECTION_REFUSED` when it becomes anything else that lasts. */
async function authorizedArn(deps: ApplyDeps, name: string): Promise<string> {
  for (let waits = 0; waits <= waitsMax; waits += 1) {
    const { ConnectionState: state, ConnectionArn: arn = '' } = await deps.aws.events.send(new DescribeConnectionCommand({ Name: name }));
    if (state === 'AUTHORIZED') return arn;
    if (state === 'DEAUTHORIZED' || state === 'DEAUTHORIZING' || state === 'DELETING' || state === 'FAILED_CONNECTIVITY') {
      throw new Failure('CONNECTION_REFUSED', `The connection ${name} is ${state}: its credentials were not accepted, or its token endpoint was not reached. Mend them and provision again`);
    }
    await deps.wait(waitMs);
  }
  throw new Failure('VENDOR_TIMEOUT', `The connection ${name} was not AUTHORIZED after ${(waitMs * waitsMax) / 1000} s; provision again to go on waiting`);
}

async function putDestination({ aws }: ApplyDeps, destination: ApiDestinationResource, connectionArn: string, isThere: boolean): Promise<string> {
  const input = {
    Name: destination.name,
    Description: destination.description,
    ConnectionArn: connectionArn,
    InvocationEndpoint: destination.endpoint,
    HttpMethod: destination.method as 'POST',
    InvocationRateLimitPerSecond: destination.ratePerSecond,
  };
  if (!isThere) {
    try {
      return (await aws.events.send(new CreateApiDestinationCommand(input))).ApiDestinationArn ?? '';
    } catch (error) {
      if (!isRefusal(error, /^ResourceAlreadyExists/u)) throw error;
    }
  }
  return (await aws.events.send(new UpdateApiDestinationCommand(input))).ApiDestinationArn ?? '';
}

async function removeTargets({ aws }: ApplyDeps, rule: string, bus: string, ids: readonly string[]): Promise<void> {
  if (ids.length === 0) return;
  const answer = await orAbsent(aws.events.send(new RemoveTargetsCommand({ Rule: rule, EventBusName: bus, Ids: [...ids] })));
  const failed = answer?.FailedEntries ?? [];
  if ((answer?.FailedEntryCount ?? 0) > 0) throw new Failure('CONNECTION_REFUSED', `Amazon did not remove these targets of ${rule}: ${failed.map(({ TargetId, ErrorCode }) => `${TargetId} (${ErrorCode})`).join(', ')}; run the same command again`);
}

/** Puts targets; those that are refused are put again alone, some times, and then named. */
async function putTargets(deps: ApplyDeps, rule: RuleResource, bus: string, targets: readonly Target[]): Promise<void> {
  let left = targets;
  let refused: readonly string[] = [];
  for (let tries = 0; left.length > 0; tries += 1) {
    if (tries === targetTriesMax) throw new Failure('CONNECTION_REFUSED', `Amazon did not take these targets of ${rule.name}: ${refused.join(', ')}; run the same command again`);
    if (tries > 0) await deps.wait(waitMs);
    const command = new PutTargetsCommand({ Rule: rule.name, EventBusName: bus, Targets: [...left] });
    // A role that was made just now is not known to EventBridge at once.
    const { FailedEntries: failed = [] } = await patiently(deps, async () => deps.aws.events.send(command), (error) => isRefusal(error, /^ValidationException$/u) && error.message.includes('cannot be assumed'));
    refused = failed.map(({ TargetId, ErrorCode }) => `${TargetId} (${ErrorCode})`);
    left = left.filter(({ Id }) => failed.some(({ TargetId }) => TargetId === Id));
  }
}

async function applyRule(deps: ApplyDeps, { resources, observed, changes }: Apply, rule: RuleResource, arns: ReadonlyMap<string, string>): Promise<void> {
  const { place } = resources;
  const changeOf = (kind: Change['kind'], name: string): Change | undefined => changes.find((each) => each.kind === kind && each.name === name);
  if (changeOf('rule', rule.name)?.action !== 'unchanged') {
    const tags = observed.rules.has(rule.name) ? {} : { Tags: [{ Key: ownerTag, Value: place.prefix }] };
    // PutRule replaces: what it does not name becomes null, so all is named.
    await deps.aws.events.send(new PutRuleCommand({ Name: rule.name, EventBusName: place.bus, EventPattern: rule.pattern, State: rule.state, Description: rule.description, ...tags }));
  }
  const stale = changes.filter((each) => each.kind === 'target' && each.action === 'delete' && each.name.startsWith(`${rule.name}/`)).map((each) => each.name.slice(rule.name.length + 1));
  const put = rule.targets
    .filter((target) => changeOf('target', `${rule.name}/${target.id}`)?.action !== 'unchanged')
    .map((target) => targetInput(target, { destination: arns.get(target.destination) ?? '', role: resources.role?.arn ?? '', queue: resources.queue?.arn ?? '' }) as unknown as Target);
  // New targets first, so that no event falls between; unless a rule would have more than it may.
  const isFull = rule.targets.length + stale.length > targetsPerRule;
  if (isFull) await removeTargets(deps, rule.name, place.bus, stale);
  await putTargets(deps, rule, place.bus, put);
  if (!isFull) await removeTargets(deps, rule.name, place.bus, stale);
}

async function deleteRole({ aws }: ApplyDeps, name: string, policies: readonly string[]): Promise<void> {
  for (const policy of policies) await orAbsent(aws.iam.send(new DeleteRolePolicyCommand({ RoleName: name, PolicyName: policy })));
  await orAbsent(aws.iam.send(new DeleteRoleCommand({ RoleName: name })));
}

async function deleteStale(deps: ApplyDeps, { resources, observed, names, changes }: Apply, step: () => void): Promise<void> {
  const { aws } = deps;
  const { bus } = resources.place;
  const gone = (kind: Change['kind']): readonly string[] => changes.filter((each) => each.kind === kind && each.action === 'delete').map(({ name }) => name);
  for (const name of gone('rule')) {
    step();
    await removeTargets(deps, name, bus, (observed.rules.get(name)?.targets ?? []).map((target) => String(target['Id'])));
    await orAbsent(aws.events.send(new DeleteRuleCommand({ Name: name, EventBusName: bus })));
  }
  for (const name of gone('api_destination')) {
    step();
    await orAbsent(aws.events.send(new DeleteApiDestinationCommand({ Name: name })));
  }
  for (const name of gone('connection')) {
    step();
    await orAbsent(aws.events.send(new DeleteConnectionCommand({ Name: name })));
  }
  for (const name of gone('role')) {
    step();
    await deleteRole(deps, name, Object.keys(observed.role?.policies ?? {}));
  }
  if (gone('queue').includes(names.queue) && observed.queue !== undefined) {
    step();
    await orAbsent(aws.sqs.send(new DeleteQueueCommand({ QueueUrl: observed.queue.url })));
  }
}

/**
 * Makes the changes, each in its turn: what others need comes first, and goes last. Dies it in the middle, the next run observes what is there and goes on.
 * Fails as the calls do.
 */
export async function apply(deps: ApplyDeps, what: Apply): Promise<void> {
  const { resources, observed, changes } = what;
  const total = changes.filter(({ action, kind }) => action !== 'unchanged' && kind !== 'target').length + resources.rules.length;
  let done = 0;
  const step = (): void => {
    deps.onStep(Math.min(done, total), total);
    done += 1;
  };
  const isDue = (kind: Change['kind'], name: string): boolean => changes.some((each) => each.kind === kind && each.name === name && each.action !== 'unchanged');
  // Every secret is read before anything is changed, so that one that is missing stops nothing half way.
  for (const connection of resources.connections) if (isDue('connection', connection.name)) authParameters(connection.auth, (slot) => secretFor(slot, deps.resolve));

  if (resources.queue !== undefined && isDue('queue', resources.queue.name)) {
    step();
    await putQueue(deps, what);
  }
  for (const connection of resources.connections) {
    if (!isDue('connection', connection.name)) continue;
    step();
    await putConnection(deps, connection, observed.connections.has(connection.name));
  }
  if (resources.role !== undefined && isDue('role', resources.role.name)) {
    step();
    await putRole(deps, what);
  }
  const arns = new Map([...observed.destinations].map(([name, { arn }]) => [name, arn]));
  for (const destination of resources.destinations) {
    const connectionArn = await authorizedArn(deps, destination.connection);
    if (!isDue('api_destination', destination.name)) continue;
    step();
    arns.set(destination.name, await putDestination(deps, destination, connectionArn, observed.destinations.has(destination.name)));
  }
  for (const rule of resources.rules) {
    step();
    await applyRule(deps, what, rule, arns);
  }
  await deleteStale(deps, what, step);
  deps.onStep(total, total);
}
