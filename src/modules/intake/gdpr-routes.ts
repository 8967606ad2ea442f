import { z } from 'zod';
import type { Database } from '../../platform/db/database.ts';
import { isFailure } from '../../platform/failure.ts';
import { parseJson, type HttpServer } from '../../platform/http/server.ts';
import { describedOnly } from './described-only.ts';
import { gdprRequestTypes, type GdprRequests, type GdprRequestType } from './gdpr-request.ts';
import { bucketOf, takeMinutePlace, tellRate } from './rate-limited.ts';

/** Requests a minute by one user, or by those of the same one of 4,096 buckets: names of users fill no table. */
const perMinute = 30;
/** Tries a minute without a good token, over everybody. */
const strangersPerMinute = 600;
const error = (text: string) => z.object({ error: z.literal(text) });

const wrongType = { error: "Request type must be 'access' or 'erasure'" } as const;
const notAuthenticated = { error: 'Authentication required' } as const;
const noAccount = { error: 'User account not found' } as const;
const alreadyPending = { error: 'Request already pending' } as const;

interface GdprBody {
  readonly userId: unknown;
  readonly type: GdprRequestType | undefined;
}

/** Reads the body, whatever it is: what is no JSON has no request type either. */
function readBody(raw: Buffer): GdprBody {
  let body: unknown;
  try {
    body = parseJson(raw);
  } catch (thrown) {
    if (!isFailure(thrown)) throw thrown;
  }
  const { user_id: userId, request_type: type } = (typeof body === 'object' && body !== null ? body : {}) as { readonly user_id?: unknown; readonly request_type?: unknown };
  return { userId, type: gdprRequestTypes.find((each) => each === type) };
}

/**
 * Registers `POST /gdpr-request`, by which the application's own users ask, with the token that they are logged in by. Its answers are those that
 * applications already expect, byte by byte; only what is Quittance's own trouble is told as everywhere else (RFC 9457).
 */
export function registerGdprRoutes(app: HttpServer, deps: { readonly database: Database; readonly requests: GdprRequests }): void {
  app.post(
    '/gdpr-request',
    {
      config: { parsesItself: true },
      validatorCompiler: describedOnly,
      schema: {
        summary: 'Ask, as a user of the application, for one’s data or to be forgotten',
        tags: ['intake'],
        body: z.object({ user_id: z.string(), request_type: z.enum(gdprRequestTypes) }),
        response: {
          200: z.object({ success: z.literal(true), message: z.literal('GDPR request processed'), request_type: z.enum(gdprRequestTypes), reference: z.string() }),
          400: error(wrongType.error),
          401: error(notAuthenticated.error),
          404: error(noAccount.error),
          429: error(alreadyPending.error),
        },
      },
    },
    async (request, reply) => {
      const bearer = await deps.requests.bearerOf(request.headers.authorization);
      // Who has no good token has a limit of their own, and takes nothing from who has.
      if (bearer === undefined) {
        await takeMinutePlace(deps.database, 'gdpr-request:unauthenticated', strangersPerMinute);
        return reply.code(401).send(notAuthenticated);
      }
      tellRate(reply, await takeMinutePlace(deps.database, bucketOf('gdpr-request', bearer.userId, 3), perMinute));
      const { userId, type } = readBody(request.rawBody);
      if (type === undefined) return reply.code(400).send(wrongType);
      // Nobody asks for somebody else, whoever that is.
      if (userId !== bearer.userId) return reply.code(401).send(notAuthenticated);
      const answer = await deps.requests.take(bearer, type);
      switch (answer.is) {
        case 'unknown_user':
          return reply.code(404).send(noAccount);
        case 'pending':
          return reply.code(429).send(alreadyPending);
        case 'accepted':
          return reply.code(200).send({ success: true, message: 'GDPR request processed', request_type: type, reference: answer.reference });
      }
    },
  );
}
