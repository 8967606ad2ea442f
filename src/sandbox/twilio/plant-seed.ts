import { newSid, newTypeId } from './identifiers.ts';
import { lookupKey, normalised } from './memory-profiles.ts';
import { seedShape, type ParsedTwilioSeed } from './seed-shape.ts';
import type { InFlight, Message, ProfileData, World } from './twilio-state.ts';

/** Statuses that Twilio calls final; in any other the object refuses to be deleted. `sent` may be the last that a carrier reports. */
const finalStatuses = new Set([
  'sent', 'delivered', 'undelivered', 'failed', 'received', 'read', 'canceled', 'partially_delivered',
  'completed', 'busy', 'no-answer', 'stopped', 'absent', 'deleted',
]);

function flight(world: World, item: { status: string; in_flight?: { ms: number; tries: number } | undefined }, into: string): { inFlight?: InFlight } {
  if (finalStatuses.has(item.status)) return {};
  const { ms, tries } = item.in_flight ?? { ms: 60_000, tries: 3 };
  return { inFlight: { until: world.context.now() + ms, triesLeft: tries, into } };
}

function createdAt(world: World, text: string | undefined): number {
  return text === undefined ? world.context.now() : Date.parse(text);
}

function applySettings(world: World, seed: ParsedTwilioSeed): void {
  const { settings, stores } = world.state;
  settings.accountSid = seed.account_sid ?? settings.accountSid;
  settings.authToken = seed.auth_token ?? settings.authToken;
  settings.apiKeys = seed.api_keys ?? settings.apiKeys;
  settings.literalProfiles = seed.literal_profiles ?? settings.literalProfiles;
  settings.visibility = seed.visibility ?? settings.visibility;
  settings.ratePerSecond = seed.rate_limit?.per_second ?? settings.ratePerSecond;
  for (const { display_name: name } of seed.stores) stores.set(name, newTypeId('mem_store'));
}

function plantMessages(world: World, seed: ParsedTwilioSeed): string[] {
  const { state } = world;
  const shared = new Map<string, string>();
  return seed.messages.map((each) => {
    const at = createdAt(world, each.date_created);
    const message: Message = {
      sid: newSid(each.media.length > 0 ? 'MM' : 'SM'),
      order: state.nextOrder(),
      to: each.to,
      from: each.from,
      body: each.body,
      status: each.status,
      direction: each.direction ?? (each.status.startsWith('receiv') ? 'inbound' : 'outbound-api'),
      createdAt: at,
      updatedAt: at,
      ...flight(world, each, each.status === 'receiving' ? 'received' : 'delivered'),
    };
    for (const { content_type: contentType, key } of each.media) {
      const sid = (key === undefined ? undefined : shared.get(key)) ?? newSid('ME');
      if (key !== undefined) shared.set(key, sid);
      if (state.media.get(sid) === undefined) state.media.add({ sid, order: state.nextOrder(), contentType, createdAt: at, messages: new Set() });
      state.media.get(sid)?.messages.add(message.sid);
      message.media = [...(message.media ?? []), sid];
    }
    state.messages.add(message);
    return message.sid;
  });
}

function plantBulk(world: World, seed: ParsedTwilioSeed): number {
  const { state, context } = world;
  const at = context.now();
  for (const { to, from, count, body } of seed.bulk) {
    for (let index = 0; index < count; index += 1) {
      const order = state.nextOrder();
      state.messages.add({ sid: newSid('SM'), order, to, from, body, status: 'delivered', direction: 'outbound-api', createdAt: at, updatedAt: at });
    }
  }
  return seed.bulk.reduce((sum, each) => sum + each.count, 0);
}

function plantRecording(world: World, each: ParsedTwilioSeed['recordings'][number], callSid?: string): string {
  const { state } = world;
  const sid = newSid('RE');
  const at = createdAt(world, each.date_created);
  state.recordings.add({
    sid,
    order: state.nextOrder(),
    callSid: callSid ?? each.call_sid ?? null,
    conferenceSid: each.conference_sid ?? null,
    createdAt: at,
    status: each.status,
    ...flight(world, each, 'completed'),
  });
  for (const text of each.transcriptions) {
    state.transcriptions.add({ sid: newSid('TR'), order: state.nextOrder(), recordingSid: sid, createdAt: at, text });
  }
  for (let index = 0; index < each.add_on_results; index += 1) {
    state.addOnResults.add({ sid: newSid('XR'), order: state.nextOrder(), recordingSid: sid, createdAt: at, text: '' });
  }
  return sid;
}

