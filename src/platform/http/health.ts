import { sql } from 'kysely';
import { z } from 'zod';
import type { Database } from '../db/database.ts';
import type { HttpServer } from './server.ts';

/** How long a database may take to answer before the process counts as not ready. */
const readyTimeoutMs = 2000;

/** Registers `/healthz` (the process runs) and `/readyz` (both databases answer). */
export function registerHealthRoutes(app: HttpServer, main: Database, audit: Database): void {
  app.get('/healthz', { schema: { summary: 'The process runs', tags: ['operations'], response: { 200: z.object({ status: z.literal('ok') }) } } }, async () => ({ status: 'ok' as const }));
  const bodySchema = z.object({ status: z.enum(['ready', 'not_ready']), database: z.boolean(), audit_database: z.boolean() });
  app.get('/readyz', { schema: { summary: 'Both databases answer', tags: ['operations'], response: { 200: bodySchema, 503: bodySchema } } }, async (_request, reply) => {
    const [database, auditDatabase] = await Promise.all([answers(main), answers(audit)]);
    const ready = database && auditDatabase;
    return reply.code(ready ? 200 : 503).send({ status: ready ? 'ready' : 'not_ready', database, audit_database: auditDatabase });
  });
}

async function answers(database: Database): Promise<boolean> {
  const timeout = new Promise<false>((resolve) => setTimeout(() => resolve(false), readyTimeoutMs).unref());
  const query = sql`SELECT 1`.execute(database.read<unknown>()).then(
    () => true,
    // Not ready is the answer; why is in the database's own log.
    () => false,
  );
  return Promise.race([query, timeout]);
}
