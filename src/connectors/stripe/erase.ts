import type { Residue } from '../../contract/outcomes.ts';
import { Failure, type EraseContext, type EraseResult } from '../../connector-kit/index.ts';
import { expectedLivemode, type StripeConfig } from './config.ts';
import { findByEmail, readCustomer, type Customer } from './customers.ts';
import { createStripeGateway } from './gateway.ts';
import { allKinds, countsOf, firstPage, residueOf } from './held.ts';
import { readLiteral, writeLiteral } from './mark-only.ts';
import { goTo, type Move, type StageContext } from './move.ts';
import { hasPersonalFields, scrubMark } from './personal-fields.ts';
import { endStages, keepCursor, readCursor, startProgress, type Progress, type TaskCursor } from './progress.ts';
import { adopt, createJob, followJob, revalidate } from './redact.ts';
import { clear, count, deleteOnce, pollDeleted, readMark, scrub } from './scrub-and-delete.ts';

/** Takes one task as far as this step may: each stage is kept before it is entered, so that a death costs one stage's look, never a second effect. */
export async function erase(config: StripeConfig, context: EraseContext): Promise<EraseResult> {
  const at: StageContext = { stripe: createStripeGateway(config, context), task: context, config, livemode: expectedLivemode(config) };
  const kept = readCursor(context.cursor);
  let task = kept === undefined ? await begin(at) : reopen(kept, context.now());
  if (task.customers.length === 0) return { state: 'done', outcome: 'nothing_matched', counts: {}, residue: [], proof: { mode: config.mode, searched: task.searched } };
  await context.save(keepCursor(task));
  for (;;) {
    const current = task.customers.findIndex((each) => !endStages.includes(each.stage));
    const progress = task.customers[current];
    if (progress === undefined) return finish(config, context, task);
    const move = await takeStage(at, progress);
    task = { ...task, customers: task.customers.with(current, move.progress) };
    const cursor = keepCursor(task);
    if (move.kind === 'wait') {
      return { state: 'wait', cursor, afterMs: move.afterMs, reason: move.reason, ...(move.vendorJob === undefined ? {} : { vendorJob: move.vendorJob }) };
    }
    if (move.kind === 'operator') {
      return { state: 'operator', code: move.code, detail: move.detail, counts: settledCounts(config, task), residue: [...(move.residue ?? [])], cursor };
    }
    if (context.shouldYield()) return { state: 'continue', cursor, done: settled(task).length, total: task.customers.length };
    if (!isCheaplyRepeated(progress, move.progress)) await context.save(cursor);
  }
}

/** Counting changes nothing: a death in the middle of it costs its first pages again, and only what goes on over pages is worth keeping. */
function isCheaplyRepeated(before: Progress, after: Progress): boolean {
  return (before.stage === 'look' || before.stage === 'count') && after.stage === 'count' && after.counting?.after === undefined;
}

/** Which customers the task is about: the one that is named, or all under the address. */
async function begin(at: StageContext): Promise<TaskCursor> {
  const { identifier } = at.task;
  const now = at.task.now();
  if (identifier.kind === 'stripe_customer') return { v: 1, searched: true, customers: [startProgress(identifier.value, now)] };
  if (identifier.kind !== 'email') throw new Failure('UNSUPPORTED', 'Stripe finds customers by their id or e-mail address only');
  const { customers, searched } = await findByEmail(at.stripe, identifier.value, at.livemode, now);
  return { v: 1, searched, customers: customers.map((each) => startProgress(each.id, now)) };
}

/** Customers whose transactions were too young and are not any more go on where they stopped. */
function reopen(task: TaskCursor, now: number): TaskCursor {
  const reopened = task.customers.map((each): Progress => (each.stage === 'too_young' && (each.oldEnoughAt ?? 0) <= now ? { ...each, stage: 'validate' } : each));
  return { ...task, customers: reopened };
}

async function takeStage(at: StageContext, progress: Progress): Promise<Move> {
  const { mode } = at.config;
  switch (progress.stage) {
    case 'look':
      return look(at, progress);
    case 'count':
      if (mode === 'redact') return count(at, progress, ['payment_methods'], 'adopt');
      return count(at, progress, allKinds, mode === 'mark_only' ? 'literal' : 'clear');
    case 'clear':
      return mode === 'redact' ? clear(at, progress, ['payment_methods'], 'create') : clear(at, progress, ['tax_ids', 'payment_methods'], 'scrub');
    case 'scrub':
      return scrub(at, progress);
    case 'read_mark':
      return readMark(at, progress);
    case 'delete':
      return deleteOnce(at, progress);
    case 'poll':
      return pollDeleted(at, progress);
    case 'adopt':
      return adopt(at, progress);
    case 'create':
      // An earlier attempt may have created the job longer ago than Stripe keeps keys.
      return at.task.attempt > 1 ? adoptOrCreate(at, progress) : createJob(at, progress);
    case 'follow':
      return followJob(at, progress);
    case 'validate':
      return revalidate(at, progress);
    case 'literal':
      return writeLiteral(at, progress);
    case 'read_literal':
      return readLiteral(at, progress);
    case 'erased':
    case 'anonymised':
    case 'marked':
    case 'too_young':
    case 'absent':
    case 'unknown':
      return { kind: 'next', progress };
    default:
      return progress.stage satisfies never;
  }
}

