import type { FastifyRequest } from 'fastify';
import { z } from 'zod';
import { paramOf, type AddRoute, type Answer } from '../front-door.ts';
import type { SimulatorContext } from '../simulator.ts';
import { salesforceRefusal } from './gate.ts';
import { isHeld, purge, versionPath } from './records.ts';
import { nextId, type BulkJob, type SalesforceState } from './state.ts';

const jobSchema = z.strictObject({
  object: z.enum(['Contact', 'Lead', 'Case']),
  operation: z.enum(['delete', 'hardDelete']),
  contentType: z.literal('CSV').optional(),
  lineEnding: z.enum(['LF', 'CRLF']).optional(),
});

function jobOf(state: SalesforceState, request: FastifyRequest): BulkJob {
  const job = state.jobs.get(paramOf(request, 'job'));
  if (job === undefined) throw salesforceRefusal(404);
  return job;
}

const shape = (job: BulkJob, version: string): object => ({
  id: job.id,
  operation: job.operation,
  object: job.object,
  createdDate: new Date(job.createdAtMs).toISOString(),
  state: job.state,
  concurrencyMode: 'Parallel',
  contentType: 'CSV',
  contentUrl: `services/data/${version}/jobs/ingest/${job.id}/batches`,
  lineEnding: 'LF',
  columnDelimiter: 'COMMA',
  ...(job.state === 'JobComplete' ? { numberRecordsProcessed: job.done.length + job.failed.length, numberRecordsFailed: job.failed.length, jobType: 'V2Ingest' } : {}),
});

/** The parts of a multipart body by their names: `job` and `content`. */
function partsOf(request: FastifyRequest): ReadonlyMap<string, string> {
  const boundary = /boundary="?([^";]+)"?/u.exec(request.headers['content-type'] ?? '')?.[1] ?? '';
  const parts = (typeof request.body === 'string' ? request.body : '').split(`--${boundary}`).slice(1, -1);
  return new Map(
    parts.map((part) => {
      const [head = '', ...content] = part.split('\r\n\r\n');
      return [/name="([^"]+)"/u.exec(head)?.[1] ?? '', content.join('\r\n\r\n').trimEnd()];
    }),
  );
}

function idsOf(csv: string): readonly string[] {
  const [header, ...ids] = csv.split(/\r?\n/u).map((each) => each.trim().replaceAll('"', ''));
  // Documented: a deletion's CSV has the column Id and nothing else.
  if (header !== 'Id') throw salesforceRefusal(400, {}, 'INVALIDBATCH');
  return ids.filter((each) => each !== '');
}

function json(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    throw salesforceRefusal(400, {}, 'JSON_PARSER_ERROR');
  }
}

/** A job alone is made open; one that comes with its records in a multipart body is closed at once. */
function create(state: SalesforceState, context: SimulatorContext, request: FastifyRequest): Answer {
  const isWhole = (request.headers['content-type'] ?? '').startsWith('multipart/form-data');
  const parts = isWhole ? partsOf(request) : undefined;
  const parsed = jobSchema.safeParse(parts === undefined ? request.body : json(parts.get('job') ?? ''));
  if (!parsed.success) throw salesforceRefusal(400, {}, 'INVALIDJOB');
  const { object, operation } = parsed.data;
  if (operation === 'hardDelete' && !state.account.may_hard_delete) throw salesforceRefusal(400, {}, 'FEATURENOTENABLED');
  const job: BulkJob = { id: nextId(state, '750'), object, operation, createdAtMs: context.now(), ids: [], state: 'Open', failed: [], done: [], polls: 0, sinceMs: context.now(), lying: false };
  if (parts !== undefined) Object.assign(job, { ids: idsOf(parts.get('content') ?? ''), state: 'UploadComplete', lying: context.lies(request) });
  state.jobs.set(job.id, job);
  return { body: shape(job, paramOf(request, 'version')) };
}

function run(state: SalesforceState, context: SimulatorContext, job: BulkJob): void {
  const failed: { id: string; error: string }[] = [];
  const done: string[] = [];
  for (const id of job.ids) {
    const record = state.records.get(id);
    if (record?.object !== job.object || record.purgedAtMs !== undefined) failed.push({ id, error: 'INVALID_CROSS_REFERENCE_KEY' });
    else if (record.deletedAtMs !== undefined) failed.push({ id, error: 'ENTITY_IS_DELETED' });
    else if (isHeld(state, record)) failed.push({ id, error: 'DELETE_FAILED' });
    else {
      done.push(id);
      if (job.lying) continue;
      if (job.operation === 'hardDelete') purge(context, record, context.now());
      else {
        record.deletedAtMs = context.now();
        context.effect(`${record.object}.deleted`, record.id);
      }
    }
  }
  Object.assign(job, { failed, done, state: 'JobComplete' });
}

/** UploadComplete, InProgress, JobComplete: by looks at the job or by time, whichever comes first. */
function advance(state: SalesforceState, context: SimulatorContext, job: BulkJob): void {
  job.polls += 1;
  const { polls_per_stage: polls, stage_ms: stageMs } = state.account;
  while (job.state === 'UploadComplete' || job.state === 'InProgress') {
    const byPolls = job.polls > polls;
    if (!byPolls && context.now() - job.sinceMs < stageMs) return;
    job.sinceMs = byPolls ? context.now() : job.sinceMs + stageMs;
    job.polls = 0;
    if (job.state === 'UploadComplete') job.state = 'InProgress';
    else run(state, context, job);
  }
}

const csv = (rows: readonly (readonly string[])[]): Answer => ({ body: `${rows.map((row) => row.map((cell) => `"${cell}"`).join(',')).join('\n')}\n`, headers: { 'content-type': 'text/csv' } });

/** Bulk API 2.0 jobs that delete: made open, filled with a CSV of ids, closed, then carried out by themselves. */
export function bulkRoutes(add: AddRoute, state: () => SalesforceState, context: SimulatorContext): void {
  const jobs = `${versionPath}/jobs/ingest`;
  add('POST', jobs, (request) => create(state(), context, request));
  add('PUT', `${jobs}/:job/batches`, (request) => {
    const job = jobOf(state(), request);
    if (job.state !== 'Open') throw salesforceRefusal(400, {}, 'INVALIDBATCH');
    job.ids = idsOf(typeof request.body === 'string' ? request.body : '');
    return { status: 201 };
  });
  add('PATCH', `${jobs}/:job`, (request) => {
    const job = jobOf(state(), request);
    const wanted = (request.body as { state?: unknown } | null)?.state;
    if (job.state !== 'Open' || (wanted !== 'UploadComplete' && wanted !== 'Aborted')) throw salesforceRefusal(400, {}, 'INVALIDJOBSTATE');
    Object.assign(job, { state: wanted, sinceMs: context.now(), lying: context.lies(request) });
    return { body: shape(job, paramOf(request, 'version')) };
  });
  add('GET', `${jobs}/:job`, (request) => {
    const job = jobOf(state(), request);
    advance(state(), context, job);
    return { body: shape(job, paramOf(request, 'version')) };
  });
  add('GET', `${jobs}/:job/successfulResults`, (request) => csv([['sf__Id', 'sf__Created', 'Id'], ...jobOf(state(), request).done.map((id) => [id, 'false', id])]));
  add('GET', `${jobs}/:job/failedResults`, (request) => csv([['sf__Id', 'sf__Error', 'Id'], ...jobOf(state(), request).failed.map(({ id, error }) => [id, error, id])]));
}
