import type { FastifyReply, FastifyRequest } from 'fastify';
import { takeSentinel, type DeletionTarget } from './sentinels.ts';
import { sendError } from './twilio-error.ts';
import type { InFlight, World } from './twilio-state.ts';

/** One deletion (or other change) about to be made. */
export interface Deletion {
  /** The parties' addresses, for sentinel numbers. */
  readonly addresses: readonly string[];
  readonly target: DeletionTarget;
  /** The object, when it may still be in flight. */
  readonly unfinished?: { status: string; inFlight?: InFlight | undefined };
  /** Makes the change and notes its effects. */
  readonly work: () => void;
  /** Sends the answer that says it was made. */
  readonly done: (reply: FastifyReply) => FastifyReply;
}

/** Promises that the object has its final status if its time in flight is over, and says whether it is still in flight. */
export function isInFlight(object: { status: string; inFlight?: InFlight | undefined }, now: number): boolean {
  const flight = object.inFlight;
  if (flight === undefined) return false;
  if (now < flight.until && flight.triesLeft > 0) return true;
  object.status = flight.into;
  object.inFlight = undefined;
  return false;
}

/** Answers 20009: the object is not final yet. Each such answer counts as a try. */
export function sendNotFinal(reply: FastifyReply, object?: { inFlight?: InFlight | undefined }): FastifyReply {
  if (object?.inFlight !== undefined) object.inFlight.triesLeft -= 1;
  return sendError(reply, 409, 20009, 'Cannot delete this resource before it is complete');
}

/** Never answers. Fastify counts a response that never ends as open, so its own listener is told, for the request to be recorded with status 0. */
function silence(reply: FastifyReply): FastifyReply {
  reply.raw.statusCode = 0;
  reply.hijack();
  reply.raw.emit('error', new Error('never answered'));
  reply.raw.on('error', () => undefined);
  return reply;
}

/** Plays the person's sentinel, a planted lie, or the deletion itself. */
export function playDeletion(world: World, request: FastifyRequest, reply: FastifyReply, deletion: Deletion): FastifyReply {
  const { addresses, target, unfinished, work, done } = deletion;
  if (unfinished !== undefined && isInFlight(unfinished, world.context.now())) return sendNotFinal(reply, unfinished);
  const behaviour = takeSentinel(world.state.sentinelsPlayed, addresses, target);
  switch (behaviour) {
    case 'not_final':
      return sendNotFinal(reply);
    case 'rate_limited':
      return sendError(reply, 429);
    case 'hangs':
      return silence(reply);
    case 'answer_lost':
      work();
      silence(reply);
      request.raw.destroy();
      return reply;
    case 'lies':
      return done(reply);
    case undefined:
      break;
  }
  if (!world.context.lies(request)) work();
  return done(reply);
}

/** Answers 204 without a body. */
export function noContent(reply: FastifyReply): FastifyReply {
  return reply.code(204).send();
}
