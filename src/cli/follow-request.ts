import { setTimeout as pause } from 'node:timers/promises';
import { readAnswer, type ApiClient } from './api-client.ts';
import { requestSchema, taskSchema, type Request, type Task } from './api-schemas.ts';
import { requestPath } from './request-id.ts';
import { z } from 'zod';

/** A request as its events last told of it. */
export interface FollowedRequest {
  readonly request: Request;
  readonly tasks: readonly Task[];
}

/** Statuses after which nothing more happens by itself. */
const endedStatuses: readonly string[] = ['closed', 'rejected', 'withdrawn', 'expired'];

/** Says whether a request has ended. */
export const hasEnded = (request: Request): boolean => endedStatuses.includes(request.status);

/** A stream that breaks off is opened again this often in a row, after one second, two, three and so on: a server may be restarting. */
const reconnectsMax = 10;

/**
 * Follows a request by its live events: calls `onChange` with what is known whenever something changed, until the request has ended or
 * `until` says that it is enough. Survives a restart of the server.
 */
export async function followRequest(
  api: ApiClient,
  id: string,
  onChange: (followed: FollowedRequest) => void,
  options: { readonly until?: (followed: FollowedRequest) => boolean; readonly signal?: AbortSignal } = {},
): Promise<FollowedRequest> {
  const enough = options.until ?? (() => false);
  let known: { request?: Request; tasks: readonly Task[] } = { tasks: [] };
  for (let failures = 0; ; ) {
    try {
      const ended = new AbortController();
      const signal = options.signal === undefined ? ended.signal : AbortSignal.any([ended.signal, options.signal]);
      try {
        for await (const event of api.follow(`${requestPath(id)}/events`, signal)) {
          failures = 0;
          if (event.event === 'request') known = { ...known, request: readAnswer(requestSchema, JSON.parse(event.data)) };
          else if (event.event === 'tasks') known = { ...known, tasks: readAnswer(z.array(taskSchema), JSON.parse(event.data)) };
          if (known.request === undefined) continue;
          const followed = { request: known.request, tasks: known.tasks };
          onChange(followed);
          // The tasks come after the request in each round, so an end is an end only once both are there.
          if (event.event === 'tasks' && enough(followed)) return followed;
        }
      } finally {
        ended.abort();
      }
      if (known.request !== undefined && (hasEnded(known.request) || enough({ request: known.request, tasks: known.tasks }))) return { request: known.request, tasks: known.tasks };
      failures += 1;
      if (failures > reconnectsMax) throw new Error('The server ends the stream of events before the request has ended');
    } catch (error) {
      failures += 1;
      if (options.signal?.aborted === true || known.request === undefined || failures > reconnectsMax) throw error;
    }
    await pause(failures * 1000, undefined, options.signal === undefined ? {} : { signal: options.signal });
  }
}
