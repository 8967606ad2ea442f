import type { FastifyReply, FastifyRequest } from 'fastify';
import { startSimulator, type Simulator, type SimulatorContext, type VendorDefinition } from '../simulator.ts';
import { connectionOperations } from './connections.ts';
import { createDeliverer, type Deliverer } from './deliver.ts';
import { authenticate, AwsProblem } from './gate.ts';
import { callIam, iamProblem } from './iam.ts';
import type { AwsCall } from './operation.ts';
import { putEvents } from './put-events.ts';
import { ruleOperations } from './rules.ts';
import { queryErrorOf, sqsOperations } from './sqs.ts';
import { createEventBridgeState, dumpEventBridge, plantEventBridge, takeFault, type EventBridgeState, type Json } from './state.ts';

export { eventBridgeCredentials } from './gate.ts';
export { matches as eventMatches, readPattern as readEventPattern } from './match.ts';
export type { EventBridgeSeed } from './state.ts';
export { inputOf as transformedInput } from './transform.ts';

const eventOperations = { ...connectionOperations, ...ruleOperations, PutEvents: putEvents };

type Service = 'events' | 'sqs' | 'iam';

/** Which service a call is for, and the name of its operation. */
function addressOf(request: FastifyRequest, body: Buffer): { readonly service: Service; readonly operation: string } {
  const [prefix = '', operation = ''] = String(request.headers['x-amz-target'] ?? '').split('.');
  if (prefix === 'AWSEvents') return { service: 'events', operation };
  if (prefix === 'AmazonSQS') return { service: 'sqs', operation };
  return { service: 'iam', operation: new URLSearchParams(body.toString('utf8')).get('Action') ?? '' };
}

/** Answers `settled`, and `stop`, for the server that was made from it. */
interface EventBridgeDefinition extends VendorDefinition {
  readonly settled: () => Promise<void>;
  readonly stop: () => void;
}

function perform(state: EventBridgeState, context: SimulatorContext, request: FastifyRequest, service: Service, operation: string, body: Buffer): Json | string {
  authenticate(request, body, service, state.region, Date.now());
  if (state.settings.denied.includes(`${service}:${operation}`)) {
    const code = service === 'events' ? 'AccessDeniedException' : 'AccessDenied';
    throw new AwsProblem(code, `User: arn:aws:iam::${state.account}:user/sandbox is not authorized to perform: ${service}:${operation}`, service === 'events' ? 400 : 403);
  }
  const fault = takeFault(state, operation, ['throttle', 'internal']);
  if (fault?.kind === 'throttle') throw new AwsProblem(service === 'iam' ? 'Throttling' : 'ThrottlingException', 'Rate exceeded');
  if (fault?.kind === 'internal') throw new AwsProblem(service === 'events' ? 'InternalException' : 'InternalFailure', 'Sandbox: internal error', 500);
  const origin = `http://${request.headers.host ?? '127.0.0.1'}`;
  if (service === 'iam') return callIam({ state, context, input: {}, origin }, new URLSearchParams(body.toString('utf8')));
  const input = JSON.parse(body.length === 0 ? '{}' : body.toString('utf8')) as Json;
  const handle: ((call: AwsCall) => Json) | undefined = (service === 'events' ? eventOperations : sqsOperations)[operation as keyof typeof eventOperations];
  if (handle === undefined) throw new AwsProblem('UnknownOperationException', '');
  return handle({ state, context, input, origin });
}

function answerProblem(reply: FastifyReply, service: Service, problem: AwsProblem): FastifyReply {
  void reply.code(problem.status);
  if (service === 'iam') return reply.header('content-type', 'text/xml').send(iamProblem(problem));
  const older = service === 'sqs' ? queryErrorOf(problem.code) : undefined;
  if (older !== undefined) void reply.header('x-amzn-query-error', `${older};Sender`);
  const type = service === 'sqs' ? `com.amazonaws.sqs#${problem.code}` : problem.code;
  return reply.header('content-type', `application/x-amz-json-1.${service === 'sqs' ? 0 : 1}`).send(JSON.stringify({ __type: type, message: problem.message }));
}

/** An AWS account with EventBridge, and the little of IAM and SQS that it needs, all at one address; each call gives a separate one. */
export function eventBridgeDefinition(): EventBridgeDefinition {
  let state = createEventBridgeState();
  let deliverer: Deliverer | undefined;
  return {
    vendor: 'eventbridge',
    routes: (context) => {
      const { app } = context;
      deliverer = createDeliverer(() => state, context);
      app.removeAllContentTypeParsers();
      app.addContentTypeParser('*', { parseAs: 'buffer' }, (request, body, done) => {
        try {
          done(null, request.url.startsWith('/_sandbox/') ? JSON.parse(String(body)) : body);
        } catch (error) {
          done(error as Error);
        }
      });
      app.post('/_sandbox/settled', async (_request, reply) => {
        await deliverer?.settled();
        return reply.code(204).send();
      });
      app.post('/*', async (request, reply) => {
        const body = Buffer.isBuffer(request.body) ? request.body : Buffer.alloc(0);
        const { service, operation } = addressOf(request, body);
        try {
          const answer = perform(state, context, request, service, operation, body);
          deliverer?.kick();
          if (takeFault(state, operation, ['lost']) !== undefined) {
            request.raw.socket.destroy();
            return reply.hijack();
          }
          if (typeof answer === 'string') return await reply.header('content-type', 'text/xml').send(answer);
          return await reply.header('content-type', `application/x-amz-json-1.${service === 'sqs' ? 0 : 1}`).send(JSON.stringify(answer));
        } catch (error) {
          if (error instanceof AwsProblem) return answerProblem(reply, service, error);
          throw error;
        }
      });
    },
    seed: (data) => plantEventBridge(state, data),
    dump: () => dumpEventBridge(state),
    errorBody: (status) => ({ __type: status === 400 || status === 429 ? 'ThrottlingException' : 'InternalException', message: `Sandbox: ${status}` }),
    reset: () => {
      state = createEventBridgeState();
    },
    settled: async () => deliverer?.settled(),
    stop: () => deliverer?.stop(),
  };
}

/** The simulator, listening; `settled` answers when all that is due by its clock was delivered or put off. */
export interface EventBridgeSimulator extends Simulator {
  readonly settled: () => Promise<void>;
}

/** Starts the simulated account on 127.0.0.1. */
export async function startEventBridge(options: { port?: number } = {}): Promise<EventBridgeSimulator> {
  const definition = eventBridgeDefinition();
  const simulator = await startSimulator(definition, options);
  return {
    ...simulator,
    settled: definition.settled,
    close: async () => {
      definition.stop();
      await simulator.close();
    },
  };
}
