import { createVerify, generateKeyPairSync } from 'node:crypto';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { z } from 'zod';
import { startSimulator, type Simulator, type SimulatorContext, type VendorDefinition } from '../simulator.ts';
import { receive } from './receiver.ts';
import { addMessage, createPubsubState, plantPubsub, pubsubNames, type PubsubState } from './state.ts';

export { pubsubNames, type PubsubSeed } from './state.ts';

/** A refusal, answered as Google's error. */
class PubsubProblem extends Error {
  readonly status: number;

  constructor(status: number) {
    super(`pubsub ${status}`);
    this.status = status;
  }
}

const words: Readonly<Record<number, string>> = { 400: 'INVALID_ARGUMENT', 401: 'UNAUTHENTICATED', 403: 'PERMISSION_DENIED', 404: 'NOT_FOUND', 429: 'RESOURCE_EXHAUSTED', 500: 'INTERNAL', 503: 'UNAVAILABLE' };
const refusal = (status: number): unknown => ({ error: { code: status, message: `sandbox: ${status}`, status: words[status] ?? 'UNKNOWN' } });

const { publicKey, privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
const email = 'quittance@sandbox.iam.gserviceaccount.example';
/** The JSON key of the service account that may use the simulator; made anew in each process. */
export const pubsubAccountKey: string = JSON.stringify({ type: 'service_account', client_email: email, private_key_id: 'sandbox', private_key: privateKey.export({ type: 'pkcs8', format: 'pem' }) });
/** What the status probe of the in-house service wants to be asked with. */
export const probeToken = 'workstations-probe-token';

/** Checks a JWT that the account signed itself (AIP-4111). */
function authenticate(request: FastifyRequest): void {
  const [head = '', body = '', signature = ''] = /^Bearer (.+)$/u.exec(request.headers.authorization ?? '')?.[1]?.split('.') ?? [];
  if (body === '') throw new PubsubProblem(401);
  const claims = JSON.parse(Buffer.from(body, 'base64url').toString()) as { iss?: unknown; scope?: unknown };
  const isOurs = claims.iss === email && String(claims.scope).includes('/auth/pubsub');
  if (!isOurs || !createVerify('RSA-SHA256').update(`${head}.${body}`).verify(publicKey, Buffer.from(signature, 'base64url'))) throw new PubsubProblem(401);
}

const publishSchema = z.object({ messages: z.array(z.object({ data: z.string().optional(), attributes: z.record(z.string(), z.string()).optional(), orderingKey: z.string().optional() })).min(1).max(1000) });
const pullSchema = z.object({ maxMessages: z.int().positive(), returnImmediately: z.boolean().optional() });
const ackSchema = z.object({ ackIds: z.array(z.string()).min(1), ackDeadlineSeconds: z.int().optional() });

function parse<Output>(schema: z.ZodType<Output>, body: unknown): Output {
  const parsed = schema.safeParse(body);
  if (!parsed.success) throw new PubsubProblem(400);
  return parsed.data;
}

function publish(state: PubsubState, context: SimulatorContext, request: FastifyRequest): unknown {
  const { messages } = parse(publishSchema, request.body);
  if (messages.some(({ data = '', attributes = {} }) => data === '' && Object.keys(attributes).length === 0)) throw new PubsubProblem(400);
  const isLost = context.lies(request);
  const ids = messages.map(({ data = '', attributes = {}, orderingKey }) => {
    const message = addMessage(state, 'events', data, context.now(), { attributes, orderingKey, visibleAt: context.now() + state.receiver.delay_ms });
    if (isLost) state.events.splice(state.events.indexOf(message), 1);
    return message.messageId;
  });
  return { messageIds: ids };
}

/** A request of others: whoever subscribes has it, and nobody answers. */
function publishRequest(state: PubsubState, context: SimulatorContext, request: FastifyRequest): unknown {
  const { messages } = parse(publishSchema, request.body);
  return { messageIds: messages.map(({ data = '', attributes = {}, orderingKey }) => addMessage(state, 'requests', data, context.now(), { attributes, orderingKey }).messageId) };
}

type Queue = 'acknowledgements' | 'requests';

/** Takes what was given too often to the dead-letter topic. */
function bury(state: PubsubState, now: number): void {
  const most = state.requestsGivenMost ?? Number.POSITIVE_INFINITY;
  const dead = state.requests.filter((each) => each.visibleAt <= now && each.given >= most);
  state.deadLetters.push(...dead);
  state.requests = state.requests.filter((each) => !dead.includes(each));
}

function pull(state: PubsubState, context: SimulatorContext, request: FastifyRequest, queue: Queue): unknown {
  const { maxMessages } = parse(pullSchema, request.body);
  const now = context.now();
  if (queue === 'acknowledgements') receive(state, context);
  else bury(state, now);
  const given = state[queue].filter((each) => each.visibleAt <= now).slice(0, maxMessages);
  for (const message of given) {
    message.given += 1;
    message.visibleAt = now + state.ackDeadlineMs;
    message.ackId = `ack-${message.messageId}-${state.next}`;
    state.next += 1;
  }
  // An answer with nothing in it is an empty object, as proto3's JSON writes it.
  return given.length === 0 ? {} : { receivedMessages: given.map(({ ackId, messageId, data, attributes, publishTime, orderingKey, given: times }) => ({ ackId, message: { messageId, data, attributes, publishTime, ...(orderingKey === undefined ? {} : { orderingKey }) }, ...(queue === 'requests' && state.requestsGivenMost !== undefined ? { deliveryAttempt: times } : {}) })) };
}

function settle(state: PubsubState, context: SimulatorContext, request: FastifyRequest, isAcknowledged: boolean, queue: Queue): unknown {
  const { ackIds, ackDeadlineSeconds = 0 } = parse(ackSchema, request.body);
  const named = state[queue].filter((each) => each.ackId !== undefined && ackIds.includes(each.ackId));
  // Past its deadline an id may be of no use any more: the message comes again.
  const inTime = named.filter((each) => each.visibleAt > context.now());
  if (isAcknowledged) state[queue] = state[queue].filter((each) => !inTime.includes(each));
  else for (const each of inTime) each.visibleAt = context.now() + ackDeadlineSeconds * 1000;
  return {};
}

function probe(state: PubsubState, context: SimulatorContext, request: FastifyRequest, reply: FastifyReply): unknown {
  if (request.headers.authorization !== `Bearer ${probeToken}`) return reply.code(401).send({ code: 'unauthorized' });
  receive(state, context);
  const { key } = request.params as { key: string };
  const said = state.done.get(key);
  if (said === undefined) return { status: 'pending' };
  return { status: said['status'], left: state.workstations.length };
}

/** Google Cloud Pub/Sub with one topic and one subscription, and the in-house service behind them; each call gives a separate one. */
export function pubsubDefinition(): VendorDefinition {
  let state = createPubsubState();
  let now: () => number = Date.now;
  return {
    vendor: 'pubsub',
    routes: (context) => {
      const { app } = context;
      now = context.now;
      app.setErrorHandler((error, _request, reply) => {
        const status = error instanceof PubsubProblem ? error.status : ((error as { statusCode?: number }).statusCode ?? 500);
        return reply.code(status).send(refusal(status));
      });
      const calls: Readonly<Record<string, (request: FastifyRequest) => unknown>> = {
        [`GET /v1/${pubsubNames.topic}`]: () => ({ name: pubsubNames.topic }),
        [`GET /v1/${pubsubNames.subscription}`]: () => ({ name: pubsubNames.subscription, topic: `${pubsubNames.topic}-done`, ackDeadlineSeconds: Math.ceil(state.ackDeadlineMs / 1000) }),
        [`POST /v1/${pubsubNames.topic}:publish`]: (request) => publish(state, context, request),
        [`POST /v1/${pubsubNames.subscription}:pull`]: (request) => pull(state, context, request, 'acknowledgements'),
        [`POST /v1/${pubsubNames.subscription}:acknowledge`]: (request) => settle(state, context, request, true, 'acknowledgements'),
        [`POST /v1/${pubsubNames.subscription}:modifyAckDeadline`]: (request) => settle(state, context, request, false, 'acknowledgements'),
        [`POST /v1/${pubsubNames.requestsTopic}:publish`]: (request) => publishRequest(state, context, request),
        [`POST /v1/${pubsubNames.requestsSubscription}:pull`]: (request) => pull(state, context, request, 'requests'),
        [`POST /v1/${pubsubNames.requestsSubscription}:acknowledge`]: (request) => settle(state, context, request, true, 'requests'),
        [`POST /v1/${pubsubNames.requestsSubscription}:modifyAckDeadline`]: (request) => settle(state, context, request, false, 'requests'),
      };
      app.all('/v1/*', async (request) => {
        authenticate(request);
        const call = calls[`${request.method} ${request.url.split('?', 1)[0]}`];
        if (call === undefined) throw new PubsubProblem(404);
        return call(request);
      });
      app.get('/deletions/:key', async (request, reply) => probe(state, context, request, reply));
    },
    seed: (data) => ({ ...plantPubsub(state, data, now()), credentials: pubsubAccountKey }),
    dump: () => ({ workstations: state.workstations, events: state.events.map(({ messageId, data, attributes, orderingKey }) => ({ messageId, data, attributes, orderingKey })), acknowledgements: state.acknowledgements.length, requests: state.requests.length, dead_letters: state.deadLetters.length }),
    errorBody: refusal,
    reset: () => {
      state = createPubsubState();
    },
  };
}

/** Starts the simulator on 127.0.0.1. */
export async function startPubsub(options: { port?: number } = {}): Promise<Simulator> {
  return startSimulator(pubsubDefinition(), options);
}
