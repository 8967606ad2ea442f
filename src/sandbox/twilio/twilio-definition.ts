import { startSimulator, type Simulator, type VendorDefinition } from '../simulator.ts';
import { registerConversationRoutes, renderConversation, renderConversationMessage, renderParticipant, renderUser } from './conversation-routes.ts';
import { registerGate } from './gate.ts';
import { registerLiteralProfileRoutes } from './literal-profile-routes.ts';
import { registerMemoryNoteRoutes } from './memory-notes.ts';
import { registerMemoryProfileRoutes, registerMemoryStoreRoutes } from './memory-profiles.ts';
import { registerMediaRoutes, registerMessageRoutes, renderMessage } from './message-routes.ts';
import { registerOrchestratorRoutes, renderOrchestrated, settleOperations } from './orchestrator-routes.ts';
import { plantSeed } from './plant-seed.ts';
import { registerSendMessageRoute } from './send-message-route.ts';
import { twilioError } from './twilio-error.ts';
import { createTwilioState, type MemoryNote, type World } from './twilio-state.ts';
import { codesOnTheirWay, registerVerifyRoutes } from './verify-routes.ts';
import {
  registerCallRoutes,
  registerRecordingChildRoutes,
  registerRecordingRoutes,
  renderAddOnResult,
  renderCall,
  renderRecording,
  renderTranscription,
} from './voice-routes.ts';

const notes = (items: readonly MemoryNote[]): unknown[] =>
  items.filter((each) => each.live !== undefined).map((each) => ({ id: each.sid, profile: each.profileId, content: each.live }));

function dump(world: World): unknown {
  const { state, context } = world;
  const now = context.now();
  settleOperations(world);
  return {
    messages: state.messages.select().map((each) => renderMessage(state, each, now)),
    media: state.media.select().map((each) => ({ sid: each.sid, content_type: each.contentType, messages: [...each.messages] })),
    calls: state.calls.select().map((each) => renderCall(state, each, now)),
    recordings: state.recordings.select().map((each) => renderRecording(state, each, now)),
    transcriptions: state.transcriptions.select().map((each) => renderTranscription(state, each)),
    add_on_results: state.addOnResults.select().map((each) => renderAddOnResult(state, each)),
    conversations: state.conversations.select().map((each) => renderConversation(state, each)),
    conversation_messages: state.conversationMessages.select().map((each) => renderConversationMessage(state, each)),
    participants: state.participants.select().map((each) => renderParticipant(state, each)),
    users: state.users.select().map((each) => renderUser(state, each)),
    profiles: state.profiles
      .select()
      .filter((each) => each.live !== undefined || each.mergedInto !== undefined)
      .map((each) => ({ id: each.sid, store: each.storeId, merged_into: each.mergedInto ?? null, ...each.live })),
    observations: notes(state.observations.select()),
    summaries: notes(state.summaries.select()),
    orchestrated_conversations: state.orchestrated.select().map((each) => renderOrchestrated(state, each)),
    webhook_headers: state.webhookHeaders,
    webhooks_fired: state.webhooksFired,
    verify_codes: codesOnTheirWay(world),
  };
}

/**
 * Promises a Twilio account with nothing in it, behind all the products that hold a person's data: messages, media, calls, recordings
 * and transcriptions (2010-04-01), Conversations v1 and v2, and Conversation Memory. Each call gives another account.
 * It is empty of routes until a simulator starts it; planting before that throws.
 */
export function twilioDefinition(): VendorDefinition {
  let world: World | undefined;
  const started = (): World => {
    if (world === undefined) throw new Error('the Twilio simulator has not started');
    return world;
  };
  return {
    vendor: 'twilio',
    routes: (context) => {
      world = { state: createTwilioState(), context };
      const register = [
        registerGate,
        registerMessageRoutes,
        registerSendMessageRoute,
        registerMediaRoutes,
        registerCallRoutes,
        registerRecordingRoutes,
        registerRecordingChildRoutes,
        registerLiteralProfileRoutes,
        registerMemoryStoreRoutes,
        registerMemoryProfileRoutes,
        registerMemoryNoteRoutes,
        registerConversationRoutes,
        registerOrchestratorRoutes,
        registerVerifyRoutes,
      ];
      for (const each of register) each(world);
    },
    seed: (data) => plantSeed(started(), data),
    dump: () => dump(started()),
    errorBody: (status) => twilioError(status),
    reset: () => {
      started().state = createTwilioState();
    },
  };
}

/** Starts the Twilio simulator on a loopback port, any free one unless named. */
export async function startTwilio(options: { port?: number } = {}): Promise<Simulator> {
  return startSimulator(twilioDefinition(), options);
}
