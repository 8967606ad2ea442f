import type { FastifyReply, FastifyRequest } from 'fastify';
import { Interruption } from '../sentinels.ts';
import type { SimulatorContext } from '../simulator.ts';
import { nextId, type GenesysState, type Token } from './genesys-state.ts';

/** A refusal, thrown by a route and answered with its body; without a body where the vendor gives none. */
export class GenesysProblem extends Error {
  readonly status: number;
  readonly body: unknown;
  readonly headers: Readonly<Record<string, string>>;

  constructor(status: number, body: unknown, headers: Readonly<Record<string, string>> = {}) {
    super(`genesys ${status}`);
    this.status = status;
    this.body = body;
    this.headers = headers;
  }
}

const minuteMs = 60_000;

const codes: Readonly<Record<number, string>> = {
  400: 'bad.request',
  401: 'bad.credentials',
  403: 'missing.permissions',
  404: 'not.found',
  429: 'too.many.requests',
  500: 'internal.server.error',
  503: 'service.unavailable',
  504: 'request.timeout',
};

/** The vendor's `ErrorBody` for a status. */
export function bodyForStatus(status: number, message = `Status ${status}`, code = codes[status] ?? 'bad.request'): unknown {
  return { message, code, status, contextId: 'sandbox', details: [], errors: [] };
}

/** A refusal in the shape of `ErrorBody`. */
export function problem(status: number, message: string, more: { readonly code?: string; readonly headers?: Readonly<Record<string, string>> } = {}): GenesysProblem {
  return new GenesysProblem(status, bodyForStatus(status, message, more.code), more.headers);
}

/** What a route answers: a status, a body, and whether the connection drops before it is sent. */
export interface GenesysAnswer {
  readonly status: number;
  readonly body?: unknown;
  readonly lost?: boolean;
  readonly headers?: Readonly<Record<string, string>>;
}

/** Registers one route behind the token, the client's scope and the limit. */
export type AddRoute = (method: 'GET' | 'POST', url: string, needs: { readonly scope: string; readonly isBare: boolean }, handler: (request: FastifyRequest) => GenesysAnswer) => void;

function authenticate(state: GenesysState, now: number, request: FastifyRequest): Token {
  const [scheme, value = ''] = (request.headers.authorization ?? '').split(' ', 2);
  if (value === '') throw problem(401, 'No authentication bearer token specified in authorization header.', { code: 'authentication.required' });
  const token = scheme?.toLowerCase() === 'bearer' ? state.tokens.get(value) : undefined;
  if (token === undefined || token.until <= now) throw problem(401, 'Invalid login credentials.');
  return token;
}

function countCall({ account }: GenesysState, now: number, { recent }: Token): void {
  while (recent[0] !== undefined && recent[0] <= now - minuteMs) recent.shift();
  const [oldest] = recent;
  if (recent.length >= account.requests_per_minute) {
    const seconds = Math.max(1, Math.ceil(((oldest ?? now) + minuteMs - now) / 1000));
    throw problem(429, `Rate limit exceeded the maximum [${account.requests_per_minute}] requests within [60] seconds`, { headers: { 'retry-after': String(seconds) } });
  }
  recent.push(now);
}

/** The token endpoint: client credentials only, in the header or in the form. */
function giveToken(state: GenesysState, now: number, request: FastifyRequest): GenesysAnswer {
  const form = new URLSearchParams(typeof request.body === 'string' ? request.body : '');
  const [scheme, encoded = ''] = (request.headers.authorization ?? '').split(' ', 2);
  const pair = scheme?.toLowerCase() === 'basic' ? Buffer.from(encoded, 'base64').toString('utf8').split(':') : [form.get('client_id') ?? '', form.get('client_secret') ?? ''];
  const { account } = state;
  if (form.get('grant_type') !== 'client_credentials') return { status: 400, body: { error: 'unsupported_grant_type' } };
  if (pair[0] !== account.client_id) return { status: 400, body: { error: 'invalid_client', description: 'client not found' } };
  if (pair[1] !== account.client_secret) return { status: 401, body: { error: 'invalid_client', description: 'authentication failed' } };
  const token = `sandbox-token-${nextId(state)}`;
  state.tokens.set(token, { until: now + account.token_seconds * 1000, recent: [] });
  const scope = account.names_scopes ? { scope: account.scopes.join(' ') } : {};
  return { status: 200, body: { access_token: token, token_type: 'bearer', expires_in: account.token_seconds, ...scope } };
}

const send = (reply: FastifyReply, { status, body, headers }: GenesysProblem): FastifyReply => reply.code(status).headers({ ...headers }).send(body);

/** Puts the login host and the platform's front door before the routes. Both hosts are on one port. */
export function createGate(context: SimulatorContext, state: () => GenesysState): AddRoute {
  const { app, now } = context;
  app.addContentTypeParser('application/x-www-form-urlencoded', { parseAs: 'string' }, (_request, body, done) => done(null, body));
  app.addHook('onSend', async (request, reply) => {
    if (request.url.startsWith('/api/')) void reply.header('inin-correlation-id', 'sandbox');
  });
  app.setErrorHandler((error, request, reply) => {
    if (error instanceof GenesysProblem) return send(reply, error);
    if (error instanceof Interruption) {
      if (error.kind === 'timeout') return reply.hijack();
      return send(reply, problem(429, 'Rate limit exceeded', { headers: { 'retry-after': '1' } }));
    }
    if (request.url.startsWith('/_sandbox/')) return reply.code(400).send({ error: String(error) });
    const status = (error as { statusCode?: number }).statusCode ?? 500;
    return reply.code(status).send(bodyForStatus(status));
  });
  app.setNotFoundHandler((_request, reply) => send(reply, problem(404, 'The requested resource was not found.')));
  app.post('/oauth/token', async (request, reply) => {
    const { status, body } = giveToken(state(), now(), request);
    return reply.code(status).send(body);
  });
  app.post('/_sandbox/revoke-tokens', async (_request, reply) => {
    state().tokens.clear();
    return reply.code(204).send();
  });
  return (method, url, { scope, isBare }, handler) => {
    app.route({
      method,
      url,
      handler: async (request, reply) => {
        countCall(state(), now(), authenticate(state(), now(), request));
        if (!state().account.scopes.includes(scope)) {
          if (isBare) return reply.code(403).send();
          throw problem(403, `Unable to perform the requested action. You are missing the following permission(s): ${scope}`);
        }
        const answer = handler(request);
        if (answer.lost === true) {
          reply.hijack();
          request.raw.socket.destroy();
          return reply;
        }
        return reply.code(answer.status).headers({ ...answer.headers }).send(answer.body);
      },
    });
  };
}
