import { createHmac } from 'node:crypto';
import { Interruption } from '../sentinels.ts';
import { startSimulator, type Simulator, type SimulatorContext, type VendorDefinition } from '../simulator.ts';
import { issueToken, PurgeProblem } from './gate.ts';
import { purgeRoutes } from './routes.ts';
import { createPurgeState, plantPurge } from './state.ts';

export { purgeCredentials } from './gate.ts';
export type { PurgeSeed } from './state.ts';

/** One in-house service that implements the purge contract, empty; each call gives a separate one. */
export function purgeDefinition(): VendorDefinition {
  let state = createPurgeState();
  return {
    vendor: 'purge',
    routes: (context: SimulatorContext) => {
      const { app } = context;
      app.addContentTypeParser('application/x-www-form-urlencoded', { parseAs: 'string' }, (_request, body, done) => done(null, new URLSearchParams(String(body))));
      app.setErrorHandler((error, _request, reply) => {
        if (error instanceof PurgeProblem) return reply.code(error.status).headers({ ...error.headers }).send({ code: error.code });
        if (error instanceof Interruption) return error.kind === 'timeout' ? reply.hijack() : reply.code(429).header('retry-after', '1').send({ code: 'too_many_requests' });
        const status = (error as { statusCode?: number }).statusCode ?? 500;
        return reply.code(status).send({ code: status === 500 ? 'internal' : 'bad_request' });
      });
      app.post('/oauth/token', async (request) => issueToken(state, request, request.body instanceof URLSearchParams ? request.body : new URLSearchParams()));
      purgeRoutes(() => state, context);
    },
    seed: (data) => plantPurge(state, data),
    dump: () => ({ subjects: [...state.subjects.values()], jobs: [...state.jobs.values()] }),
    errorBody: (status) => ({ code: `status_${status}` }),
    reset: () => {
      state = createPurgeState();
    },
  };
}

/** Starts the service on 127.0.0.1. */
export async function startPurge(options: { port?: number } = {}): Promise<Simulator> {
  return startSimulator(purgeDefinition(), options);
}

/** A callback as the service would send it when a job is over: what it says, and how it is signed. `now` in milliseconds since the epoch. */
export function purgeCallback(secret: string, job: string, now: number): { readonly headers: Readonly<Record<string, string>>; readonly body: string } {
  const body = JSON.stringify({ job_id: job, event: 'erasure.completed' });
  const timestamp = String(Math.floor(now / 1000));
  const signature = createHmac('sha256', secret).update(`${timestamp}.${body}`).digest('hex');
  return { headers: { 'content-type': 'application/json', 'x-timestamp': timestamp, 'x-signature': signature }, body };
}
