import type { FastifyRequest } from 'fastify';
import { Interruption } from './sentinels.ts';
import type { SimulatorContext } from './simulator.ts';

/** A refusal in the vendor's own words, thrown by a route. */
export class Refusal extends Error {
  readonly status: number;
  readonly body: unknown;
  readonly headers: Readonly<Record<string, string>>;

  constructor(status: number, body: unknown, headers: Readonly<Record<string, string>> = {}) {
    super(`refused with ${status}`);
    this.status = status;
    this.body = body;
    this.headers = headers;
  }
}

/** What a route answers. Status 200 unless said; a body that is a string is sent as it is; `lost` drops the connection after the work. */
export interface Answer {
  readonly status?: number;
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
  readonly lost?: boolean;
}

/** Registers one route behind the vendor's front door. */
export type AddRoute = (method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE', url: string, handler: (request: FastifyRequest) => Answer) => void;

/** How one vendor lets requests in and refuses them. */
export interface FrontDoor {
  /** Checks the credential and the rate limits before any work; throws a `Refusal`. Its headers go out with the answer. */
  readonly enter: (request: FastifyRequest) => Readonly<Record<string, string>>;
  /** The vendor's refusal for a status that a route did not word itself. */
  readonly refusal: (status: number, headers?: Readonly<Record<string, string>>) => Refusal;
}

/** Puts a vendor's front door before its routes: credentials, limits, sentinels and refusals in the vendor's own shape. */
export function createFrontDoor({ app }: SimulatorContext, door: FrontDoor): AddRoute {
  app.setErrorHandler((error, request, reply) => {
    if (error instanceof Interruption && error.kind === 'timeout') return reply.hijack();
    if (request.url.startsWith('/_sandbox/')) return reply.code(400).send({ error: String(error) });
    const status = (error as { statusCode?: number }).statusCode ?? 500;
    const worded = error instanceof Interruption ? door.refusal(429, { 'retry-after': '1' }) : door.refusal(status);
    const refusal = error instanceof Refusal ? error : worded;
    return reply.code(refusal.status).headers({ ...refusal.headers }).send(refusal.body);
  });
  app.setNotFoundHandler((request) => {
    door.enter(request);
    throw door.refusal(404);
  });
  return (method, url, handler) => {
    app.route({
      method,
      url,
      handler: async (request, reply) => {
        const headers = door.enter(request);
        const answer = handler(request);
        if (answer.lost === true) {
          reply.hijack();
          request.raw.socket.destroy();
          return reply;
        }
        return reply.code(answer.status ?? 200).headers({ ...headers, ...answer.headers }).send(answer.body);
      },
    });
  };
}

/** Sliding windows of requests, by name. */
export interface Windows {
  /** Counts one request; answers how many more the window admits, or undefined when it is full and nothing was counted. */
  readonly admit: (name: string, limit: number, windowMs: number, nowMs: number) => number | undefined;
}

/** Makes empty windows. */
export function createWindows(): Windows {
  const recent = new Map<string, number[]>();
  return {
    admit: (name, limit, windowMs, nowMs) => {
      const kept = (recent.get(name) ?? []).filter((at) => at > nowMs - windowMs);
      recent.set(name, kept);
      if (kept.length >= limit) return undefined;
      kept.push(nowMs);
      return limit - kept.length;
    },
  };
}

/** The token of an `Authorization: Bearer` header, or undefined. */
export function bearerOf(request: FastifyRequest): string | undefined {
  return /^Bearer (\S+)$/u.exec(request.headers.authorization ?? '')?.[1];
}

/** A request's query. */
export function queryOf(request: FastifyRequest): URLSearchParams {
  return new URLSearchParams(request.url.split('?')[1] ?? '');
}

/** A named part of a request's path. */
export function paramOf(request: FastifyRequest, name: string): string {
  return (request.params as Record<string, string>)[name] ?? '';
}
