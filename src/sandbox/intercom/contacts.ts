import type { FastifyRequest } from 'fastify';
import { paramOf, type AddRoute, type Answer } from '../front-door.ts';
import type { SimulatorContext } from '../simulator.ts';
import { intercomRefusal } from './gate.ts';
import { searchPage, type Searchable } from './search.ts';
import type { Contact, Conversation, IntercomState } from './state.ts';

const seconds = (ms: number): number => Math.floor(ms / 1000);
const shape = (contact: Contact): object => ({
  type: 'contact',
  id: contact.id,
  workspace_id: 'sandbox',
  external_id: contact.external_id,
  role: contact.role,
  email: contact.email,
  phone: contact.phone,
  name: contact.name,
  owner_id: null,
  has_hard_bounced: false,
  marked_email_as_spam: false,
  unsubscribed_from_emails: false,
  created_at: seconds(contact.createdAtMs),
  updated_at: seconds(contact.createdAtMs),
});
const reference = ({ id, external_id: externalId }: Contact): object => ({ type: 'contact', id, external_id: externalId });

const valuesOfContact = (contact: Contact): Searchable => {
  const held: Record<string, readonly (string | null)[]> = {
    id: [contact.id],
    email: [contact.email],
    phone: [contact.phone],
    name: [contact.name],
    external_id: [contact.external_id],
    role: [contact.role],
  };
  return (field) => held[field];
};
const valuesOfConversation = (conversation: Conversation): Searchable => {
  const held: Record<string, readonly (string | null)[]> = {
    id: [conversation.id],
    contact_ids: conversation.contactIds,
    'source.author.id': [conversation.author.id],
    'source.author.email': [conversation.author.email],
  };
  return (field) => held[field];
};

function contactOf(state: IntercomState, request: FastifyRequest): Contact {
  const contact = state.contacts.get(paramOf(request, 'id'));
  if (contact === undefined) throw intercomRefusal(404);
  state.sentinels.visit(contact.email ?? undefined);
  return contact;
}

function searchContacts(state: IntercomState, nowMs: number, request: FastifyRequest): Answer {
  const items = [...state.contacts.values()].filter((each) => !each.isArchived && each.createdAtMs + state.account.search_lag_ms <= nowMs);
  const visit = (each: Contact): void => state.sentinels.visit(each.email ?? undefined);
  // Documented: 50 contacts a page unless asked.
  const page = searchPage(request.body, { items, values: valuesOfContact, perPage: 50, visit });
  return { body: { type: 'list', data: page.items.map(shape), ...page.about } };
}

function searchConversations(state: IntercomState, request: FastifyRequest): Answer {
  const visit = (each: Conversation): void => state.sentinels.visit(each.author.email ?? undefined);
  const page = searchPage(request.body, { items: [...state.conversations.values()], values: valuesOfConversation, perPage: 20, visit });
  return { body: { type: 'conversation.list', conversations: page.items.map((each) => conversationShape(state, each)), ...page.about } };
}

function conversationShape(state: IntercomState, conversation: Conversation): object {
  const at = seconds(conversation.createdAtMs);
  const known = conversation.contactIds.map((id) => ({ type: 'contact', id, external_id: state.contacts.get(id)?.external_id ?? null }));
  return {
    type: 'conversation',
    id: conversation.id,
    created_at: at,
    updated_at: at,
    source: { type: 'conversation', id: conversation.id, delivered_as: 'customer_initiated', subject: '', body: conversation.body, author: { type: 'user', ...conversation.author }, attachments: [], url: null, redacted: false },
    contacts: { type: 'contact.list', contacts: known },
    state: 'closed',
    open: false,
  };
}

function deleteContact(state: IntercomState, context: SimulatorContext, request: FastifyRequest): Answer {
  const contact = contactOf(state, request);
  const body = { ...reference(contact), deleted: true };
  const email = contact.email ?? undefined;
  if (context.lies(request) || state.sentinels.lies(email)) return { body };
  state.contacts.delete(contact.id);
  context.effect('contact.deleted', contact.id);
  return { body, lost: state.sentinels.losesAnswer(email) };
}

function deleteConversation(state: IntercomState, context: SimulatorContext, request: FastifyRequest): Answer {
  if (!state.account.may_delete_conversations) throw intercomRefusal(403);
  const conversation = state.conversations.get(paramOf(request, 'id'));
  if (conversation === undefined) throw intercomRefusal(404);
  state.sentinels.visit(conversation.author.email ?? undefined);
  if (!context.lies(request)) {
    state.conversations.delete(conversation.id);
    context.effect('conversation.deleted', conversation.id);
  }
  return { body: { id: conversation.id, object: 'conversation', deleted: true } };
}

/** Contacts and conversations: search, read, archive and delete. */
export function contactRoutes(add: AddRoute, state: () => IntercomState, context: SimulatorContext): void {
  add('GET', '/me', () => ({ body: { type: 'admin', id: '1', email: 'admin@example.com', app: { type: 'app', id_code: 'sandbox' } } }));
  add('POST', '/contacts/search', (request) => searchContacts(state(), context.now(), request));
  add('GET', '/contacts/find_by_external_id/:external_id', (request) => {
    const wanted = paramOf(request, 'external_id');
    // Documented: users only, not leads.
    const contact = [...state().contacts.values()].find((each) => each.external_id === wanted && each.role === 'user' && !each.isArchived);
    if (contact === undefined) throw intercomRefusal(404);
    state().sentinels.visit(contact.email ?? undefined);
    return { body: shape(contact) };
  });
  add('GET', '/contacts/:id', (request) => ({ body: shape(contactOf(state(), request)) }));
  add('DELETE', '/contacts/:id', (request) => deleteContact(state(), context, request));
  for (const [verb, isArchived] of [['archive', true], ['unarchive', false]] as const) {
    add('POST', `/contacts/:id/${verb}`, (request) => {
      const contact = contactOf(state(), request);
      if (contact.isArchived !== isArchived && !context.lies(request)) {
        contact.isArchived = isArchived;
        context.effect(`contact.${verb}d`, contact.id);
      }
      return { body: { ...reference(contact), archived: isArchived } };
    });
  }
  add('POST', '/conversations/search', (request) => searchConversations(state(), request));
  add('GET', '/conversations/:id', (request) => {
    const conversation = state().conversations.get(paramOf(request, 'id'));
    if (conversation === undefined) throw intercomRefusal(404);
    return { body: conversationShape(state(), conversation) };
  });
  add('DELETE', '/conversations/:id', (request) => deleteConversation(state(), context, request));
}
