import type { EraseContext, EraseResult, WorkItem } from '../../connector-kit/index.ts';
import { fromMemory, isOwn, keyOf, sureOf } from './addresses.ts';
import type { TwilioConfig } from './config.ts';
import { deleteObjects, hasTraits } from './delete-objects.ts';
import { toJson, type CollectingProfile, type EraseCursor, type Target, type Verifying } from './erase-cursor.ts';
import { finish } from './erase-objects.ts';
import { continueLater, itemOf, startRun, type EraseRun } from './erase-run.ts';
import { expectOk } from './gateway.ts';
import { findProfile } from './find-profile.ts';
import { createMemoryApi, type MemoryApi } from './memory-api.ts';
import { findTraces } from './profile-traces.ts';

const secondMs = 1000;
const hourMs = 3_600_000;
/** How long Memory may go on showing what it accepted to delete. It names no time; a day is far beyond what "asynchronously" means. */
const visibleMaxMs = 24 * hourMs;

/** When to look again for a profile that is still shown: 5 s, then twice the time waited so far, at most an hour: often looking is refused (70005). */
export function lookAgainMs(waitedMs: number): number {
  return Math.min(hourMs, Math.max(5 * secondMs, 2 * waitedMs));
}

/**
 * One step of erasing or anonymising a profile of Conversation Memory: its observations and summaries, then the profile itself (or its
 * traits and identifiers), then it is looked up until it is gone, since Memory only accepts deletions. Observations and summaries are
 * deleted one by one: Twilio does not say that they go with the profile.
 */
export async function eraseProfile(run: EraseRun, cursor: EraseCursor | undefined): Promise<EraseResult> {
  const { context } = run;
  const memory = createMemoryApi(run.config, run.gateway, context);
  let state = cursor;
  if (state === undefined || state.phase === 'over' || state.phase === 'collecting' || state.phase === 'literal') {
    const begun = await startRun(context);
    const found = await findTarget(run, memory);
    if ('result' in found) return found.result;
    // One that is gone at the start of a later run was deleted by an earlier one, or by somebody else.
    if (found.target === undefined) return finish(context, begun.base, outcomeOf(context));
    state = { phase: 'profile', ...begun, target: found.target, list: 'observations' };
    await run.keep(state);
  }
  if (state.phase === 'profile') {
    const { round, base, target } = state;
    const stopped = await collectProfile(run, memory, state);
    if (stopped !== undefined) return continueLater(context, stopped);
    state = { phase: 'deleting', round, base, target };
    if (await run.keep(state)) return continueLater(context, state);
  }
  if (state.phase === 'deleting') {
    const ended = await deleteObjects(run, state);
    if (ended !== undefined) return ended;
    const { round, base, target } = state;
    if (target === undefined) return finish(context, base, outcomeOf(context));
    state = { phase: 'verifying', round, base, target, since: context.now() };
    return { state: 'wait', cursor: toJson(state), afterMs: lookAgainMs(0), reason: 'not_visible_yet' };
  }
  return verify(run, memory, state);
}

const outcomeOf = (context: EraseContext): { readonly outcome: 'erased' | 'anonymised' } => ({ outcome: context.action === 'anonymise' ? 'anonymised' : 'erased' });

type Found = { readonly target: Target | undefined } | { readonly result: EraseResult };

const askPerson = (detail: string): Found => ({ result: { state: 'operator', code: 'SUBJECT_AMBIGUOUS', detail, counts: {}, residue: [] } });

/** Finds the profile and sees that it is this person's alone. */
async function findTarget({ context, config }: EraseRun, memory: MemoryApi): Promise<Found> {
  const resolved = new Set(sureOf(context).filter(({ kind }) => kind === 'twilio_profile').map(({ value }) => value));
  const found = await findProfile(memory, context.identifier.value, resolved, context.now());
  if (found === undefined) return { target: undefined };
  if (found.kind === 'moved') return askPerson('The profile was merged into one that was not resolved to this person');
  const { store, id } = found;
  const answer = await memory.readIdentifiers(store, id);
  if (answer.kind === 'absent') return { target: undefined };
  if (answer.kind === 'moved') return askPerson('The profile was merged into one that was not resolved to this person');
  const identifiers = expectOk(answer, context.now());
  if (holdsSomebodyElse(config, context, identifiers.map(({ value }) => value))) return askPerson('The profile also holds identifiers that are not proven to be this person’s');
  return { target: { store, id, identifiers: [...identifiers] } };
}

