import { request } from 'undici';
import { atPath } from './transform.ts';
import type { ApiDestination, Connection, Delivery, EventBridgeState, Json } from './state.ts';

/** What became of one call of an API destination. `again` is what another try may help. */
export type Invocation =
  | { readonly kind: 'delivered' }
  | { readonly kind: 'again'; readonly code: string; /** As `Retry-After` says; negative ends the tries. */ readonly retryAfterMs?: number }
  | { readonly kind: 'refused'; readonly code: string };

interface Parameter {
  readonly Key: string;
  readonly Value: string;
}

interface HttpParts {
  readonly headers: Record<string, string>;
  readonly query: readonly Parameter[];
  readonly body: readonly Parameter[];
}

/** docs.aws.amazon.com/eventbridge/latest/userguide/eb-api-destinations.html, “Headers included in requests to API destinations”. */
const fixedHeaders = { 'user-agent': 'Amazon/EventBridge/ApiDestinations', range: 'bytes=0-1048575', 'accept-encoding': 'gzip,deflate' };
/** Headers that are taken out of what connections and targets give, as the same page lists them. */
const removedHeaders = new Set(
  'a-im accept-charset accept-datetime accept-encoding cache-control connection content-encoding content-length content-md5 date expect forwarded from host http2-settings if-match if-modified-since if-none-match if-range if-unmodified-since max-forwards origin pragma proxy-authorization range referer te trailer transfer-encoding user-agent upgrade via warning'.split(
    ' ',
  ),
);

function partsOf(parameters: Json | undefined): HttpParts {
  const list = (name: string): readonly Parameter[] => (parameters?.[name] as readonly Parameter[] | undefined) ?? [];
  return { headers: Object.fromEntries(list('HeaderParameters').map(({ Key, Value }) => [Key.toLowerCase(), Value])), query: list('QueryStringParameters'), body: list('BodyParameters') };
}

/** A value of a target's HTTP parameters: text, or a path into the event as it came, not as it was transformed. */
function valueOf(value: string, event: Json): string | undefined {
  if (!value.startsWith('$.')) return value;
  const found = atPath(event, value);
  return found === undefined ? undefined : typeof found === 'string' ? found : JSON.stringify(found);
}

function addQuery(endpoint: string, query: readonly Parameter[]): string {
  if (query.length === 0) return endpoint;
  return `${endpoint}${endpoint.includes('?') ? '&' : '?'}${query.map(({ Key, Value }) => `${encodeURIComponent(Key)}=${encodeURIComponent(Value)}`).join('&')}`;
}

/** Asks the authorization endpoint for a token; undefined when it gives none. */
async function fetchToken(oauth: Json, timeoutMs: number): Promise<string | undefined> {
  const { headers, query, body } = partsOf(oauth['OAuthHttpParameters'] as Json | undefined);
  const client = oauth['ClientParameters'] as Json;
  const method = String(oauth['HttpMethod']);
  const form = new URLSearchParams([['client_id', String(client['ClientID'])], ['client_secret', String(client['ClientSecret'])], ...body.map(({ Key, Value }): [string, string] => [Key, Value])]);
  const endpoint = addQuery(String(oauth['AuthorizationEndpoint']), query);
  const answer = await request(method === 'GET' ? `${endpoint}${endpoint.includes('?') ? '&' : '?'}${form.toString()}` : endpoint, {
    method: method as 'GET' | 'POST' | 'PUT',
    headers: { 'user-agent': 'Amazon/EventBridge/ApiDestinations', ...(method === 'GET' ? {} : { 'content-type': 'application/x-www-form-urlencoded' }), ...headers },
    ...(method === 'GET' ? {} : { body: form.toString() }),
    reset: true,
    signal: AbortSignal.timeout(timeoutMs),
  });
  const text = await answer.body.text();
  if (answer.statusCode >= 300) return undefined;
  const token = (JSON.parse(text) as Json)['access_token'];
  return typeof token === 'string' ? token : undefined;
}

async function authHeaders(state: EventBridgeState, connection: Connection): Promise<Record<string, string> | undefined> {
  const { auth, type, arn } = connection;
  if (type === 'BASIC') {
    const { Username, Password } = auth['BasicAuthParameters'] as Readonly<Record<string, string>>;
    return { authorization: `Basic ${Buffer.from(`${Username}:${Password}`).toString('base64')}` };
  }
  if (type === 'API_KEY') {
    const { ApiKeyName = '', ApiKeyValue = '' } = auth['ApiKeyAuthParameters'] as Readonly<Record<string, string>>;
    return { [ApiKeyName.toLowerCase()]: ApiKeyValue };
  }
  const token = state.tokens.get(arn) ?? (await fetchToken(auth['OAuthParameters'] as Json, state.settings.timeout_ms));
  if (token === undefined) return undefined;
  state.tokens.set(arn, token);
  return { authorization: `Bearer ${token}` };
}

