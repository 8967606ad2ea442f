import type { ConnectorContext, Located, LocateResult } from '../../connector-kit/index.ts';
import type { Identifier } from '../../contract/identifiers.ts';
import { fromMemory, isOwn, keyOf } from './addresses.ts';
import { findUser } from './collect-objects.ts';
import type { TwilioConfig } from './config.ts';
import { seeLiteral } from './erase-literal.ts';
import { createTwilioGateway, expectOk, type TwilioGateway } from './gateway.ts';
import { bySidSchema, callsOf, conversationsOf, membershipSchema, messagesOf } from './lists.ts';
import { createMemoryApi, isMemoryProfile, type MemoryApi } from './memory-api.ts';
import { readPage } from './read-page.ts';
import { sourcesOf, type Source } from './sources.ts';

/**
 * Says whether Twilio holds any message, call, conversation or chat user under a number or an address. Stops at the first that it finds.
 * `withUser: false` leaves the chat user out: it is read by its identity, and reading what was deleted too often is refused (70005).
 */
export async function holdsObjects(gateway: TwilioGateway, identifier: Identifier, options: { readonly withUser: boolean; readonly now: number }): Promise<boolean> {
  for (const source of sourcesOf(identifier)) {
    if (source.list === 'user' && !options.withUser) continue;
    if (await holdsAny(gateway, source, options.now)) return true;
  }
  return false;
}

async function holdsAny(gateway: TwilioGateway, source: Source, now: number): Promise<boolean> {
  switch (source.list) {
    case 'calls':
      return ((await readPage(gateway, callsOf(source, 1), bySidSchema, { now }))?.rows.length ?? 0) > 0;
    case 'messages':
      return ((await readPage(gateway, messagesOf(source, 1), bySidSchema, { now }))?.rows.length ?? 0) > 0;
    case 'conversations':
      return ((await readPage(gateway, conversationsOf(source, 1), membershipSchema, { now }))?.rows.length ?? 0) > 0;
    case 'user':
      return (await findUser(gateway, source.identity, now)) !== undefined;
  }
}

/** A profile that holds a number or an address. */
export interface Holder {
  readonly store: string;
  readonly profile: string;
}

/** Every Memory profile that holds a number or an address, in all stores. */
export async function holdersOf(memory: MemoryApi, stores: readonly string[], { kind, value }: Identifier): Promise<readonly Holder[]> {
  if (kind !== 'phone' && kind !== 'email') return [];
  const all: Holder[] = [];
  for (const store of stores) all.push(...(await memory.lookUp(store, { idType: kind, value })).map((profile) => ({ store, profile })));
  return all;
}

/**
 * Looks a person up by everything known, changing nothing. A number or address that one profile holds leads to it with confidence 1; one
 * that several hold may be shared by several people, so it leads to them with 0.5, and what they hold besides is not taken for the
 * person's. The account's own numbers lead nowhere. A number or address that nothing but a profile holds is not among those known: it is the
 * profile's id that is, and that has the task, so that the number's own task does not call absent what was never under it.
 */
export async function locatePerson(context: ConnectorContext, config: TwilioConfig, known: readonly Identifier[]): Promise<LocateResult> {
  const gateway = createTwilioGateway(config, context);
  const given = new Set(known.map(keyOf));
  const found = new Map<string, Located>();
  const knows = new Map<string, Identifier>();
  const add = (located: Located): void => {
    const key = keyOf(located.identifier);
    if (!given.has(key) && !found.has(key) && !isOwn(config, located.identifier)) found.set(key, located);
  };
  const subjects = known.filter((each) => !isOwn(config, each));
  for (const each of subjects) if (await holdsObjects(gateway, each, { withUser: true, now: context.now() })) knows.set(keyOf(each), each);
  if (config.profiles === 'literal') {
    for (const each of subjects) {
      if (each.kind === 'twilio_profile' && (await seeLiteral(gateway, config, each.value, context.now())) === 'present') knows.set(keyOf(each), each);
    }
  } else if (config.profiles === 'memory') {
    const memory = createMemoryApi(config, gateway, context);
    await locateInMemory(memory, subjects, { add, knows, now: context.now() });
  }
  return { found: [...found.values()], knows: [...knows.values()] };
}

async function locateInMemory(
  memory: MemoryApi,
  known: readonly Identifier[],
  { add, knows, now }: { readonly add: (located: Located) => void; readonly knows: Map<string, Identifier>; readonly now: number },
): Promise<void> {
  if (!known.some(({ kind }) => kind === 'phone' || kind === 'email' || kind === 'twilio_profile')) return;
  const stores = await memory.stores();
  const holders = new Map<string, readonly Holder[]>();
  for (const each of known) {
    const profiles = await holdersOf(memory, stores, each);
    holders.set(keyOf(each), profiles);
    for (const { profile } of profiles) add({ identifier: { kind: 'twilio_profile', value: profile }, via: each, confidence: profiles.length === 1 ? 1 : 0.5 });
  }
  for (const each of known) {
    if (each.kind !== 'twilio_profile' || !isMemoryProfile(each.value)) continue;
    for (const store of stores) {
      const answer = await memory.readIdentifiers(store, each.value);
      if (answer.kind === 'absent') continue;
      knows.set(keyOf(each), each);
      // A merged profile is known, and what it was merged into is not taken for the person: that is for a person to say.
      if (answer.kind === 'moved') continue;
      const values = expectOk(answer, now).flatMap(({ value }) => fromMemory(value) ?? []);
      const leading = values.flatMap((value) => holders.get(keyOf(value)) ?? []);
      const isTheirs = leading.length === 0 || values.some((value) => isOnlyHolder(holders.get(keyOf(value)), each.value));
      if (isTheirs) for (const identifier of values) add({ identifier, via: each, confidence: 1 });
    }
  }
}

const isOnlyHolder = (holders: readonly Holder[] | undefined, profile: string): boolean => holders?.length === 1 && holders[0]?.profile === profile;
