import { z } from 'zod';
import { isoTime } from '../../platform/clock.ts';
import type { HttpServer } from '../../platform/http/server.ts';
import type { Authenticate } from '../access/index.ts';
import type { LogKeys, LogKeyView } from './log-keys.ts';

/** The longest that an old key may sign beside the new one. */
const overlapDaysMax = 366;
/** Long enough for whoever keeps the old key to fetch the new one. */
const overlapDaysDefault = 30;

const logKeySchema = z.object({
  id: z.string(),
  state: z.enum(['announced', 'current', 'leaving', 'retired']).describe('announced: signs once the log holds its announcement; leaving: signs beside the current one'),
  verifier_key: z.string(),
  signs_until: z.iso.datetime().nullable(),
  last_size: z.int().nullable().describe('Of a retired key: how many rows its last head covers; it counts for no larger one'),
});

const shown = (view: LogKeyView): z.infer<typeof logKeySchema> => ({
  id: view.id,
  state: view.state,
  verifier_key: view.verifierKey,
  signs_until: view.until === undefined ? null : isoTime(view.until),
  last_size: view.lastSize ?? null,
});

/** Registers the routes by which operators see the keys of the log, and have a new one take over. */
export function registerLogKeyRoutes(app: HttpServer, deps: { readonly keys: LogKeys; readonly authenticate: Authenticate }): void {
  const security = [{ apiKey: [] }];
  app.get(
    '/v1/audit/keys',
    { schema: { summary: 'List the keys that sign the audit log, and those that did', tags: ['audit'], security, response: { 200: z.object({ items: z.array(logKeySchema) }) } } },
    async (request) => {
      deps.authenticate(request);
      return { items: (await deps.keys.read()).views.map((view) => shown(view)) };
    },
  );
  app.post(
    '/v1/audit/keys',
    {
      schema: {
        summary: 'Make a new key that signs the audit log, after announcing it there',
        tags: ['audit'],
        security,
        body: z.strictObject({ overlap_days: z.int().min(0).max(overlapDaysMax).optional().describe(`How long the old key signs beside it; ${overlapDaysDefault} unless given, 0 for a key that leaked`) }).nullish(),
        response: { 202: logKeySchema },
      },
    },
    async (request, reply) => {
      const operator = deps.authenticate(request);
      return reply.code(202).send(shown(await deps.keys.rotate(operator.name, request.body?.overlap_days ?? overlapDaysDefault)));
    },
  );
}
