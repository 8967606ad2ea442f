import type { Stripe } from 'stripe';
import { z } from 'zod';
import type { Residue } from '../../contract/outcomes.ts';
import { Failure } from '../../connector-kit/index.ts';
import { pageOf, readCustomer } from './customers.ts';
import { refusalOf } from './gateway.ts';
import { goTo, lookAgain, vanished, type Move, type StageContext } from './move.ts';
import { hasPersonalFields } from './personal-fields.ts';
import { runOf, type Progress } from './progress.ts';

// The generally available SDK has no Redaction Jobs, so they are called by their paths through its raw request.
const jobsPath = '/v1/privacy/redaction_jobs';

const jobSchema = z.looseObject({
  id: z.string().min(1),
  object: z.literal('privacy.redaction_job'),
  created: z.int(),
  status: z.enum(['canceled', 'canceling', 'created', 'failed', 'ready', 'redacting', 'succeeded', 'validating']),
  objects: z.looseObject({ customers: z.array(z.string()).nullish() }).nullish(),
});
const jobPage = pageOf(jobSchema);
const errorPage = pageOf(
  z.looseObject({ id: z.string(), code: z.string(), erroring_object: z.looseObject({ id: z.string(), object_type: z.string() }).nullish() }),
);
type ValidationError = z.output<typeof errorPage>['data'][number];
const transactionSchema = z.looseObject({ created: z.int() });

/** "Transactions don't support deletion and can only be redacted after 90 days." */
const transactionAgeMs = 90 * 86_400_000;
/** A job of ours cannot be older than its request; clocks may differ by this much. */
const clockSlackMs = 3_600_000;

const get = (path: string) => async (client: Stripe) => client.rawRequest('GET', path);
const post = (path: string, params: Record<string, unknown>) => async (client: Stripe, idempotencyKey: string) =>
  client.rawRequest('POST', path, params, { idempotencyKey });
const jobPath = (id: string): string => `${jobsPath}/${encodeURIComponent(id)}`;

/**
 * Looks for a job that an earlier attempt created and could not note, among the unfinished ones made since the request came, by the objects
 * it names; one that failed is validated again first, since what stood in its way may be gone. An account without Redaction Jobs is found out here, before anything is changed: `UNSUPPORTED`.
 */
export async function adopt(at: StageContext, progress: Progress): Promise<Move> {
  let after: string | undefined;
  for (;;) {
    const path: string = `${jobsPath}?limit=100${after === undefined ? '' : `&starting_after=${encodeURIComponent(after)}`}`;
    const answer = await at.stripe.ask(jobPage, get(path));
    if (!answer.ok) {
      if (answer.status === 404) throw new Failure('UNSUPPORTED', 'This Stripe account has no Redaction Jobs; ask Stripe for the preview, or set mode: scrub_and_delete');
      throw refusalOf(answer.status, answer.code, at.task.now());
    }
    const recent = answer.body.data.filter((job) => job.created * 1000 >= at.task.receivedAt - clockSlackMs);
    for (const { id, status } of recent) {
      if (status === 'canceled' || status === 'canceling' || status === 'succeeded') continue;
      const job = await at.stripe.must(jobSchema, get(`${jobPath(id)}?expand[]=objects`));
      const customers = job.objects?.customers ?? [];
      // A job that redacts others besides is somebody else's decision.
      if (customers.length === 1 && customers[0] === progress.id) return goTo({ ...progress, job: id, polls: 0 }, job.status === 'failed' ? 'validate' : 'follow');
    }
    after = answer.body.data.at(-1)?.id;
    // Newest first: once a page reaches back beyond the request, the rest is older.
    if (!answer.body.has_more || after === undefined || recent.length < answer.body.data.length) return goTo(progress, 'clear');
  }
}

/** Creates the job; Stripe starts to validate it by itself. */
export async function createJob(at: StageContext, progress: Progress): Promise<Move> {
  const params = { objects: { customers: [progress.id] }, validation_behavior: at.config.redact.validation_behavior };
  const answer = await at.stripe.keyed(
    jobSchema,
    (generation) => at.task.idempotencyKey(`redact:${progress.id}:${runOf(progress)}`, generation),
    post(jobsPath, params),
  );
  if (!answer.ok) throw refusalOf(answer.status, answer.code, at.task.now());
  return goTo({ ...progress, job: answer.body.id, polls: 0 }, 'follow');
}

/** Looks after a job as often as its age asks for: every 2 s at first, every 15 s within five minutes, then every minute. */
function waitForJob(progress: Progress, job: string): Move {
  const polls = progress.polls + 1;
  const afterMs = polls <= 5 ? 2000 : polls <= 25 ? 15_000 : 60_000;
  return { kind: 'wait', progress: { ...progress, polls }, afterMs, reason: 'vendor_job', vendorJob: job };
}

