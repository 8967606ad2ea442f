import { z } from 'zod';
import { parseId, type RequestId } from '../../contract/ids.ts';
import { requestStatusSchema, rightSchema, verdictSchema } from '../../contract/outcomes.ts';
import type { Database } from '../../platform/db/database.ts';
import { Failure } from '../../platform/failure.ts';
import type { HttpServer } from '../../platform/http/server.ts';
import type { Authenticate } from '../access/index.ts';
import type { RequestActions } from './act-on-request.ts';
import { refusalReasons } from '../../contract/justifications.ts';
import type { RequestSummary } from './requests.ts';
import { findRequest, listRequests, outsideId, readCertificate, summarise } from './store.ts';
import type { RequestTables } from './tables.ts';

/** A request as the API shows it. */
export const requestBodySchema = z.object({
  id: z.string(),
  reference: z.string(),
  status: requestStatusSchema,
  right: rightSchema,
  jurisdiction: z.string().nullable(),
  law: z.string(),
  source: z.string(),
  verdict: verdictSchema.nullable(),
  reason_code: z.string().nullable(),
  duplicate_of: z.string().nullable(),
  erased_under: z.string().nullable().describe('Of a copy: the erasure of the same person that had begun when this came. What it erased is in no copy.'),
  limited_to: z.array(z.string()).nullable().describe('The only systems that it asks; null for all of them.'),
  received_at: z.string(),
  verified_at: z.string().nullable(),
  due_at: z.string(),
  extended_at: z.string().nullable(),
  closed_at: z.string().nullable(),
  language: z.string().nullable(),
  links: z.record(z.string(), z.string()),
});

/** Gives a request as the API shows it, with its links. */
export function requestBody(request: RequestSummary): z.infer<typeof requestBodySchema> {
  const id = outsideId(request.id);
  const self = `/v1/privacy-requests/${id}`;
  return {
    ...request,
    id,
    duplicate_of: request.duplicate_of === null ? null : outsideId(request.duplicate_of),
    erased_under: request.erased_under === null ? null : outsideId(request.erased_under),
    limited_to: request.limited_to === null ? null : [...request.limited_to],
    links: { self, plan: `${self}/plan`, tasks: `${self}/tasks`, clock: `${self}/clock`, timeline: `${self}/timeline`, events: `${self}/events`, certificate: `${self}/certificate` },
  };
}

/** The id in a route's parameters; an id that is none answers as one that does not exist. */
export function requestIdOf(text: string): RequestId {
  const id = parseId('request', text);
  if (id === undefined) throw new Failure('NOT_FOUND', 'There is no such request');
  return id;
}

/** Path parameters of every route about one request. */
export const requestParams = z.object({ id: z.string().max(64) });

/** What the routes need. */
export interface RequestRoutesDeps {
  readonly database: Database;
  readonly authenticate: Authenticate;
  readonly actions: RequestActions;
}

const cursorSchema = z.string().max(200);

/** Registers the routes that read requests and act on them. */
export function registerRequestRoutes(app: HttpServer, deps: RequestRoutesDeps): void {
  const security = [{ apiKey: [] }];
  const db = deps.database.read<RequestTables>();
  app.get(
    '/v1/privacy-requests',
    {
      schema: {
        summary: 'List requests, newest first',
        tags: ['requests'],
        security,
        querystring: z.strictObject({ limit: z.coerce.number().int().min(1).max(100).default(20), cursor: cursorSchema.optional(), status: requestStatusSchema.optional() }),
        response: { 200: z.object({ items: z.array(requestBodySchema), next_cursor: z.string().nullable() }) },
      },
    },
    async (request) => {
      deps.authenticate(request);
      const { limit, cursor, status } = request.query;
      const rows = await listRequests(db, { limit: limit + 1, after: cursor === undefined ? undefined : readCursor(cursor), status });
      const page = rows.slice(0, limit);
      const last = page.at(-1);
      const nextCursor = rows.length > limit && last !== undefined ? Buffer.from(`${last.received_at.toISOString()} ${outsideId(last.id)}`).toString('base64url') : null;
      return { items: page.map((row) => requestBody(summarise(row))), next_cursor: nextCursor };
    },
  );
  app.get(
    '/v1/privacy-requests/:id',
    { schema: { summary: 'Read a request', tags: ['requests'], security, params: requestParams, response: { 200: requestBodySchema } } },
    async (request) => {
      deps.authenticate(request);
      const row = await findRequest(db, requestIdOf(request.params.id));
      if (row === undefined) throw new Failure('NOT_FOUND', 'There is no such request');
      return requestBody(summarise(row));
    },
  );
  app.get(
    '/v1/privacy-requests/:id/certificate',
    { schema: { summary: 'Read the certificate, as the exact bytes that verify', tags: ['requests'], security, params: requestParams } },
    async (request, reply) => {
      deps.authenticate(request);
      const id = requestIdOf(request.params.id);
      if ((await findRequest(db, id)) === undefined) throw new Failure('NOT_FOUND', 'There is no such request');
      const bytes = await readCertificate(db, id);
      if (bytes === undefined) throw new Failure('CERTIFICATE_NOT_READY', 'The certificate is issued when the request is closed; ask again then');
      return reply.type('application/json').send(bytes);
    },
  );
  const actions = {
    approve: { summary: 'Let the plan run', body: z.strictObject({}).nullish(), run: (id: RequestId, operator: string) => deps.actions.approve(id, operator) },
    withdraw: { summary: 'Take the request back, before anything was deleted', body: z.strictObject({}).nullish(), run: (id: RequestId, operator: string) => deps.actions.withdraw(id, operator) },
  } as const;
  for (const [name, action] of Object.entries(actions)) {
    app.post(
      `/v1/privacy-requests/:id/${name}`,
      { schema: { summary: action.summary, tags: ['requests'], security, params: requestParams, body: action.body, response: { 200: requestBodySchema } } },
      async (request) => {
        const operator = deps.authenticate(request);
        const { id } = request.params;
        return requestBody(await action.run(requestIdOf(id), operator.name));
      },
    );
  }
  app.post(
    '/v1/privacy-requests/:id/reject',
    {
      schema: {
        summary: 'Refuse the request with a coded reason',
        tags: ['requests'],
        security,
        params: requestParams,
        body: z.strictObject({ reason_code: z.enum(refusalReasons) }),
        response: { 200: requestBodySchema },
      },
    },
    async (request) => {
      const operator = deps.authenticate(request);
      return requestBody(await deps.actions.reject(requestIdOf(request.params.id), operator.name, request.body.reason_code));
    },
  );
}

function readCursor(cursor: string): { receivedAt: Date; id: RequestId } {
  const [time = '', outside = ''] = Buffer.from(cursor, 'base64url').toString('utf8').split(' ');
  const id = parseId('request', outside);
  const at = Date.parse(time);
  if (id === undefined || Number.isNaN(at)) throw new Failure('VALIDATION_FAILED', 'cursor is not one that this list gave', { field: '/cursor' });
  return { receivedAt: new Date(at), id };
}

