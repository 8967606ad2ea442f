import { z } from 'zod';
import { Failure } from '../../platform/failure.ts';
import type { HttpServer } from '../../platform/http/server.ts';
import type { Authenticate } from '../access/index.ts';
import type { Connections } from './connections.ts';

const statusSchema = z.object({
  name: z.string(),
  connector: z.string(),
  title: z.string(),
  state: z.enum(['ready', 'suspended', 'circuit_open']),
  consecutive_failures: z.int(),
  concurrency: z.int(),
  calls_per_second: z.number(),
  egress: z.array(z.string()),
});

const rehearsalSchema = z.object({ check: z.string(), result: z.enum(['kept', 'violated', 'open']), detail: z.string() });

/** Registers the routes by which operators see, check, suspend and resume connections. */
export function registerConnectionRoutes(app: HttpServer, deps: { readonly connections: Connections; readonly authenticate: Authenticate }): void {
  const security = [{ apiKey: [] }];
  const params = z.object({ name: z.string().max(40) });
  app.get(
    '/v1/connections',
    { schema: { summary: 'List the configured connections and their health', tags: ['connections'], security, response: { 200: z.object({ items: z.array(statusSchema) }) } } },
    async (request) => {
      deps.authenticate(request);
      return { items: (await deps.connections.status()).map((each) => ({ ...each, egress: [...each.egress] })) };
    },
  );
  app.post(
    '/v1/connections/:name/rehearsal',
    {
      schema: {
        summary: 'Put a declared system to the test, to which erasures of people who do not exist are sent; takes up to about a minute',
        tags: ['connections'],
        security,
        params,
        body: z.strictObject({}).nullish(),
        response: { 200: z.object({ name: z.string(), checks: z.array(rehearsalSchema) }) },
      },
    },
    async (request) => {
      deps.authenticate(request);
      const { name } = request.params;
      const checks = await deps.connections.rehearse(name);
      if (checks === undefined) throw new Failure('UNSUPPORTED', 'The connector of this connection has no test of its own');
      return { name, checks: [...checks] };
    },
  );
  const actions: Record<string, { summary: string; run: (name: string, operator: string) => Promise<void> }> = {
    check: { summary: 'Call the vendor once, reading only, to see that the credentials work', run: (name) => deps.connections.check(name) },
    suspend: { summary: 'Stop starting tasks on this connection', run: (name, operator) => deps.connections.suspend(name, operator) },
    resume: { summary: 'Start tasks on this connection again', run: (name, operator) => deps.connections.resume(name, operator) },
  };
  for (const [verb, action] of Object.entries(actions)) {
    app.post(
      `/v1/connections/:name/${verb}`,
      { schema: { summary: action.summary, tags: ['connections'], security, params, body: z.strictObject({}).nullish(), response: { 200: z.object({ name: z.string(), ok: z.literal(true) }) } } },
      async (request) => {
        const operator = deps.authenticate(request);
        const { name } = request.params;
        await action.run(name, operator.name);
        return { name, ok: true as const };
      },
    );
  }
}