/** Follows the job through its states, runs it when it is ready, and reads the customer back when it is done. */
export async function followJob(at: StageContext, progress: Progress): Promise<Move> {
  const { job: id } = progress;
  if (id === undefined) return goTo(progress, 'adopt');
  const answer = await at.stripe.ask(jobSchema, get(jobPath(id)));
  if (!answer.ok) {
    if (answer.status !== 404) throw refusalOf(answer.status, answer.code, at.task.now());
    return startOver(progress);
  }
  const { status } = answer.body;
  switch (status) {
    case 'created':
    case 'validating':
    case 'redacting':
      return waitForJob(progress, id);
    case 'ready': {
      const ran = await at.stripe.keyed(
        jobSchema,
        (generation) => at.task.idempotencyKey(`run:${id}:${runOf(progress)}`, generation),
        post(`${jobPath(id)}/run`, {}),
      );
      // Refused when somebody ran it in between: the next look shows what it is now.
      if (!ran.ok && ran.status !== 400) throw refusalOf(ran.status, ran.code, at.task.now());
      return waitForJob(progress, id);
    }
    case 'failed':
      return explainFailure(at, progress, id);
    case 'canceling':
    case 'canceled':
      return startOver(progress);
    case 'succeeded':
      return readRedacted(at, progress);
    default:
      return status satisfies never;
  }
}

/** The job is of no use any more: a new one, under a new key. */
function startOver(progress: Progress): Move {
  const { job: _gone, ...rest } = progress;
  return goTo({ ...rest, round: progress.round + 1, polls: 0 }, 'adopt');
}

async function readRedacted(at: StageContext, progress: Progress): Promise<Move> {
  const read = await readCustomer(at.stripe, progress.id, at.livemode, at.task.now());
  if (read.state === 'missing') return vanished(progress);
  if (read.state === 'deleted') return goTo(progress, 'erased');
  if (!hasPersonalFields(read.customer)) return goTo(progress, 'anonymised');
  // Sent on by a person, the same job says the same again: a new one it must be.
  const again = lookAgain(progress, 'Stripe says that the customer was redacted and still shows personal fields', 'adopt');
  if (again.kind !== 'operator') return again;
  const { job: _useless, ...rest } = again.progress;
  return { ...again, progress: rest };
}

async function validationErrors(at: StageContext, job: string): Promise<ValidationError[]> {
  const errors: ValidationError[] = [];
  let after: string | undefined;
  for (;;) {
    const path: string = `${jobPath(job)}/validation_errors?limit=100${after === undefined ? '' : `&starting_after=${encodeURIComponent(after)}`}`;
    const page = await at.stripe.must(errorPage, get(path));
    errors.push(...page.data);
    after = page.data.at(-1)?.id;
    if (!page.has_more || after === undefined) return errors;
  }
}

/** When a transaction that stands in the way is old enough, milliseconds since the epoch; undefined when its age is not the reason. */
async function oldEnoughAt(at: StageContext, error: ValidationError): Promise<number | undefined> {
  const { id, object_type: type } = error.erroring_object ?? { id: '', object_type: '' };
  if (error.code !== 'invalid_state' || (type !== 'charge' && type !== 'payment_intent')) return undefined;
  const noun = type === 'charge' ? 'charges' : 'payment_intents';
  const { created } = await at.stripe.must(transactionSchema, get(`/v1/${noun}/${encodeURIComponent(id)}`));
  const due = created * 1000 + transactionAgeMs;
  return due > at.task.now() ? due : undefined;
}

/** `failed` means that validation failed, which is no end: says whether to wait for another job, for age, or for a person. */
async function explainFailure(at: StageContext, progress: Progress, job: string): Promise<Move> {
  const errors = await validationErrors(at, job);
  const obstacles: Record<string, number> = {};
  let due: number | undefined;
  let isLocked = false;
  for (const error of errors) {
    if (error.code === 'locked_by_other_job') isLocked = true;
    else {
      const ripe = await oldEnoughAt(at, error);
      const what = (error.erroring_object?.object_type ?? error.code).toLowerCase().replaceAll(/[^a-z0-9_]/gu, '_').slice(0, 60);
      if (ripe === undefined) obstacles[what] = (obstacles[what] ?? 0) + 1;
      else due = Math.max(due ?? 0, ripe);
    }
  }
  const residue: Residue[] = Object.entries(obstacles).map(([what, count]) => ({ what, why: 'blocks_redaction', count }));
  if (residue.length > 0) {
    const detail = `Stripe will not redact before these are settled: ${Object.entries(obstacles).map(([what, n]) => `${n} ${what}`).join(', ')}; settle them, or set redact.validation_behavior: fix`;
    return { kind: 'operator', progress: { ...progress, stage: 'validate' }, code: 'UNSUPPORTED', detail, residue };
  }
  if (due !== undefined) return goTo({ ...progress, oldEnoughAt: due }, 'too_young');
  const again: Progress = { ...progress, stage: 'validate' };
  return isLocked ? { kind: 'wait', progress: again, afterMs: 60_000, reason: 'vendor_job', vendorJob: job } : { kind: 'next', progress: again };
}

/** Asks Stripe to validate a failed job again; in any other state the job is followed as it is. */
export async function revalidate(at: StageContext, progress: Progress): Promise<Move> {
  const { job: id } = progress;
  if (id === undefined) return goTo(progress, 'adopt');
  const job = await at.stripe.ask(jobSchema, get(jobPath(id)));
  if (!job.ok || job.body.status !== 'failed') return goTo(progress, 'follow');
  const next: Progress = { ...progress, round: progress.round + 1, stage: 'follow', looks: 0, polls: 0 };
  const answer = await at.stripe.keyed(
    jobSchema,
    (generation) => at.task.idempotencyKey(`validate:${id}:${runOf(next)}`, generation),
    post(`${jobPath(id)}/validate`, {}),
  );
  if (!answer.ok && answer.status !== 400) throw refusalOf(answer.status, answer.code, at.task.now());
  return { kind: 'wait', progress: next, afterMs: 2000, reason: 'vendor_job', vendorJob: id };
}
