import type { FastifyRequest } from 'fastify';
import type { SimulatorContext } from '../simulator.ts';
import { problem, type AddRoute, type GenesysAnswer } from './gate.ts';
import { aggregate, nextId, piiScopes, type GenesysState, type PiiJob } from './genesys-state.ts';

const iso = (ms: number): string => new Date(ms).toISOString();

/** A job as the form answers it, and as it is told to the callback. */
export function showJob(job: PiiJob): unknown {
  const isOver = job.completedAtMs !== undefined;
  return {
    id: job.id,
    externalId: job.externalId,
    type: job.type,
    status: job.status,
    createdTime: iso(job.createdAtMs),
    ...(job.completedAtMs === undefined ? {} : { completedTime: iso(job.completedAtMs) }),
    scope: job.scope,
    ...(isOver ? { recordsDeleted: job.recordsDeleted } : {}),
    ...(job.status === 'failed' ? { error: { code: 'deletion.failed', message: `Deletion of ${job.externalId} failed` } } : {}),
  };
}

/** What the ended job found under exactly its external id. A job that finds nobody is completed all the same: with zero records. */
function end(state: GenesysState, context: SimulatorContext, job: PiiJob): void {
  const contact = state.contacts.get(job.externalId);
  job.status = contact === undefined || contact.ends === 'never' ? 'completed' : contact.ends;
  job.completedAtMs = job.createdAtMs + state.account.job_ms;
  if (contact === undefined || job.status !== 'completed') return;
  const isLying = job.lying || state.sentinels.lies(contact.owner);
  for (const scope of job.scope) {
    job.recordsDeleted += contact.records.get(scope) ?? 0;
    if (!isLying) contact.records.delete(scope);
  }
  if (isLying || job.recordsDeleted === 0) return;
  if (contact.records.size === 0) state.contacts.delete(job.externalId);
  context.effect('pii.deleted', job.id);
}

/** Moves every job, and the aggregates, to where they stand by now. */
export function settlePii(state: GenesysState, context: SimulatorContext): void {
  const { account } = state;
  for (const job of state.jobs.values()) {
    if (job.completedAtMs !== undefined) continue;
    const ageMs = context.now() - job.createdAtMs;
    if (ageMs >= account.queued_ms) job.status = 'running';
    if (ageMs >= account.job_ms && state.contacts.get(job.externalId)?.ends !== 'never') end(state, context, job);
  }
  const due = state.refreshes.filter((at) => at <= context.now());
  if (due.length === 0) return;
  state.refreshes.splice(0, state.refreshes.length, ...state.refreshes.filter((at) => at > context.now()));
  aggregate(state);
}

function readBody(body: unknown): { readonly externalId: string; readonly type: string; readonly scope: readonly string[]; readonly metadata: unknown } {
  const { externalId, type, scope, metadata } = (typeof body === 'object' && body !== null ? body : {}) as Record<string, unknown>;
  if (typeof externalId !== 'string' || externalId === '') throw problem(400, 'externalId is required', { code: 'invalid.value' });
  if (type !== 'customer') throw problem(400, 'type must be customer', { code: 'invalid.value' });
  const isKnown = (each: unknown): boolean => piiScopes.some((known) => known === each);
  if (!Array.isArray(scope) || scope.length === 0 || !scope.every(isKnown)) throw problem(400, 'scope must name what is to be deleted', { code: 'invalid.value' });
  return { externalId, type, scope: scope as string[], metadata };
}

function create(state: GenesysState, context: SimulatorContext, request: FastifyRequest): GenesysAnswer {
  const body = readBody(request.body);
  const header = request.headers['x-genesys-request-id'];
  const requestId = typeof header === 'string' ? header : undefined;
  const known = state.account.adopts_request_id && requestId !== undefined ? [...state.jobs.values()].find((each) => each.requestId === requestId) : undefined;
  if (known !== undefined) return { status: 202, body: showJob(known) };
  const owner = state.contacts.get(body.externalId)?.owner;
  state.sentinels.visit(owner);
  const job: PiiJob = {
    id: nextId(state),
    ...body,
    requestId,
    createdAtMs: context.now(),
    owner,
    lying: context.lies(request),
    status: 'queued',
    completedAtMs: undefined,
    recordsDeleted: 0,
  };
  state.jobs.set(job.id, job);
  return { status: 202, body: showJob(job), lost: state.sentinels.losesAnswer(owner) };
}

/** The PII deletion form and the refresh of the analytics aggregates. A client without the scope gets a bare 403. */
export function piiRoutes(add: AddRoute, state: () => GenesysState, context: SimulatorContext): void {
  const needs = (scope: string): { readonly scope: string; readonly isBare: boolean } => ({ scope, isBare: true });
  add('POST', '/api/v2/pii/deletions', needs('pii:delete'), (request) => create(state(), context, request));
  add('GET', '/api/v2/pii/deletions/:id', needs('pii:view'), (request) => {
    settlePii(state(), context);
    const job = state().jobs.get((request.params as { id: string }).id);
    if (job === undefined) throw problem(404, 'The requested resource was not found.');
    state().sentinels.visit(job.owner);
    return { status: 200, body: showJob(job) };
  });
  add('POST', '/api/v2/analytics/refresh', needs('analytics:export'), () => {
    const now = context.now();
    state().refreshes.push(now + state().account.refresh_ms);
    settlePii(state(), context);
    context.effect('analytics.refresh_requested', String(now));
    return { status: 202 };
  });
}
