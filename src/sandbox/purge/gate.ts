import { createHmac, timingSafeEqual } from 'node:crypto';
import type { FastifyRequest } from 'fastify';
import type { PurgeState } from './state.ts';

/** The credentials that the simulated service knows; fictional, like everything here. */
export const purgeCredentials = {
  token: 'purge-token',
  username: 'quittance',
  password: 'purge-password',
  apiKey: 'purge-api-key',
  hmacSecret: 'purge-hmac-secret',
  clientId: 'quittance-client',
  clientSecret: 'purge-client-secret',
} as const;

/** A refusal, thrown by a route and answered with its body. */
export class PurgeProblem extends Error {
  readonly status: number;
  readonly code: string;
  readonly headers: Readonly<Record<string, string>>;

  constructor(status: number, code: string, headers: Readonly<Record<string, string>> = {}) {
    super(`purge ${status}`);
    this.status = status;
    this.code = code;
    this.headers = headers;
  }
}

/** How far a signed request's clock may be off, in seconds. */
const toleranceSeconds = 300;

const basic = (user: string, password: string): string => `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}`;

function isSigned(request: FastifyRequest, body: string, now: number): boolean {
  const timestamp = String(request.headers['x-timestamp'] ?? '');
  const given = Buffer.from(String(request.headers['x-signature'] ?? ''), 'hex');
  if (Math.abs(now / 1000 - Number(timestamp)) > toleranceSeconds) return false;
  const expected = createHmac('sha256', purgeCredentials.hmacSecret).update(`${timestamp}\n${request.method}\n${request.url}\n${body}`).digest();
  return given.length === expected.length && timingSafeEqual(given, expected);
}

/** Lets a request pass that has the credentials of the configured scheme and is within the rate limit; refuses others with 401 or 429. */
export function admit(state: PurgeState, request: FastifyRequest, body: string, now: number): void {
  const authorization = request.headers.authorization ?? '';
  const query = new URLSearchParams(request.url.split('?')[1] ?? '');
  const known: Readonly<Record<typeof state.account.auth, () => boolean>> = {
    none: () => true,
    bearer: () => authorization === `Bearer ${purgeCredentials.token}`,
    basic: () => authorization === basic(purgeCredentials.username, purgeCredentials.password),
    api_key: () => request.headers['x-api-key'] === purgeCredentials.apiKey || query.get('api_key') === purgeCredentials.apiKey,
    hmac: () => isSigned(request, body, now),
    oauth2: () => state.tokens.has(authorization.replace(/^Bearer /u, '')),
  };
  if (!known[state.account.auth]()) throw new PurgeProblem(401, 'unauthorized');
  const second = Math.floor(now / 1000);
  if (state.window.at !== second) state.window = { at: second, count: 0 };
  state.window.count += 1;
  if (state.window.count > state.account.requests_per_second) throw new PurgeProblem(429, 'too_many_requests', { 'retry-after': '1' });
}

/** Gives a token by the client credentials grant, from the header or the form; refuses others with 401. */
export function issueToken(state: PurgeState, request: FastifyRequest, form: URLSearchParams): object {
  const { clientId, clientSecret } = purgeCredentials;
  const isClient = request.headers.authorization === basic(clientId, clientSecret) || (form.get('client_id') === clientId && form.get('client_secret') === clientSecret);
  if (!isClient) throw new PurgeProblem(401, 'invalid_client');
  if (form.get('grant_type') !== 'client_credentials') throw new PurgeProblem(400, 'unsupported_grant_type');
  const token = `token-${state.next}`;
  state.next += 1;
  state.tokens.add(token);
  return { access_token: token, token_type: 'Bearer', expires_in: 3600 };
}
