import type { DestinationConfig, EventsConfig, RuleConfig, TargetConfig } from '../../../platform/config/events.ts';
import { partitionOf } from '../domain/event.ts';
import { Failure } from '../../../platform/failure.ts';
import { createRouting } from '../domain/routing.ts';
import { parseTransform, unsafeVariables } from '../domain/transform.ts';
import { busArn, nameStart, ownerWords, ruleArn, type ApiDestinationResource, type ConnectionAuth, type ConnectionResource, type EventBridgePlace, type Policy, type ProvisionNote, type QueueResource, type Resources, type RoleResource, type RuleResource, type TargetResource } from './resources.ts';

type HttpDestination = Extract<DestinationConfig, { kind: 'http' }>;

/** Names of rules, connections and API destinations: API reference of EventBridge, 2015-10-07. */
const nameLengthMax = 64;
const patternLengthMax = 4096;
/** Fourteen days, the longest that SQS keeps a message. */
const deadLetterRetentionSeconds = 1_209_600;
/** What EventBridge allows a target's RetryPolicy. */
const ageSecondsMax = 86_400;
const ageSecondsMin = 60;
/** How long EventBridge waits for an API destination. */
const timeoutSeconds = 5;
/** The description of `HttpsEndpoint` in the API's model: no braces, so that variable parts are `*`. */
const endpointPattern = /^((%[0-9A-Fa-f]{2}|[-()_.!~*';/?:@&=+$,A-Za-z0-9])+)$/u;
/** Headers that EventBridge takes out or sets itself: user guide, “Headers included in requests to API destinations”. */
const reservedHeaders = new Set(
  'a-im accept-charset accept-datetime accept-encoding cache-control connection content-encoding content-length content-md5 date expect forwarded from host http2-settings if-match if-modified-since if-none-match if-range if-unmodified-since max-forwards origin pragma proxy-authorization range referer te trailer transfer-encoding user-agent upgrade via warning'.split(
    ' ',
  ),
);

const pointer = (...parts: readonly string[]): string => `/events/${parts.map((part) => part.replaceAll('~', '~0').replaceAll('/', '~1')).join('/')}`;

function refuse(at: string, message: string): never {
  throw new Failure('CONFIG_INVALID', `${at}: ${message}`, { field: at });
}

function named(prefix: string, name: string, at: string): string {
  const whole = `${nameStart(prefix)}${name}`;
  if (whole.length > nameLengthMax) refuse(at, `with the prefix its name at EventBridge would be ${whole.length} characters, at most ${nameLengthMax} are allowed; shorten it, or /events/eventbridge/prefix`);
  return whole;
}

function checkEndpoint(endpoint: string, at: string, isStandIn: boolean): void {
  if (!endpointPattern.test(endpoint) || endpoint.length > 2048) refuse(at, 'EventBridge takes no such address: at most 2048 letters, digits and signs of a URL, and no { or }; variable parts are *');
  if (!isStandIn && !endpoint.startsWith('https://')) refuse(at, 'EventBridge calls https only');
}

function authOf(auth: HttpDestination['auth'], at: string, isStandIn: boolean): ConnectionAuth {
  const slot = (reference: string, field: string, before = ''): ConnectionAuth['secret'] => ({ reference, before, at: `${at}/${field}` });
  switch (auth.kind) {
    case 'basic':
      return { type: 'BASIC', username: auth.username, secret: slot(auth.password, 'password') };
    case 'bearer':
      // There is no kind for bearer tokens: an API key in the header Authorization is one.
      return { type: 'API_KEY', header: 'Authorization', secret: slot(auth.token, 'token', 'Bearer ') };
    case 'api_key':
      return { type: 'API_KEY', header: auth.name, secret: slot(auth.value, 'value') };
    case 'oauth':
      checkEndpoint(auth.token_url, `${at}/token_url`, isStandIn);
      return {
        type: 'OAUTH_CLIENT_CREDENTIALS',
        endpoint: auth.token_url,
        method: auth.method,
        clientId: auth.client_id,
        secret: slot(auth.client_secret, 'client_secret'),
        body: { grant_type: 'client_credentials', ...(auth.scope === undefined ? {} : { scope: auth.scope }) },
      };
    default:
      return auth satisfies never;
  }
}

function noteDestination(destination: HttpDestination, at: string, notes: ProvisionNote[]): void {
  const note = (field: string, message: string): void => void notes.push({ at: `${at}/${field}`, message });
  if (destination.timeout_seconds !== timeoutSeconds) note('timeout_seconds', `EventBridge always waits ${timeoutSeconds} s.`);
  if (destination.age_hours * 3600 > ageSecondsMax) note('age_hours', 'EventBridge tries for 24 hours at most.');
  if (destination.allow_private_network) note('allow_private_network', 'EventBridge reaches public addresses only.');
  for (const header of Object.keys(destination.headers)) if (reservedHeaders.has(header.toLowerCase())) note(`headers/${header}`, 'EventBridge leaves this header out or sets it itself.');
}

function targetOf(target: TargetConfig, destination: HttpDestination, at: string, prefix: string): TargetResource {
  return {
    id: target.id,
    destination: named(prefix, target.destination, `${at}/destination`),
    ...(target.InputTemplate === undefined ? {} : { transformer: { InputPathsMap: target.InputPathsMap ?? {}, InputTemplate: target.InputTemplate } }),
    pathParameters: target.PathParameterValues,
    headers: Object.fromEntries(Object.entries(destination.headers).filter(([header]) => !reservedHeaders.has(header.toLowerCase()))),
    retries: destination.attempts - 1,
    ageSeconds: Math.round(Math.min(ageSecondsMax, Math.max(ageSecondsMin, destination.age_hours * 3600))),
  };
}

const spoils = {
  not_escaped: 'stands in a text, where a quotation mark or a line break in its value spoils what leaves; make the template an object and leave its quotes out.',
  bare: 'stands without quotes in a template that is no object, where a string gets none; make the template an object.',
} as const;

function noteVariables(target: TargetConfig, at: string, notes: ProvisionNote[]): void {
  const { InputTemplate: template, InputPathsMap: paths = {} } = target;
  if (template === undefined) return;
  for (const { name, why } of unsafeVariables(parseTransform({ InputTemplate: template, InputPathsMap: paths }))) if (why !== 'structure_in_quotes') notes.push({ at: `${at}/InputTemplate`, message: `<${name}> ${spoils[why]}` });
}

function httpTargets(config: EventsConfig, rule: RuleConfig, at: string): readonly { readonly target: TargetConfig; readonly destination: HttpDestination; readonly at: string }[] {
  return rule.targets.flatMap((target, index) => {
    const destination = config.destinations[target.destination];
    return destination?.kind === 'http' ? [{ target, destination, at: `${at}/targets/${index}` }] : [];
  });
}

function ruleOf(config: EventsConfig, place: EventBridgePlace, name: string, rule: RuleConfig, notes: ProvisionNote[]): RuleResource | undefined {
  const at = pointer('rules', name);
  const targets = httpTargets(config, rule, at);
  if (targets.length === 0) return undefined;
  const pattern = JSON.stringify(rule.EventPattern);
  if (pattern.length > patternLengthMax) refuse(`${at}/EventPattern`, `is ${pattern.length} characters, EventBridge takes ${patternLengthMax}`);
  if (rule.identifiers.length > 0) {
    notes.push({ at: `${at}/identifiers`, message: `Events with ${rule.identifiers.join(', ')} of the person will be on the bus ${place.bus}, where every rule and every archive can have them; use a bus of its own.` });
  }
  for (const each of targets) noteVariables(each.target, each.at, notes);
  const whole = named(place.prefix, name, at);
  return {
    name: whole,
    arn: ruleArn(place, whole),
    description: rule.description ?? '',
    pattern,
    state: rule.state === 'enabled' ? 'ENABLED' : 'DISABLED',
    targets: targets.map((each) => targetOf(each.target, each.destination, each.at, place.prefix)),
  };
}

const allow = (statement: Readonly<Record<string, unknown>>): Policy => ({ Version: '2012-10-17', Statement: [{ Effect: 'Allow', ...statement }] });

/** The names of the queue and the role of a prefix. A role is known in all regions, so its name has the region. */
export function ownNames({ prefix, region }: EventBridgePlace): { readonly queue: string; readonly role: string } {
  return { queue: `${nameStart(prefix)}dead-letters`, role: `${nameStart(prefix)}${region}-events` };
}

function queueOf(place: EventBridgePlace, rules: readonly RuleResource[]): QueueResource {
  const name = ownNames(place).queue;
  const arn = `arn:${place.partition}:sqs:${place.region}:${place.account}:${name}`;
  return {
    name,
    arn,
    retentionSeconds: deadLetterRetentionSeconds,
    policy: allow({ Sid: 'DeadLetters', Principal: { Service: 'events.amazonaws.com' }, Action: 'sqs:SendMessage', Resource: arn, Condition: { ArnEquals: { 'aws:SourceArn': rules.map((rule) => rule.arn) } } }),
  };
}

function roleOf(place: EventBridgePlace, destinations: readonly ApiDestinationResource[]): RoleResource {
  const { partition, region, account } = place;
  const name = ownNames(place).role;
  return {
    name,
    arn: `arn:${partition}:iam::${account}:role/${name}`,
    // Only for rules of this prefix in this account: nobody else's rule may use the role.
    trust: allow({
      Principal: { Service: 'events.amazonaws.com' },
      Action: 'sts:AssumeRole',
      Condition: { StringEquals: { 'aws:SourceAccount': account }, ArnLike: { 'aws:SourceArn': ruleArn(place, `${nameStart(place.prefix)}*`) } },
    }),
    policyName: 'call-api-destinations',
    // The last part of the ARN is given by EventBridge; the name before it is one's own.
    policy: allow({ Action: 'events:InvokeApiDestination', Resource: destinations.map((each) => `arn:${partition}:events:${region}:${account}:api-destination/${each.name}/*`) }),
  };
}

/** Where the configuration puts the resources. Fails with `CONFIG_INVALID` where it has no `events.eventbridge`. */
export function placeOf(config: EventsConfig): EventBridgePlace {
  if (config.eventbridge === undefined) return refuse('/events/eventbridge', 'is not there; it names the region, the account and the bus');
  const { region, account, bus, prefix } = config.eventbridge;
  return { partition: partitionOf(region), region, account, bus, prefix };
}

/**
 * Gives what the rules with API destinations need at Amazon. The same configuration gives the same resources; no secret is in them, only the references.
 * Fails with `CONFIG_INVALID` and the place for what EventBridge would not take.
 */
export function eventBridgePlan(config: EventsConfig, place: EventBridgePlace): Resources {
  // What rules must be in any case, wherever they run, is said there.
  createRouting(config);
  const notes: ProvisionNote[] = [];
  const rules = Object.entries(config.rules).flatMap(([name, rule]) => ruleOf(config, place, name, rule, notes) ?? []);
  const used = new Set(rules.flatMap((rule) => rule.targets.map((target) => target.destination)));
  const connections: ConnectionResource[] = [];
  const destinations: ApiDestinationResource[] = [];
  const isStandIn = config.eventbridge?.endpoint !== undefined;
  for (const [short, destination] of Object.entries(config.destinations)) {
    const name = `${nameStart(place.prefix)}${short}`;
    if (destination.kind !== 'http' || !used.has(name)) continue;
    const at = pointer('destinations', short);
    checkEndpoint(destination.endpoint, `${at}/endpoint`, isStandIn);
    noteDestination(destination, at, notes);
    connections.push({ name, description: ownerWords(place.prefix), auth: authOf(destination.auth, `${at}/auth`, isStandIn) });
    destinations.push({ name, description: ownerWords(place.prefix), connection: name, endpoint: destination.endpoint, method: destination.method, ratePerSecond: destination.calls_per_second });
  }
  if (rules.length > 0 && config.eventbridge?.runs_rules !== true) {
    notes.push({ at: '/events/eventbridge/runs_rules', message: 'is false: Quittance runs the rules itself and puts no event on the bus. Set it to true when all is provisioned.' });
  }
  const publisher = allow({ Sid: 'PutEvents', Action: 'events:PutEvents', Resource: busArn(place), Condition: { StringEquals: { 'events:source': config.source } } });
  return { place, ...(rules.length === 0 ? {} : { queue: queueOf(place, rules), role: roleOf(place, destinations) }), connections, destinations, rules, publisher, notes };
}
