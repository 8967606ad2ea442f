import type { FastifyRequest } from 'fastify';
import type { SimulatorContext } from '../simulator.ts';
import { publicProblem, type AddRoute, type SegmentAnswer } from './gate.ts';
import { countWithin, nextId, profileBy, removeProfile, STATUSES, type RegulationStatus, type SegmentState, type StoredRegulation } from './state.ts';

/** Records are kept this long; afterwards they answer 404. */
const RECORD_AGE_MS = 90 * 86_400_000;
const SUBJECTS_MAX = 5000;
const MINUTE_MS = 60_000;
const SEGMENT_ONLY = ['DELETE_INTERNAL', 'SUPPRESS_WITH_DELETE_INTERNAL', 'SUPPRESS_ONLY', 'UNSUPPRESS'];
const WITH_DESTINATIONS = ['DELETE_ONLY', 'SUPPRESS_WITH_DELETE'];
const TYPES = [...SEGMENT_ONLY, ...WITH_DESTINATIONS];

const iso = (ms: number): string => new Date(ms).toISOString();

function overall(state: SegmentState, regulation: StoredRegulation): RegulationStatus {
  if (!WITH_DESTINATIONS.includes(regulation.regulationType)) return 'FINISHED';
  const finals = state.account.destinations.map((each) => each.final_status);
  // Documented: one unsupported destination makes the whole FAILED although everything else finished.
  if (finals.some((each) => each === 'NOT_SUPPORTED' || each === 'FAILED' || each === 'INVALID')) return 'FAILED';
  return finals.includes('PARTIAL_SUCCESS') ? 'PARTIAL_SUCCESS' : 'FINISHED';
}

function finish(state: SegmentState, context: SimulatorContext, regulation: StoredRegulation): void {
  regulation.status = overall(state, regulation);
  regulation.finishedAtMs = context.now();
  if (!regulation.regulationType.includes('DELETE') || regulation.lying) return;
  for (const subject of regulation.subjects) {
    const profile = regulation.subjectType === 'USER_ID' ? profileBy(state, 'user_id', subject) : undefined;
    if (profile === undefined || state.sentinels.lies(profile.owner)) continue;
    removeProfile(state, profile);
    context.effect('profile.deleted', profile.id);
  }
}

/** INITIALIZED, RUNNING, then the end: by polls of the regulation itself or by time, whichever comes first. */
function advance(state: SegmentState, context: SimulatorContext, regulation: StoredRegulation, polled: boolean): void {
  if (polled) regulation.polls += 1;
  const { polls_per_stage: polls, stage_ms: stageMs } = state.account;
  while (regulation.finishedAtMs === undefined) {
    const byPolls = regulation.polls >= polls;
    if (!byPolls && context.now() - regulation.sinceMs < stageMs) return;
    if (regulation.status === 'INITIALIZED') regulation.status = 'RUNNING';
    else finish(state, context, regulation);
    regulation.sinceMs = byPolls ? context.now() : regulation.sinceMs + stageMs;
    regulation.polls = 0;
  }
}

function streamStatus(state: SegmentState, regulation: StoredRegulation): object[] {
  if (!WITH_DESTINATIONS.includes(regulation.regulationType)) return [];
  const finishedAt = regulation.finishedAtMs;
  return [
    {
      id: 'stream_sandbox',
      destinationStatus: state.account.destinations.map((each) => ({
        name: each.name,
        id: each.id,
        status: finishedAt === undefined ? regulation.status : each.final_status,
        errString: finishedAt === undefined ? '' : (each.err_string ?? ''),
        finishedAt: finishedAt === undefined ? '' : iso(finishedAt),
      })),
    },
  ];
}

const ended = (regulation: StoredRegulation): object =>
  regulation.finishedAtMs === undefined ? {} : { finishedAt: iso(regulation.finishedAtMs) };

function invalid(field: string, message: string): never {
  throw publicProblem(422, 'validation', message, { field });
}

function parse(body: unknown): { regulationType: string; subjectType: string; subjectIds: string[] } {
  if (typeof body !== 'object' || body === null || Array.isArray(body)) return invalid('body', 'The body must be an object.');
  const { regulationType, subjectType, subjectIds } = body as Record<string, unknown>;
  if (typeof regulationType !== 'string' || !TYPES.includes(regulationType)) return invalid('regulationType', 'Invalid regulationType.');
  if (subjectType !== 'USER_ID' && subjectType !== 'OBJECT_ID') return invalid('subjectType', 'Invalid subjectType.');
  if (!Array.isArray(subjectIds) || subjectIds.length === 0 || subjectIds.length > SUBJECTS_MAX) {
    return invalid('subjectIds', `subjectIds must hold 1 to ${SUBJECTS_MAX} ids.`);
  }
  if (!subjectIds.every((each): each is string => typeof each === 'string' && each !== '')) {
    return invalid('subjectIds', 'subjectIds must be non-empty strings.');
  }
  return { regulationType, subjectType, subjectIds };
}

function rateHeaders(state: SegmentState, regulationType: string, nowMs: number): Record<string, string> {
  const name = SEGMENT_ONLY.includes(regulationType) ? 'segment-only' : 'segment-and-destination';
  const limit = state.account.regulations_per_minute;
  const before = countWithin(state, name, limit, MINUTE_MS, nowMs);
  const consumed = before === undefined ? limit : before + 1;
  const headers = {
    'x-ratelimit-remaining': String(limit - consumed),
    'x-ratelimit-consumed': String(consumed),
    // Segment sends a date here, not seconds.
    'x-ratelimit-reset': new Date(nowMs + MINUTE_MS).toUTCString(),
  };
  if (before !== undefined) return headers;
  throw publicProblem(429, 'too-many-requests', 'Too many requests', { headers: { ...headers, 'retry-after': '60' } });
}

