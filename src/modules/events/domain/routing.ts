import { auditTypes } from '../../../contract/audit-entry.ts';
import type { IdentifierKind } from '../../../contract/identifiers.ts';
import type { EventsConfig, RuleConfig, TargetConfig } from '../../../platform/config/events.ts';
import { Failure, isFailure } from '../../../platform/failure.ts';
import { partitionOf, toBusEvent, type BusEvent, type BusPlace, type PrivacyEvent } from './event.ts';
import { parsePath } from './json-path.ts';
import { parsePattern } from './pattern.ts';
import { compileRules } from './rule-set.ts';
import { parseTransform, type Transform } from './transform.ts';

/** One way that an event takes: for one target of one rule. */
export interface Route {
  readonly rule: string;
  readonly target: string;
  readonly destination: string;
  /** What of the person leaves with it. */
  readonly identifiers: readonly IdentifierKind[];
  readonly transform?: Transform;
  readonly pathParameters: readonly string[];
  readonly needsAcknowledgement: boolean;
}

/** The rules of a configuration, compiled. */
export interface Routing {
  /** The ways that an event takes, in the order of the configuration. */
  readonly routesOf: (event: PrivacyEvent) => readonly Route[];
  /** A rule's ways for an event, where it matches and is enabled. */
  readonly routesByRule: (event: PrivacyEvent, rule: string) => readonly Route[];
  /** The way that a delivery was made for, as it is configured now; undefined where it is no more. */
  readonly route: (rule: string, target: string) => Route | undefined;
  readonly hasRule: (rule: string) => boolean;
  readonly isEnabled: (rule: string) => boolean;
  /** The type that the configuration gives this name, or the name itself. */
  readonly typeOf: (name: string) => string;
  /** The rules, as deliveries are noted under them, by which something of a person leaves. */
  readonly rulesWithIdentifiers: readonly string[];
  readonly isEmpty: boolean;
  /** An event in the envelope in which rules see it. */
  readonly toBus: (event: PrivacyEvent) => BusEvent;
  /** What the reserved variables of a template say of a rule. */
  readonly contextOf: (rule: string) => { readonly ruleName: string; readonly ruleArn: string };
  readonly nameOf: (type: string) => string;
}

/** The destination that stands for the event bus where rules run there, and the rule and target that its deliveries are noted under. No configured name has an @. */
export const busDestination = '@eventbridge';

/** Events that may carry identifiers of the person: nothing before it is known who asks, and no end that was not seen. */
export const typesWithIdentifiers = ['system.erased', 'erasure.completed', 'erasure.requested', 'request.closed'] as const;

const knownTypes: ReadonlySet<string> = new Set([...auditTypes, ...typesWithIdentifiers]);

/** Whether an event of this type, by its own name, may carry anything of a person. */
export const mayCarryIdentifiers = (type: string): boolean => (typesWithIdentifiers as readonly string[]).includes(type);

const pointer = (...parts: readonly string[]): string => `/events/${parts.map((part) => part.replaceAll('~', '~0').replaceAll('/', '~1')).join('/')}`;

/** Runs what reads a part of a rule, and names the place where it fails. */
function readAt<Value>(at: string, read: () => Value): Value {
  try {
    return read();
  } catch (error) {
    if (isFailure(error)) throw new Failure('CONFIG_INVALID', `${at}: ${error.detail}`, { field: at });
    throw error;
  }
}

/** A rule that has something of the person leave says in its pattern for which events, by name. */
function refuseLooseIdentifiers(config: EventsConfig, name: string, rule: RuleConfig): void {
  if (rule.identifiers.length === 0) return;
  const allowed = new Set<unknown>(typesWithIdentifiers.map((type) => config.names[type] ?? type));
  const types: unknown = rule.EventPattern['detail-type'];
  if (Array.isArray(types) && types.length > 0 && types.every((type) => allowed.has(type))) return;
  const at = pointer('rules', name, 'identifiers');
  throw new Failure('CONFIG_INVALID', `${at}: a rule that declares identifiers must name the events in EventPattern/detail-type, each one of ${[...allowed].join(', ')}`, { field: at });
}

function routeOf(config: EventsConfig, name: string, rule: RuleConfig, target: TargetConfig, index: number): Route {
  const at = pointer('rules', name, 'targets', String(index));
  const destination = config.destinations[target.destination];
  if (destination === undefined) throw new Failure('CONFIG_INVALID', `${at}/destination is not the name of a destination; known: ${Object.keys(config.destinations).join(', ')}`, { field: `${at}/destination` });
  const stars = destination.kind === 'http' ? (destination.endpoint.match(/\*/gu) ?? []).length : 0;
  if (target.PathParameterValues.length !== stars) {
    throw new Failure('CONFIG_INVALID', `${at}/PathParameterValues must have ${stars} values, one for each * of the endpoint`, { field: `${at}/PathParameterValues` });
  }
  for (const [place, value] of target.PathParameterValues.entries()) {
    if (!value.startsWith('$') || parsePath(value) !== undefined) continue;
    const field = `${at}/PathParameterValues/${place}`;
    throw new Failure('CONFIG_INVALID', `${field} must be a path such as $.detail.request_id, or a value that does not begin with $`, { field });
  }
  if (target.acknowledgement === 'required' && (destination.acknowledges_with === undefined || (config.eventbridge?.runs_rules === true && destination.kind === 'http'))) {
    const remedy = destination.acknowledges_with === undefined ? `the destination must have acknowledges_with, by which its receiver is known` : 'a target that runs at EventBridge cannot be asked for one';
    throw new Failure('CONFIG_INVALID', `${at}/acknowledgement: ${remedy}`, { field: `${at}/acknowledgement` });
  }
  if (target.InputTemplate === undefined && target.InputPathsMap !== undefined) throw new Failure('CONFIG_INVALID', `${at}/InputTemplate must be there where InputPathsMap is`, { field: `${at}/InputTemplate` });
  if (target.InputTemplate !== undefined && destination.kind === 'eventbridge') {
    throw new Failure('CONFIG_INVALID', `${at}/InputTemplate: a bus gets the event itself; shape it in the rule at the bus`, { field: `${at}/InputTemplate` });
  }
  const { InputTemplate: template, InputPathsMap: paths } = target;
  return {
    rule: name,
    target: target.id,
    destination: target.destination,
    identifiers: rule.identifiers,
    ...(template === undefined ? {} : { transform: readAt(at, () => parseTransform({ InputTemplate: template, ...(paths === undefined ? {} : { InputPathsMap: paths }) })) }),
    pathParameters: target.PathParameterValues,
    needsAcknowledgement: target.acknowledgement === 'required',
  };
}

