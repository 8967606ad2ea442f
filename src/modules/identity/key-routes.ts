import { z } from 'zod';
import type { HttpServer } from '../../platform/http/server.ts';
import type { Authenticate } from '../access/index.ts';
import type { MasterKeyRotation } from './rotate-master-key.ts';

const masterKeySchema = z.object({
  id: z.string(),
  role: z.enum(['current', 'other', 'not_configured']).describe('current wraps new keys, other only opens; what needs one not_configured cannot be opened'),
  request_keys: z.int(),
  system_keys: z.int(),
});

/** Registers the routes by which operators see which master key wraps how much, and have everything brought under the current one. */
export function registerKeyRoutes(app: HttpServer, deps: { readonly rotation: MasterKeyRotation; readonly authenticate: Authenticate }): void {
  const security = [{ apiKey: [] }];
  const answer = z.object({ master_keys: z.array(masterKeySchema) });
  const show = async (): Promise<z.infer<typeof answer>> => ({
    master_keys: (await deps.rotation.status()).map(({ id, role, requestKeys, systemKeys }) => ({ id, role, request_keys: requestKeys, system_keys: systemKeys })),
  });
  app.get('/v1/keys', { schema: { summary: 'Read how many keys each master key wraps, as the answering process is configured', tags: ['keys'], security, response: { 200: answer } } }, async (request) => {
    deps.authenticate(request);
    return show();
  });
  app.post(
    '/v1/keys/rewrap',
    { schema: { summary: 'Have a worker bring every key under the current master key', tags: ['keys'], security, body: z.strictObject({}).nullish(), response: { 202: answer } } },
    async (request, reply) => {
      const operator = deps.authenticate(request);
      await deps.rotation.start(operator.name);
      return reply.code(202).send(await show());
    },
  );
}
