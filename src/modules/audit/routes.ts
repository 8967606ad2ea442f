import { z } from 'zod';
import { auditEntrySchema } from '../../contract/audit-entry.ts';
import { parseId } from '../../contract/ids.ts';
import { Failure } from '../../platform/failure.ts';
import type { Database } from '../../platform/db/database.ts';
import type { HttpServer } from '../../platform/http/server.ts';
import { parseTilePath, tileWidth } from '../../verify/index.ts';
import type { Authenticate } from '../access/index.ts';
import { registerLogKeyRoutes } from './log-key-routes.ts';
import type { LogKeys } from './log-keys.ts';
import { entriesOfRequest } from './outbox-store.ts';
import { createPublishedLog } from './read-published.ts';
import type { AuditOutboxTables } from './tables.ts';
import type { AuditLogVerification } from './verify-audit-log.ts';

/** What the audit routes need. */
export interface AuditRoutesDeps {
  readonly main: Database;
  readonly audit: Database;
  readonly keys: LogKeys;
  readonly verification: AuditLogVerification;
  readonly authenticate: Authenticate;
}

const security = [{ apiKey: [] }];
const resultSchema = z.object({
  ok: z.boolean(),
  size: z.int().optional(),
  signed_size: z.int().optional(),
  grade: z.string().optional(),
  check: z.string().optional(),
  message: z.string().optional(),
  seq: z.int().optional(),
});

/**
 * Registers the routes of the log: `/v1/audit/checkpoint`, `/v1/audit/tile/…` as c2sp.org/tlog-tiles has them, verification on demand, its keys, and
 * their public halves, which alone are public: entries name requests and vendors' work.
 */
export function registerAuditRoutes(app: HttpServer, deps: AuditRoutesDeps): void {
  const published = createPublishedLog(deps.audit, deps.keys.origin);
  app.get('/.well-known/quittance-log-key', { schema: { summary: 'Read the keys that verify certificates and the log, one a line, the present one first', tags: ['audit'] } }, async (_request, reply) =>
    reply.type('text/plain; charset=utf-8').header('cache-control', 'max-age=3600').send((await deps.keys.read()).trusted.map((line) => `${line}\n`).join('')),
  );
  registerLogKeyRoutes(app, deps);
  app.get('/v1/audit/checkpoint', { schema: { summary: 'Read the newest signed head of the audit log', tags: ['audit'], security } }, async (request, reply) => {
    deps.authenticate(request);
    const head = await published.checkpoint();
    if (head === undefined) throw new Failure('NOT_FOUND', 'No head of the log was signed yet');
    return reply.type('text/plain; charset=utf-8').header('cache-control', 'no-store').send(head.note);
  });
  app.get(
    '/v1/audit/tile/*',
    { schema: { summary: 'Read a tile or an entry bundle of the audit log', tags: ['audit'], security, params: z.object({ '*': z.string().max(64) }) } },
    async (request, reply) => {
      deps.authenticate(request);
      const tile = parseTilePath(`tile/${request.params['*']}`);
      const bytes = tile === undefined ? undefined : await published.tile(tile);
      if (tile === undefined || bytes === undefined) throw new Failure('NOT_FOUND', 'The signed log has no such tile');
      const lasting = tile.width === tileWidth ? 'private, max-age=31536000, immutable' : 'private, max-age=60';
      return reply.type('application/octet-stream').header('cache-control', lasting).send(bytes);
    },
  );
  app.get(
    '/v1/privacy-requests/:id/timeline',
    {
      schema: {
        summary: 'Read what happened to a request: its entries of the audit log, in order',
        tags: ['requests', 'audit'],
        security,
        params: z.object({ id: z.string().max(64) }),
        response: { 200: z.object({ items: z.array(z.looseObject({ type: z.string(), at: z.string(), logged: z.boolean().describe('Whether the log holds it yet') })) }) },
      },
    },
    async (request) => {
      deps.authenticate(request);
      const id = parseId('request', request.params.id);
      const entries = id === undefined ? [] : await entriesOfRequest(deps.main.read<AuditOutboxTables>(), id);
      if (entries.length === 0) throw new Failure('NOT_FOUND', 'There is no such request');
      return { items: entries.map(({ entry, logged }) => ({ ...auditEntrySchema.parse(entry), logged })) };
    },
  );
  app.post(
    '/v1/audit/verification',
    {
      schema: {
        summary: 'Verify the audit log now',
        tags: ['audit'],
        security,
        body: z.strictObject({ from_checkpoint: z.string().max(100_000).optional() }).nullish(),
        response: { 200: resultSchema },
      },
    },
    async (request) => {
      deps.authenticate(request);
      const from = request.body?.from_checkpoint;
      const result = await deps.verification.run(from === undefined ? {} : { fromCheckpoint: from });
      return result.ok
        ? { ok: true, size: result.size, signed_size: result.signedSize, grade: result.grade }
        : { ok: false, check: result.check, message: result.message, ...(result.seq === undefined ? {} : { seq: result.seq }) };
    },
  );
}
