import { z } from 'zod';
import { Failure, isFailure } from '../../platform/failure.ts';
import { parseJson } from '../../platform/http/server.ts';
import type { AcceptRequest, Accepted } from './accept-request.ts';
import type { Refusals } from './consume-refusals.ts';
import { openEnvelope } from './event-envelope.ts';
import type { Source } from './sources.ts';

const attributesSchema = z.record(z.string().max(256), z.string().max(1024)).default({});

/** What Pub/Sub pushes. Source: https://cloud.google.com/pubsub/docs/push#receive_push */
const pushSchema = z.object({
  message: z.object({ data: z.string().default(''), attributes: attributesSchema, messageId: z.string().regex(/^[\w-]{1,100}$/u) }),
  subscription: z.string(),
  /** There only where the subscription has a dead-letter topic. */
  deliveryAttempt: z.int().positive().optional(),
});

/** The attributes of a message of Pub/Sub, their names in lower case as in the other buses' headers. */
export const lowerCase = (attributes: Readonly<Record<string, string>>): Readonly<Record<string, string>> => Object.fromEntries(Object.entries(attributes).map(([name, value]) => [name.toLowerCase(), value]));

/** Takes a pushed message of a source whose sender is known. Undefined: refused for good, and to be acknowledged. */
export type TakePush = (source: Source, body: Buffer) => Promise<Accepted | undefined>;

/**
 * Makes it. A message that can never be accepted would come for as long as its subscription keeps it: where that has a dead-letter topic, it is refused to Pub/Sub, so that it ends there, whole, for
 * somebody to mend; where it has none, it is noted by its id and taken off. Everything else that goes wrong is answered as what it is, and comes again. Fails with `VALIDATION_FAILED` where the body is no
 * push at all: that is a subscription set up otherwise, and its messages must not be lost.
 */
export function createTakePush(deps: { readonly acceptRequest: AcceptRequest; readonly refusals: Pick<Refusals, 'refuse'> }): TakePush {
  return async (source, body) => {
    const push = pushSchema.safeParse(parseJson(body));
    if (!push.success) throw new Failure('VALIDATION_FAILED', 'The body is not what Pub/Sub pushes; the subscription must not unwrap its payloads', { field: '/message' });
    const { message, deliveryAttempt } = push.data;
    const { verify, right, jurisdiction } = source.config;
    try {
      const opened = openEnvelope({ attributes: lowerCase(message.attributes), body: Buffer.from(message.data, 'base64'), busId: message.messageId });
      return await deps.acceptRequest({ source: source.name, ...opened, verify, right, jurisdiction });
    } catch (error) {
      if (!isFailure(error) || error.retry !== 'never') throw error;
      await deps.refusals.refuse(source.name, `pubsub:${message.messageId}`, error.code);
      if (deliveryAttempt !== undefined) throw error;
      return undefined;
    }
  };
}
