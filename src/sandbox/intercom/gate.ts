import type { FastifyRequest } from 'fastify';
import { bearerOf, Refusal } from '../front-door.ts';
import type { IntercomState } from './state.ts';

const REQUEST_ID = 'a947b2f0-0000-4000-8000-000000000000';
const CODES: Readonly<Record<number, readonly [string, string]>> = {
  400: ['bad_request', 'Bad request'],
  401: ['unauthorized', 'Access Token Invalid'],
  403: ['api_plan_restricted', 'Active subscription needed.'],
  404: ['not_found', 'Resource Not Found'],
  429: ['rate_limit_exceeded', 'Exceeded rate limit'],
};

/** Intercom's refusal for a status: an `error.list` with one error. */
export function intercomRefusal(status: number, headers: Readonly<Record<string, string>> = {}, code?: string): Refusal {
  const [usual, message] = CODES[status] ?? ['server_error', 'Server Error'];
  return new Refusal(status, { type: 'error.list', request_id: REQUEST_ID, errors: [{ code: code ?? usual, message }] }, headers);
}

/** Lets a request in: any bearer token without `revoked`, within the ten-second window; `X-RateLimit-Reset` is in seconds since the epoch. */
export function enterIntercom(state: IntercomState, nowMs: number, request: FastifyRequest): Readonly<Record<string, string>> {
  const token = bearerOf(request);
  if (token === undefined || token.includes('revoked')) throw intercomRefusal(401);
  const limit = state.account.requests_per_ten_seconds;
  const left = state.windows.admit('requests', limit, 10_000, nowMs);
  const headers = { 'x-ratelimit-limit': String(limit), 'x-ratelimit-remaining': String(left ?? 0), 'x-ratelimit-reset': String(Math.ceil(nowMs / 1000) + 10) };
  if (left === undefined) throw intercomRefusal(429, headers);
  return headers;
}