async function adoptOrCreate(at: StageContext, progress: Progress): Promise<Move> {
  const found = await adopt(at, progress);
  return found.progress.job === undefined ? createJob(at, progress) : found;
}

async function look(at: StageContext, progress: Progress): Promise<Move> {
  const read = await readCustomer(at.stripe, progress.id, at.livemode, at.task.now());
  if (read.state === 'missing') return goTo(progress, 'unknown');
  if (read.state === 'deleted') return goTo(progress, 'absent');
  return goTo(progress, (await isDoneAlready(at, read.customer)) ? 'absent' : 'count');
}

/** Whether a living customer needs nothing any more: redacted, or, where it is to live on, emptied, marked and without what hangs on it. */
async function isDoneAlready(at: StageContext, customer: Customer): Promise<boolean> {
  if (at.config.mode === 'mark_only' || hasPersonalFields(customer)) return false;
  if (at.config.mode === 'redact') return customer.redaction?.status === 'redacted';
  if (at.task.action !== 'anonymise' || customer.metadata?.[scrubMark.key] !== scrubMark.value) return false;
  for (const kind of ['tax_ids', 'payment_methods'] as const) if ((await firstPage(at.stripe, kind, customer.id)).length > 0) return false;
  return true;
}

const settled = (task: TaskCursor): Progress[] => task.customers.filter((each) => endStages.includes(each.stage));
const acted = (task: TaskCursor): Progress[] => task.customers.filter((each) => each.stage === 'erased' || each.stage === 'anonymised');

function settledCounts(config: StripeConfig, task: TaskCursor): Record<string, number> {
  const done = acted(task);
  if (done.length === 0) return {};
  return { customers: done.length, ...countsOf(done, config.mode === 'redact' ? ['payment_methods'] : ['tax_ids', 'payment_methods']) };
}

/** The worst of what happened to the customers is what happened to the task. */
function outcomeOf(task: TaskCursor): Extract<EraseResult, { state: 'done' }>['outcome'] {
  const has = (stage: Progress['stage']): boolean => task.customers.some((each) => each.stage === stage);
  if (has('marked') || has('too_young')) return 'retained';
  if (has('anonymised')) return 'anonymised';
  if (has('erased')) return 'erased';
  return has('absent') ? 'already_absent' : 'nothing_matched';
}

function finish(config: StripeConfig, context: EraseContext, task: TaskCursor): EraseResult {
  const now = context.now();
  const outcome = outcomeOf(task);
  const by = (stage: Progress['stage']): Progress[] => task.customers.filter((each) => each.stage === stage);
  const marked = by('marked');
  const young = by('too_young');
  const due = Math.max(0, ...young.map((each) => each.oldEnoughAt ?? 0));
  const residue: Residue[] = [];
  if (marked.length > 0) residue.push({ what: 'customers', why: 'mark_only', count: marked.length });
  if (young.length > 0) residue.push({ what: 'customers', why: 'too_young_to_redact', count: young.length, until: new Date(due).toISOString() });
  // A redaction covers what hangs on the customer, events and logs too; a deletion does not.
  const snapshots = config.mode === 'redact' ? [] : [...acted(task), ...marked];
  if (snapshots.length > 0) residue.push(...residueOf(snapshots, config, now));
  const vendorJob = task.customers.find((each) => each.job !== undefined)?.job;
  return {
    state: 'done',
    outcome,
    counts: settledCounts(config, task),
    residue,
    proof: proofOf(config, task),
    cursor: keepCursor(task),
    ...(vendorJob === undefined ? {} : { vendorJob }),
    ...(young.length > 0 ? { revisitAt: due } : {}),
  };
}

/** What was seen on the way, and cannot be seen afterwards. Every erased customer went through the reading of its mark first. */
function proofOf(config: StripeConfig, task: TaskCursor): Record<string, string | boolean | number> {
  const has = (stage: Progress['stage']): boolean => task.customers.some((each) => each.stage === stage);
  const first = task.customers.find((each) => each.stage === 'erased' || each.stage === 'anonymised' || each.stage === 'marked');
  return {
    mode: config.mode,
    ...(config.mode !== 'redact' && first !== undefined ? { mark_read_back: true, marked_at: new Date(first.startedAt).toISOString() } : {}),
    ...(config.mode === 'scrub_and_delete' && has('erased') ? { deleted_read_back: true } : {}),
    ...(config.mode === 'redact' && has('anonymised') ? { redaction_job_succeeded: true, redacted_read_back: true } : {}),
    ...(task.searched ? {} : { search_available: false }),
  };
}
