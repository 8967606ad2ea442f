import type { EraseContext, EraseResult, WorkItem } from '../../connector-kit/index.ts';
import type { Counts } from '../../contract/outcomes.ts';
import type { TwilioConfig } from './config.ts';
import { toJson, type EraseCursor } from './erase-cursor.ts';
import { createTwilioGateway, type TwilioGateway } from './gateway.ts';

/** What every part of one step works with. */
export interface EraseRun {
  readonly context: EraseContext;
  readonly config: TwilioConfig;
  readonly gateway: TwilioGateway;
  /** Makes the cursor durable, and says whether the step's time is over. */
  readonly keep: (cursor: EraseCursor) => Promise<boolean>;
}

/** Makes the surroundings of one step. */
export function createEraseRun(context: EraseContext, config: TwilioConfig): EraseRun {
  return {
    context,
    config,
    gateway: createTwilioGateway(config, context),
    keep: async (cursor) => {
      await context.save(toJson(cursor));
      return context.shouldYield();
    },
  };
}

/** Adds two counts; `sign` -1 takes the second away. */
export function addCounts(one: Counts, other: Counts, sign: 1 | -1 = 1): Counts {
  const sum: Record<string, number> = { ...one };
  for (const [type, count] of Object.entries(other)) sum[type] = Math.max(0, (sum[type] ?? 0) + sign * count);
  return Object.fromEntries(Object.entries(sum).filter(([, count]) => count > 0));
}

/** How many objects the counts come to. */
export function totalOf(counts: Counts): number {
  return Object.values(counts).reduce((sum, count) => sum + count, 0);
}

/** Begins a run: what the worklist has settled already belongs to earlier ones. */
export async function startRun(context: EraseContext): Promise<{ readonly round: number; readonly base: Counts }> {
  const { deleted } = await context.worklist.summary();
  return { round: await countSettled(context), base: deleted };
}

/** How many objects the worklist has seen gone, whatever the run. */
export async function countSettled(context: EraseContext): Promise<number> {
  const { deleted, absent } = await context.worklist.summary();
  return totalOf(deleted) + totalOf(absent);
}

/** A worklist reference, told apart from the same object's in an earlier run. */
export function itemOf(type: string, ref: string, round: number): WorkItem {
  return { type, ref: round === 0 ? ref : `${ref}#${round}` };
}

/** The answer of a step that has to stop here, with how far it is. */
export async function continueLater(context: EraseContext, cursor: EraseCursor): Promise<EraseResult> {
  const { open, deferred, deleted, absent } = await context.worklist.summary();
  const done = totalOf(deleted) + totalOf(absent);
  // Some worklists count deferred items among the open ones; the larger figure is certain.
  return { state: 'continue', cursor: toJson(cursor), done, total: done + Math.max(open, deferred) };
}