function plantCalls(world: World, seed: ParsedTwilioSeed): string[] {
  return seed.calls.map((each) => {
    const sid = newSid('CA');
    const { to, from, status, direction } = each;
    const at = createdAt(world, each.date_created);
    world.state.calls.add({ sid, order: world.state.nextOrder(), to, from, status, direction, createdAt: at, ...flight(world, each, 'completed') });
    for (const recording of each.recordings) plantRecording(world, recording, sid);
    return sid;
  });
}

function plantConversations(world: World, seed: ParsedTwilioSeed): string[] {
  const { state, context } = world;
  const at = context.now();
  return seed.conversations.map((each) => {
    const sid = newSid('CH');
    state.conversations.add({ sid, order: state.nextOrder(), friendlyName: each.friendly_name ?? null, state: each.state, createdAt: at });
    for (const { address, proxy_address: proxy, identity } of each.participants) {
      const of = { conversationSid: sid, address: address ?? null, proxyAddress: proxy ?? null, identity: identity ?? null };
      state.participants.add({ sid: newSid('MB'), order: state.nextOrder(), ...of, createdAt: at });
    }
    for (const [index, { author, body }] of each.messages.entries()) {
      state.conversationMessages.add({ sid: newSid('IM'), order: state.nextOrder(), conversationSid: sid, index, author, body, createdAt: at });
    }
    return sid;
  });
}

function plantProfiles(world: World, seed: ParsedTwilioSeed): string[] {
  const { state, context } = world;
  const at = context.now();
  const ids = seed.profiles.map(() => newTypeId('mem_profile'));
  const keyed = new Map(seed.profiles.map((each, index) => [each.key, ids[index]]));
  for (const [index, each] of seed.profiles.entries()) {
    const sid = ids[index] ?? '';
    const storeId = state.stores.get(each.store);
    const mergedInto = each.merged_into === undefined ? undefined : (keyed.get(each.merged_into) ?? each.merged_into);
    if (storeId === undefined) throw new Error(`no Memory store is called ${each.store}`);
    const identifiers = Object.fromEntries(Object.entries(each.identifiers).map(([type, values]) => [type, values.map((value) => normalised(type, value))]));
    const live: ProfileData | undefined = mergedInto === undefined ? { traits: each.traits, identifiers } : undefined;
    state.profiles.add({ sid, order: state.nextOrder(), storeId, literalSid: each.profile_sid, mergedInto, createdAt: at, live });
    for (const [type, values] of Object.entries(each.identifiers)) {
      for (const value of values) {
        const key = lookupKey(storeId, type, value);
        state.lookup.set(key, (state.lookup.get(key) ?? new Set()).add(mergedInto ?? sid));
      }
    }
    for (const [kind, prefix, texts] of [['observations', 'mem_observation', each.observations], ['summaries', 'mem_summary', each.summaries]] as const) {
      for (const text of texts) {
        const conversationId = newTypeId('conv_conversation');
        state[kind].add({ sid: newTypeId(prefix), order: state.nextOrder(), profileId: sid, conversationId, createdAt: at, live: text });
      }
    }
  }
  return ids;
}

/** Plants a seed on top of what is there, and answers the ids of what was made, in the seed's order. Throws on a seed that does not fit its shape. */
export function plantSeed(world: World, data: unknown): unknown {
  const seed = seedShape.parse(data);
  applySettings(world, seed);
  const { state, context } = world;
  const at = context.now();
  const { settings, stores } = state;
  return {
    account_sid: settings.accountSid,
    stores: Object.fromEntries(stores),
    messages: plantMessages(world, seed),
    bulk: plantBulk(world, seed),
    calls: plantCalls(world, seed),
    recordings: seed.recordings.map((each) => plantRecording(world, each)),
    conversations: plantConversations(world, seed),
    users: seed.users.map((each) => {
      const sid = newSid('US');
      state.users.add({ sid, order: state.nextOrder(), identity: each.identity, friendlyName: each.friendly_name ?? null, createdAt: at });
      return sid;
    }),
    profiles: plantProfiles(world, seed),
    orchestrated_conversations: seed.orchestrated_conversations.map((each) => {
      const sid = newTypeId('conv_conversation');
      state.orchestrated.add({ sid, order: state.nextOrder(), name: each.name ?? null, addresses: each.addresses, createdAt: at });
      return sid;
    }),
  };
}
