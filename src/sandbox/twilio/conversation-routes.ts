import type { FastifyRequest } from 'fastify';
import { noContent, playDeletion } from './deletion.ts';
import { sendAbsent } from './gate.ts';
import { isoSeconds } from './identifiers.ts';
import { pageV1, queryOf } from './paging.ts';
import { sendError } from './twilio-error.ts';
import type { Conversation, ConversationMessage, Participant, TwilioState, User, World } from './twilio-state.ts';

const site = 'https://conversations.twilio.com/v1';
const chatService = `IS${'0'.repeat(32)}`;

function common(state: TwilioState, item: { readonly createdAt: number }): object {
  const at = isoSeconds(item.createdAt);
  return { account_sid: state.settings.accountSid, date_created: at, date_updated: at };
}

function bindingOf(item: Participant): unknown {
  if (item.address === null) return null;
  return { type: item.address.startsWith('whatsapp:') ? 'whatsapp' : 'sms', address: item.address, proxy_address: item.proxyAddress };
}

/** Promises the conversation as v1 shows it. */
export function renderConversation(state: TwilioState, item: Conversation): unknown {
  const url = `${site}/Conversations/${item.sid}`;
  return {
    ...common(state, item),
    sid: item.sid,
    chat_service_sid: chatService,
    messaging_service_sid: null,
    friendly_name: item.friendlyName,
    unique_name: null,
    attributes: '{}',
    state: item.state,
    timers: {},
    bindings: {},
    url,
    links: { participants: `${url}/Participants`, messages: `${url}/Messages`, webhooks: `${url}/Webhooks` },
  };
}

/** Promises the participant as v1 shows it. */
export function renderParticipant(state: TwilioState, item: Participant): unknown {
  return {
    ...common(state, item),
    sid: item.sid,
    conversation_sid: item.conversationSid,
    identity: item.identity,
    attributes: '{}',
    messaging_binding: bindingOf(item),
    role_sid: null,
    last_read_message_index: null,
    last_read_timestamp: null,
    url: `${site}/Conversations/${item.conversationSid}/Participants/${item.sid}`,
  };
}

/** Promises the conversation's message as v1 shows it. */
export function renderConversationMessage(state: TwilioState, item: ConversationMessage): unknown {
  const url = `${site}/Conversations/${item.conversationSid}/Messages/${item.sid}`;
  return {
    ...common(state, item),
    sid: item.sid,
    conversation_sid: item.conversationSid,
    index: item.index,
    author: item.author,
    body: item.body,
    media: null,
    attributes: '{}',
    participant_sid: null,
    delivery: null,
    content_sid: null,
    url,
    links: { delivery_receipts: `${url}/Receipts` },
  };
}

/** Promises the user as v1 shows it. */
export function renderUser(state: TwilioState, item: User): unknown {
  const url = `${site}/Users/${item.sid}`;
  return {
    ...common(state, item),
    sid: item.sid,
    chat_service_sid: chatService,
    role_sid: null,
    identity: item.identity,
    friendly_name: item.friendlyName,
    attributes: '{}',
    is_online: null,
    is_notifiable: null,
    url,
    links: { user_conversations: `${url}/Conversations` },
  };
}

function renderParticipantConversation(state: TwilioState, item: Participant): unknown {
  const conversation = state.conversations.get(item.conversationSid);
  const at = isoSeconds(conversation?.createdAt ?? item.createdAt);
  const user = item.identity === null ? undefined : state.users.select(`identity:${item.identity}`)[0];
  const url = `${site}/Conversations/${item.conversationSid}`;
  return {
    account_sid: state.settings.accountSid,
    chat_service_sid: chatService,
    participant_sid: item.sid,
    participant_user_sid: user?.sid ?? null,
    participant_identity: item.identity,
    participant_messaging_binding: bindingOf(item),
    conversation_sid: item.conversationSid,
    conversation_unique_name: null,
    conversation_friendly_name: conversation?.friendlyName ?? null,
    conversation_attributes: '{}',
    conversation_date_created: at,
    conversation_date_updated: at,
    conversation_created_by: 'system',
    conversation_state: conversation?.state ?? 'active',
    conversation_timers: {},
    links: { participant: `${url}/Participants/${item.sid}`, conversation: url },
  };
}

interface ById {
  Params: { conversation: string; sid: string };
}

const children = [
  { path: 'Participants', key: 'participants', store: 'participants', render: renderParticipant, event: 'participant.deleted', hook: 'onParticipantRemoved' },
  { path: 'Messages', key: 'messages', store: 'conversationMessages', render: renderConversationMessage, event: 'conversation_message.deleted', hook: 'onMessageRemoved' },
] as const;

function firesWebhook(world: World, request: FastifyRequest, event: string, object: string): void {
  if (request.headers['x-twilio-webhook-enabled'] === 'true') world.state.webhooksFired.push({ event, object });
}

