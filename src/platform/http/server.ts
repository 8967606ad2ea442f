import swagger from '@fastify/swagger';
import swaggerUi from '@fastify/swagger-ui';
import Fastify, { type FastifyBaseLogger, type FastifyError, type FastifyInstance, type FastifyReply, type FastifyRequest, type RawServerDefault } from 'fastify';
import {
  hasZodFastifySchemaValidationErrors,
  jsonSchemaTransform,
  serializerCompiler,
  validatorCompiler,
  type ZodTypeProvider,
} from 'fastify-type-provider-zod';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { Failure, isFailure } from '../failure.ts';
import type { Log } from '../log.ts';
import { problemOf, toProblem, type Problem } from './problem.ts';

/** The HTTP server as modules see it: routes carry zod schemas, from which validation and OpenAPI come. */
export type HttpServer = FastifyInstance<RawServerDefault, IncomingMessage, ServerResponse, FastifyBaseLogger, ZodTypeProvider>;

declare module 'fastify' {
  interface FastifyRequest {
    /** The exact bytes of the body, for signatures. Empty when there was none. */
    rawBody: Buffer;
  }
  interface FastifyContextConfig {
    /** True for routes that check a signature over the raw bytes before they parse them. */
    parsesItself?: boolean;
  }
}

/** The largest body taken, in bytes: a request names a person by a handful of identifiers. */
const bodyLimit = 64 * 1024;
const nothingHere = 'There is nothing at this address';
/** The deepest JSON taken; deeper nesting is an attack or a mistake. */
const depthMax = 16;

/** Makes the server, with its parsers, its error answers and its OpenAPI document, and no routes yet. */
export async function createHttpServer(log: Log, version: string): Promise<HttpServer> {
  const app = Fastify({
    logger: false,
    bodyLimit,
    forceCloseConnections: true,
    requestTimeout: 30_000,
    routerOptions: { maxParamLength: 256 },
    // The framework's own answers to an address that it cannot read repeat the address, and a person may be named in it.
    frameworkErrors: (_error, _request, reply) => sendNotFound(reply as FastifyReply),
    // The address of who calls is personal data and is not needed.
    trustProxy: false,
  }).withTypeProvider<ZodTypeProvider>();
  app.setValidatorCompiler(validatorCompiler);
  app.setSerializerCompiler(serializerCompiler);
  app.decorateRequest('rawBody', null as unknown as Buffer);
  app.addHook('onRequest', async (request) => {
    request.rawBody = Buffer.alloc(0);
  });
  app.removeAllContentTypeParsers();
  app.addContentTypeParser(/^application\/(?:[\w.+-]+\+)?json/u, { parseAs: 'buffer' }, async (request: FastifyRequest, body: Buffer) => {
    request.rawBody = body;
    // A signed body is parsed by its route, after the signature was checked.
    return request.routeOptions.config.parsesItself === true ? undefined : parseJson(body);
  });
  app.setErrorHandler((error: FastifyError, _request, reply) => {
    const problem = problemFor(error, log);
    const retryAfterMs = isFailure(error) ? error.retryAfterMs : undefined;
    if (retryAfterMs !== undefined) void reply.header('retry-after', String(Math.max(1, Math.ceil(retryAfterMs / 1000))));
    return reply.code(problem.status).type('application/problem+json').send(JSON.stringify(problem));
  });
  app.setNotFoundHandler((_request, reply) => sendNotFound(reply));
  await app.register(swagger, {
    openapi: {
      openapi: '3.1.0',
      info: { title: 'Quittance', version, description: 'One privacy request in, erasure done and proven in every system, a certificate out.', license: { name: 'Apache-2.0' } },
      components: { securitySchemes: { apiKey: { type: 'http', scheme: 'bearer' } } },
    },
    transform: jsonSchemaTransform,
  });
  await app.register(swaggerUi, { routePrefix: '/docs', staticCSP: true });
  app.get('/openapi.json', { schema: { hide: true } }, async () => app.swagger());
  return app;
}

function sendNotFound(reply: FastifyReply): void {
  const problem = toProblem('NOT_FOUND', nothingHere);
  void reply.code(problem.status).type('application/problem+json').send(JSON.stringify(problem));
}

/**
 * Parses JSON, refusing what a careful reader would stumble over: bad UTF-8, deep nesting, keys that reach a prototype.
 * Fails with `BODY_MALFORMED`.
 */
export function parseJson(body: Buffer): unknown {
  if (body.length === 0) throw new Failure('BODY_MALFORMED', 'The body is empty; send a JSON object');
  let text: string;
  try {
    text = new TextDecoder('utf-8', { fatal: true }).decode(body);
  } catch (error) {
    throw new Failure('BODY_MALFORMED', 'The body is not valid UTF-8', { cause: error });
  }
  let depth = 0;
  let inString = false;
  for (let index = 0; index < text.length; index += 1) {
    const character = text[index];
    if (inString) {
      if (character === '\\') index += 1;
      else if (character === '"') inString = false;
    } else if (character === '"') inString = true;
    else if (character === '{' || character === '[') {
      depth += 1;
      if (depth > depthMax) throw new Failure('BODY_MALFORMED', `The body is nested deeper than ${depthMax} levels`);
    } else if (character === '}' || character === ']') depth -= 1;
  }
  try {
    return JSON.parse(text, (key, value: unknown) => {
      if (key === '__proto__') throw new Failure('BODY_MALFORMED', 'The body has a key named __proto__');
      return value;
    });
  } catch (error) {
    if (isFailure(error)) throw error;
    throw new Failure('BODY_MALFORMED', 'The body is not valid JSON; it may have been cut off', { cause: error });
  }
}

function problemFor(error: FastifyError, log: Log): Problem {
  if (isFailure(error)) {
    if (error.code === 'INTERNAL' || problemOf(error).status >= 500) log.error({ err: error }, 'request failed');
    return problemOf(error);
  }
  if (hasZodFastifySchemaValidationErrors(error)) {
    const issue = error.validation[0];
    const pointer = issue?.instancePath ?? '';
    // The rule's own message quotes the unknown name, which may be anything: a person's address too.
    const message = issue?.keyword === 'unrecognized_keys' ? 'has a field that is not known here; /openapi.json describes those that are' : (issue?.message ?? 'is not valid');
    return toProblem('VALIDATION_FAILED', `${error.validationContext ?? 'request'}${pointer}: ${message}`, pointer === '' ? '/' : pointer);
  }
  switch (error.code) {
    case 'FST_ERR_CTP_BODY_TOO_LARGE':
      return toProblem('BODY_TOO_LARGE', `The body may have at most ${bodyLimit} bytes`);
    case 'FST_ERR_CTP_INVALID_MEDIA_TYPE':
      return toProblem('BODY_MALFORMED', 'The content type must be application/json');
    case 'FST_ERR_CTP_INVALID_CONTENT_LENGTH':
    case 'FST_ERR_CTP_EMPTY_JSON_BODY':
      return toProblem('BODY_MALFORMED', 'The body does not have the length that its header says');
    default:
      // What serves the reference page's files refuses by a status: an address that climbs out of their folder, say.
      if (error.statusCode !== undefined && error.statusCode >= 400 && error.statusCode < 500) return toProblem('NOT_FOUND', nothingHere);
      log.error({ err: error }, 'request failed on a bug');
      return toProblem('INTERNAL', 'Something went wrong on our side; nothing was changed');
  }
}
