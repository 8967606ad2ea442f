import { z } from 'zod';
import { identifierKindSchema } from '../../contract/identifiers.ts';
import { parseId } from '../../contract/ids.ts';
import type { EventsConfig } from '../../platform/config/events.ts';
import type { Database } from '../../platform/db/database.ts';
import { Failure } from '../../platform/failure.ts';
import type { HttpServer } from '../../platform/http/server.ts';
import type { Authenticate } from '../access/index.ts';
import { acknowledgedSchema, type createAcknowledge } from './acknowledgements.ts';
import type { Routing } from './domain/routing.ts';
import { eventOf } from './publish.ts';
import type { createReplays } from './replay.ts';
import { deliveriesOf, destinationStates, findEvent, markDestination, newestDeliveries, newestEvents, renewDeliveries, type DeliveryRow, type EventRow, type ReplayRow } from './store.ts';
import type { EventTables } from './tables.ts';

/** What the routes of events need. */
export interface EventRoutesDeps {
  readonly database: Database;
  readonly authenticate: Authenticate;
  /** Tells which destination's receiver calls. */
  readonly authenticateReceiver: Authenticate;
  readonly replays: ReturnType<typeof createReplays>;
  readonly routing: Routing;
  readonly config: EventsConfig;
  readonly acknowledge: ReturnType<typeof createAcknowledge>;
  readonly wake: (destination: string) => Promise<void>;
  readonly now: () => number;
}

const security = [{ apiKey: [] }];
const eventSchema = z.object({ id: z.string(), seq: z.int(), type: z.string(), source: z.string(), subject: z.string().optional(), at: z.string(), detail: z.record(z.string(), z.unknown()) });
const deliverySchema = z.object({
  id: z.string(),
  event_id: z.string(),
  rule: z.string(),
  target: z.string(),
  destination: z.string(),
  round: z.int(),
  status: z.enum(['waiting', 'delivered', 'dead']),
  attempts: z.int(),
  created_at: z.string(),
  next_at: z.string().nullable(),
  ended_at: z.string().nullable(),
  code: z.string().nullable(),
  acknowledgement: z.object({ outcome: z.string(), at: z.string() }).nullable(),
  needs_acknowledgement: z.boolean(),
});
const replaySchema = z.object({
  id: z.string(),
  rule: z.string(),
  target: z.string().nullable(),
  only_dead: z.boolean(),
  from: z.string(),
  to: z.string(),
  looked_at: z.int(),
  sent: z.int(),
  done_at: z.string().nullable(),
});
const paging = { limit: z.coerce.number().int().min(1).max(200).default(50), cursor: z.string().regex(/^\d{1,18}$/u).optional() };
const byId = { ...paging, cursor: z.uuid().optional() };
const uuidParams = z.object({ id: z.uuid() });

const iso = (date: Date | null): string | null => date?.toISOString() ?? null;

function deliveryView(row: DeliveryRow): z.infer<typeof deliverySchema> {
  const { acknowledged_at: at, acknowledged_as: as } = row;
  return {
    id: row.id,
    event_id: row.event_id,
    rule: row.rule,
    target: row.target,
    destination: row.destination,
    round: row.round,
    status: row.status,
    attempts: row.attempts,
    created_at: row.created_at.toISOString(),
    next_at: row.status === 'waiting' ? row.next_at.toISOString() : null,
    ended_at: iso(row.ended_at),
    code: row.code,
    acknowledgement: at === null || as === null ? null : { outcome: as, at: at.toISOString() },
    needs_acknowledgement: row.needs_acknowledgement,
  };
}

function replayView(row: ReplayRow): z.infer<typeof replaySchema> {
  return { id: row.id, rule: row.rule, target: row.target, only_dead: row.only_dead, from: row.from_at.toISOString(), to: row.to_at.toISOString(), looked_at: row.looked_at, sent: row.sent, done_at: iso(row.done_at) };
}

