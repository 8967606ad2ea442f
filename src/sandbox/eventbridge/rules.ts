import { AwsProblem } from './gate.ts';
import { InvalidPattern, matches, readPattern } from './match.ts';
import { nameRule, optional, pageOf, refuseMember, wanted, type AwsCall, type AwsOperation } from './operation.ts';
import { takeFault, type EventBridgeState, type Json, type Rule, type Target } from './state.ts';
import { allows } from './policy.ts';
import { checkTransformer } from './transform.ts';

/** docs.aws.amazon.com/eventbridge/latest/userguide/eb-quota.html. */
const targetsPerRule = 5;
const targetsPerCall = 10;

const keyOf = (bus: string, name: string): string => `${bus}/${name}`;
const busArn = (state: EventBridgeState, bus: string): string => `arn:aws:events:${state.region}:${state.account}:event-bus/${bus}`;

/** The name of the bus that a call is about, by its name or ARN; `default` where it says none. */
export function busOf(state: EventBridgeState, named: string | undefined): string {
  const bus = (named ?? 'default').replace(/^arn:aws[\w-]*:events:[^:]+:\d{12}:event-bus\//u, '');
  if (!state.buses.has(bus)) throw new AwsProblem('ResourceNotFoundException', `Event bus ${bus} does not exist.`);
  return bus;
}

/** Keeps what the rules are now, for it takes a while until a change has its effect. */
function note({ state, context }: AwsCall): void {
  state.history.push({ at: context.now(), rules: [...state.rules.values()] });
}

/** The rules as they have their effect at a time. */
export function rulesInEffect(state: EventBridgeState, now: number): readonly Rule[] {
  return state.history.findLast(({ at }) => at + state.settings.applies_after_ms <= now)?.rules ?? [];
}

function patternOf(text: string): Json {
  if (text.length > 4096) refuseMember('eventPattern', 'have length less than or equal to 4096');
  try {
    return readPattern(text);
  } catch (error) {
    if (!(error instanceof InvalidPattern)) throw error;
    throw new AwsProblem('InvalidEventPatternException', `Event pattern is not valid. Reason: ${error.message}`);
  }
}

function tagsOf(input: Json): Record<string, string> {
  return Object.fromEntries(((input['Tags'] as readonly { Key: string; Value: string }[] | undefined) ?? []).map(({ Key, Value }) => [Key, Value]));
}

function putRule(call: AwsCall): Json {
  const { state, context, input } = call;
  const name = wanted(input, 'Name', nameRule);
  const bus = busOf(state, optional(input, 'EventBusName'));
  const patternText = optional(input, 'EventPattern');
  if (patternText === undefined && optional(input, 'ScheduleExpression') === undefined) throw new AwsProblem('ValidationException', 'Parameter(s) EventPattern or ScheduleExpression must be specified.');
  const old = state.rules.get(keyOf(bus, name));
  const arn = `arn:aws:events:${state.region}:${state.account}:rule/${bus === 'default' ? '' : `${bus}/`}${name}`;
  // What an update does not name becomes null; targets and tags are not touched.
  const rule: Rule = {
    bus,
    name,
    arn,
    patternText,
    pattern: patternText === undefined ? undefined : patternOf(patternText),
    state: optional(input, 'State') ?? 'ENABLED',
    description: optional(input, 'Description', { max: 512 }),
    targets: old?.targets ?? [],
  };
  state.rules.set(keyOf(bus, name), rule);
  if (old === undefined) state.tags.set(arn, tagsOf(input));
  note(call);
  context.effect(old === undefined ? 'rule.created' : 'rule.updated', name);
  return { RuleArn: arn };
}

function ruleNamed({ state, input }: AwsCall, member: string): Rule {
  const name = wanted(input, member, nameRule);
  const bus = busOf(state, optional(input, 'EventBusName'));
  const rule = state.rules.get(keyOf(bus, name));
  if (rule === undefined) throw new AwsProblem('ResourceNotFoundException', `Rule ${name} does not exist on EventBus ${bus}.`);
  return rule;
}

const answerOf = ({ name, arn, patternText, state, description, bus }: Rule): Json => ({
  Name: name,
  Arn: arn,
  ...(patternText === undefined ? {} : { EventPattern: patternText }),
  State: state,
  ...(description === undefined ? {} : { Description: description }),
  EventBusName: bus,
});

function setState(call: AwsCall, state: string): Json {
  const rule = ruleNamed(call, 'Name');
  call.state.rules.set(keyOf(rule.bus, rule.name), { ...rule, state });
  note(call);
  call.context.effect(`rule.${state.toLowerCase()}`, rule.name);
  return {};
}

function deleteRule(call: AwsCall): Json {
  const { state, input, context } = call;
  const name = wanted(input, 'Name', nameRule);
  const bus = busOf(state, optional(input, 'EventBusName'));
  const rule = state.rules.get(keyOf(bus, name));
  // A rule that is not there is deleted, says the service.
  if (rule === undefined) return {};
  if (rule.targets.length > 0) throw new AwsProblem('ValidationException', "Rule can't be deleted since it has targets.");
  state.rules.delete(keyOf(bus, name));
  state.tags.delete(rule.arn);
  note(call);
  context.effect('rule.deleted', name);
  return {};
}

function listRules({ state, input }: AwsCall): Json {
  const bus = busOf(state, optional(input, 'EventBusName'));
  const prefix = optional(input, 'NamePrefix', nameRule) ?? '';
  const all = [...state.rules.values()].filter((rule) => rule.bus === bus && rule.name.startsWith(prefix)).toSorted((one, other) => (one.name < other.name ? -1 : 1));
  const { page, next } = pageOf(input, all);
  return { Rules: page.map(answerOf), ...next };
}

/** Refuses a role that EventBridge cannot take on. */
function checkRole(call: AwsCall, arn: string): void {
  const { state, context } = call;
  const role = [...state.roles.values()].find((each) => each.arn === arn);
  const isKnown = role !== undefined && context.now() - role.createdAt >= state.settings.role_after_ms;
  const question = { action: 'sts:AssumeRole', resource: arn, context: { 'aws:SourceAccount': state.account, 'aws:SourceArn': ruleNamed(call, 'Rule').arn } };
  if (!isKnown || !allows(role.trust, question, 'events.amazonaws.com')) throw new AwsProblem('ValidationException', `Provided role '${arn}' cannot be assumed by principal 'events.amazonaws.com'.`);
}

function checkTarget(call: AwsCall, target: Target): void {
  wanted(target, 'Id', nameRule);
  const arn = wanted(target, 'Arn', { max: 1600 });
  if (['Input', 'InputPath', 'InputTransformer'].filter((each) => target[each] !== undefined).length > 1) throw new AwsProblem('ValidationException', `Only one of Input, InputPath, or InputTransformer must be provided for target ${target.Id}.`);
  if (target['InputTransformer'] !== undefined) checkTransformer(target.Id, target['InputTransformer'] as Json);
  const role = optional(target, 'RoleArn');
  if (/:api-destination\//u.test(arn) && role === undefined) throw new AwsProblem('ValidationException', `RoleArn is required for target ${arn}.`);
  if (role !== undefined) checkRole(call, role);
  const policy = (target['RetryPolicy'] as Json | undefined) ?? {};
  const { MaximumRetryAttempts: attempts = 0, MaximumEventAgeInSeconds: age = 60 } = policy as Record<string, number>;
  if (attempts < 0 || attempts > 185) refuseMember('maximumRetryAttempts', 'have value between 0 and 185');
  if (age < 60 || age > 86_400) refuseMember('maximumEventAgeInSeconds', 'have value between 60 and 86400');
  const letters = (target['DeadLetterConfig'] as Json | undefined)?.['Arn'];
  if (letters !== undefined && !(typeof letters === 'string' && /^arn:aws[\w-]*:sqs:[^:]+:\d{12}:[\w-]+$/u.test(letters))) throw new AwsProblem('ValidationException', `Parameter DeadLetterConfig.Arn is not valid for target ${target.Id}. Reason: must be the ARN of a standard queue.`);
}

/** The entries that a fault refuses, as the answer names them. */
function refusedEntries(state: EventBridgeState, operation: string, ids: readonly string[]): readonly Json[] {
  const fault = takeFault(state, operation, ['entries']);
  if (fault === undefined) return [];
  return ids.filter((_id, index) => fault.indices?.includes(index) ?? true).map((id) => ({ TargetId: id, ErrorCode: fault.code, ErrorMessage: `Sandbox: ${fault.code}` }));
}

function putTargets(call: AwsCall): Json {
  const { state, input, context } = call;
  const rule = ruleNamed(call, 'Rule');
  const targets = (input['Targets'] as readonly Target[] | undefined) ?? refuseMember('targets', 'not be null');
  if (targets.length === 0 || targets.length > targetsPerCall) refuseMember('targets', `have length between 1 and ${targetsPerCall}`);
  for (const target of targets) checkTarget(call, target);
  const failed = refusedEntries(state, 'PutTargets', targets.map(({ Id }) => Id));
  const taken = targets.filter(({ Id }) => !failed.some((each) => each['TargetId'] === Id));
  const after = [...rule.targets.filter(({ Id }) => !taken.some((each) => each.Id === Id)), ...taken];
  if (after.length > targetsPerRule) throw new AwsProblem('LimitExceededException', `The requested resource exceeds the maximum number allowed: ${targetsPerRule} targets per rule.`);
  state.rules.set(keyOf(rule.bus, rule.name), { ...rule, targets: after });
  note(call);
  for (const { Id } of taken) context.effect('target.put', `${rule.name} ${Id}`);
  return { FailedEntryCount: failed.length, FailedEntries: failed };
}

function removeTargets(call: AwsCall): Json {
  const { state, input, context } = call;
  const rule = ruleNamed(call, 'Rule');
  const ids = (input['Ids'] as readonly string[] | undefined) ?? refuseMember('ids', 'not be null');
  const failed = refusedEntries(state, 'RemoveTargets', ids);
  const gone = ids.filter((id) => !failed.some((each) => each['TargetId'] === id));
  state.rules.set(keyOf(rule.bus, rule.name), { ...rule, targets: rule.targets.filter(({ Id }) => !gone.includes(Id)) });
  note(call);
  for (const id of gone) context.effect('target.removed', `${rule.name} ${id}`);
  return { FailedEntryCount: failed.length, FailedEntries: failed };
}

function listTargets(call: AwsCall): Json {
  const { page, next } = pageOf(call.input, ruleNamed(call, 'Rule').targets);
  return { Targets: page, ...next };
}

function testPattern({ input }: AwsCall): Json {
  const event = JSON.parse(wanted(input, 'Event')) as Json;
  return { Result: matches(patternOf(wanted(input, 'EventPattern')), event) };
}

function createBus({ state, input, context }: AwsCall): Json {
  const name = wanted(input, 'Name', { pattern: /^[/.\-_A-Za-z0-9]+$/u, max: 256 });
  if (state.buses.has(name)) throw new AwsProblem('ResourceAlreadyExistsException', `Event bus ${name} already exists.`);
  state.buses.add(name);
  context.effect('event_bus.created', name);
  return { EventBusArn: busArn(state, name) };
}

function describeBus({ state, input }: AwsCall): Json {
  const name = busOf(state, optional(input, 'Name'));
  return { Name: name, Arn: busArn(state, name) };
}

function taggable({ state, input }: AwsCall): string {
  const arn = wanted(input, 'ResourceARN');
  if (![...state.rules.values()].some((rule) => rule.arn === arn) && ![...state.buses].some((bus) => busArn(state, bus) === arn)) throw new AwsProblem('ResourceNotFoundException', `Resource ${arn} does not exist.`);
  return arn;
}

function tagResource(call: AwsCall): Json {
  const arn = taggable(call);
  call.state.tags.set(arn, { ...call.state.tags.get(arn), ...tagsOf(call.input) });
  return {};
}

/** What EventBridge does with buses, rules and targets. */
export const ruleOperations: Readonly<Record<string, AwsOperation>> = {
  PutRule: putRule,
  DescribeRule: (call) => answerOf(ruleNamed(call, 'Name')),
  EnableRule: (call) => setState(call, 'ENABLED'),
  DisableRule: (call) => setState(call, 'DISABLED'),
  DeleteRule: deleteRule,
  ListRules: listRules,
  PutTargets: putTargets,
  RemoveTargets: removeTargets,
  ListTargetsByRule: listTargets,
  TestEventPattern: testPattern,
  CreateEventBus: createBus,
  DescribeEventBus: describeBus,
  TagResource: tagResource,
  ListTagsForResource: (call) => ({ Tags: Object.entries(call.state.tags.get(taggable(call)) ?? {}).map(([Key, Value]) => ({ Key, Value })) }),
};
