import { z } from 'zod';
import { sidSchema, type PagedList } from './read-page.ts';
import type { Source } from './sources.ts';

/**
 * Messages on a page. A body has at most 4,096 characters, which JSON may write in six bytes each: 250 of them stay under the guarded
 * fetch's 8 MiB, 1,000 would not.
 */
const messagesPerPage = 250;
const callsPerPage = 200;
/** The most that Conversations gives for participants, messages and look-ups, and that it cannot exceed. */
const conversationsPerPage = 50;
const partsPerPage = 100;
const childrenPerPage = 1000;

/** What is read of a message. */
export const messageSchema = z.object({ sid: sidSchema, status: z.string(), numMedia: z.union([z.string(), z.null()]).optional() });
/** What is read of anything that only its sid matters of. */
export const bySidSchema = z.object({ sid: sidSchema });
/** What is read of a participant's membership in a conversation. */
export const membershipSchema = z.object({ conversationSid: sidSchema, participantSid: sidSchema });
/** What is read of a participant. */
export const participantSchema = z.object({
  sid: sidSchema,
  identity: z.string().nullish(),
  messagingBinding: z.looseObject({ address: z.string().nullish() }).nullish(),
});
/** What is read of a conversation's message. */
export const conversationMessageSchema = z.object({ sid: sidSchema, author: z.string().nullish(), participantSid: z.string().nullish() });

const withoutSide = (source: { readonly side: 'to' | 'from'; readonly address: string }): { to?: string; from?: string } => ({ [source.side]: source.address });

/** The messages that one number sent or received. */
export function messagesOf(source: Extract<Source, { list: 'calls' | 'messages' }>, pageSize = messagesPerPage): PagedList {
  return {
    product: 'api',
    first: async (client) => client.messages.page({ ...withoutSide(source), pageSize }),
    later: async (client, url) => client.messages.getPage(url),
  };
}

/** The calls that one number made or took. */
export function callsOf(source: Extract<Source, { list: 'calls' | 'messages' }>, pageSize = callsPerPage): PagedList {
  return {
    product: 'api',
    first: async (client) => client.calls.page({ ...withoutSide(source), pageSize }),
    later: async (client, url) => client.calls.getPage(url),
  };
}

/** The conversations that one address or chat identity takes part in. */
export function conversationsOf(source: Extract<Source, { list: 'conversations' }>, pageSize = conversationsPerPage): PagedList {
  return {
    product: 'conversations',
    first: async (client) => client.conversations.v1.participantConversations.page({ [source.by]: source.value, pageSize }),
    later: async (client, url) => client.conversations.v1.participantConversations.getPage(url),
  };
}

/** The media of a message. */
export function mediaOf(message: string): PagedList {
  return {
    product: 'api',
    first: async (client) => client.messages(message).media.page({ pageSize: childrenPerPage }),
    later: async (client, url) => client.messages(message).media.getPage(url),
  };
}

/** The recordings of a call. */
export function recordingsOf(call: string): PagedList {
  return {
    product: 'api',
    first: async (client) => client.recordings.page({ callSid: call, pageSize: childrenPerPage }),
    later: async (client, url) => client.recordings.getPage(url),
  };
}

/** The transcriptions of a recording. */
export function transcriptionsOf(recording: string): PagedList {
  return {
    product: 'api',
    first: async (client) => client.recordings(recording).transcriptions.page({ pageSize: childrenPerPage }),
    later: async (client, url) => client.recordings(recording).transcriptions.getPage(url),
  };
}

/** The add-on results of a recording. */
export function addOnResultsOf(recording: string): PagedList {
  return {
    product: 'api',
    first: async (client) => client.recordings(recording).addOnResults.page({ pageSize: childrenPerPage }),
    later: async (client, url) => client.recordings(recording).addOnResults.getPage(url),
  };
}

/** The participants of a conversation. */
export function participantsOf(conversation: string): PagedList {
  return {
    product: 'conversations',
    first: async (client) => client.conversations.v1.conversations(conversation).participants.page({ pageSize: partsPerPage }),
    later: async (client, url) => client.conversations.v1.conversations(conversation).participants.getPage(url),
  };
}

/** The messages of a conversation. */
export function conversationMessagesOf(conversation: string): PagedList {
  return {
    product: 'conversations',
    first: async (client) => client.conversations.v1.conversations(conversation).messages.page({ pageSize: partsPerPage }),
    later: async (client, url) => client.conversations.v1.conversations(conversation).messages.getPage(url),
  };
}
