import { randomBytes } from 'node:crypto';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { z } from 'zod';
import type { Clock } from '../../platform/clock.ts';
import type { Database } from '../../platform/db/database.ts';
import type { HttpServer } from '../../platform/http/server.ts';
import type { Authenticate } from '../access/index.ts';
import { evidenceCodes, requestIdOf, type RequestActions } from '../requests/index.ts';
import type { AcceptRequest } from './accept-request.ts';
import { acceptedAnswerSchema } from './answers.ts';
import { describedOnly } from './described-only.ts';
import { flatBodySchema, fullBodySchema, subjectBodySchema } from './domain/bodies.ts';
import { readIdempotencyKey } from './domain/idempotency-key.ts';
import { badSignature, checkWindow, type Vouched } from './domain/signatures/signature.ts';
import { createStandardWebhooks } from './domain/signatures/standard-webhooks.ts';
import { openEnvelope, type OpenedMessage } from './event-envelope.ts';
import type { IntakePressure } from './intake-pressure.ts';
import { bucketOf, takeMinutePlace, tellRate } from './rate-limited.ts';
import type { TakePush } from './pubsub-push.ts';
import type { Source } from './sources.ts';
import type { VerifySubject } from './verify-subject.ts';

/** What the routes need. */
export interface IntakeRoutesDeps {
  readonly database: Database;
  readonly clock: Clock;
  readonly sources: ReadonlyMap<string, Source>;
  readonly authenticate: Authenticate;
  readonly acceptRequest: AcceptRequest;
  readonly takePush: TakePush;
  readonly pressure: Pick<IntakePressure, 'during'>;
  readonly verifySubject: VerifySubject;
  readonly verifyByOperator: RequestActions['verifyByOperator'];
}

/** Requests a minute for each API key, and for sources that do not exist: what a source has by default. */
const defaultPerMinute = 600;

const bodySchema = z.union([flatBodySchema, fullBodySchema, subjectBodySchema]);
const answers = { 200: acceptedAnswerSchema.describe('The same message was accepted before; this is its first answer.'), 202: acceptedAnswerSchema };
const webhookAnswers = { ...answers, 204: z.null().describe('Pub/Sub only: the message can never be accepted, was noted, and is not to come again.') };
const parsesItself = { parsesItself: true } as const;

/** Registers the routes by which requests and codes come in. */
export function registerIntakeRoutes(app: HttpServer, deps: IntakeRoutesDeps): void {
  const webhook = createWebhookHandler(deps);
  app.post(
    '/v1/intake/:source',
    {
      config: parsesItself,
      validatorCompiler: describedOnly,
      schema: { summary: 'Take in a signed privacy request', tags: ['intake'], params: z.object({ source: z.string() }), body: bodySchema, response: webhookAnswers },
    },
    async (request, reply) => deps.pressure.during(() => webhook(request.params.source, request, reply)),
  );
  app.post(
    '/v1/privacy-requests',
    {
      config: parsesItself,
      validatorCompiler: describedOnly,
      schema: {
        summary: 'Open a privacy request',
        tags: ['requests'],
        security: [{ apiKey: [] }],
        headers: z.object({ 'idempotency-key': z.string().optional().describe('The caller’s own id of this request; a repetition gets the first answer.') }),
        body: bodySchema,
        response: answers,
      },
    },
    async (request, reply) => {
      const operator = deps.authenticate(request);
      const source = `api:${operator.name}`;
      tellRate(reply, await takeMinutePlace(deps.database, source, defaultPerMinute));
      const id = readIdempotencyKey(request.headers['idempotency-key']) ?? randomBytes(32).toString('hex');
      const message = { source, id, body: request.rawBody, verify: operator.verify, right: 'erasure', jurisdiction: undefined } as const;
      const accepted = await deps.acceptRequest(message);
      return reply.code(accepted.status).send(accepted.answer);
    },
  );
  registerVerificationRoute(app, deps);
}

