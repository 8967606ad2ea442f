import { z } from 'zod';
import type { EraseContext, EraseResult } from '../../connector-kit/index.ts';
import type { PiiConfig } from './config.ts';
import { readAnswer, refusal, type Gateway } from './gateway.ts';

/** What `POST /api/v2/analytics/refresh` is assumed to need: the only scope for analytics that the form's description asks for. */
export const refreshScope = 'analytics:export';

/**
 * Has the analytics aggregates made anew, by Genesys' call or by the configured synchronisation job. Neither can be asked afterwards whether it is done:
 * what is proved is that it was accepted, and the proof says so where that is all. Safe to repeat.
 */
export async function refreshAnalytics(context: EraseContext, config: PiiConfig, gateway: Gateway): Promise<EraseResult> {
  const key = context.idempotencyKey('refresh');
  const { analytics_refresh: how } = config;
  const response =
    typeof how === 'string'
      ? await gateway.call(context, { path: '/api/v2/analytics/refresh', body: {}, requestId: key })
      : await context.fetch(how.url, {
          method: 'POST',
          headers: { authorization: `Bearer ${how.token}`, 'content-type': 'application/json', 'idempotency-key': key },
          body: JSON.stringify({ request_id: context.request.id, jobs: context.earlierJobs.map(({ job }) => job) }),
        });
  if (![200, 201, 202, 204].includes(response.status)) throw await refusal(response, context.now(), refreshScope);
  // A proxy answers 200 with a page of its own; only 202 and 204 say by themselves that they were understood.
  if (response.status < 202) await readAnswer(response, z.looseObject({}));
  return { state: 'done', outcome: 'refreshed', counts: { refreshes: 1 }, residue: [], proof: { only_accepted: response.status === 202 } };
}
