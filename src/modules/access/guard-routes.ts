import type { HttpServer } from '../../platform/http/server.ts';
import type { Authenticate } from './authenticate.ts';

/**
 * Has every route whose description asks for a key refuse a caller without one before its body is read or looked at, so that a stranger
 * learns nothing of what a route takes. Call it before routes are registered. Fails requests with `UNAUTHORIZED`.
 */
export function guardRoutes(app: HttpServer, authenticate: Authenticate): void {
  app.addHook('onRequest', async (request) => {
    const schema = request.routeOptions.schema as { readonly security?: readonly unknown[] } | undefined;
    if (schema?.security !== undefined && schema.security.length > 0) authenticate(request);
  });
}
