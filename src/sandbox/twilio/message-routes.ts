import { noContent, isInFlight, playDeletion, sendNotFinal } from './deletion.ts';
import { sendAbsent } from './gate.ts';
import { rfc2822 } from './identifiers.ts';
import { pageV2010, queryOf } from './paging.ts';
import { sendError } from './twilio-error.ts';
import type { Media, Message, TwilioState, World } from './twilio-state.ts';

/** Promises the Message as v2010 shows it. */
export function renderMessage(state: TwilioState, message: Message, now: number): unknown {
  isInFlight(message, now);
  const account = state.settings.accountSid;
  const uri = `/2010-04-01/Accounts/${account}/Messages/${message.sid}`;
  const outbound = message.direction !== 'inbound';
  return {
    sid: message.sid,
    account_sid: account,
    api_version: '2010-04-01',
    to: message.to,
    from: message.from,
    body: message.body,
    status: message.status,
    direction: message.direction,
    num_media: String(message.media?.length ?? 0),
    num_segments: '1',
    price: outbound && message.inFlight === undefined ? '-0.00750' : null,
    price_unit: 'USD',
    messaging_service_sid: null,
    error_code: null,
    error_message: null,
    date_created: rfc2822(message.createdAt),
    date_sent: message.status === 'scheduled' ? null : rfc2822(message.createdAt),
    date_updated: rfc2822(message.updatedAt),
    uri: `${uri}.json`,
    subresource_uris: { media: `${uri}/Media.json` },
  };
}

/** Promises the medium as v2010 shows it under one of its messages. */
export function renderMedia(state: TwilioState, media: Media, messageSid: string): unknown {
  const account = state.settings.accountSid;
  return {
    sid: media.sid,
    account_sid: account,
    parent_sid: messageSid,
    content_type: media.contentType,
    date_created: rfc2822(media.createdAt),
    date_updated: rfc2822(media.createdAt),
    uri: `/2010-04-01/Accounts/${account}/Messages/${messageSid}/Media/${media.sid}.json`,
  };
}

/** Promises the filter that `Name`, `Name<` and `Name>` make of a query, for dates in GMT; undefined when none of them is given. */
export function dateFilter(query: Record<string, string>, name: string): ((at: number) => boolean) | undefined {
  const dayMs = 86_400_000;
  const time = (suffix: string): number | undefined => {
    const text = query[name + suffix];
    return text === undefined ? undefined : Date.parse(text);
  };
  const [on, before, after] = [time(''), time('<'), time('>')];
  if (on === undefined && before === undefined && after === undefined) return undefined;
  return (at) => (on === undefined || (at >= on && at < on + dayMs)) && (before === undefined || at <= before) && (after === undefined || at >= after);
}

/** Promises the objects sent to, from, or between the query's addresses, oldest first; one person's are found without looking at the others. */
export function betweenParties<T extends { readonly to: string; readonly from: string }>(
  select: (key?: string) => readonly T[],
  query: Record<string, string>,
): readonly T[] {
  const { To: to, From: from } = query;
  if (to !== undefined && from !== undefined) return select(`to:${to}`).filter((each) => each.from === from);
  if (to !== undefined) return select(`to:${to}`);
  if (from !== undefined) return select(`from:${from}`);
  return select();
}

function removeMedia(world: World, media: Media): void {
  const { state, context } = world;
  for (const sid of media.messages) {
    const message = state.messages.get(sid);
    if (message?.media !== undefined) message.media = message.media.filter((each) => each !== media.sid);
  }
  state.media.remove(media.sid);
  state.gone.add(media.sid);
  context.effect('media.deleted', media.sid);
}

function removeMessage(world: World, message: Message): void {
  const { state, context } = world;
  for (const sid of message.media ?? []) {
    const media = state.media.get(sid);
    if (media === undefined) continue;
    media.messages.delete(message.sid);
    if (media.messages.size === 0) removeMedia(world, media);
  }
  state.messages.remove(message.sid);
  state.gone.add(message.sid);
  context.effect('message.deleted', message.sid);
}

