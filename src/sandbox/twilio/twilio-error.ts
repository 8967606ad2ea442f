import type { FastifyReply } from 'fastify';

const byStatus: Record<number, readonly [code: number, message: string]> = {
  400: [20001, 'Failed to complete request due to a bad request'],
  401: [20003, 'Authenticate'],
  403: [20403, 'Forbidden'],
  404: [20404, 'The requested resource was not found'],
  409: [20409, 'Conflict'],
  429: [20429, 'Too many requests. Please retry according to the Retry-After response header.'],
  503: [20503, 'Service unavailable'],
};

/** The four fields that every Twilio product puts in an error answer. */
export interface TwilioErrorBody {
  readonly code: number;
  readonly message: string;
  readonly more_info: string;
  readonly status: number;
}

/** Promises Twilio's error body for a status, with the code that Twilio usually gives for it unless another is named. */
export function twilioError(status: number, code?: number, message?: string): TwilioErrorBody {
  const [usualCode, usualMessage] = byStatus[status] ?? [20500, 'An internal server error has occurred'];
  const chosen = code ?? usualCode;
  return { code: chosen, message: message ?? usualMessage, more_info: `https://www.twilio.com/docs/errors/${chosen}`, status };
}

/** Answers with Twilio's error body. A 429 always says when to come back. */
export function sendError(reply: FastifyReply, status: number, code?: number, message?: string): FastifyReply {
  if (status === 429) void reply.header('retry-after', '1');
  return reply.code(status).send(twilioError(status, code, message));
}