/** The bytes that leave: the input, with the body parameters of the connection laid over it where it is a JSON object. */
function bodyOf(input: string, parameters: readonly Parameter[]): string {
  if (parameters.length === 0) return input;
  const value: unknown = JSON.parse(input);
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return input;
  return JSON.stringify({ ...value, ...Object.fromEntries(parameters.map(({ Key, Value }) => [Key, Value])) });
}

const withoutRemoved = (headers: Readonly<Record<string, string>>): Record<string, string> => Object.fromEntries(Object.entries(headers).filter(([name]) => !removedHeaders.has(name)));

/** Reads `Retry-After`: seconds, or a date. */
function retryAfterOf(header: string | string[] | undefined, now: number): { readonly retryAfterMs?: number } {
  if (typeof header !== 'string') return {};
  const ms = /^-?\d+$/u.test(header) ? Number(header) * 1000 : Date.parse(header) - now;
  return Number.isNaN(ms) ? {} : { retryAfterMs: ms };
}

function classify(status: number, retryAfter: { readonly retryAfterMs?: number }, isOAuth: boolean): Invocation {
  if (status >= 200 && status < 300) return { kind: 'delivered' };
  if (status === 429 || status >= 500) return { kind: 'again', code: status === 429 ? 'THROTTLING' : 'ERROR_FROM_TARGET', ...retryAfter };
  // A token that is no longer taken is fetched anew with the next try.
  if (isOAuth && (status === 401 || status === 407)) return { kind: 'again', code: 'AUTH_FAILURE', ...retryAfter };
  return { kind: 'refused', code: 'ERROR_FROM_TARGET' };
}

/** Calls an API destination once, over a real socket, and says what became of it. */
export async function invoke(state: EventBridgeState, delivery: Delivery, destination: ApiDestination, connection: Connection, input: string, now: number): Promise<Invocation> {
  const http = (delivery.target['HttpParameters'] as { PathParameterValues?: readonly string[]; HeaderParameters?: Readonly<Record<string, string>>; QueryStringParameters?: Readonly<Record<string, string>> } | undefined) ?? {};
  const given = (http.PathParameterValues ?? []).map((value) => valueOf(value, delivery.event));
  const pairs = (values: Readonly<Record<string, string>> | undefined): Parameter[] => Object.entries(values ?? {}).map(([Key, value]) => ({ Key, Value: valueOf(value, delivery.event) ?? '' }));
  let at = 0;
  const endpoint = destination.endpoint.replaceAll('*', () => {
    at += 1;
    return encodeURIComponent(given[at - 1] ?? '');
  });
  if (at > given.length || given.includes(undefined)) return { kind: 'refused', code: 'INVALID_PARAMETER' };
  const own = partsOf(connection.auth['InvocationHttpParameters'] as Json | undefined);
  const query = [...pairs(http.QueryStringParameters).filter(({ Key }) => !own.query.some((each) => each.Key === Key)), ...own.query];
  const targetHeaders = Object.fromEntries(pairs(http.HeaderParameters).map(({ Key, Value }) => [Key.toLowerCase(), Value]));
  try {
    const auth = await authHeaders(state, connection);
    if (auth === undefined) return { kind: 'again', code: 'AUTH_FAILURE' };
    // What the connection gives wins over what the target gives.
    const headers = { 'content-type': 'application/json; charset=utf-8', ...withoutRemoved(targetHeaders), ...withoutRemoved(own.headers), ...auth, ...fixedHeaders };
    const hasBody = destination.method !== 'GET' && destination.method !== 'HEAD';
    const answer = await request(addQuery(endpoint, query), {
      method: destination.method as 'POST',
      headers,
      ...(hasBody ? { body: bodyOf(input, own.body) } : {}),
      reset: true,
      signal: AbortSignal.timeout(state.settings.timeout_ms),
    });
    await answer.body.dump();
    if (answer.statusCode === 401 || answer.statusCode === 407) state.tokens.delete(connection.arn);
    return classify(answer.statusCode, retryAfterOf(answer.headers['retry-after'], now), connection.type === 'OAUTH_CLIENT_CREDENTIALS');
  } catch (error) {
    const isTimeout = (error as Error).name === 'TimeoutError';
    return { kind: 'again', code: isTimeout ? 'TIMEOUT' : 'CONNECTION_FAILURE' };
  }
}
