import type { SimulatorContext } from '../simulator.ts';
import { newTypeId } from './identifiers.ts';
import { createIndexedStore, type IndexedStore, type Stored } from './indexed-store.ts';
import type { Lag, Lagged } from './lagged.ts';

/** Until when, or for how many tries, an object in flight refuses to be deleted; then it takes the status `into`. */
export interface InFlight {
  readonly until: number;
  triesLeft: number;
  readonly into: string;
}

/** A stored Message. Only `body`, `status`, `updatedAt` and its media ever change. */
export interface Message extends Stored {
  readonly to: string;
  readonly from: string;
  body: string;
  status: string;
  readonly direction: string;
  readonly createdAt: number;
  updatedAt: number;
  media?: string[];
  inFlight?: InFlight | undefined;
}

/** A stored medium; it goes when the last message that shows it goes. */
export interface Media extends Stored {
  readonly contentType: string;
  readonly createdAt: number;
  readonly messages: Set<string>;
}

/** A stored Call. */
export interface Call extends Stored {
  readonly to: string;
  readonly from: string;
  status: string;
  readonly direction: string;
  readonly createdAt: number;
  inFlight?: InFlight | undefined;
}

/** A stored Recording; after deletion its metadata stays for 40 days. */
export interface Recording extends Stored {
  readonly callSid: string | null;
  readonly conferenceSid: string | null;
  readonly createdAt: number;
  status: string;
  deletedAt?: number;
  inFlight?: InFlight | undefined;
}

/** A stored transcription or add-on result of a recording. */
export interface RecordingChild extends Stored {
  readonly recordingSid: string;
  readonly createdAt: number;
  readonly text: string;
}

/** A stored conversation of Conversations v1. */
export interface Conversation extends Stored {
  readonly friendlyName: string | null;
  readonly state: string;
  readonly createdAt: number;
}

/** A stored participant of a v1 conversation: by messaging address, or by chat identity. */
export interface Participant extends Stored {
  readonly conversationSid: string;
  readonly address: string | null;
  readonly proxyAddress: string | null;
  readonly identity: string | null;
  readonly createdAt: number;
}

/** A stored message of a v1 conversation. */
export interface ConversationMessage extends Stored {
  readonly conversationSid: string;
  readonly index: number;
  readonly author: string;
  readonly body: string;
  readonly createdAt: number;
}

/** A stored chat user. */
export interface User extends Stored {
  readonly identity: string;
  readonly friendlyName: string | null;
  readonly createdAt: number;
}

/** Groups of traits by name, then traits by name. */
export type Traits = Readonly<Record<string, Readonly<Record<string, unknown>>>>;

/** What a profile says of a person. */
export interface ProfileData {
  readonly traits: Traits;
  readonly identifiers: Readonly<Record<string, readonly string[]>>;
}

/** A stored Memory profile. A merged one only points at its canonical profile. */
export interface Profile extends Stored, Lagged<ProfileData> {
  readonly storeId: string;
  readonly literalSid: string | undefined;
  mergedInto: string | undefined;
  readonly createdAt: number;
}

/** A stored observation or conversation summary. */
export interface MemoryNote extends Stored, Lagged<string> {
  readonly profileId: string;
  readonly conversationId: string;
  readonly createdAt: number;
}

/** A conversation of the Orchestrator (Conversations v2). */
export interface OrchestratedConversation extends Stored {
  readonly name: string | null;
  readonly addresses: readonly string[];
  readonly createdAt: number;
}

/** A running deletion of the Orchestrator. */
export interface Operation extends Stored {
  readonly conversationId: string;
  readonly createdAt: number;
  readonly until: number;
  completedAt?: number;
}

/** One sighting of the X-Twilio-Webhook-Enabled header; only Conversations v1 heeds it. */
export interface WebhookHeader {
  readonly method: string;
  readonly path: string;
  readonly value: string;
  readonly honoured: boolean;
}

/** What the account is set up with. */
export interface Settings {
  accountSid: string;
  authToken: string;
  apiKeys: readonly { readonly sid: string; readonly secret: string }[];
  literalProfiles: boolean;
  visibility: Lag;
  ratePerSecond: number;
}