function addressesIn(state: TwilioState, conversation: string): string[] {
  return state.participants.select(`conversation:${conversation}`).flatMap((each) => (each.address === null ? [] : [each.address]));
}

function removeConversation(world: World, sid: string): void {
  const { state, context } = world;
  for (const { store, event } of children) {
    for (const child of state[store].select(`conversation:${sid}`).slice()) {
      state[store].remove(child.sid);
      state.gone.add(child.sid);
      context.effect(event, child.sid);
    }
  }
  state.conversations.remove(sid);
  state.gone.add(sid);
  context.effect('conversation.deleted', sid);
}

function registerChildRoutes(world: World): void {
  const { app, effect } = world.context;
  for (const { path, key, store, render, event, hook } of children) {
    const base = `/v1/Conversations/:conversation/${path}`;
    const find = ({ conversation, sid }: ById['Params']): Participant | ConversationMessage | undefined => {
      const item = world.state[store].get(sid);
      return item?.conversationSid === conversation ? item : undefined;
    };
    const show = (item: Participant | ConversationMessage): unknown => (render as (state: TwilioState, each: typeof item) => unknown)(world.state, item);
    app.get<ById>(base, (request, reply) => {
      const { conversation } = request.params;
      if (world.state.conversations.get(conversation) === undefined) return sendAbsent(world, request, reply, conversation);
      const all: readonly (Participant | ConversationMessage)[] = world.state[store].select(`conversation:${conversation}`);
      return reply.send(pageV1(request, all, key, show, 100));
    });
    app.get<ById>(`${base}/:sid`, (request, reply) => {
      const item = find(request.params);
      return item === undefined ? sendAbsent(world, request, reply, request.params.sid) : reply.send(show(item));
    });
    app.delete<ById>(`${base}/:sid`, (request, reply) => {
      const item = find(request.params);
      if (item === undefined) return sendAbsent(world, request, reply, request.params.sid);
      const work = (): void => {
        world.state[store].remove(item.sid);
        world.state.gone.add(item.sid);
        effect(event, item.sid);
        firesWebhook(world, request, hook, item.sid);
      };
      const own = 'address' in item ? [item.address ?? ''] : addressesIn(world.state, item.conversationSid);
      return playDeletion(world, request, reply, { addresses: own, target: 'other', work, done: noContent });
    });
  }
}

function registerUserRoutes(world: World): void {
  const { app, effect } = world.context;
  const find = (sid: string): User | undefined => world.state.users.get(sid) ?? world.state.users.select(`identity:${sid}`)[0];
  app.get('/v1/Users', async (request) => pageV1(request, world.state.users.select(), 'users', (each) => renderUser(world.state, each), 50));
  app.get<ById>('/v1/Users/:sid', (request, reply) => {
    const user = find(request.params.sid);
    return user === undefined ? sendAbsent(world, request, reply, request.params.sid) : reply.send(renderUser(world.state, user));
  });
  app.delete<ById>('/v1/Users/:sid', (request, reply) => {
    const user = find(request.params.sid);
    if (user === undefined) return sendAbsent(world, request, reply, request.params.sid);
    const work = (): void => {
      world.state.users.remove(user.sid);
      world.state.gone.add(user.sid).add(user.identity);
      effect('user.deleted', user.sid);
    };
    return playDeletion(world, request, reply, { addresses: [user.identity], target: 'other', work, done: noContent });
  });
}

/** Registers Conversations v1: participants by address or identity, conversations with their messages and participants, users. */
export function registerConversationRoutes(world: World): void {
  const { app } = world.context;
  app.get('/v1/ParticipantConversations', (request, reply) => {
    const { Address: address, Identity: identity } = queryOf(request);
    if (address === undefined && identity === undefined) return sendError(reply, 400);
    const all = world.state.participants.select(address === undefined ? `identity:${identity}` : `address:${address}`);
    return reply.send(pageV1(request, all, 'conversations', (each) => renderParticipantConversation(world.state, each), 50));
  });
  app.get('/v1/Conversations', async (request) =>
    pageV1(request, world.state.conversations.select(), 'conversations', (each) => renderConversation(world.state, each), 100),
  );
  app.get<ById>('/v1/Conversations/:sid', (request, reply) => {
    const conversation = world.state.conversations.get(request.params.sid);
    if (conversation === undefined) return sendAbsent(world, request, reply, request.params.sid);
    return reply.send(renderConversation(world.state, conversation));
  });
  app.delete<ById>('/v1/Conversations/:sid', (request, reply) => {
    const { sid } = request.params;
    if (world.state.conversations.get(sid) === undefined) return sendAbsent(world, request, reply, sid);
    const work = (): void => {
      removeConversation(world, sid);
      firesWebhook(world, request, 'onConversationRemoved', sid);
    };
    return playDeletion(world, request, reply, { addresses: addressesIn(world.state, sid), target: 'other', work, done: noContent });
  });
  registerChildRoutes(world);
  registerUserRoutes(world);
}
