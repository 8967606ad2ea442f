import { z } from 'zod';
import { Failure, type EraseContext, type EraseResult, type Json } from '../../connector-kit/index.ts';
import type { Residue } from '../../contract/outcomes.ts';
import { leftOut, type PiiConfig } from './config.ts';
import { externalIdsOf } from './external-ids.ts';
import type { Gateway } from './gateway.ts';
import { createDeletion, readDeletion, sameSubject } from './pii-api.ts';

const secondMs = 1000;
const minuteMs = 60_000;
/** A job that is not found this soon after its creation may only not be visible yet. */
const visibleMs = 10 * minuteMs;

const entrySchema = z.object({
  /** As it is sent. */
  externalId: z.string(),
  /** Raised when a person has the job of this id made once more. */
  generation: z.int().positive(),
  /** True from just before it is submitted: from then on it may be at Genesys, whatever was heard. */
  posted: z.boolean(),
  /** How often it was submitted again since no answer came. */
  again: z.int().min(0),
  job: z.string().optional(),
  since: z.number(),
  /** `lost`: Genesys knows the job no more. */
  state: z.enum(['open', 'completed', 'failed', 'cancelled', 'lost']),
  records: z.int().min(0),
  /** Scopes that were asked for and are not in the job. */
  missing: z.array(z.string()),
});
type Entry = z.output<typeof entrySchema>;
const cursorSchema = z.object({ api: z.literal('pii'), entries: z.array(entrySchema).min(1) });

/** When to look at a job again, given its age: every 15 s in its first 5 minutes, then every minute. */
export function pollAfterMs(ageMs: number): number {
  return ageMs < 5 * minuteMs ? 15 * secondMs : minuteMs;
}

/**
 * One step of erasing a person by the PII deletion form: one job for each external id that the identifier can have there, one after the other.
 * Each job's id is kept as soon as it is known. A job that is `completed` counts for what it deleted: where none deleted anything, nothing matched.
 */
export async function eraseByForm(context: EraseContext, config: PiiConfig, gateway: Gateway): Promise<EraseResult> {
  const entries = [...(parse(context.cursor) ?? begin(context, config))];
  for (;;) {
    const at = entries.findIndex((each) => each.state === 'open');
    const entry = entries[at];
    if (entry === undefined) return finish(config, entries);
    const keep = async (next: Entry): Promise<void> => {
      entries[at] = next;
      await context.save(toJson(entries));
    };
    const { job } = entry;
    if (job === undefined) await submit(context, config, gateway, entry, keep);
    else {
      const isVisible = await look(context, config, gateway, { ...entry, job }, keep);
      if (!isVisible) return wait(context, entries, at, 'not_visible_yet');
    }
    if (entries[at]?.state === 'open') return wait(context, entries, at, 'vendor_job');
    if (context.shouldYield()) return { state: 'continue', cursor: toJson(entries), done: at + 1, total: entries.length };
  }
}

/**
 * What is to be sent, with what an earlier turn left: a job that runs is followed on and one that deleted something is not made again, while one that
 * failed or found nothing is made anew under the ids as they are configured by now.
 */
function begin(context: EraseContext, config: PiiConfig): readonly Entry[] {
  // One of the other API, from before the configuration was changed, says nothing here.
  const before = cursorSchema.safeParse(context.previous).data?.entries ?? [];
  const isKept = (each: Entry): boolean => each.state === 'open' || (each.state === 'completed' && each.records > 0);
  const ids = externalIdsOf(config, context.identifier);
  if (ids.length === 0) throw new Failure('UNSUPPORTED', `No external id can be made of a ${context.identifier.kind} with this configuration`);
  const fresh = ids.flatMap((externalId): readonly Entry[] => {
    const old = before.find((each) => each.externalId === externalId);
    if (old !== undefined && isKept(old)) return [];
    return [{ externalId, generation: (old?.generation ?? 0) + 1, posted: false, again: 0, since: context.now(), state: 'open', records: 0, missing: [] }];
  });
  return [...before.filter(isKept), ...fresh];
}

