import { z } from 'zod';
import { createWindows, type Windows } from '../front-door.ts';
import { createSentinels, type Sentinels } from '../sentinels.ts';

/** What can be planted in the Intercom simulator. A conversation's `with` are external ids or e-mail addresses of planted contacts. */
export const intercomSeedSchema = z.strictObject({
  account: z
    .strictObject({
      requests_per_ten_seconds: z.int().positive().optional(),
      search_lag_ms: z.int().nonnegative().optional(),
      may_delete_conversations: z.boolean().optional(),
    })
    .optional(),
  contacts: z
    .array(
      z.strictObject({
        id: z.string().optional(),
        role: z.enum(['user', 'lead']).optional(),
        email: z.string().optional(),
        phone: z.string().optional(),
        name: z.string().optional(),
        external_id: z.string().optional(),
        archived: z.boolean().optional(),
      }),
    )
    .optional(),
  conversations: z.array(z.strictObject({ with: z.array(z.string()).min(1), body: z.string() })).optional(),
});
/** The seed of the Intercom simulator, before it is checked. */
export type IntercomSeed = z.input<typeof intercomSeedSchema>;

/** One contact: a user or a lead. */
export interface Contact {
  readonly id: string;
  readonly role: 'user' | 'lead';
  readonly email: string | null;
  readonly phone: string | null;
  readonly name: string | null;
  readonly external_id: string | null;
  readonly createdAtMs: number;
  /** Hidden from search and from the look-up by external id, and kept whole. */
  isArchived: boolean;
}

/** One conversation. It stays when its contact is deleted. */
export interface Conversation {
  readonly id: string;
  readonly contactIds: readonly string[];
  readonly author: { readonly id: string; readonly email: string | null };
  readonly body: string;
  readonly createdAtMs: number;
}

/** The settings of the workspace. */
export interface IntercomAccount {
  readonly requests_per_ten_seconds: number;
  /** How long the search does not know what is new. */
  readonly search_lag_ms: number;
  readonly may_delete_conversations: boolean;
}

/** Everything that one Intercom workspace holds. */
export interface IntercomState {
  readonly contacts: Map<string, Contact>;
  readonly conversations: Map<string, Conversation>;
  readonly sentinels: Sentinels;
  readonly windows: Windows;
  account: IntercomAccount;
  sequence: number;
}

/** An empty workspace. */
export function createIntercomState(): IntercomState {
  return {
    contacts: new Map(),
    conversations: new Map(),
    sentinels: createSentinels(),
    windows: createWindows(),
    // Documented: 10,000 calls a minute for an app, spread over windows of ten seconds.
    account: { requests_per_ten_seconds: 1666, search_lag_ms: 0, may_delete_conversations: true },
    sequence: 0,
  };
}

/** Plants contacts and conversations and sets the workspace up; answers what was planted. */
export function plantIntercom(state: IntercomState, data: unknown, nowMs: number): unknown {
  const seed = intercomSeedSchema.parse(data);
  state.account = { ...state.account, ...Object.fromEntries(Object.entries(seed.account ?? {}).filter(([, value]) => value !== undefined)) };
  const contacts = (seed.contacts ?? []).map((each) => {
    state.sequence += 1;
    const contact: Contact = {
      id: each.id ?? `6762f0d2${String(state.sequence).padStart(16, '0')}`,
      role: each.role ?? 'user',
      email: each.email ?? null,
      phone: each.phone ?? null,
      name: each.name ?? null,
      external_id: each.external_id ?? null,
      createdAtMs: nowMs,
      isArchived: each.archived === true,
    };
    state.contacts.set(contact.id, contact);
    return contact;
  });
  const conversations = (seed.conversations ?? []).map((each) => {
    const people = each.with.map((name) => [...state.contacts.values()].find((contact) => contact.external_id === name || contact.email === name));
    const [author] = people;
    if (author === undefined || people.includes(undefined)) throw new Error('a conversation names a contact that is not planted');
    state.sequence += 1;
    const conversation: Conversation = {
      id: String(500 + state.sequence),
      contactIds: people.flatMap((contact) => contact?.id ?? []),
      author: { id: author.id, email: author.email },
      body: each.body,
      createdAtMs: nowMs,
    };
    state.conversations.set(conversation.id, conversation);
    return conversation;
  });
  return { contacts, conversations };
}
