import type { FastifyReply, FastifyRequest } from 'fastify';
import { z } from 'zod';
import type { SimulatorContext } from '../simulator.ts';
import { admit, PurgeProblem } from './gate.ts';
import { pageOf } from './paging.ts';
import { recordRoutes, type Guard } from './record-routes.ts';
import { subjectsOf, type Job, type PurgeState, type Subject } from './state.ts';

const subjectSchema = z.object({ kind: z.enum(['email', 'phone', 'external_id']), value: z.string().min(1) });
const searchSchema = z.object({ subject: subjectSchema, cursor: z.string().optional() });
const erasureSchema = z.object({ subject: subjectSchema, scope: z.unknown().optional(), origin_platform: z.unknown().optional(), gen_job_id: z.unknown().optional() });
const children = ['cases', 'notes', 'attachments'] as const;

function parse<Output>(schema: z.ZodType<Output>, body: unknown): Output {
  const parsed = schema.safeParse(body);
  if (!parsed.success) throw new PurgeProblem(400, 'bad_request');
  return parsed.data;
}

const shown = (job: Job, retryAfter: number): object => ({
  job_id: job.id,
  status: job.status,
  ...(job.status === 'queued' || job.status === 'running' ? { retry_after: retryAfter } : {}),
  ...(job.status === 'completed' ? { deleted: job.deleted } : {}),
  ...(job.status === 'retained' ? { legal_basis: job.hold?.legal_basis, until: job.hold?.until } : {}),
});

const isOver = (job: Job): boolean => job.status !== 'queued' && job.status !== 'running';

function finish(state: PurgeState, context: SimulatorContext, job: Job): void {
  const subjects = subjectsOf(state, job.subject.kind, job.subject.value);
  job.hold = subjects.find((each) => each.hold !== undefined)?.hold;
  job.status = state.account.fails_jobs ? 'failed' : job.hold === undefined ? 'completed' : 'retained';
  if (job.status !== 'completed') return;
  const count = (read: (subject: Subject) => number): number => subjects.reduce((sum, each) => sum + read(each), 0);
  job.deleted = { contacts: subjects.length, cases: count((each) => each.cases), notes: count((each) => each.notes), attachments: count((each) => each.attachments) };
  for (const subject of subjects) {
    if (job.lying || state.sentinels.lies(subject.email)) continue;
    state.subjects.delete(subject.id);
    context.effect('subject.erased', subject.id);
  }
}

/** Queued, running, over: by polls of the job or by time, whichever comes first. */
function progress(state: PurgeState, context: SimulatorContext, job: Job): void {
  job.polls += 1;
  while (!isOver(job)) {
    const byPolls = job.polls >= state.account.polls_per_stage;
    if (!byPolls && context.now() - job.sinceMs < state.account.stage_ms) return;
    if (job.status === 'queued') job.status = 'running';
    else finish(state, context, job);
    job.sinceMs = byPolls ? context.now() : job.sinceMs + state.account.stage_ms;
    job.polls = 0;
  }
}

function erase(state: PurgeState, context: SimulatorContext, request: FastifyRequest, reply: FastifyReply): unknown {
  const key = request.headers['idempotency-key'];
  if (typeof key !== 'string' || key === '') throw new PurgeProblem(400, 'idempotency_key_missing');
  const { subject, ...origin } = parse(erasureSchema, request.body);
  const body = JSON.stringify(request.body);
  const before = state.keys.get(key);
  if (before !== undefined && before.body !== body) throw new PurgeProblem(422, 'idempotency_key_reused');
  const known = before === undefined || state.account.changes_jobs ? undefined : state.jobs.get(before.job);
  if (known !== undefined) return reply.code(state.account.repeat_status).send(shown(known, state.account.retry_after));
  const held = subjectsOf(state, subject.kind, subject.value);
  const owner = held.find((each) => each.email !== undefined)?.email;
  state.sentinels.visit(owner ?? (subject.kind === 'email' ? subject.value : undefined));
  if (held.length === 0 && before === undefined) {
    if (state.account.claims_unknown) return reply.send({ status: 'completed' });
    throw new PurgeProblem(404, 'not_found');
  }
  const job: Job = { id: `job_${state.next}`, subject, origin, status: 'queued', deleted: {}, hold: undefined, lying: context.lies(request), polls: 0, sinceMs: context.now() };
  state.next += 1;
  state.jobs.set(job.id, job);
  state.keys.set(key, { job: job.id, body });
  if (state.account.is_immediate) finish(state, context, job);
  if (state.sentinels.losesAnswer(owner)) {
    reply.hijack();
    request.raw.socket.destroy();
    return reply;
  }
  return reply.code(state.account.is_immediate ? 200 : 202).send(shown(job, state.account.retry_after));
}

/** The contract's routes: search, erase, poll, and the records for the right of access. */
export function purgeRoutes(state: () => PurgeState, { app, now, effect, lies }: SimulatorContext): void {
  const context = { app, now, effect, lies };
  // The exact text is needed where requests are signed.
  app.addContentTypeParser('application/json', { parseAs: 'string' }, (request, body, done) => {
    (request as FastifyRequest & { rawText?: string }).rawText = String(body);
    try {
      done(null, body === '' ? undefined : JSON.parse(String(body)));
    } catch {
      done(new PurgeProblem(400, 'bad_request'));
    }
  });
  const guarded: Guard = (handle) => async (request: FastifyRequest, reply: FastifyReply) => {
    admit(state(), request, (request as FastifyRequest & { rawText?: string }).rawText ?? '', now());
    return handle(request, reply);
  };
  app.post('/subjects/search', guarded((request) => {
    const { subject, cursor } = parse(searchSchema, request.body);
    const { items, next } = pageOf(state(), subjectsOf(state(), subject.kind, subject.value), cursor);
    return { subjects: items.map(({ id, email, phone, external_id: externalId }) => ({ id, email, phone, external_id: externalId })), ...(next === undefined ? {} : { next_cursor: next }) };
  }));
  app.post('/records/search', guarded((request) => {
    const { subject, cursor } = parse(searchSchema, request.body);
    const records = subjectsOf(state(), subject.kind, subject.value).flatMap((each) => [each, ...children.flatMap((scope) => Array.from({ length: each[scope] }, (_, at) => ({ id: `${each.id}-${scope}-${at}`, kind: scope })))]);
    const { items, next } = pageOf<object>(state(), records, cursor);
    return { records: items, ...(next === undefined ? {} : { next_cursor: next }) };
  }));
  app.post('/erasures', guarded((request, reply) => erase(state(), context, request, reply)));
  app.get('/erasures/:id', guarded((request) => {
    const job = state().jobs.get((request.params as { id: string }).id);
    if (job === undefined) throw new PurgeProblem(404, 'not_found');
    if (state().account.forgets_jobs > 0) {
      state().account.forgets_jobs -= 1;
      throw new PurgeProblem(404, 'not_found');
    }
    progress(state(), context, job);
    return shown(job, state().account.retry_after);
  }));
  recordRoutes(state, context, guarded);
}