/** Rules that run on the bus see every event that is put there, so they must all be told the same of a person. */
function refuseUnequalIdentifiers(atBus: readonly (readonly [string, RuleConfig])[]): void {
  const [first] = atBus;
  for (const [name, rule] of atBus) {
    if (rule.identifiers.toSorted().join() === first?.[1].identifiers.toSorted().join()) continue;
    const at = pointer('rules', name, 'identifiers');
    throw new Failure('CONFIG_INVALID', `${at} must be the same as those of ${first?.[0] ?? ''}: rules that run at EventBridge see the same events. Declare the same, or run rules here`, { field: at });
  }
}

/** Two types under one name could not be told apart, by no rule and no receiver. */
function refuseSharedNames({ names }: EventsConfig): void {
  const given = Object.values(names);
  for (const [type, name] of Object.entries(names)) {
    const isOthers = given.filter((each) => each === name).length > 1 || (name !== type && names[name] === undefined && knownTypes.has(name));
    if (isOthers) throw new Failure('CONFIG_INVALID', `${pointer('names', type)} is the name of another type of event`, { field: pointer('names', type) });
  }
}

/** Compiles the rules of a configuration. Fails with `CONFIG_INVALID` and the place. */
export function createRouting(config: EventsConfig): Routing {
  refuseSharedNames(config);
  const bus = config.eventbridge;
  const isAtBus = (route: Route): boolean => bus?.runs_rules === true && config.destinations[route.destination]?.kind === 'http';
  const routes = new Map<string, readonly Route[]>();
  const compiled: { name: string; pattern: ReturnType<typeof parsePattern> }[] = [];
  for (const [name, rule] of Object.entries(config.rules)) {
    refuseLooseIdentifiers(config, name, rule);
    const pattern = readAt(pointer('rules', name, 'EventPattern'), () => parsePattern(rule.EventPattern));
    routes.set(name, rule.targets.map((target, index) => routeOf(config, name, rule, target, index)));
    if (rule.state === 'enabled') compiled.push({ name, pattern });
  }
  const atBus = Object.entries(config.rules).filter(([name, rule]) => rule.state === 'enabled' && routes.get(name)?.some(isAtBus) === true);
  refuseUnequalIdentifiers(atBus);
  const throughBus: Route | undefined = atBus.length === 0 ? undefined : { rule: busDestination, target: busDestination, destination: busDestination, identifiers: atBus[0]?.[1].identifiers ?? [], pathParameters: [], needsAcknowledgement: false };
  const rules = compileRules(compiled);
  const busName = bus?.bus ?? 'default';
  const place: BusPlace = { account: bus?.account ?? '000000000000', region: bus?.region ?? 'local' };
  const toBus = (event: PrivacyEvent): BusEvent => toBusEvent(event, place);
  const matching = (event: PrivacyEvent): readonly string[] => rules.match(toBus(event));
  const routesOf = (event: PrivacyEvent): readonly Route[] => {
    const found = matching(event).flatMap((name) => routes.get(name) ?? []);
    const here = found.filter((route) => !isAtBus(route));
    return throughBus === undefined || here.length === found.length ? here : [...here, throughBus];
  };
  return {
    routesOf,
    // An event that is sent once more to one rule is sent from here: the bus would give it to every rule there.
    routesByRule: (event, rule) => (rule === busDestination ? routesOf(event).filter((route) => route === throughBus) : matching(event).includes(rule) ? (routes.get(rule) ?? []) : []),
    route: (rule, target) => (rule === busDestination ? throughBus : routes.get(rule)?.find((route) => route.target === target)),
    hasRule: (rule) => routes.has(rule) || (rule === busDestination && throughBus !== undefined),
    isEnabled: (rule) => rule === busDestination || config.rules[rule]?.state === 'enabled',
    typeOf: (name) => Object.entries(config.names).find(([, given]) => given === name)?.[0] ?? name,
    rulesWithIdentifiers: [...Object.entries(config.rules).flatMap(([name, rule]) => (rule.identifiers.length === 0 ? [] : [name])), ...(throughBus === undefined || throughBus.identifiers.length === 0 ? [] : [busDestination])],
    isEmpty: compiled.length === 0,
    toBus,
    contextOf: (rule) => {
      // As the rule is called at EventBridge, so that a template says the same wherever it runs.
      const ruleName = bus === undefined ? rule : `${bus.prefix}-${rule}`;
      return { ruleName, ruleArn: `arn:${partitionOf(place.region)}:events:${place.region}:${place.account}:rule/${busName === 'default' ? '' : `${busName}/`}${ruleName}` };
    },
    nameOf: (type) => config.names[type] ?? type,
  };
}