interface ById {
  Params: { sid: string; media: string };
}

/** Registers Messages: list, read, redact, cancel, delete. */
export function registerMessageRoutes(world: World): void {
  const { app, now, effect, lies } = world.context;
  const base = '/2010-04-01/Accounts/:account/Messages';
  app.get(`${base}.json`, async (request) => {
    const query = queryOf(request);
    const found = betweenParties(world.state.messages.select, query);
    const wanted = dateFilter(query, 'DateSent');
    const all = wanted === undefined ? found : found.filter((each) => each.status !== 'scheduled' && wanted(each.createdAt));
    return pageV2010(request, all, 'messages', (each) => renderMessage(world.state, each, now()));
  });
  app.get<ById>(`${base}/:sid.json`, (request, reply) => {
    const message = world.state.messages.get(request.params.sid);
    return message === undefined ? sendAbsent(world, request, reply, request.params.sid) : reply.send(renderMessage(world.state, message, now()));
  });
  app.post<ById>(`${base}/:sid.json`, (request, reply) => {
    const message = world.state.messages.get(request.params.sid);
    if (message === undefined) return sendAbsent(world, request, reply, request.params.sid);
    const { Body: body, Status: status } = (request.body ?? {}) as { Body?: string; Status?: string };
    const flying = isInFlight(message, now());
    if (status !== undefined) {
      if (status !== 'canceled') return sendError(reply, 400);
      if (message.status !== 'scheduled') return sendError(reply, 409, 30409, 'This message cannot be canceled');
      if (!lies(request)) {
        message.status = 'canceled';
        message.inFlight = undefined;
        message.updatedAt = now();
        effect('message.canceled', message.sid);
      }
    } else if (body === '') {
      if (flying) return sendNotFinal(reply, message);
      if (message.body !== '' && !lies(request)) {
        message.body = '';
        message.updatedAt = now();
        effect('message.redacted', message.sid);
      }
    } else {
      return sendError(reply, 400, 20001, 'Body must be empty or Status must be canceled');
    }
    return reply.send(renderMessage(world.state, message, now()));
  });
  app.delete<ById>(`${base}/:sid.json`, (request, reply) => {
    const message = world.state.messages.get(request.params.sid);
    if (message === undefined) return sendAbsent(world, request, reply, request.params.sid);
    const addresses = [message.to, message.from];
    return playDeletion(world, request, reply, { addresses, target: 'message', unfinished: message, work: () => removeMessage(world, message), done: noContent });
  });
}

/** Registers the Media of messages: list, read, delete. */
export function registerMediaRoutes(world: World): void {
  const { app } = world.context;
  const base = '/2010-04-01/Accounts/:account/Messages/:sid/Media';
  const mediaOf = (messageSid: string, sid: string): Media | undefined => {
    const media = world.state.media.get(sid);
    return media?.messages.has(messageSid) === true ? media : undefined;
  };
  app.get<ById>(`${base}.json`, (request, reply) => {
    const message = world.state.messages.get(request.params.sid);
    if (message === undefined) return sendAbsent(world, request, reply, request.params.sid);
    const all = (message.media ?? []).map((sid) => world.state.media.get(sid)).filter((each) => each !== undefined);
    return reply.send(pageV2010(request, all, 'media_list', (each) => renderMedia(world.state, each, message.sid)));
  });
  app.get<ById>(`${base}/:media.json`, (request, reply) => {
    const media = mediaOf(request.params.sid, request.params.media);
    if (media === undefined) return sendAbsent(world, request, reply, request.params.media);
    return reply.send(renderMedia(world.state, media, request.params.sid));
  });
  app.delete<ById>(`${base}/:media.json`, (request, reply) => {
    const message = world.state.messages.get(request.params.sid);
    const media = mediaOf(request.params.sid, request.params.media);
    if (message === undefined || media === undefined) return sendAbsent(world, request, reply, request.params.media);
    return playDeletion(world, request, reply, {
      addresses: [message.to, message.from],
      target: 'media',
      work: () => removeMedia(world, media),
      done: noContent,
    });
  });
}