function suppress(state: SegmentState, context: SimulatorContext, regulationType: string, subjects: readonly string[]): void {
  if (!regulationType.includes('SUPPRESS')) return;
  for (const subject of subjects) {
    if (regulationType === 'UNSUPPRESS') {
      if (state.suppressed.delete(subject)) context.effect('suppression.removed', subject);
    } else if (!state.suppressed.has(subject)) {
      state.suppressed.add(subject);
      context.effect('suppression.added', subject);
    }
  }
}

function create(state: SegmentState, context: SimulatorContext, request: FastifyRequest): SegmentAnswer {
  const { regulationType, subjectType, subjectIds } = parse(request.body);
  const nowMs = context.now();
  const headers = rateHeaders(state, regulationType, nowMs);
  const owners = subjectIds.flatMap((subject) => profileBy(state, 'user_id', subject)?.owner ?? []);
  for (const owner of owners) state.sentinels.visit(owner);
  const regulation: StoredRegulation = {
    id: nextId(state, 'reg'),
    regulationType,
    subjectType,
    subjects: subjectIds,
    createdAtMs: nowMs,
    owners,
    status: 'INITIALIZED',
    finishedAtMs: undefined,
    polls: 0,
    sinceMs: nowMs,
    lying: context.lies(request),
  };
  state.regulations.set(regulation.id, regulation);
  context.effect('regulation.created', regulation.id);
  suppress(state, context, regulationType, subjectIds);
  const lost = owners.map((owner) => state.sentinels.losesAnswer(owner)).includes(true);
  return { body: { data: { regulateId: regulation.id } }, headers, lost };
}

const encode = (offset: number): string => Buffer.from(String(offset)).toString('base64');

function pageOf<Item>(request: FastifyRequest, items: readonly Item[]): { items: Item[]; pagination: object } {
  const query = new URLSearchParams(request.url.split('?')[1] ?? '');
  const count = Number(query.get('pagination[count]') ?? query.get('pagination.count') ?? 10);
  if (!Number.isInteger(count) || count < 1 || count > 1000) return invalid('pagination.count', 'count must be between 1 and 1000.');
  const cursor = query.get('pagination[cursor]') ?? query.get('pagination.cursor');
  const start = cursor === null ? 0 : Number(Buffer.from(cursor, 'base64').toString('utf8'));
  if (!Number.isInteger(start) || start < 0) return invalid('pagination.cursor', 'The cursor is not valid.');
  const next = start + count < items.length ? { next: encode(start + count) } : {};
  const previous = start > 0 ? { previous: encode(Math.max(0, start - count)) } : {};
  return { items: items.slice(start, start + count), pagination: { current: encode(start), ...next, ...previous, totalEntries: items.length } };
}

function list(state: SegmentState, context: SimulatorContext, request: FastifyRequest): SegmentAnswer {
  const query = new URLSearchParams(request.url.split('?')[1] ?? '');
  const status = query.get('status');
  if (status !== null && !STATUSES.some((each) => each === status)) return invalid('status', 'Invalid status.');
  const types = [...query].flatMap(([key, value]) => (/^regulationTypes(?:[.[]|$)/u.test(key) ? value.split(',') : []));
  const kept = [...state.regulations.values()].filter((each) => {
    if (each.createdAtMs + RECORD_AGE_MS <= context.now()) return false;
    advance(state, context, each, false);
    return (status === null || each.status === status) && (types.length === 0 || types.includes(each.regulationType));
  });
  const { items, pagination } = pageOf(request, kept.toReversed());
  const regulations = items.map((each) => ({
    id: each.id,
    subjectType: each.subjectType,
    subjects: each.subjects,
    status: each.status,
    createdAt: iso(each.createdAtMs),
    regulationType: each.regulationType,
    ...ended(each),
  }));
  return { body: { data: { regulations, pagination } } };
}

/** The Public API's regulations and suppressions, for the workspace. */
export function regulationRoutes(add: AddRoute, state: () => SegmentState, context: SimulatorContext): void {
  add('POST', '/regulations', (request) => create(state(), context, request));
  add('GET', '/regulations', (request) => list(state(), context, request));
  add('GET', '/regulations/:id', (request) => {
    const regulation = state().regulations.get((request.params as { id: string }).id);
    if (regulation === undefined || regulation.createdAtMs + RECORD_AGE_MS <= context.now()) {
      throw publicProblem(404, 'not-found', 'Resource not found');
    }
    for (const owner of regulation.owners) state().sentinels.visit(owner);
    advance(state(), context, regulation, true);
    const { id, status, createdAtMs } = regulation;
    const about = { id, workspaceId: state().account.workspace_id, overallStatus: status, createdAt: iso(createdAtMs) };
    return { body: { data: { regulation: { ...about, ...ended(regulation), streamStatus: streamStatus(state(), regulation) } } } };
  });
  add('GET', '/suppressions', (request) => {
    const { items, pagination } = pageOf(request, [...state().suppressed]);
    return { body: { data: { suppressed: items.map((id) => ({ subjectType: 'USER_ID', subjectIds: [id] })), pagination } } };
  });
}
