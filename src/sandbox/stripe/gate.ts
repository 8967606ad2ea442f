import type { FastifyReply, FastifyRequest } from 'fastify';
import { Interruption } from '../sentinels.ts';
import type { SimulatorContext } from '../simulator.ts';
import { decodeForm, type FormObject } from './form.ts';
import { bodyForStatus, rateLimited, StripeProblem } from './problem.ts';
import { nextId, type KeyedAnswer, type StripeState } from './state.ts';

/** One request as a route sees it. */
export interface StripeInput {
  readonly request: FastifyRequest;
  readonly params: Readonly<Record<string, string>>;
  readonly query: FormObject;
  readonly body: FormObject;
  readonly nowMs: number;
  /** Lets the sentinel of a person the request is about fire; no work may have been done yet. */
  readonly visit: (email: string | undefined) => void;
  /** The work is done; if the person's sentinel says so, the answer is lost. */
  readonly settle: (email: string | undefined) => void;
  /** Whether to say done and change nothing. */
  readonly lies: (email?: string) => boolean;
}

/** A route of Stripe's: answers the body, or throws a `StripeProblem`. */
export type StripeHandler = (input: StripeInput) => unknown;
/** Registers one route behind authentication, rate limit, idempotency and sentinels. */
export type AddRoute = (method: 'GET' | 'POST' | 'DELETE', url: string, handler: StripeHandler) => void;

/** Stripe keeps idempotency keys for at least this long. */
const KEY_LIFETIME_MS = 24 * 3_600_000;

function credentialOf(request: FastifyRequest): string | undefined {
  const [scheme, value] = (request.headers.authorization ?? '').split(' ', 2);
  if (value === undefined) return undefined;
  if (scheme?.toLowerCase() === 'bearer') return value;
  if (scheme?.toLowerCase() === 'basic') return Buffer.from(value, 'base64').toString('utf8').split(':', 1)[0];
  return undefined;
}

function authenticate(request: FastifyRequest): void {
  const key = credentialOf(request);
  const headers = { 'www-authenticate': 'Basic realm="Stripe"' };
  if (key === undefined || key === '') {
    const message =
      "You did not provide an API key. You need to provide your API key in the Authorization header, using Bearer auth (e.g. 'Authorization: Bearer YOUR_SECRET_KEY').";
    throw new StripeProblem(401, { type: 'invalid_request_error', message }, headers);
  }
  if (!/^(?:sk|rk)_test_\w+$/u.test(key) || key.includes('revoked')) {
    const message = `Invalid API Key provided: ${key.slice(0, 8)}****${key.slice(-4)}`;
    throw new StripeProblem(401, { type: 'invalid_request_error', message }, headers);
  }
}

function countRequest(state: StripeState, nowMs: number): void {
  const recent = state.recentRequestsMs;
  while (recent.length > 0 && (recent[0] ?? 0) <= nowMs - 1000) recent.shift();
  if (recent.length >= state.account.requests_per_second) throw rateLimited();
  recent.push(nowMs);
}

/** Finds the first answer under a key, or reserves the key; 400 for other parameters, 409 while the first request is executing. */
function claimKey(state: StripeState, key: string, fingerprint: string, nowMs: number): KeyedAnswer | 'claimed' {
  const known = state.keys.get(key);
  if (known === undefined || known.storedAtMs + KEY_LIFETIME_MS <= nowMs) {
    state.keys.set(key, { fingerprint, storedAtMs: nowMs, answer: undefined });
    return 'claimed';
  }
  if (known.fingerprint !== fingerprint) {
    throw new StripeProblem(400, {
      type: 'idempotency_error',
      message: `Keys for idempotent requests can only be used with the same parameters they were first used with. Try using a key other than '${key}' if you meant to execute a different request.`,
    });
  }
  if (known.answer === undefined) {
    throw new StripeProblem(409, {
      type: 'idempotency_error',
      code: 'idempotency_key_in_use',
      message: `There is currently another in-progress request using this Idempotent Key (that probably means you submitted twice, and the other request is still going through): ${key}. Please try again later.`,
    });
  }
  return known;
}

const queryOf = (request: FastifyRequest): FormObject => decodeForm(request.url.split('?')[1] ?? '');
const bodyOf = (request: FastifyRequest): FormObject => decodeForm(typeof request.body === 'string' ? request.body : '');

/** The requests that hold an idempotency key, from execution to the end of sending. */
const heldKey = Symbol('idempotency key');
type Holding = FastifyRequest & { [heldKey]?: string };