async function submit(context: EraseContext, config: PiiConfig, gateway: Gateway, entry: Entry, keep: (next: Entry) => Promise<void>): Promise<void> {
  const again = entry.again + (entry.posted ? 1 : 0);
  await keep({ ...entry, posted: true, again });
  const requestId = context.idempotencyKey(`deletion ${entry.externalId}`, entry.generation);
  let job: string;
  try {
    job = await createDeletion(context, config, gateway, { externalId: entry.externalId, requestId });
  } catch (error) {
    // Refused outright, so nothing was created, unless an earlier submission was.
    const isRefused = error instanceof Failure && (error.retry === 'operator' || error.code === 'VENDOR_RATE_LIMITED');
    if (isRefused && error.code !== 'SUBJECT_AMBIGUOUS') await keep({ ...entry, again: entry.again });
    throw error;
  }
  await keep({ ...entry, posted: true, again, job, since: context.now() });
}

/** Looks at a job once and keeps what it came to. False where it cannot be seen yet. */
async function look(context: EraseContext, config: PiiConfig, gateway: Gateway, entry: Entry & { readonly job: string }, keep: (next: Entry) => Promise<void>): Promise<boolean> {
  const job = await readDeletion(context, gateway, entry.job);
  if (job === undefined) {
    if (context.now() - entry.since < visibleMs) return false;
    await keep({ ...entry, state: 'lost' });
    return true;
  }
  sameSubject(job, entry.externalId);
  if (job.status === 'queued' || job.status === 'running') return true;
  const { scope } = job;
  const missing = scope === null || scope === undefined ? [] : config.scope.filter((each) => !scope.includes(each));
  // A completion that does not say how much it deleted has not said that it deleted anything.
  await keep({ ...entry, state: job.status, records: job.recordsDeleted ?? 0, missing });
  return true;
}

function wait(context: EraseContext, entries: readonly Entry[], at: number, reason: 'vendor_job' | 'not_visible_yet'): EraseResult {
  const entry = entries[at];
  const afterMs = pollAfterMs(context.now() - (entry?.since ?? 0));
  return { state: 'wait', cursor: toJson(entries), afterMs, reason, ...(entry?.job === undefined ? {} : { vendorJob: entry.job }) };
}

function finish(config: PiiConfig, entries: readonly Entry[]): EraseResult {
  const records = entries.reduce((sum, each) => sum + each.records, 0);
  const bad = entries.filter((each) => each.state !== 'completed');
  const counts = { jobs: entries.length, jobs_with_records: entries.filter((each) => each.records > 0).length, jobs_not_completed: bad.length, records };
  const missing = new Set(entries.flatMap((each) => each.missing));
  const residue: Residue[] = [
    ...leftOut(config).map((what) => ({ what, why: 'not_requested' })),
    ...config.scope.filter((scope) => missing.has(scope)).map((what) => ({ what, why: 'unsupported' })),
    ...(config.analytics_refresh === 'none' && records > 0 ? [{ what: 'analytics_aggregates', why: 'not_refreshed' }] : []),
  ];
  const cursor = toJson(entries);
  if (bad.length > 0) {
    const ends = [...new Set(bad.map((each) => each.state))].join(', ');
    return { state: 'operator', code: 'VENDOR_JOB_FAILED', detail: `${bad.length} of ${entries.length} deletion jobs did not complete (${ends})`, counts, residue, cursor };
  }
  const vendorJob = (entries.findLast((each) => each.records > 0) ?? entries.at(-1))?.job;
  return {
    state: 'done',
    outcome: records > 0 ? 'erased' : 'nothing_matched',
    counts,
    residue,
    proof: { api: 'pii', submitted_again: entries.some((each) => each.again > 0) },
    ...(vendorJob === undefined ? {} : { vendorJob }),
    cursor,
  };
}

function parse(cursor: Json): readonly Entry[] | undefined {
  if (cursor === null) return undefined;
  const parsed = cursorSchema.safeParse(cursor);
  if (!parsed.success) throw new Failure('INTERNAL', 'The kept cursor is not one of the PII deletion form');
  return parsed.data.entries;
}

function toJson(entries: readonly Entry[]): Json {
  return JSON.parse(JSON.stringify({ api: 'pii', entries })) as Json;
}
