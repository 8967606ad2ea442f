import type { FastifyReply, FastifyRequest } from 'fastify';
import { Interruption } from '../sentinels.ts';
import type { SimulatorContext } from '../simulator.ts';

/** A refusal, thrown by a route and answered with its body. */
export class SegmentProblem extends Error {
  readonly status: number;
  readonly body: unknown;
  readonly headers: Readonly<Record<string, string>>;

  constructor(status: number, body: unknown, headers: Readonly<Record<string, string>> = {}) {
    super(`segment ${status}`);
    this.status = status;
    this.body = body;
    this.headers = headers;
  }
}

const PROFILE_CODES: Readonly<Record<number, string>> = {
  401: 'authentication_error',
  404: 'not_found',
  422: 'validation_error',
  429: 'rate_limit_error',
};

/** The Profile API's error shape. */
export function profileProblem(status: number, message: string, headers: Readonly<Record<string, string>> = {}): SegmentProblem {
  return new SegmentProblem(status, { error: { code: PROFILE_CODES[status] ?? 'invalid_request_error', message } }, headers);
}

/** The Public API's error shape. */
export function publicProblem(
  status: number,
  type: string,
  message: string,
  more: { field?: string; headers?: Readonly<Record<string, string>> } = {},
): SegmentProblem {
  const field = more.field === undefined ? {} : { field: more.field };
  return new SegmentProblem(status, { errors: [{ type, message, ...field, data: null, status }] }, more.headers);
}

/** The body for a status that a fault asked for. Both APIs listen on one port, so both shapes are in it. */
export function bodyForStatus(status: number): unknown {
  const message = status === 429 ? 'Too many requests' : `Status ${status}`;
  return {
    error: { code: PROFILE_CODES[status] ?? 'invalid_request_error', message },
    errors: [{ type: status === 429 ? 'too-many-requests' : 'server', message, data: null, status }],
  };
}

/** What a route answers: a body, and whether the connection drops before it is sent. */
export interface SegmentAnswer {
  readonly body: unknown;
  readonly headers?: Readonly<Record<string, string>>;
  readonly lost?: boolean;
}

/** Registers one route behind the credential check of its API and the sentinels. */
export type AddRoute = (
  method: 'GET' | 'POST',
  url: string,
  handler: (request: FastifyRequest) => SegmentAnswer,
) => void;

const isProfilePath = (url: string): boolean => url.startsWith('/v1/spaces/');

function authenticate(request: FastifyRequest): void {
  const [scheme, value = ''] = (request.headers.authorization ?? '').split(' ', 2);
  const isProfile = isProfilePath(request.url);
  const token = isProfile ? Buffer.from(value, 'base64').toString('utf8').split(':', 1)[0] : value;
  const isRight = scheme?.toLowerCase() === (isProfile ? 'basic' : 'bearer');
  if (isRight && token !== undefined && token !== '' && !token.includes('revoked')) return;
  throw isProfile ? profileProblem(401, 'The access token is missing or not valid.') : publicProblem(401, 'unauthorized', 'Unauthorized');
}

const send = (reply: FastifyReply, problem: SegmentProblem): FastifyReply =>
  reply.code(problem.status).headers({ ...problem.headers }).send(problem.body);

/** Puts both APIs' front doors before the routes. */
export function createGate(context: SimulatorContext): AddRoute {
  const { app } = context;
  app.addContentTypeParser('application/vnd.segment.v1+json', { parseAs: 'string' }, app.getDefaultJsonParser('error', 'error'));
  app.setErrorHandler((error, request, reply) => {
    if (error instanceof SegmentProblem) return send(reply, error);
    if (error instanceof Interruption) {
      if (error.kind === 'timeout') return reply.hijack();
      const headers = { 'retry-after': '1' };
      return send(
        reply,
        isProfilePath(request.url)
          ? profileProblem(429, 'Too many requests', headers)
          : publicProblem(429, 'too-many-requests', 'Too many requests', { headers }),
      );
    }
    if (request.url.startsWith('/_sandbox/')) return reply.code(400).send({ error: String(error) });
    const status = (error as { statusCode?: number }).statusCode ?? 500;
    return reply.code(status).send(bodyForStatus(status));
  });
  app.setNotFoundHandler((request, reply) => {
    authenticate(request);
    return send(reply, isProfilePath(request.url) ? profileProblem(404, 'Not found') : publicProblem(404, 'not-found', 'Resource not found'));
  });
  return (method, url, handler) => {
    app.route({
      method,
      url,
      handler: async (request, reply) => {
        authenticate(request);
        const answer = handler(request);
        if (answer.lost === true) {
          reply.hijack();
          request.raw.socket.destroy();
          return reply;
        }
        return reply.headers({ ...answer.headers }).send(answer.body);
      },
    });
  };
}
