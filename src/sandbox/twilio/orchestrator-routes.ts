import type { FastifyReply, FastifyRequest } from 'fastify';
import { playDeletion } from './deletion.ts';
import { sendAbsent } from './gate.ts';
import { isoSeconds, newTypeId } from './identifiers.ts';
import { originOf, pageByToken } from './paging.ts';
import { sendError } from './twilio-error.ts';
import type { Operation, OrchestratedConversation, TwilioState, World } from './twilio-state.ts';

const deletionMs = 5000;

/** Promises the conversation as the Orchestrator shows it. */
export function renderOrchestrated(state: TwilioState, item: OrchestratedConversation): unknown {
  const at = isoSeconds(item.createdAt);
  return {
    id: item.sid,
    accountId: state.settings.accountSid,
    configurationId: 'conv_configuration_00000000000000000000000001',
    status: 'CLOSED',
    name: item.name,
    createdAt: at,
    updatedAt: at,
  };
}

function settle(world: World, operation: Operation): void {
  const { state, context } = world;
  if (operation.completedAt !== undefined || context.now() < operation.until) return;
  operation.completedAt = operation.until;
  if (!state.orchestrated.remove(operation.conversationId)) return;
  state.gone.add(operation.conversationId);
  context.effect('conversation.deleted', operation.conversationId);
}

/** Makes the deletions whose time has come; they happen when somebody next looks. */
export function settleOperations(world: World): void {
  for (const operation of world.state.operations.select()) settle(world, operation);
}

function render(request: FastifyRequest, operation: Operation): object {
  return {
    operationId: operation.sid,
    status: operation.completedAt === undefined ? 'PENDING' : 'COMPLETED',
    createdAt: isoSeconds(operation.createdAt),
    ...(operation.completedAt !== undefined && { completedAt: isoSeconds(operation.completedAt) }),
    statusUrl: `${originOf(request)}/v2/ControlPlane/Operations/${operation.sid}`,
    related: { conversationId: operation.conversationId },
  };
}

interface ById {
  Params: { id: string };
}

/** Registers Conversations v2: list, read, delete by an operation that takes five seconds of the simulator's clock, and the operation. */
export function registerOrchestratorRoutes(world: World): void {
  const { app, now } = world.context;
  const running = (id: string): Operation | undefined => world.state.operations.select(`conversation:${id}`)[0];
  app.get('/v2/Conversations', async (request) => {
    settleOperations(world);
    const { items, meta } = pageByToken(request, world.state.orchestrated.select(), 'conversations', 1000);
    return { conversations: items.map((each) => renderOrchestrated(world.state, each)), meta };
  });
  app.get<ById>('/v2/Conversations/:id', (request, reply) => {
    settleOperations(world);
    const item = world.state.orchestrated.get(request.params.id);
    return item === undefined ? sendAbsent(world, request, reply, request.params.id) : reply.send(renderOrchestrated(world.state, item));
  });
  app.delete<ById>('/v2/Conversations/:id', (request, reply) => {
    settleOperations(world);
    const item = world.state.orchestrated.get(request.params.id);
    if (item === undefined) return sendAbsent(world, request, reply, request.params.id);
    const operation: Operation = running(item.sid) ?? {
      sid: newTypeId('proc_job'),
      order: world.state.nextOrder(),
      conversationId: item.sid,
      createdAt: now(),
      until: now() + deletionMs,
    };
    const work = (): void => {
      if (running(item.sid) === undefined) world.state.operations.add(operation);
    };
    const done = (answer: FastifyReply): FastifyReply => {
      const { statusUrl, related } = render(request, operation) as { statusUrl: string; related: object };
      return answer.code(202).headers({ 'operation-id': operation.sid, 'retry-after': '5', location: statusUrl }).send({ statusUrl, related });
    };
    return playDeletion(world, request, reply, { addresses: item.addresses, target: 'other', work, done });
  });
  app.get<ById>('/v2/ControlPlane/Operations/:id', (request, reply) => {
    settleOperations(world);
    const operation = world.state.operations.get(request.params.id);
    return operation === undefined ? sendError(reply, 404) : reply.send(render(request, operation));
  });
}
