import type { IncomingHttpHeaders } from 'node:http';
import { Readable } from 'node:stream';
import { setTimeout as pause } from 'node:timers/promises';
import { z } from 'zod';
import { parseId, type RequestId } from '../../contract/ids.ts';
import { Failure } from '../../platform/failure.ts';
import type { HttpServer } from '../../platform/http/server.ts';
import type { Authenticate } from '../access/index.ts';
import { endedStatuses, findRequest, outsideId, requestBody, requestIdOf, requestParams, summarise, type RequestCore, type RequestTables } from '../requests/index.ts';
import type { OrchestrationDeps } from './deps.ts';
import { dryRun } from './dry-run.ts';
import { listManualTasks } from './manual-tasks.ts';
import { retryRequest, settlementSchema, settleManualTask } from './settle-manual-task.ts';
import { planFor } from './plan-request.ts';
import { tasksOf } from './task-store.ts';
import { takeCallback } from './vendor-jobs.ts';
import type { OrchestrationTables } from './tables.ts';
import { dryRunSchema, dryRunView, manualTaskSchema, manualTaskView, planSchema, planView, taskSchema, taskView } from './views.ts';

/** How often a live follower's request is read again. */
const followMs = 300;

/** Registers the routes that show plans, tasks and live progress, and those by which people settle what waits for them. */
export function registerOrchestrationRoutes(app: HttpServer, deps: OrchestrationDeps, authenticate: Authenticate): void {
  const security = [{ apiKey: [] }];
  const find = async (text: string): Promise<RequestCore> => {
    const request = await findRequest(deps.database.read<RequestTables>(), requestIdOf(text));
    if (request === undefined) throw new Failure('NOT_FOUND', 'There is no such request');
    return request;
  };
  const tasks = (id: RequestId) => tasksOf(deps.database.read<OrchestrationTables>(), id);

  app.get(
    '/v1/privacy-requests/:id/plan',
    { schema: { summary: 'Read the plan: a forecast before resolution, the real one after', tags: ['requests'], security, params: requestParams, response: { 200: planSchema } } },
    async (request) => {
      authenticate(request);
      const row = await find(request.params.id);
      const identifiers = await deps.vault.describe(row.id);
      return planView(row, identifiers, planFor(deps, row.request_right, identifiers, row.due_at.getTime(), [], row.systems), await tasks(row.id));
    },
  );
  app.post(
    '/v1/privacy-requests/:id/dry-run',
    {
      schema: {
        summary: 'See what the erasing tasks of the plan would do now, without doing it',
        tags: ['requests'],
        security,
        params: requestParams,
        body: z.strictObject({}).nullish(),
        response: { 200: z.object({ items: z.array(dryRunSchema) }) },
      },
    },
    async (request) => {
      authenticate(request);
      return { items: (await dryRun(deps, await find(request.params.id))).map((each) => dryRunView(each)) };
    },
  );
  app.get(
    '/v1/privacy-requests/:id/tasks',
    { schema: { summary: 'Read the tasks and what became of them', tags: ['requests'], security, params: requestParams, response: { 200: z.object({ items: z.array(taskSchema) }) } } },
    async (request) => {
      authenticate(request);
      const row = await find(request.params.id);
      return { items: (await tasks(row.id)).map((task) => taskView(task)) };
    },
  );
  app.get(
    '/v1/privacy-requests/:id/events',
    { schema: { summary: 'Follow a request live (server-sent events): an event `request` and an event `tasks` at each change, until it has ended', tags: ['requests'], security, params: requestParams } },
    async (request, reply) => {
      authenticate(request);
      const row = await find(request.params.id);
      const closed = new AbortController();
      request.raw.on('close', () => closed.abort());
      return reply
        .type('text/event-stream')
        .header('cache-control', 'no-store')
        .send(Readable.from(follow(row.id, find, tasks, closed.signal)));
    },
  );
  app.post(
    '/v1/privacy-requests/:id/retry',
    { schema: { summary: 'Send every task that waits for a person back to work, but those of which it is in doubt whose they are', tags: ['requests'], security, params: requestParams, body: z.strictObject({}).nullish(), response: { 200: z.object({ retried: z.int() }) } } },
    async (request) => {
      const operator = authenticate(request);
      const row = await find(request.params.id);
      return { retried: await retryRequest(deps, row.id, operator.name) };
    },
  );
  app.post(
    '/v1/callbacks/:connection',
    {
      config: { parsesItself: true },
      schema: { summary: "Take in a vendor's completion callback, signed as its connector says; it only has the vendor asked sooner", tags: ['connections'], params: z.object({ connection: z.string().max(40) }), response: { 204: z.null() } },
    },
    async (request, reply) => {
      await takeCallback(deps, request.params.connection, { headers: singleHeaders(request.headers), body: request.rawBody, now: deps.clock.now() });
      return reply.code(204).send(null);
    },
  );
  app.get(
    '/v1/manual-tasks',
    {
      schema: {
        summary: 'List what waits for a person, oldest first',
        tags: ['manual tasks'],
        security,
        querystring: z.strictObject({ request_id: z.string().max(64).optional(), open: z.enum(['true', 'false']).default('true'), limit: z.coerce.number().int().min(1).max(200).default(50) }),
        response: { 200: z.object({ items: z.array(manualTaskSchema) }) },
      },
    },
    async (request) => {
      authenticate(request);
      const { request_id: about, open, limit } = request.query;
      const items = await listManualTasks(deps.database, { openOnly: open === 'true', limit, ...(about === undefined ? {} : { requestId: requestIdOf(about) }) });
      return { items: items.map((each) => manualTaskView(each)) };
    },
  );
  app.post(
    '/v1/manual-tasks/:id/settle',
    {
      schema: {
        summary: 'Settle a manual task: try again, done by hand with its evidence, or left out on purpose with its reason',
        tags: ['manual tasks'],
        security,
        params: requestParams,
        body: settlementSchema,
        response: { 200: z.object({ id: z.string(), how: z.string() }) },
      },
    },
    async (request) => {
      const operator = authenticate(request);
      const id = parseId('manualTask', request.params.id);
      if (id === undefined) throw new Failure('NOT_FOUND', 'There is no such manual task');
      await settleManualTask(deps, id, operator.name, request.body);
      return { id: request.params.id, how: request.body.how };
    },
  );
}

/** Headers as a connector reads them; of one that came twice, nothing. */
const singleHeaders = (headers: IncomingHttpHeaders): Readonly<Record<string, string>> =>
  Object.fromEntries(Object.entries(headers).flatMap(([name, value]) => (typeof value === 'string' ? [[name, value]] : [])));

/** Gives the events of one follower: the request and its tasks whenever either changed, until the request has ended and is certified. */
async function* follow(
  id: RequestId,
  find: (text: string) => Promise<RequestCore>,
  tasks: (id: RequestId) => Promise<readonly Parameters<typeof taskView>[0][]>,
  closed: AbortSignal,
): AsyncGenerator<string> {
  const last = { request: '', tasks: '' };
  while (!closed.aborted) {
    const row = await find(outsideId(id));
    const now = { request: JSON.stringify(requestBody(summarise(row))), tasks: JSON.stringify((await tasks(id)).map((task) => taskView(task))) };
    for (const name of ['request', 'tasks'] as const) {
      if (now[name] !== last[name]) yield `event: ${name}\ndata: ${now[name]}\n\n`;
      last[name] = now[name];
    }
    if (endedStatuses.includes(row.status)) return;
    await pause(followMs, undefined, { signal: closed }).catch(() => undefined);
  }
}