/** True when a number or address on the profile is neither proven to be the person's nor the account's own: two people may have been merged there. */
function holdsSomebodyElse(config: TwilioConfig, context: EraseContext, values: readonly string[]): boolean {
  const known = new Set(sureOf(context).map(keyOf));
  return values.some((value) => {
    const identifier = fromMemory(value);
    return identifier !== undefined && !known.has(keyOf(identifier)) && !isOwn(config, identifier);
  });
}

/** Collects the profile's notes page by page, then the profile. Answers where it stopped when the step's time was over. */
async function collectProfile(run: EraseRun, memory: MemoryApi, from: CollectingProfile): Promise<CollectingProfile | undefined> {
  const { worklist, now } = run.context;
  const { phase, round, base, target } = from;
  const { store, id } = target;
  let state = from;
  for (;;) {
    const answer = await memory.readNotes(store, id, state.list, state.page);
    // Nothing can be listed below a profile that has gone in the meantime.
    const { ids, next } = answer.kind === 'absent' ? { ids: [], next: undefined } : expectOk(answer, now());
    const type = state.list === 'observations' ? 'observation' : 'summary';
    await worklist.add(ids.map((each) => itemOf(type, `${store}/${id}/${each}`, round)));
    if (next === undefined && state.list === 'summaries') break;
    state = next === undefined ? { phase, round, base, target, list: 'summaries' } : { ...state, page: next };
    if (await run.keep(state)) return state;
  }
  await worklist.add((await finalItems(run, memory, target)).map(({ type, ref }) => itemOf(type, ref, round)));
  return undefined;
}

/** What is done to the profile itself, after its notes: anonymising it leaves out what it does not have. */
async function finalItems({ context }: EraseRun, memory: MemoryApi, { store, id, identifiers }: Target): Promise<readonly WorkItem[]> {
  if (context.action === 'erase') return [{ type: 'profile', ref: `${store}/${id}` }];
  const traits = await memory.readTraits(store, id);
  const types = new Set(identifiers.map(({ idType }) => encodeURIComponent(idType)));
  return [
    ...(traits.kind !== 'absent' && hasTraits(expectOk(traits, context.now())) ? [{ type: 'trait_set', ref: `${store}/${id}` }] : []),
    ...[...types].map((type) => ({ type: 'profile_identifier', ref: `${store}/${id}/${type}` })),
  ];
}

/** Looks the profile up once. Notes that appear below it meanwhile are collected and deleted too. */
async function verify(run: EraseRun, memory: MemoryApi, state: Verifying): Promise<EraseResult> {
  const { context } = run;
  const { round, base, target, since } = state;
  const traces = await findTraces(memory, target, context.action, context.now());
  if (!traces.profile && traces.notes.length === 0) return finish(context, base, { target, ...outcomeOf(context) });
  await context.worklist.add(traces.notes.map(({ type, id }) => itemOf(type, `${target.store}/${target.id}/${id}`, round)));
  const fresh = await context.worklist.take(1);
  if (fresh.length > 0) return continueLater(context, { phase: 'deleting', round, base, target });
  const waitedMs = context.now() - since;
  if (waitedMs <= visibleMaxMs) return { state: 'wait', cursor: toJson(state), afterMs: lookAgainMs(waitedMs), reason: 'not_visible_yet' };
  const { deleted } = await context.worklist.summary();
  const detail = 'Twilio Memory accepted the deletion a day ago and still shows the profile';
  return { state: 'operator', code: 'STILL_PRESENT', detail, counts: deleted, residue: [], cursor: toJson({ phase: 'over', at: since, target }) };
}