/** Registers the routes by which events, their deliveries and their rules are seen, sent once more, and acknowledged by who received them. */
export function registerEventRoutes(app: HttpServer, deps: EventRoutesDeps): void {
  const { authenticate, config, routing } = deps;
  const db = deps.database.read<EventTables>();
  const eventView = (row: EventRow): z.infer<typeof eventSchema> => {
    const { at, ...event } = eventOf(row, { source: config.source, nameOf: routing.nameOf });
    return { ...event, at: new Date(at).toISOString(), detail: { ...event.detail } };
  };

  app.get(
    '/v1/events',
    {
      schema: {
        summary: 'List privacy events, newest first',
        tags: ['events'],
        security,
        querystring: z.strictObject({ ...paging, type: z.string().max(128).optional(), request_id: z.string().max(64).optional() }),
        response: { 200: z.object({ items: z.array(eventSchema), next_cursor: z.string().nullable() }) },
      },
    },
    async (request) => {
      authenticate(request);
      const { type, request_id: about, limit, cursor } = request.query;
      const requestId = about === undefined ? undefined : parseId('request', about);
      if (about !== undefined && requestId === undefined) throw new Failure('VALIDATION_FAILED', '/request_id must be the id of a request, req_…', { field: '/request_id' });
      const rows = await newestEvents(db, { type: type === undefined ? undefined : routing.typeOf(type), requestId, beforeSeq: cursor === undefined ? undefined : Number(cursor) }, limit);
      return { items: rows.map(eventView), next_cursor: rows.length < limit ? null : String(rows.at(-1)?.seq ?? '') };
    },
  );
  app.get(
    '/v1/events/:id',
    { schema: { summary: 'Read an event and what became of its deliveries', tags: ['events'], security, params: uuidParams, response: { 200: eventSchema.extend({ deliveries: z.array(deliverySchema) }) } } },
    async (request) => {
      authenticate(request);
      const row = await findEvent(db, request.params.id);
      if (row === undefined) throw new Failure('NOT_FOUND', 'There is no such event');
      return { ...eventView(row), deliveries: (await deliveriesOf(db, row.id)).map(deliveryView) };
    },
  );
  app.post(
    '/v1/events/:id/acknowledgements',
    {
      // Before the body is looked at, as every guarded route does.
      onRequest: async (request) => void deps.authenticateReceiver(request),
      schema: {
        summary: 'Say, as a receiver, what was done on an event; with the token that the destination has for this',
        tags: ['events'],
        params: uuidParams,
        body: z.strictObject({ outcome: acknowledgedSchema }),
        response: { 200: z.object({ event_id: z.string(), subscriber: z.string(), outcome: acknowledgedSchema, acknowledged_at: z.string() }) },
      },
    },
    async (request) => {
      const { name } = deps.authenticateReceiver(request);
      return deps.acknowledge(request.params.id, name, request.body.outcome);
    },
  );
  app.get(
    '/v1/event-deliveries',
    {
      schema: {
        summary: 'List deliveries, newest first: dead letters by status=dead, those whose receiver has not acknowledged by unacknowledged=true',
        tags: ['events'],
        security,
        querystring: z.strictObject({ ...byId, status: z.enum(['waiting', 'delivered', 'dead']).optional(), destination: z.string().max(64).optional(), rule: z.string().max(64).optional(), unacknowledged: z.enum(['true', 'false']).default('false') }),
        response: { 200: z.object({ items: z.array(deliverySchema), next_cursor: z.string().nullable() }) },
      },
    },
    async (request) => {
      authenticate(request);
      const { status, destination, rule, unacknowledged, limit, cursor } = request.query;
      const rows = await newestDeliveries(db, { status, destination, rule, unacknowledged: unacknowledged === 'true', beforeId: cursor }, limit);
      return { items: rows.map(deliveryView), next_cursor: rows.length < limit ? null : (rows.at(-1)?.id ?? null) };
    },
  );
  registerReplayRoutes(app, deps);
  registerRuleRoutes(app, deps);
}

