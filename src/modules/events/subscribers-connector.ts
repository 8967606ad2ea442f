import { z } from 'zod';
import { Failure, type Connector, type EraseContext, type EraseResult, type Json } from '../../connector-kit/index.ts';
import { identifierKindSchema } from '../../contract/identifiers.ts';
import type { Counts, Residue } from '../../contract/outcomes.ts';
import type { AskedSubscriber, AskSubscribers } from './ask-subscribers.ts';

const configSchema = z.strictObject({
  identifiers: z.array(identifierKindSchema).min(1).default(['user_id']).describe('By which kinds the subscribers know people: each known identifier of these goes out in an event of its own.'),
});
type Config = z.output<typeof configSchema>;

const cursorSchema = z.strictObject({ generation: z.int().min(1), event: z.string(), since: z.number() });
type Cursor = z.output<typeof cursorSchema>;

const minuteMs = 60_000;
const firstLookMs = 5000;
const looksMsMax = 15 * minuteMs;

/**
 * Systems that erase on an event, `erasure.requested`, and acknowledge it by its id: a task is settled when every subscriber whose rule asks for an
 * acknowledgement has given it, and by nothing less. Who did not, or could not be reached, is named to the person that the task goes to.
 */
export function createSubscribersConnector(ask: AskSubscribers): Connector<Config> {
  return {
    name: 'subscribers',
    title: 'Subscribers of erasure events',
    config: configSchema,
    capabilities: (config) => ({
      erases: config.identifiers,
      locates: [],
      actions: ['erase'],
      isIdentityMap: false,
      latencyMs: { typical: 5 * minuteMs, worst: 24 * 60 * minuteMs },
      sanitization: 'clear',
      limits: { concurrency: 16, callsPerSecond: 1000, burst: 1000 },
    }),
    egress: () => [],
    connect: () => ({
      check: async () => undefined,
      locate: async () => ({ found: [], knows: [] }),
      erase: async (context) => erase(context, ask),
      // A subscriber's word is all there is.
      confirm: async () => ({ state: 'attested' }),
    }),
  };
}

/** The connector as far as a configuration is checked with it: it asks nobody. */
export const subscribersToCheck: Connector = createSubscribersConnector({
  request: async () => {
    throw new Error('A connector that only checks a configuration was asked to erase');
  },
  answers: async () => [],
}) as Connector;

const toJson = (cursor: Cursor): Json => ({ ...cursor });
const parse = (json: Json): Cursor | undefined => cursorSchema.safeParse(json).data;

/** A UUID (version 8) made of a task's key, so that asking again, whatever died in between, is the same event. */
function eventIdOf(context: EraseContext, generation: number): string {
  const hex = context.idempotencyKey('event', generation);
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-8${hex.slice(13, 16)}-a${hex.slice(17, 20)}-${hex.slice(20, 32)}`;
}

async function erase(context: EraseContext, ask: AskSubscribers): Promise<EraseResult> {
  const known = parse(context.cursor);
  const generation = known?.generation ?? (parse(context.previous)?.generation ?? 0) + 1;
  const cursor: Cursor = known ?? { generation, event: eventIdOf(context, generation), since: context.now() };
  const asked = known === undefined ? await ask.request({ eventId: cursor.event, requestId: context.request.id, taskId: context.taskId, identifier: context.identifier }) : await ask.answers(cursor.event);
  if (asked.length === 0) {
    throw new Failure('UNSUPPORTED', 'No rule asks a subscriber to acknowledge erasure.requested of this system, or one that does declares no identifier of this kind: in /events/rules, declare it, with acknowledgement: required');
  }
  return judge(context, cursor, asked);
}

const residueOf = (why: Residue['why']): readonly Residue[] => [{ what: 'subject_data', why }];

/** What the subscribers said, taken together: the worst counts. */
function judge(context: EraseContext, cursor: Cursor, asked: readonly AskedSubscriber[]): EraseResult {
  const counts: Counts = {};
  for (const { state } of asked) counts[`subscribers_${state}`] = (counts[`subscribers_${state}`] ?? 0) + 1;
  const named = (state: AskedSubscriber['state']): string => asked.filter((each) => each.state === state).map(({ subscriber }) => subscriber).join(', ');
  const has = (state: AskedSubscriber['state']): boolean => asked.some((each) => each.state === state);
  if (has('failed')) return { state: 'operator', code: 'VENDOR_JOB_FAILED', detail: `Could not do what the event asks for: ${named('failed')}`, counts, residue: residueOf('not_deleted'), cursor: toJson(cursor) };
  if (has('undelivered')) return { state: 'operator', code: 'EVENT_NOT_DELIVERED', detail: `The event could not be delivered to: ${named('undelivered')}`, counts, residue: residueOf('not_deleted'), cursor: toJson(cursor) };
  if (has('waiting')) {
    const afterMs = Math.min(looksMsMax, Math.max(firstLookMs, Math.floor((context.now() - cursor.since) / 4)));
    return { state: 'wait', cursor: toJson(cursor), afterMs, reason: 'vendor_job', vendorJob: cursor.event };
  }
  const end = { state: 'done', counts, vendorJob: cursor.event, cursor: toJson(cursor) } as const;
  if (has('retained')) return { ...end, outcome: 'retained', residue: residueOf('legal_obligation') };
  if (asked.every(({ state }) => state === 'nothing_held')) return { ...end, outcome: 'nothing_matched', residue: [] };
  return { ...end, outcome: has('anonymised') ? 'anonymised' : 'erased', residue: [] };
}
