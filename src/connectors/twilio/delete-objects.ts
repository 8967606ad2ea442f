import { Failure, type EraseResult, type StoredWorkItem } from '../../connector-kit/index.ts';
import { toJson, type Deleting } from './erase-cursor.ts';
import { continueLater, type EraseRun } from './erase-run.ts';
import { failureOf, type Answer } from './gateway.ts';
import { createMemoryApi, type MemoryApi } from './memory-api.ts';

/** How many deletions go out together: what a death can leave without a receipt. Twilio limits concurrency, not the rate. */
const batchSize = 10;
const minuteMs = 60_000;
const hourMs = 60 * minuteMs;
const dayMs = 24 * hourMs;
/** Twilio's limit for an object to become final is 14 days; a day more for the clocks. */
const notFinalMaxMs = 15 * dayMs;

/** When to ask again for an object that is not final: never before the minute that Twilio asks for, then a quarter of the time waited so far. */
export function retryNotFinalMs(waitedMs: number): number {
  return Math.min(6 * hourMs, Math.max(minuteMs, Math.floor(waitedMs / 4)));
}

/**
 * Deletes what the worklist holds, a batch at a time, each settled before the next, so that nothing that was answered is deleted again.
 * Objects that are not final yet (20009) are put off. Answers undefined when nothing is left, or the result of a step that ends here.
 */
export async function deleteObjects(run: EraseRun, from: Deleting): Promise<EraseResult | undefined> {
  const { worklist } = run.context;
  const memory = createMemoryApi(run.config, run.gateway, run.context);
  let state = from;
  for (let batch = await takeBatch(run); batch.length > 0; batch = await takeBatch(run)) {
    const results = await Promise.allSettled(batch.map(async (item) => deleteObject(run, memory, item)));
    const outcome = sortOut(batch, results);
    await worklist.settle(outcome.deleted, 'deleted');
    await worklist.settle(outcome.absent, 'absent');
    if (outcome.notFinal.length > 0) state = await putOff(run, state, outcome.notFinal);
    if (outcome.thrown !== undefined) throw outcome.thrown.reason;
    if (outcome.moved) return personNeeded(run, state, 'SUBJECT_AMBIGUOUS', 'The profile was merged into one that was not resolved while it was being erased');
    if (run.context.shouldYield()) return continueLater(run.context, state);
  }
  const { deferred } = await worklist.summary();
  if (deferred === 0) return undefined;
  const now = run.context.now();
  if (state.notFinalSince !== undefined && now - state.notFinalSince > notFinalMaxMs) {
    return personNeeded(run, state, 'TASK_WINDOW_PASSED', 'Twilio says after 15 days that objects are not final, and deletes no such objects');
  }
  return { state: 'wait', cursor: toJson(state), afterMs: Math.max(1000, (state.dueAt ?? now + minuteMs) - now), reason: 'not_final_yet' };
}

async function personNeeded(run: EraseRun, state: Deleting, code: 'SUBJECT_AMBIGUOUS' | 'TASK_WINDOW_PASSED', detail: string): Promise<EraseResult> {
  const { deleted } = await run.context.worklist.summary();
  return { state: 'operator', code, detail, counts: deleted, residue: [], cursor: toJson(state) };
}

/** The next items of one type: parts are collected before what they belong to, and are gone before it is touched. */
async function takeBatch(run: EraseRun): Promise<readonly StoredWorkItem[]> {
  const items = await run.context.worklist.take(batchSize);
  const other = items.findIndex(({ type }) => type !== items[0]?.type);
  return other === -1 ? items : items.slice(0, other);
}

interface Outcome {
  readonly deleted: number[];
  readonly absent: number[];
  readonly notFinal: number[];
  moved: boolean;
  thrown?: { readonly reason: unknown };
}

function sortOut(batch: readonly StoredWorkItem[], results: readonly PromiseSettledResult<Deletion>[]): Outcome {
  const outcome: Outcome = { deleted: [], absent: [], notFinal: [], moved: false };
  for (const [index, { ordinal }] of batch.entries()) {
    const result = results[index];
    if (result === undefined) continue;
    if (result.status === 'fulfilled') {
      if (result.value === 'moved') outcome.moved = true;
      else outcome[result.value].push(ordinal);
    } else if (outcome.thrown === undefined || isRetried(outcome.thrown.reason)) outcome.thrown = { reason: result.reason };
  }
  return outcome;
}

