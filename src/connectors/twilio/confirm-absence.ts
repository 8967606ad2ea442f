import { createHash } from 'node:crypto';
import type { ConfirmResult, EraseContext } from '../../connector-kit/index.ts';
import type { Identifier } from '../../contract/identifiers.ts';
import { isOwn, keyOf } from './addresses.ts';
import type { TwilioConfig } from './config.ts';
import { parseCursor, toJson, type Over, type Target } from './erase-cursor.ts';
import { seeLiteral } from './erase-literal.ts';
import { findProfile } from './find-profile.ts';
import { createTwilioGateway, type TwilioGateway } from './gateway.ts';
import { holdersOf, holdsObjects } from './locate-person.ts';
import { createMemoryApi, type MemoryApi } from './memory-api.ts';
import { findTraces } from './profile-traces.ts';

const minuteMs = 60_000;
/** After this time a profile that Memory still shows is no longer one that it is about to delete. */
const settleMs = 15 * minuteMs;

/**
 * Looks for the person under every number and address that is proven to be the person's, the task's own first, and for the task's profile. What is found under an identifier
 * with a task of its own is reported under that identifier. A profile that Memory has only accepted to delete gets 15 minutes. Progress over
 * many identifiers is durable as long as nothing was found.
 */
export async function confirmAbsence(context: EraseContext, config: TwilioConfig): Promise<ConfirmResult> {
  const gateway = createTwilioGateway(config, context);
  const memory = config.profiles === 'memory' ? createMemoryApi(config, gateway, context) : undefined;
  const subjects = inOrder(context.identifier, context.proven).filter((each) => !isOwn(config, each));
  const of = createHash('sha256').update(JSON.stringify(subjects)).digest('hex');
  const cursor = parseCursor(context.cursor);
  const over: Over = cursor?.phase === 'over' ? cursor : { phase: 'over', at: context.receivedAt };
  let checked = over.checked?.of === of ? over.checked.upTo : 0;
  const found = new Map<string, Identifier>();
  let attested = false;
  for (const each of subjects.slice(checked)) {
    const isTask = keyOf(each) === keyOf(context.identifier);
    if (each.kind === 'twilio_profile' && isTask) {
      const sight = await seeProfile(context, config, gateway, memory, over.target);
      attested ||= sight === 'unreadable';
      if (sight === 'present') found.set(keyOf(each), each);
    } else for (const seen of await seeAddress(context, gateway, memory, each)) found.set(keyOf(seen), seen);
    if (found.size > 0) continue;
    checked += 1;
    // What the endpoint cannot show must not be forgotten, so it is not skipped next time.
    if (attested || checked === subjects.length) continue;
    await context.save(toJson({ ...over, checked: { upTo: checked, of } }));
    if (context.shouldYield()) return { state: 'later', afterMs: 1 };
  }
  if (found.size === 0) return attested ? { state: 'attested' } : { state: 'absent' };
  const all = [...found.values()];
  if (all.every(({ kind }) => kind === 'twilio_profile') && found.has(keyOf(context.identifier)) && memory !== undefined && context.now() - over.at < settleMs) {
    return { state: 'later', afterMs: minuteMs };
  }
  return { state: 'present', found: all };
}

/** The task's own first, so that what it is about is decided first; the others in a fixed order. */
function inOrder(own: Identifier, identifiers: readonly Identifier[]): readonly Identifier[] {
  const others = new Map(identifiers.map((each) => [keyOf(each), each]));
  others.delete(keyOf(own));
  const sorted = [...others].toSorted(([left], [right]) => (left < right ? -1 : 1));
  return [own, ...sorted.map(([, each]) => each)].map(({ kind, value }) => ({ kind, value }));
}

async function seeAddress(context: EraseContext, gateway: TwilioGateway, memory: MemoryApi | undefined, identifier: Identifier): Promise<readonly Identifier[]> {
  const seen: Identifier[] = [];
  // The chat user of another identifier is that one's task's to read, so that not every task reads what was deleted.
  const withUser = keyOf(identifier) === keyOf(context.identifier);
  if (await holdsObjects(gateway, identifier, { withUser, now: context.now() })) seen.push(identifier);
  if (memory === undefined || (identifier.kind !== 'phone' && identifier.kind !== 'email')) return seen;
  const holders = await holdersOf(memory, await memory.stores(), identifier);
  return [...seen, ...holders.map(({ profile }): Identifier => ({ kind: 'twilio_profile', value: profile }))];
}

async function seeProfile(
  context: EraseContext,
  config: TwilioConfig,
  gateway: TwilioGateway,
  memory: MemoryApi | undefined,
  target: Target | undefined,
): Promise<'present' | 'absent' | 'unreadable'> {
  const { value } = context.identifier;
  if (config.profiles === 'literal') {
    const sight = await seeLiteral(gateway, config, value, context.now());
    // A redirect says that it lives on elsewhere.
    return sight === 'moved' ? 'present' : sight;
  }
  if (memory === undefined) return 'absent';
  if (target !== undefined) {
    const traces = await findTraces(memory, target, context.action, context.now());
    return traces.profile || traces.notes.length > 0 ? 'present' : 'absent';
  }
  return (await findProfile(memory, value, new Set(), context.now())) === undefined ? 'absent' : 'present';
}
