import { createHash, timingSafeEqual } from 'node:crypto';
import type { FastifyRequest } from 'fastify';
import { z } from 'zod';
import { confirmationSchema, countsSchema, outcomeSchema, residueSchema, verdictSchema } from '../../contract/outcomes.ts';
import type { Database } from '../../platform/db/database.ts';
import { Failure } from '../../platform/failure.ts';
import { parseJson, type HttpServer } from '../../platform/http/server.ts';
import type { Secret } from '../../platform/secret.ts';
import { describedOnly } from './described-only.ts';
import { profileOrderSchema, readProfileOrder } from './domain/profile-order.ts';
import { profileJobStatuses, type ProfileJob, type Profiles } from './profiles.ts';
import { takeMinutePlace, tellRate } from './rate-limited.ts';

/** What the routes need. */
export interface ProfileRoutesDeps {
  readonly database: Database;
  readonly profiles: Pick<Profiles, 'take' | 'job'>;
  readonly token: Secret;
  readonly perMinute: number;
}

/** Tries a minute without the token, over everybody. */
const strangersPerMinute = 600;
/** Orders being taken at once in this process, after which the bus is told to come back: it waits five seconds for an answer, and counts a later one as none. */
const atOnceMax = 100;
const busyMs = 2000;

const jobSchema = z.object({ job_id: z.string(), status: z.enum(profileJobStatuses), links: z.object({ self: z.string() }) });
const progressSchema = jobSchema.extend({
  verdict: verdictSchema.nullable().describe('Of the systems below alone; it says nothing of any other.'),
  systems: z.array(z.object({ system: z.string(), action: z.string(), outcome: outcomeSchema.nullable(), confirmation: confirmationSchema.nullable(), counts: countsSchema, residue: z.array(residueSchema) })),
});

const jobBody = ({ id, status }: Omit<ProfileJob, 'isNew'>): z.infer<typeof jobSchema> => ({ job_id: id, status, links: { self: `/v1/destinations/profiles/jobs/${id}` } });

const digestOf = (text: string): Buffer => createHash('sha256').update(text, 'utf8').digest();

/** Registers the receiving end of an event bus's API destination, and the jobs that come of it. Both want the bus's own bearer token. */
export function registerProfileRoutes(app: HttpServer, deps: ProfileRoutesDeps): void {
  const expected = digestOf(deps.token.reveal());
  const authenticate = async (request: FastifyRequest): Promise<void> => {
    const given = /^Bearer ([!-~]{1,512})$/u.exec(request.headers.authorization ?? '')?.[1];
    if (timingSafeEqual(digestOf(given ?? ''), expected) && given !== undefined) return;
    // Who has no token has a limit of their own, and takes nothing from who has.
    await takeMinutePlace(deps.database, 'profiles:unauthenticated', strangersPerMinute);
    throw new Failure('UNAUTHORIZED', 'Send the token of this destination as "Authorization: Bearer <token>"');
  };
  let underWay = 0;
  app.post(
    '/v1/destinations/profiles',
    {
      config: { parsesItself: true },
      validatorCompiler: describedOnly,
      schema: {
        summary: 'Anonymise a person across channels, for the API destination of an event bus',
        tags: ['events'],
        headers: z.object({ 'idempotency-key': z.string().optional().describe('The id of the event that led to this.') }),
        body: profileOrderSchema,
        response: { 200: jobSchema.describe('The same was asked for before; this is its job.'), 202: jobSchema },
      },
    },
    async (request, reply) => {
      await authenticate(request);
      if (underWay >= atOnceMax) throw new Failure('RATE_LIMITED', 'Too much comes at once; wait as long as Retry-After says', { retryAfterMs: busyMs });
      underWay += 1;
      try {
        tellRate(reply, await takeMinutePlace(deps.database, 'profiles', deps.perMinute));
        const job = await deps.profiles.take(readProfileOrder(parseJson(request.rawBody), request.headers['idempotency-key']));
        return await reply.code(job.isNew ? 202 : 200).send(jobBody(job));
      } finally {
        underWay -= 1;
      }
    },
  );
  app.get(
    '/v1/destinations/profiles/jobs/:id',
    { schema: { summary: 'Follow what was asked for a profile', tags: ['events'], params: z.object({ id: z.string().max(64) }), response: { 200: progressSchema } } },
    async (request) => {
      await authenticate(request);
      const job = await deps.profiles.job(request.params.id);
      return { ...jobBody(job), verdict: job.verdict, systems: job.steps.map((step) => ({ ...step, residue: [...step.residue] })) };
    },
  );
}
