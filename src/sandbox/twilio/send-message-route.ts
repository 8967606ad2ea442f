import { newSid } from './identifiers.ts';
import { renderMessage } from './message-routes.ts';
import { sendError } from './twilio-error.ts';
import type { Message, World } from './twilio-state.ts';

/** Twilio's magic number for a recipient that cannot receive SMS. Source: https://www.twilio.com/docs/iam/test-credentials */
export const cannotReceive = (to: string): boolean => to === '+15005550009';
/** Promises that a number is written as Twilio wants it: E.164. */
export const isTelephone = (to: string): boolean => /^\+[1-9]\d{6,14}$/u.test(to);

/** How long a message is on its way in the simulator. */
const deliveryMs = 2000;

/** Registers the sending of a Message: accepted as `queued`, delivered soon after. */
export function registerSendMessageRoute(world: World): void {
  const { app, now, effect, lies } = world.context;
  app.post('/2010-04-01/Accounts/:account/Messages.json', (request, reply) => {
    const { state } = world;
    const { To: to = '', From: from, MessagingServiceSid: service, Body: body = '' } = (request.body ?? {}) as Record<string, string | undefined>;
    if (!isTelephone(to)) return sendError(reply, 400, 21211, "Invalid 'To' Phone Number");
    if (from === undefined && service === undefined) return sendError(reply, 400, 21603, "A 'From' phone number is required");
    if (body === '' || body.length > 1600) return sendError(reply, 400, body === '' ? 21602 : 21617, 'Message body is required, of at most 1600 characters');
    if (cannotReceive(to)) return sendError(reply, 400, 21614, "'To' number is not a valid mobile number");
    const at = now();
    const inFlight = { until: at + deliveryMs, triesLeft: 3, into: 'delivered' };
    const message: Message = { sid: newSid('SM'), order: state.nextOrder(), to, from: from ?? '+12025550100', body, status: 'queued', direction: 'outbound-api', createdAt: at, updatedAt: at, inFlight };
    if (!lies(request)) {
      state.messages.add(message);
      effect('message.sent', message.sid);
    }
    return reply.code(201).send(renderMessage(state, message, at));
  });
}