type WebhookHandler = (name: string, request: FastifyRequest, reply: FastifyReply) => Promise<FastifyReply>;

function createWebhookHandler(deps: IntakeRoutesDeps): WebhookHandler {
  // Nothing is signed with it: a source that does not exist is checked against it, and takes as long to be refused.
  const nobody = createStandardWebhooks(randomBytes(32).toString('base64'), 'nobody');
  return async (name, request, reply) => {
    const message = { headers: request.headers, body: request.rawBody };
    const source = deps.sources.get(name);
    if (source === undefined) {
      await takeMinutePlace(deps.database, bucketOf('unknown-source', name, 2), defaultPerMinute);
      await nobody(message, deps.clock.now());
      throw badSignature();
    }
    const now = deps.clock.now();
    const vouched = await source.verify(message, now).catch(async (error: unknown) => {
      // Who cannot sign has a limit of their own, and takes nothing from who can.
      await takeMinutePlace(deps.database, `unsigned:${name}`, defaultPerMinute);
      throw error;
    });
    const place = await takeMinutePlace(deps.database, `source:${name}`, source.config.rate_limit_per_minute);
    checkWindow(vouched.signedAt, now, source.config.tolerance_seconds);
    // Only to who signed: the headers would tell anybody else that the source exists.
    tellRate(reply, place);
    if (source.config.scheme === 'pubsub-push') {
      const taken = await deps.takePush(source, request.rawBody);
      return taken === undefined ? reply.code(204).send(null) : reply.code(taken.status).send(taken.answer);
    }
    const { verify, right, jurisdiction } = source.config;
    const accepted = await deps.acceptRequest({ source: name, ...messageOf(vouched, request), verify, right, jurisdiction });
    return reply.code(accepted.status).send(accepted.answer);
  };
}

/** The request and the id that it is known by: what was signed says it, or the envelope that a bus sent it in. */
function messageOf({ id }: Vouched, request: FastifyRequest): OpenedMessage {
  if (id !== undefined) return { id, body: request.rawBody };
  const attributes = Object.fromEntries(Object.entries(request.headers).map(([name, value]) => [name, typeof value === 'string' ? value : undefined]));
  return openEnvelope({ attributes, body: request.rawBody, busId: readIdempotencyKey(request.headers['idempotency-key']) });
}

const verificationBodySchema = z
  .strictObject({
    code: z.string().max(32).optional().describe('The digits that were sent; spaces and dashes are passed over.'),
    send_again: z.literal(true).optional().describe('Asks for another code instead.'),
    evidence: z.enum(evidenceCodes).optional().describe('For an operator with an API key: what was seen of who the person is.'),
  })
  .refine((body) => Object.values(body).filter((each) => each !== undefined).length === 1, 'must have one of code, send_again and evidence');

function registerVerificationRoute(app: HttpServer, deps: IntakeRoutesDeps): void {
  app.post(
    '/v1/privacy-requests/:id/verification',
    {
      schema: {
        summary: 'Give the code that was sent, ask for another one, or verify the person as an operator',
        tags: ['requests'],
        params: z.object({ id: z.string().max(64) }),
        body: verificationBodySchema,
        response: {
          200: z.object({ status: z.literal('verified') }),
          202: z.object({ status: z.literal('accepted'), detail: z.string() }),
        },
      },
    },
    async (request, reply) => {
      const { id } = request.params;
      if (request.body.evidence !== undefined) {
        const operator = deps.authenticate(request);
        await deps.verifyByOperator(requestIdOf(id), operator.name, request.body.evidence);
        return reply.code(200).send({ status: 'verified' });
      }
      tellRate(reply, await deps.verifySubject.takePlace(id));
      if (request.body.code === undefined) {
        await deps.verifySubject.sendAgain(id);
        return reply.code(202).send({ status: 'accepted', detail: 'If a request with this id waits for a code, another one is on its way' });
      }
      await deps.verifySubject.submit(id, request.body.code);
      return reply.code(200).send({ status: 'verified' });
    },
  );
}
