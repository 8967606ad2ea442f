import { Failure, type EraseContext } from '../../connector-kit/index.ts';
import type { ErrorCode } from '../../contract/errors.ts';
import type { Counts, Residue } from '../../contract/outcomes.ts';
import { declaredFailure, firstFit, retryAfterMs, unexpected, type Answer } from './call.ts';
import type { EraseAnswer, EraseStep } from './declaration.ts';
import type { Unit } from './erase-cursor.ts';
import { idAt, valueAt } from './json-path.ts';
import { erasureValues, type System } from './look-up.ts';
import { renderRequest } from './render-request.ts';

/** What one call for a step came to. */
export type StepOutcome =
  | { readonly is: 'success'; readonly counts: Counts; readonly job?: string | undefined }
  /** `wasAsked`: an earlier call for it was not answered, and may have done it. */
  | { readonly is: 'gone'; readonly wasAsked: boolean }
  | { readonly is: 'none' }
  | { readonly is: 'retained'; readonly residue: Residue }
  | { readonly is: 'pending'; readonly unit: Unit; readonly afterMs: number; readonly reason: 'vendor_job' | 'not_visible_yet' }
  | { readonly is: 'operator'; readonly code: ErrorCode; readonly detail: string };

/** How often a system may say that it does not know its own job before a person looks at it. */
const lostMax = 3;
/** Polls: every 15 s for 5 minutes, every 60 s from then on, unless the system or the declaration says otherwise. */
const firstMs = 15_000;
const firstForMs = 300_000;
const laterMs = 60_000;
/** No system is asked again sooner than this, whatever it says: `Retry-After: 0` would be a poll without a pause. */
const soonestMs = 2_000;
/** What may stand in the log as a job's id: nothing that could be an address or a sentence. */
const jobIdRule = /^[\w.:-]{1,200}$/u;

/** What a step needs of its surroundings. */
export type StepContext = Pick<EraseContext, 'fetch' | 'now' | 'signal' | 'identifier' | 'identifiers' | 'request' | 'taskId' | 'earlierJobs' | 'idempotencyKey'>;

/** What a step is about. */
export interface StepRun {
  readonly context: StepContext;
  readonly system: System;
  readonly step: EraseStep;
  readonly unit: Unit;
  readonly generation: number;
  /** The id of the record, where it is about one. */
  readonly item?: string;
  /** Makes the unit durable before the step is over. */
  readonly keep: (unit: Unit) => Promise<void>;
}

/**
 * Makes the one call that a step needs now: the erasing one, always with the same idempotency key, or the poll of its job. Throws what is to be
 * tried again. Nothing is taken for good that no rule of the declaration is about.
 */
export async function runStep(run: StepRun): Promise<StepOutcome> {
  const { context, system, step, unit } = run;
  // A poll that does not need the job's id starts with the first answer that says pending.
  const poll = unit.accepted ? step.poll : undefined;
  const template = poll?.request ?? step.request;
  const rules: readonly EraseAnswer[] = poll?.answers ?? step.answers;
  const key = context.idempotencyKey(`erase:${unit.step}:${run.item ?? ''}`, run.generation);
  const values = { ...erasureValues(system.declaration, context), idempotency_key: key, 'item.id': run.item, vendor_job: unit.job };
  // What only reads cannot have erased anything.
  const isErasing = poll === undefined && template.method !== 'GET';
  let last = unit;
  let status: number | undefined;
  const keep = async (next: Unit): Promise<void> => {
    last = next;
    await run.keep(next);
  };
  const sending = async (): Promise<void> => (isErasing && !last.asked ? keep({ ...last, asked: true }) : undefined);
  const heard = (answered: number): void => {
    status = answered;
  };
  try {
    const answer = await system.send(context, renderRequest(system.declaration.base_url, template, values), { sending, heard });
    const rule = firstFit(rules, answer);
    if (rule === undefined) throw unexpected(answer, context.now());
    return await judge({ ...run, keep }, rule, answer, poll !== undefined);
  } catch (error) {
    // Refused, so that nothing was done: if it is gone later on, that was not this call.
    if (last.asked !== unit.asked && isRefusal(error, status)) await keep({ ...last, asked: unit.asked });
    throw error;
  }
}

/** True for a call that did nothing: one that never left, one that was refused, and 503. After another 5xx nobody knows. */
function isRefusal(error: unknown, status: number | undefined): boolean {
  if (status !== undefined) return status === 503 || (status >= 400 && status < 500 && status !== 408);
  return error instanceof Failure && (error.code === 'VENDOR_RATE_LIMITED' || error.retry === 'operator');
}