function registerReplayRoutes(app: HttpServer, { authenticate, replays }: EventRoutesDeps): void {
  app.post(
    '/v1/event-replays',
    {
      schema: {
        summary: 'Send the events of a time once more by one rule: all that it matches, or the dead letters among its deliveries. Receivers are idempotent by the event’s id',
        tags: ['events'],
        security,
        body: z
          .strictObject({ rule: z.string().min(1).max(64), target: z.string().min(1).max(64).optional(), from: z.iso.datetime(), to: z.iso.datetime(), only: z.enum(['all', 'dead']).default('all') })
          .refine(({ from, to }) => Date.parse(from) < Date.parse(to), { message: 'from must be before to', path: ['to'] }),
        response: { 202: replaySchema },
      },
    },
    async (request, reply) => {
      const operator = authenticate(request);
      const { rule, target, from, to, only } = request.body;
      const made = await replays.order({ rule, target, from: new Date(from), to: new Date(to), onlyDead: only === 'dead' }, operator.name);
      return reply.code(202).send(replayView(made));
    },
  );
  app.get('/v1/event-replays/:id', { schema: { summary: 'See how far a replay is', tags: ['events'], security, params: uuidParams, response: { 200: replaySchema } } }, async (request) => {
    authenticate(request);
    const row = await replays.find(request.params.id);
    if (row === undefined) throw new Failure('NOT_FOUND', 'There is no such replay');
    return replayView(row);
  });
}

function registerRuleRoutes(app: HttpServer, { authenticate, config, database, wake, now }: EventRoutesDeps): void {
  const db = database.read<EventTables>();
  app.get(
    '/v1/event-rules',
    {
      schema: {
        summary: 'List the rules, whom they send to, and what of a person leaves with them',
        tags: ['events'],
        security,
        response: {
          200: z.object({
            items: z.array(z.object({ name: z.string(), description: z.string().optional(), state: z.enum(['enabled', 'disabled']), identifiers: z.array(identifierKindSchema), targets: z.array(z.object({ id: z.string(), destination: z.string(), kind: z.string(), recipient: z.string().optional(), acknowledgement: z.enum(['none', 'required']) })) })),
          }),
        },
      },
    },
    async (request) => {
      authenticate(request);
      return {
        items: Object.entries(config.rules).map(([name, { description, state, identifiers, targets }]) => ({
          name,
          ...(description === undefined ? {} : { description }),
          state,
          identifiers,
          targets: targets.map(({ id, destination, acknowledgement }) => {
            const recipient = config.destinations[destination]?.recipient;
            return { id, destination, kind: config.destinations[destination]?.kind ?? '', ...(recipient === undefined ? {} : { recipient }), acknowledgement };
          }),
        })),
      };
    },
  );
  app.get(
    '/v1/event-destinations',
    {
      schema: {
        summary: 'List the destinations of events: what waits, since when, and what is dead',
        tags: ['events'],
        security,
        response: { 200: z.object({ items: z.array(z.object({ name: z.string(), state: z.enum(['ready', 'paused', 'disabled']), failures: z.int(), paused_until: z.string().nullable(), disabled_code: z.string().nullable(), waiting: z.int(), dead: z.int(), oldest_waiting_at: z.string().nullable() })) }) },
      },
    },
    async (request) => {
      authenticate(request);
      const rows = await destinationStates(db);
      return {
        items: rows.map((row) => ({
          name: row.name,
          state: row.disabled_at !== null ? ('disabled' as const) : row.failures > 0 ? ('paused' as const) : ('ready' as const),
          failures: row.failures,
          paused_until: iso(row.paused_until),
          disabled_code: row.disabled_code,
          waiting: row.waiting,
          dead: row.dead,
          oldest_waiting_at: iso(row.oldest),
        })),
      };
    },
  );
  app.post(
    '/v1/event-destinations/:name/resume',
    { schema: { summary: 'Send to a destination again that wanted nothing any more, or at once to one that failed', tags: ['events'], security, params: z.object({ name: z.string().max(64) }), body: z.strictObject({}).nullish(), response: { 200: z.object({ name: z.string(), ok: z.literal(true) }) } } },
    async (request) => {
      authenticate(request);
      const { name } = request.params;
      const changed = await markDestination(db, name, { failures: 0, paused_until: null, disabled_at: null, disabled_code: null });
      if (changed === 0) throw new Failure('NOT_FOUND', 'There is no such destination');
      await renewDeliveries(db, name, new Date(now()));
      await wake(name);
      return { name, ok: true as const };
    },
  );
}