const isRetried = (reason: unknown): boolean => reason instanceof Failure && reason.retry === 'later';

async function putOff(run: EraseRun, state: Deleting, ordinals: readonly number[]): Promise<Deleting> {
  const now = run.context.now();
  const notFinalSince = state.notFinalSince ?? now;
  const afterMs = retryNotFinalMs(now - notFinalSince);
  for (const ordinal of ordinals) await run.context.worklist.defer(ordinal, afterMs);
  const earlier = state.dueAt !== undefined && state.dueAt > now ? state.dueAt : Infinity;
  const next = { ...state, notFinalSince, dueAt: Math.min(earlier, now + afterMs) };
  await run.keep(next);
  return next;
}

type Deletion = 'deleted' | 'absent' | 'notFinal' | 'moved';

async function deleteObject(run: EraseRun, memory: MemoryApi, item: StoredWorkItem): Promise<Deletion> {
  const [ref = ''] = item.ref.split('#', 1);
  const answer = await callDeletion(run, memory, item.type, ref.split('/'));
  switch (answer.kind) {
    case 'absent':
      return 'absent';
    case 'not_final':
      return 'notFinal';
    case 'moved':
      return 'moved';
    case 'refused':
      // No longer scheduled: then it is an ordinary message, which comes next.
      if (item.type === 'message_cancellation') return 'absent';
      throw failureOf(answer, run.context.now());
    case 'ok':
      return 'deleted';
  }
}

/** Keeps a deletion from setting off the flows that react to changes of conversations. Only Conversations heeds it. */
const silent = { xTwilioWebhookEnabled: 'false' } as const;

async function callDeletion({ gateway }: EraseRun, memory: MemoryApi, type: string, [one = '', two = '', three = '']: readonly string[]): Promise<Answer<unknown>> {
  switch (type) {
    case 'call':
      return gateway.ask(async (client) => client.calls(one).remove());
    case 'recording':
      return gateway.ask(async (client) => client.recordings(one).remove());
    case 'transcription':
      return gateway.ask(async (client) => client.transcriptions(one).remove());
    case 'add_on_result':
      return gateway.ask(async (client) => client.recordings(one).addOnResults(two).remove());
    case 'media':
      return gateway.ask(async (client) => client.messages(one).media(two).remove());
    case 'message_cancellation':
      return gateway.ask(async (client) => client.messages(one).update({ status: 'canceled' }));
    case 'message':
      return gateway.ask(async (client) => client.messages(one).remove());
    case 'conversation_message':
      return gateway.ask(async (client) => client.conversations.v1.conversations(one).messages(two).remove(silent));
    case 'participant':
    case 'shared_participant':
      return gateway.ask(async (client) => client.conversations.v1.conversations(one).participants(two).remove(silent));
    case 'conversation':
      return gateway.ask(async (client) => client.conversations.v1.conversations(one).remove(silent));
    case 'user':
      return gateway.ask(async (client) => client.conversations.v1.users(one).remove(silent));
    case 'observation':
      return memory.deleteNote(one, two, 'observations', three);
    case 'summary':
      return memory.deleteNote(one, two, 'summaries', three);
    case 'trait_set':
      return nullTraits(memory, one, two);
    case 'profile_identifier':
      return memory.dropIdentifier(one, two, decodeURIComponent(three));
    case 'profile':
      return memory.deleteProfile(one, two);
    default:
      throw new Failure('INTERNAL', 'The worklist holds a type that the Twilio connector does not know');
  }
}

/** Reads first: which traits there are is known only to the profile, and what is null already needs no change. */
async function nullTraits(memory: MemoryApi, store: string, profile: string): Promise<Answer<unknown>> {
  const traits = await memory.readTraits(store, profile);
  if (traits.kind !== 'ok') return traits;
  if (!hasTraits(traits.value)) return { kind: 'absent' };
  return memory.nullTraits(store, profile, traits.value);
}

/** Says whether any trait has a value. */
export function hasTraits(traits: Readonly<Record<string, Readonly<Record<string, unknown>>>>): boolean {
  return Object.values(traits).some((group) => Object.values(group).some((value) => value !== null));
}
