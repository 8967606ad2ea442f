import { randomUUID } from 'node:crypto';
import { AwsProblem } from './gate.ts';
import { nameRule, optional, optionalInteger, pageOf, refuseMember, seconds, wanted, type AwsCall, type AwsOperation } from './operation.ts';
import type { ApiDestination, Connection, EventBridgeState, Json } from './state.ts';

/** No control characters but tabs, and no colon. */
const parameterRule = { pattern: /^(?:\t|[^\p{Cc}:])+$/u, max: 512 };
const endpointRule = { pattern: /^((%[0-9A-Fa-f]{2}|[-()_.!~*';/?:@&=+$,A-Za-z0-9])+)([).!';/?:,])?$/u, max: 2048 };
const descriptionRule = { max: 512 };

/** EventBridge takes https only; so that it can call a receiver in a test, the simulator takes http on this machine besides. */
function endpointOf(input: Json, member: string): string | undefined {
  const endpoint = optional(input, member, endpointRule);
  if (endpoint !== undefined && !/^https:\/\/|^http:\/\/(127\.0\.0\.1|localhost)[:/]/u.test(endpoint)) throw new AwsProblem('ValidationException', `Parameter ${member} is not valid. Reason: must use HTTPS.`);
  return endpoint;
}

const kinds: Readonly<Record<string, string>> = { BASIC: 'BasicAuthParameters', OAUTH_CLIENT_CREDENTIALS: 'OAuthParameters', API_KEY: 'ApiKeyAuthParameters' };

/** Lays what was sent over what was stored: an update leaves what it does not name. */
function merged(old: unknown, sent: unknown): unknown {
  const isObject = (value: unknown): value is Json => typeof value === 'object' && value !== null && !Array.isArray(value);
  if (!isObject(old) || !isObject(sent)) return sent ?? old;
  return Object.fromEntries([...new Set([...Object.keys(old), ...Object.keys(sent)])].map((key) => [key, merged(old[key], sent[key])]));
}

function checkAuth(type: string, auth: Json): void {
  const part = kinds[type];
  if (part === undefined) return refuseMember('authorizationType', 'satisfy enum value set: [API_KEY, OAUTH_CLIENT_CREDENTIALS, BASIC]');
  const given = auth[part] as Json | undefined;
  if (given === undefined) throw new AwsProblem('ValidationException', `Parameter ${part} must be given for ${type}.`);
  if (type === 'BASIC') {
    wanted(given, 'Username', parameterRule);
    wanted(given, 'Password', parameterRule);
  } else if (type === 'API_KEY') {
    wanted(given, 'ApiKeyName', parameterRule);
    wanted(given, 'ApiKeyValue', parameterRule);
  } else {
    const client = (given['ClientParameters'] as Json | undefined) ?? {};
    wanted(client, 'ClientID', parameterRule);
    wanted(client, 'ClientSecret', parameterRule);
    if (endpointOf(given, 'AuthorizationEndpoint') === undefined) refuseMember('AuthorizationEndpoint', 'not be null');
    if (!['GET', 'POST', 'PUT'].includes(wanted(given, 'HttpMethod'))) refuseMember('httpMethod', 'satisfy enum value set: [POST, GET, PUT]');
  }
  return undefined;
}

/** The state of a connection by the clock: CREATING, then AUTHORIZING, then AUTHORIZED or DEAUTHORIZED. */
export function stateOf(state: EventBridgeState, connection: Connection, now: number): string {
  if (connection.authorizingSince === undefined) return 'DEAUTHORIZED';
  const took = now - connection.authorizingSince;
  const whole = state.settings.authorizes_after_ms;
  if (took < whole / 2) return connection.createdAt === connection.modifiedAt ? 'CREATING' : 'UPDATING';
  if (took < whole) return 'AUTHORIZING';
  return state.settings.unauthorized.includes(connection.name) ? 'DEAUTHORIZED' : 'AUTHORIZED';
}

const secretNames = new Set(['Password', 'ApiKeyValue', 'ClientSecret']);

/** What is answered of the parameters of authorization: nothing secret. */
function answerable(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(answerable);
  if (typeof value !== 'object' || value === null) return value;
  const isSecret = (value as Json)['IsValueSecret'] === true;
  return Object.fromEntries(Object.entries(value).flatMap(([name, each]) => (secretNames.has(name) || (isSecret && name === 'Value') ? [] : [[name, answerable(each)]])));
}

function summaryOf(state: EventBridgeState, connection: Connection, now: number): Json {
  const { name, arn, type, createdAt, modifiedAt, authorizingSince } = connection;
  const connectionState = stateOf(state, connection, now);
  return {
    ConnectionArn: arn,
    Name: name,
    ConnectionState: connectionState,
    ...(connectionState === 'DEAUTHORIZED' ? { StateReason: 'Failed to authorize the connection.' } : {}),
    AuthorizationType: type,
    CreationTime: seconds(createdAt),
    LastModifiedTime: seconds(modifiedAt),
    ...(connectionState === 'AUTHORIZED' && authorizingSince !== undefined ? { LastAuthorizedTime: seconds(authorizingSince + state.settings.authorizes_after_ms) } : {}),
  };
}

/** The little that is answered where a thing was made, changed or deleted. */
function briefly(answer: Json, members: readonly string[]): Json {
  return Object.fromEntries(Object.entries(answer).filter(([name]) => members.includes(name)));
}
const briefConnection = ['ConnectionArn', 'ConnectionState', 'CreationTime', 'LastModifiedTime', 'LastAuthorizedTime'];
const briefDestination = ['ApiDestinationArn', 'ApiDestinationState', 'CreationTime', 'LastModifiedTime'];

function connectionNamed({ state, input }: AwsCall): Connection {
  const name = wanted(input, 'Name', nameRule);
  const connection = state.connections.get(name);
  if (connection === undefined) throw new AwsProblem('ResourceNotFoundException', `Failed to describe the connection(s). Connection '${name}' does not exist.`);
  return connection;
}

function createConnection({ state, context, input }: AwsCall): Json {
  const name = wanted(input, 'Name', nameRule);
  if (state.connections.has(name)) throw new AwsProblem('ResourceAlreadyExistsException', `Connection ${name} already exists.`);
  const type = wanted(input, 'AuthorizationType');
  const auth = (input['AuthParameters'] as Json | undefined) ?? refuseMember('authParameters', 'not be null');
  checkAuth(type, auth);
  const now = context.now();
  const arn = `arn:aws:events:${state.region}:${state.account}:connection/${name}/${randomUUID()}`;
  const connection: Connection = { name, arn, description: optional(input, 'Description', descriptionRule), type, auth, createdAt: now, modifiedAt: now, authorizingSince: now };
  state.connections.set(name, connection);
  context.effect('connection.created', name);
  return briefly(summaryOf(state, connection, now), briefConnection.slice(0, 4));
}

function updateConnection(call: AwsCall): Json {
  const { state, context, input } = call;
  const old = connectionNamed(call);
  const type = optional(input, 'AuthorizationType') ?? old.type;
  const auth = merged(type === old.type ? old.auth : {}, input['AuthParameters'] ?? {}) as Json;
  checkAuth(type, auth);
  const now = context.now();
  const connection: Connection = { ...old, type, auth, description: optional(input, 'Description', descriptionRule) ?? old.description, modifiedAt: now === old.createdAt ? now + 1 : now, authorizingSince: now };
  state.connections.set(old.name, connection);
  state.tokens.delete(old.arn);
  context.effect('connection.updated', old.name);
  return briefly(summaryOf(state, connection, now), briefConnection);
}

function describeConnection(call: AwsCall): Json {
  const connection = connectionNamed(call);
  const { state, context } = call;
  return {
    ...summaryOf(state, connection, context.now()),
    ...(connection.description === undefined ? {} : { Description: connection.description }),
    SecretArn: `arn:aws:secretsmanager:${state.region}:${state.account}:secret:events!connection/${connection.name}/sandbox`,
    AuthParameters: answerable(connection.auth),
  };
}

function deauthorizeConnection(call: AwsCall): Json {
  const { state, context } = call;
  const connection: Connection = { ...connectionNamed(call), auth: {}, authorizingSince: undefined };
  state.connections.set(connection.name, connection);
  context.effect('connection.deauthorized', connection.name);
  return briefly(summaryOf(state, connection, context.now()), briefConnection);
}

function deleteConnection(call: AwsCall): Json {
  const connection = connectionNamed(call);
  call.state.connections.delete(connection.name);
  call.context.effect('connection.deleted', connection.name);
  return { ...briefly(summaryOf(call.state, connection, call.context.now()), briefConnection), ConnectionState: 'DELETING' };
}

function listConnections({ state, context, input }: AwsCall): Json {
  const prefix = optional(input, 'NamePrefix', nameRule) ?? '';
  const all = [...state.connections.values()].filter(({ name }) => name.startsWith(prefix)).toSorted((one, other) => (one.name < other.name ? -1 : 1));
  const { page, next } = pageOf(input, all);
  return { Connections: page.map((each) => summaryOf(state, each, context.now())), ...next };
}

const methods = ['POST', 'GET', 'HEAD', 'OPTIONS', 'PUT', 'PATCH', 'DELETE'];

function destinationOf(call: AwsCall, old: ApiDestination | undefined): Omit<ApiDestination, 'name' | 'arn' | 'createdAt'> {
  const { state, context, input } = call;
  const read = (member: string, before: string | undefined): string => optional(input, member) ?? before ?? refuseMember(member, 'not be null');
  const connectionArn = read('ConnectionArn', old?.connectionArn);
  if (![...state.connections.values()].some(({ arn }) => arn === connectionArn)) throw new AwsProblem('ResourceNotFoundException', `Connection with ARN '${connectionArn}' does not exist.`);
  const method = read('HttpMethod', old?.method);
  if (!methods.includes(method)) refuseMember('httpMethod', `satisfy enum value set: [${methods.join(', ')}]`);
  const endpoint = endpointOf(input, 'InvocationEndpoint') ?? old?.endpoint ?? refuseMember('invocationEndpoint', 'not be null');
  return {
    connectionArn,
    method,
    endpoint,
    description: optional(input, 'Description', descriptionRule) ?? old?.description,
    ratePerSecond: optionalInteger(input, 'InvocationRateLimitPerSecond', 1, 300) ?? old?.ratePerSecond ?? 300,
    modifiedAt: context.now(),
  };
}

function answerOf(state: EventBridgeState, destination: ApiDestination, now: number): Json {
  const { name, arn, connectionArn, endpoint, method, ratePerSecond, description, createdAt, modifiedAt } = destination;
  const connection = [...state.connections.values()].find((each) => each.arn === connectionArn);
  return {
    ApiDestinationArn: arn,
    Name: name,
    ...(description === undefined ? {} : { Description: description }),
    ApiDestinationState: connection !== undefined && stateOf(state, connection, now) === 'AUTHORIZED' ? 'ACTIVE' : 'INACTIVE',
    ConnectionArn: connectionArn,
    InvocationEndpoint: endpoint,
    HttpMethod: method,
    InvocationRateLimitPerSecond: ratePerSecond,
    CreationTime: seconds(createdAt),
    LastModifiedTime: seconds(modifiedAt),
  };
}

function destinationNamed({ state, input }: AwsCall): ApiDestination {
  const name = wanted(input, 'Name', nameRule);
  const destination = state.destinations.get(name);
  if (destination === undefined) throw new AwsProblem('ResourceNotFoundException', `Failed to describe the api-destination(s). An api-destination '${name}' does not exist.`);
  return destination;
}

function createApiDestination(call: AwsCall): Json {
  const { state, context, input } = call;
  const name = wanted(input, 'Name', nameRule);
  if (state.destinations.has(name)) throw new AwsProblem('ResourceAlreadyExistsException', `An api-destination '${name}' already exists.`);
  const arn = `arn:aws:events:${state.region}:${state.account}:api-destination/${name}/${randomUUID()}`;
  const destination: ApiDestination = { name, arn, createdAt: context.now(), ...destinationOf(call, undefined) };
  state.destinations.set(name, destination);
  context.effect('api_destination.created', name);
  return briefly(answerOf(state, destination, context.now()), briefDestination);
}

function updateApiDestination(call: AwsCall): Json {
  const old = destinationNamed(call);
  const destination: ApiDestination = { ...old, ...destinationOf(call, old) };
  call.state.destinations.set(old.name, destination);
  call.context.effect('api_destination.updated', old.name);
  return briefly(answerOf(call.state, destination, call.context.now()), briefDestination);
}

function deleteApiDestination(call: AwsCall): Json {
  const { name } = destinationNamed(call);
  call.state.destinations.delete(name);
  call.context.effect('api_destination.deleted', name);
  return {};
}

function listApiDestinations({ state, context, input }: AwsCall): Json {
  const prefix = optional(input, 'NamePrefix', nameRule) ?? '';
  const connection = optional(input, 'ConnectionArn');
  const all = [...state.destinations.values()].filter((each) => each.name.startsWith(prefix) && (connection === undefined || each.connectionArn === connection)).toSorted((one, other) => (one.name < other.name ? -1 : 1));
  const { page, next } = pageOf(input, all);
  return {
    ApiDestinations: page.map((each) => {
      const { Description: _description, ...summary } = answerOf(state, each, context.now());
      return summary;
    }),
    ...next,
  };
}

/** What EventBridge does with connections and API destinations. */
export const connectionOperations: Readonly<Record<string, AwsOperation>> = {
  CreateConnection: createConnection,
  UpdateConnection: updateConnection,
  DescribeConnection: describeConnection,
  DeauthorizeConnection: deauthorizeConnection,
  DeleteConnection: deleteConnection,
  ListConnections: listConnections,
  CreateApiDestination: createApiDestination,
  UpdateApiDestination: updateApiDestination,
  DescribeApiDestination: (call) => answerOf(call.state, destinationNamed(call), call.context.now()),
  DeleteApiDestination: deleteApiDestination,
  ListApiDestinations: listApiDestinations,
};