function sendProblem(reply: FastifyReply, problem: StripeProblem): FastifyReply {
  return reply.code(problem.status).headers({ ...problem.headers }).send({ error: problem.fields });
}

function dropConnection(request: FastifyRequest, reply: FastifyReply): void {
  reply.hijack();
  request.raw.socket.destroy();
}

function execute(state: StripeState, context: SimulatorContext, handler: StripeHandler, request: Holding, reply: FastifyReply): unknown {
  authenticate(request);
  countRequest(state, context.now());
  const body = bodyOf(request);
  const header = request.headers['idempotency-key'];
  const key = request.method === 'POST' && typeof header === 'string' && header !== '' ? header : undefined;
  if (key !== undefined) {
    if (key.length > 255) throw new StripeProblem(400, { type: 'invalid_request_error', message: 'Idempotency keys may have at most 255 characters.' });
    const fingerprint = `${request.method} ${request.url} ${JSON.stringify(body)}`;
    const held = claimKey(state, key, fingerprint, context.now());
    if (held !== 'claimed') {
      return reply.code(held.answer?.status ?? 500).header('idempotent-replayed', 'true').send(held.answer?.body);
    }
    request[heldKey] = key;
  }
  const finish = (status: number, answer: unknown): void => {
    const entry = key === undefined ? undefined : state.keys.get(key);
    if (entry !== undefined) entry.answer = { status, body: structuredClone(answer) };
  };
  const release = (): void => {
    if (key !== undefined) state.keys.delete(key);
    delete request[heldKey];
  };
  let lost = false;
  try {
    const answer = handler({
      request,
      params: request.params as Record<string, string>,
      query: queryOf(request),
      body,
      nowMs: context.now(),
      visit: state.sentinels.visit,
      settle: (email) => {
        if (state.sentinels.losesAnswer(email)) lost = true;
      },
      lies: (email) => state.sentinels.lies(email) || context.lies(request),
    });
    finish(200, answer);
    if (lost) return dropConnection(request, reply);
    return reply.send(answer);
  } catch (error) {
    if (error instanceof Interruption && error.kind === 'timeout') {
      // The key stays in use for as long as the unanswered request is open, as it does while the vendor executes.
      request.raw.socket.once('close', release);
      return reply.hijack();
    }
    const problem = error instanceof Interruption ? rateLimited({ 'retry-after': '1' }) : error;
    // Refused parameters and limits are refused before execution begins, so nothing is kept under the key.
    if (problem instanceof StripeProblem && problem.status === 404) finish(404, { error: problem.fields });
    else release();
    throw problem;
  }
}

/** Puts Stripe's front door before the routes: form bodies, errors in Stripe's shape, request ids, and what `execute` enforces. */
export function createGate(state: () => StripeState, context: SimulatorContext): AddRoute {
  const { app } = context;
  app.addContentTypeParser('application/x-www-form-urlencoded', { parseAs: 'string' }, (_request, body, done) => done(null, body));
  app.addHook('onSend', async (request: Holding, reply, payload) => {
    void reply.header('request-id', nextId(state(), 'req'));
    const key = request[heldKey];
    const entry = key === undefined ? undefined : state().keys.get(key);
    // v1 keeps whatever was first sent once execution began, a 500 too.
    if (entry !== undefined && reply.statusCode >= 500 && typeof payload === 'string') {
      entry.answer = { status: reply.statusCode, body: JSON.parse(payload) as unknown };
    }
    return payload;
  });
  app.setErrorHandler((error, request, reply) => {
    if (error instanceof StripeProblem) return sendProblem(reply, error);
    if (request.url.startsWith('/_sandbox/')) return reply.code(400).send({ error: String(error) });
    const status = (error as { statusCode?: number }).statusCode ?? 500;
    return reply.code(status).send(bodyForStatus(status));
  });
  app.setNotFoundHandler((request, reply) => {
    authenticate(request);
    return sendProblem(reply, unrecognized(request));
  });
  return (method, url, handler) => {
    app.route({ method, url, handler: async (request, reply) => execute(state(), context, handler, request, reply) });
  };
}

/** Stripe's 404 for a path that the account does not have; redaction jobs answer so where the preview is not enabled. */
export function unrecognized(request: FastifyRequest): StripeProblem {
  const path = request.url.split('?', 1)[0] ?? '';
  return new StripeProblem(404, {
    type: 'invalid_request_error',
    message: `Unrecognized request URL (${request.method}: ${path}). If you are trying to list objects, remove the trailing slash. If you are trying to retrieve an object, make sure you passed a valid (non-empty) identifier in your code. Please see https://stripe.com/docs or we can help at https://support.stripe.com/.`,
  });
}