/** Everything that the simulated account holds. */
export interface TwilioState {
  readonly settings: Settings;
  readonly messages: IndexedStore<Message>;
  readonly media: IndexedStore<Media>;
  readonly calls: IndexedStore<Call>;
  readonly recordings: IndexedStore<Recording>;
  readonly transcriptions: IndexedStore<RecordingChild>;
  readonly addOnResults: IndexedStore<RecordingChild>;
  readonly conversations: IndexedStore<Conversation>;
  readonly conversationMessages: IndexedStore<ConversationMessage>;
  readonly participants: IndexedStore<Participant>;
  readonly users: IndexedStore<User>;
  /** Memory stores: id by display name. */
  readonly stores: Map<string, string>;
  readonly profiles: IndexedStore<Profile>;
  /** Profile ids by `storeId idType value`; an entry may be out of date, so what it names is looked at again. */
  readonly lookup: Map<string, Set<string>>;
  readonly observations: IndexedStore<MemoryNote>;
  readonly summaries: IndexedStore<MemoryNote>;
  readonly orchestrated: IndexedStore<OrchestratedConversation>;
  readonly operations: IndexedStore<Operation>;
  /** Ids of what was deleted. */
  readonly gone: Set<string>;
  /** When what was deleted was read since, for error 70005. */
  readonly readsOfGone: Map<string, number[]>;
  readonly sentinelsPlayed: Map<string, number>;
  readonly webhookHeaders: WebhookHeader[];
  /** Conversations webhooks that Twilio would have sent. */
  readonly webhooksFired: { readonly event: string; readonly object: string }[];
  readonly window: { second: number; count: number };
  readonly nextOrder: () => number;
}

/** What every route is given: the account now (a reset replaces it) and the simulator's clock, effects and lies. */
export interface World {
  state: TwilioState;
  context: SimulatorContext;
}

/** The account that a simulator starts with, before it is seeded otherwise. */
export const defaultAccount = {
  accountSid: `AC${'0'.repeat(31)}1`,
  authToken: 'sandbox-auth-token',
  apiKey: { sid: `SK${'0'.repeat(31)}1`, secret: 'sandbox-api-secret' },
} as const;

const parties = (item: { readonly to: string; readonly from: string }): string[] => [`to:${item.to}`, `from:${item.from}`];
const ofRecording = (item: RecordingChild): string[] => [`recording:${item.recordingSid}`];
const ofConversation = (item: { readonly conversationSid: string }): string => `conversation:${item.conversationSid}`;

/** Promises an empty account with one Memory store, called `sandbox`. */
export function createTwilioState(): TwilioState {
  let order = 0;
  return {
    settings: {
      accountSid: defaultAccount.accountSid,
      authToken: defaultAccount.authToken,
      apiKeys: [defaultAccount.apiKey],
      literalProfiles: false,
      visibility: { reads: 1, ms: 5000 },
      ratePerSecond: 1000,
    },
    messages: createIndexedStore<Message>(parties),
    media: createIndexedStore<Media>(() => []),
    calls: createIndexedStore<Call>(parties),
    recordings: createIndexedStore<Recording>((item) => [`call:${item.callSid}`, `conference:${item.conferenceSid}`]),
    transcriptions: createIndexedStore<RecordingChild>(ofRecording),
    addOnResults: createIndexedStore<RecordingChild>(ofRecording),
    conversations: createIndexedStore<Conversation>(() => []),
    conversationMessages: createIndexedStore<ConversationMessage>((item) => [ofConversation(item)]),
    participants: createIndexedStore<Participant>((item) => [ofConversation(item), `address:${item.address}`, `identity:${item.identity}`]),
    users: createIndexedStore<User>((item) => [`identity:${item.identity}`]),
    stores: new Map([['sandbox', newTypeId('mem_store')]]),
    profiles: createIndexedStore<Profile>((item) => [`store:${item.storeId}`, `literal:${item.literalSid}`]),
    lookup: new Map(),
    observations: createIndexedStore<MemoryNote>((item) => [`profile:${item.profileId}`]),
    summaries: createIndexedStore<MemoryNote>((item) => [`profile:${item.profileId}`]),
    orchestrated: createIndexedStore<OrchestratedConversation>(() => []),
    operations: createIndexedStore<Operation>((item) => [`conversation:${item.conversationId}`]),
    gone: new Set(),
    readsOfGone: new Map(),
    sentinelsPlayed: new Map(),
    webhookHeaders: [],
    webhooksFired: [],
    window: { second: 0, count: 0 },
    nextOrder: () => {
      order += 1;
      return order;
    },
  };
}
