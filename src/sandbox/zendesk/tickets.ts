import type { FastifyRequest } from 'fastify';
import { paramOf, queryOf, type AddRoute, type Answer } from '../front-door.ts';
import type { SimulatorContext } from '../simulator.ts';
import type { Ticket, TicketJob, ZendeskState } from './state.ts';
import { links, pageOf, userOf, zendeskRefusal } from './users.ts';

function ticketOf(state: ZendeskState, request: FastifyRequest, isDeleted: boolean): Ticket {
  const ticket = state.tickets.get(Number(paramOf(request, 'id')));
  if (ticket === undefined || (ticket.deletedAtMs !== undefined) !== isDeleted) throw zendeskRefusal(404);
  state.sentinels.visit(state.users.get(ticket.requesterId)?.owner);
  return ticket;
}

const shape = ({ id, subject, status, requesterId }: Ticket): object => ({ id, subject, status, requester_id: requesterId });
const jobShape = ({ id, status }: TicketJob): object => ({ job_status: { id, status, total: 1, progress: status === 'completed' ? 1 : null, message: null, results: null } });

/** queued, working, completed: by looks at the job or by time, whichever comes first. */
function advance(state: ZendeskState, context: SimulatorContext, job: TicketJob): void {
  job.polls += 1;
  const { polls_per_stage: polls, stage_ms: stageMs } = state.account;
  while (job.status !== 'completed') {
    const byPolls = job.polls > polls;
    if (!byPolls && context.now() - job.sinceMs < stageMs) return;
    job.sinceMs = byPolls ? context.now() : job.sinceMs + stageMs;
    job.polls = 0;
    job.status = job.status === 'queued' ? 'working' : 'completed';
    if (job.status === 'completed' && !job.lying) {
      state.tickets.delete(job.ticketId);
      context.effect('ticket.permanently_deleted', String(job.ticketId));
    }
  }
}

function removeForGood(state: ZendeskState, context: SimulatorContext, request: FastifyRequest): Answer {
  const ticket = ticketOf(state, request, true);
  state.sequence += 1;
  const job: TicketJob = { id: `job${state.sequence}`, ticketId: ticket.id, lying: context.lies(request), status: 'queued', polls: 0, sinceMs: context.now() };
  state.jobs.set(job.id, job);
  return { body: jobShape(job) };
}

/** Tickets: those that a user requested, both deletions, and the job that carries out the permanent one. */
export function ticketRoutes(add: AddRoute, state: () => ZendeskState, context: SimulatorContext): void {
  add('GET', '/api/v2/users/:id/tickets/requested', (request) => {
    const user = userOf(state(), context, request);
    const asked = [...state().tickets.values()].filter((each) => each.requesterId === user.id && each.deletedAtMs === undefined);
    return { body: { tickets: asked.slice(...pageOf(state(), queryOf(request))).map(shape), ...links(state(), request, asked.length), count: asked.length } };
  });
  add('GET', '/api/v2/tickets/:id', (request) => ({ body: { ticket: shape(ticketOf(state(), request, false)) } }));
  add('DELETE', '/api/v2/tickets/:id', (request) => {
    const ticket = ticketOf(state(), request, false);
    if (!context.lies(request)) {
      ticket.deletedAtMs = context.now();
      context.effect('ticket.deleted', String(ticket.id));
    }
    return { status: 204 };
  });
  add('DELETE', '/api/v2/deleted_tickets/:id', (request) => removeForGood(state(), context, request));
  add('GET', '/api/v2/job_statuses/:id', (request) => {
    const job = state().jobs.get(paramOf(request, 'id'));
    if (job === undefined) throw zendeskRefusal(404);
    advance(state(), context, job);
    return { body: jobShape(job) };
  });
}
