import { createHash, timingSafeEqual } from 'node:crypto';
import type { FastifyRequest } from 'fastify';
import { bearerOf, Refusal, type Answer } from '../front-door.ts';
import { nextId, type SalesforceState } from './state.ts';

const DAY_MS = 86_400_000;
const CODES: Readonly<Record<number, string>> = {
  400: 'INVALID_FIELD',
  401: 'INVALID_SESSION_ID',
  403: 'INSUFFICIENT_ACCESS_OR_READONLY',
  404: 'NOT_FOUND',
  405: 'METHOD_NOT_ALLOWED',
  429: 'REQUEST_LIMIT_EXCEEDED',
  503: 'SERVER_UNAVAILABLE',
};

/** Salesforce's refusal for a status: a list with one error. */
export function salesforceRefusal(status: number, headers: Readonly<Record<string, string>> = {}, errorCode?: string): Refusal {
  const code = errorCode ?? CODES[status] ?? 'UNKNOWN_EXCEPTION';
  return new Refusal(status, [{ message: `Refused: ${code}`, errorCode: code }], headers);
}

const TOKEN_PATH = '/services/oauth2/token';

/** Lets a request in: an access token of this org that has not expired, within the day's limit, whose refusal is a 403. */
export function enterSalesforce(state: SalesforceState, nowMs: number, request: FastifyRequest): Readonly<Record<string, string>> {
  if (request.url === TOKEN_PATH) return {};
  const issuedAt = state.sessions.get(bearerOf(request) ?? '');
  if (issuedAt === undefined || issuedAt + state.account.session_ms <= nowMs) throw salesforceRefusal(401);
  const limit = state.account.requests_per_day;
  const left = state.windows.admit('requests', limit, DAY_MS, nowMs);
  if (left === undefined) throw salesforceRefusal(403, {}, 'REQUEST_LIMIT_EXCEEDED');
  return { 'sforce-limit-info': `api-usage=${limit - left}/${limit}` };
}

const digest = (text: string): Buffer => createHash('sha256').update(text).digest();

/** The OAuth client credentials flow: `client` with the secret `secret`, in the body or by Basic; refused with 400 as Salesforce does. */
export function issueToken(state: SalesforceState, nowMs: number, request: FastifyRequest): Answer {
  const form = new URLSearchParams(typeof request.body === 'string' ? request.body : '');
  const basic = Buffer.from(/^Basic (\S+)$/u.exec(request.headers.authorization ?? '')?.[1] ?? '', 'base64').toString('utf8');
  const [basicId = '', basicSecret = ''] = basic.split(':');
  const refuse = (error: string): never => {
    throw new Refusal(400, { error, error_description: error.replaceAll('_', ' ') });
  };
  if (form.get('grant_type') !== 'client_credentials') refuse('unsupported_grant_type');
  if ((form.get('client_id') ?? basicId) !== 'client') refuse('invalid_client_id');
  if (!timingSafeEqual(digest(form.get('client_secret') ?? basicSecret), digest('secret'))) refuse('invalid_client');
  const token = `00Dsandbox!${nextId(state, 'tok')}`;
  state.sessions.set(token, nowMs);
  const origin = `${request.protocol}://${request.host}`;
  // No expires_in: a session ends when the org says so.
  return { body: { access_token: token, signature: 'c2FuZGJveA==', scope: 'api', instance_url: origin, id: `${origin}/id/00Dsandbox/005sandbox`, token_type: 'Bearer', issued_at: String(nowMs) } };
}

/** Where tokens are issued. */
export const tokenPath = TOKEN_PATH;
