import type { FastifyReply, FastifyRequest } from 'fastify';
import { sendError } from './twilio-error.ts';
import type { World } from './twilio-state.ts';

/** Reads of one deleted object that Twilio is taken to bear in a minute; the next one answers 70005. Twilio does not publish its number. */
export const readsOfDeletedPerMinute = 5;

function authorised(world: World, request: FastifyRequest): boolean {
  const [scheme, encoded] = (request.headers.authorization ?? '').split(' ', 2);
  if (scheme?.toLowerCase() !== 'basic' || encoded === undefined) return false;
  const [user, ...rest] = Buffer.from(encoded, 'base64').toString('utf8').split(':');
  const password = rest.join(':');
  const { accountSid, authToken, apiKeys } = world.state.settings;
  return (user === accountSid && password === authToken) || apiKeys.some((key) => key.sid === user && key.secret === password);
}

function overLimit(world: World): boolean {
  const { window, settings } = world.state;
  const second = Math.floor(world.context.now() / 1000);
  if (window.second !== second) {
    window.second = second;
    window.count = 0;
  }
  window.count += 1;
  return window.count > settings.ratePerSecond;
}

function noteWebhookHeader(world: World, request: FastifyRequest): void {
  const value = request.headers['x-twilio-webhook-enabled'];
  if (typeof value !== 'string') return;
  const path = request.url.split('?', 1)[0] ?? '';
  const honoured = path.startsWith('/v1/') && /^\/v1\/(?:Conversations|Users|Services)/u.test(path);
  world.state.webhookHeaders.push({ method: request.method, path, value, honoured });
}

/** Registers what stands before every product: form bodies, Basic authentication, the rate limit, Twilio's own 404. */
export function registerGate(world: World): void {
  const { app } = world.context;
  app.addContentTypeParser('application/x-www-form-urlencoded', { parseAs: 'string' }, (_request, body, done) => {
    done(null, Object.fromEntries(new URLSearchParams(String(body))));
  });
  app.addHook('onRequest', async (request, reply) => {
    if (request.url.startsWith('/_sandbox/')) return undefined;
    noteWebhookHeader(world, request);
    if (!authorised(world, request)) return sendError(reply, 401);
    if (overLimit(world)) return sendError(reply, 429);
    const account = /^\/2010-04-01\/Accounts\/([^/]+)\//u.exec(request.url)?.[1];
    if (account !== undefined && account !== world.state.settings.accountSid) return sendError(reply, 404);
    return undefined;
  });
  app.setNotFoundHandler((_request, reply) => sendError(reply, 404));
}

/** Answers that an object is not there; an object that was deleted and is read over and over answers 429 with code 70005. */
export function sendAbsent(world: World, request: FastifyRequest, reply: FastifyReply, sid: string): FastifyReply {
  const { gone, readsOfGone } = world.state;
  if (request.method === 'GET' && gone.has(sid)) {
    const now = world.context.now();
    const recent = [...(readsOfGone.get(sid) ?? []).filter((at) => at > now - 60_000), now];
    readsOfGone.set(sid, recent);
    if (recent.length > readsOfDeletedPerMinute) return sendError(reply, 429, 70005, 'Failure Threshold Exceeded');
  }
  return sendError(reply, 404);
}