async function judge(run: StepRun, rule: EraseAnswer, answer: Answer, isPoll: boolean): Promise<StepOutcome> {
  const { context, step, unit } = run;
  const now = context.now();
  const job = 'job' in rule && rule.job !== undefined ? idAt(answer.body, rule.job) : undefined;
  if (job !== undefined && (!jobIdRule.test(job) || namesPerson(context, job))) {
    return { is: 'operator', code: 'VENDOR_MALFORMED', detail: 'The system gave its job an id that is none, or that holds an identifier of the person; it is not recorded, and the job not followed' };
  }
  const known = unit.known ?? unit.job;
  if (job !== undefined && known !== undefined && job !== known) {
    return { is: 'operator', code: 'VENDOR_INCONSISTENT', detail: 'The system named another job for the same idempotency key than before' };
  }
  switch (rule.is) {
    case 'success':
      return success(rule, answer, job ?? known);
    case 'already_gone':
      return { is: 'gone', wasAsked: unit.asked };
    case 'nothing_matched':
      return { is: 'none' };
    case 'still_there':
      return { is: 'operator', code: 'STILL_PRESENT', detail: 'The system still has what it said was erased' };
    case 'retained':
      return { is: 'retained', residue: residueOf(rule, answer) };
    case 'pending': {
      if (job === undefined && known === undefined && rule.job !== undefined) throw new Failure('VENDOR_MALFORMED', 'The system accepted a job and did not say which');
      const next: Unit = { ...unit, accepted: true, ...(job === undefined ? {} : { job, known: job }) };
      // Before anything else can fail: from here on the job is followed and not asked for again.
      if (!unit.accepted) await run.keep(next);
      const asked = retryAfterMs(answer, rule.retry_after, now);
      const every = step.poll?.every_seconds;
      const scheduled = every === undefined ? (now - unit.since < firstForMs ? firstMs : laterMs) : every * 1000;
      return { is: 'pending', unit: next, afterMs: Math.max(soonestMs, asked ?? scheduled), reason: 'vendor_job' };
    }
    case 'unknown_job': {
      if (unit.lost + 1 >= lostMax) return { is: 'operator', code: 'VENDOR_JOB_FAILED', detail: 'The system does not know the job that it had accepted' };
      // Not visible yet, or lost: it is asked for again with the same key, which must name the same job.
      const { job: _dropped, ...rest } = unit;
      return { is: 'pending', unit: { ...rest, accepted: false, lost: unit.lost + 1 }, afterMs: firstMs, reason: 'not_visible_yet' };
    }
    case 'failure': {
      if (rule.retry === 'operator') return { is: 'operator', code: isPoll || job !== undefined ? 'VENDOR_JOB_FAILED' : 'CONNECTION_REFUSED', detail: `The system answered ${answer.status}, which its declaration calls a failure` };
      if (job !== undefined && unit.known === undefined) await run.keep({ ...unit, known: job });
      throw declaredFailure(answer, rule, now);
    }
  }
}

function success(rule: Extract<EraseAnswer, { is: 'success' }>, answer: Answer, job: string | undefined): StepOutcome {
  const counts: Record<string, number> = {};
  for (const [name, path] of Object.entries(rule.counts)) {
    const found = valueAt(answer.body, path);
    if (found === undefined || found === null) continue;
    const count = Array.isArray(found) ? found.length : found;
    if (typeof count !== 'number' || !Number.isSafeInteger(count) || count < 0) throw new Failure('VENDOR_MALFORMED', `The system answered with a count of ${name} that is none`);
    counts[name] = count;
  }
  if (Object.keys(rule.counts).length > 0) {
    if (Object.keys(counts).length === 0) throw new Failure('VENDOR_MALFORMED', 'The system says that it erased, and not how much, which its declaration says');
    // Done, with nothing deleted: nobody was there, whatever it is called.
    if (Object.values(counts).every((count) => count === 0)) return { is: 'none' };
  }
  return { is: 'success', counts, job };
}

/** True where an id holds an identifier of the person, in whatever punctuation: job ids are recorded for good. */
function namesPerson({ identifier, identifiers }: StepContext, id: string): boolean {
  const bare = (text: string): string => text.toLowerCase().replaceAll(/[^\p{L}\p{N}]/gu, '');
  const texts = [identifier, ...identifiers].flatMap(({ value, raw }) => [value, ...(raw === undefined ? [] : [raw])]);
  return texts.some((each) => (each.length >= 4 && id.toLowerCase().includes(each.toLowerCase())) || (bare(each).length >= 6 && bare(id).includes(bare(each))));
}

function residueOf(rule: Extract<EraseAnswer, { is: 'retained' }>, answer: Answer): Residue {
  const found = rule.legal_basis?.startsWith('$') === true ? valueAt(answer.body, rule.legal_basis) : undefined;
  // A system's own words could hold a name: only what the declaration lists is repeated.
  const basis = rule.legal_basis?.startsWith('$') === true ? rule.legal_bases.find((each) => each === found) : rule.legal_basis;
  const said = rule.until === undefined ? undefined : valueAt(answer.body, rule.until);
  const until = typeof said === 'string' && /^\d{4}-\d{2}-\d{2}/u.test(said) ? Date.parse(said) : Number.NaN;
  return {
    what: rule.what,
    why: rule.why,
    ...(basis === undefined ? {} : { legal_basis: basis }),
    ...(Number.isNaN(until) ? {} : { until: new Date(until).toISOString() }),
  };
}
