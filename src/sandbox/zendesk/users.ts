import type { FastifyRequest } from 'fastify';
import { bearerOf, paramOf, queryOf, Refusal, type AddRoute, type Answer } from '../front-door.ts';
import type { SimulatorContext } from '../simulator.ts';
import type { DeletionStep, User, ZendeskState } from './state.ts';

const MINUTE_MS = 60_000;
/** Documented: soft-deleted users are queued for permanent deletion after 30 days. */
const SOFT_DELETED_MS = 30 * 86_400_000;
/** Areas of compliance that report a permanent deletion each for itself. */
const APPLICATIONS = ['support', 'chat'];

const WORDS: Readonly<Record<number, readonly [string, string]>> = {
  401: ["Couldn't authenticate you", ''],
  403: ['Forbidden', 'You do not have access to this page.'],
  404: ['RecordNotFound', 'Not found'],
  422: ['RecordInvalid', 'Record validation errors'],
  429: ['TooManyRequests', 'Number of allowed API requests per minute exceeded'],
};

/** Zendesk's refusal for a status: `{error, description}`, and `details` for a record that is not valid. */
export function zendeskRefusal(status: number, headers: Readonly<Record<string, string>> = {}, details?: object): Refusal {
  const [error, description] = WORDS[status] ?? ['InternalError', 'Internal error'];
  return new Refusal(status, { error, ...(description === '' ? {} : { description }), ...(details === undefined ? {} : { details }) }, headers);
}

const isAnonymous = (request: FastifyRequest): boolean => request.headers.authorization === undefined;

/** Lets a request in: an API token as `address/token:…`, or a bearer token, without `revoked` in it, within the minute's limit. */
export function enterZendesk(state: ZendeskState, nowMs: number, request: FastifyRequest): Readonly<Record<string, string>> {
  const basic = /^Basic (\S+)$/u.exec(request.headers.authorization ?? '')?.[1] ?? '';
  const decoded = Buffer.from(basic, 'base64').toString('utf8');
  const isToken = /^[^:]+\/token:./u.test(decoded) || bearerOf(request) !== undefined;
  const isRevoked = `${decoded}${bearerOf(request) ?? ''}`.includes('revoked');
  const mayBeAnonymous = isAnonymous(request) && /^\/api\/v2\/users\/me(?:\.json)?(?:\?|$)/u.test(request.url);
  if ((!isToken || isRevoked) && !mayBeAnonymous) throw zendeskRefusal(401);
  const limit = state.account.requests_per_minute;
  const left = state.windows.admit('requests', limit, MINUTE_MS, nowMs);
  const headers = { 'x-rate-limit': String(limit), 'x-rate-limit-remaining': String(left ?? 0) };
  if (left === undefined) throw zendeskRefusal(429, { ...headers, 'retry-after': '60' });
  return headers;
}

const iso = (ms: number): string => new Date(ms).toISOString();
const shape = (user: User): object => ({
  id: user.id,
  url: `https://sandbox.zendesk.example/api/v2/users/${user.id}.json`,
  name: user.name,
  email: user.email,
  phone: user.phone,
  external_id: user.external_id,
  role: 'end-user',
  active: user.deletedAtMs === undefined,
  created_at: iso(user.createdAtMs),
  updated_at: iso(user.updatedAtMs),
});

function step(context: SimulatorContext, user: User): void {
  const add = (action: DeletionStep['action']): readonly DeletionStep[] => [...user.steps, ...APPLICATIONS.map((application) => ({ action, application, atMs: context.now() }))];
  if (!user.steps.some((each) => each.action === 'started')) {
    user.steps = add('started');
    return;
  }
  user.steps = add('complete');
  Object.assign(user, { name: 'Permanently Deleted User', email: null, identities: [], phone: null, external_id: null, updatedAtMs: context.now() });
  context.effect('user.personal_data_removed', String(user.id));
}

/** Moves a permanent deletion by looks at its progress or by time, whichever comes first. */
function progress(state: ZendeskState, context: SimulatorContext, user: User, isLook: boolean): void {
  if (user.deletedAtMs !== undefined && user.permanentlyDeletedAtMs === undefined && user.deletedAtMs + SOFT_DELETED_MS <= context.now()) {
    removeForGood(context, user);
  }
  if (user.permanentlyDeletedAtMs === undefined) return;
  if (isLook) user.polls += 1;
  const { polls_per_stage: polls, stage_ms: stageMs } = state.account;
  while (!user.steps.some((each) => each.action === 'complete')) {
    const byPolls = user.polls >= polls;
    if (!byPolls && context.now() - user.sinceMs < stageMs) return;
    user.sinceMs = byPolls ? context.now() : user.sinceMs + stageMs;
    user.polls = 0;
    step(context, user);
  }
}

function removeForGood(context: SimulatorContext, user: User): void {
  user.permanentlyDeletedAtMs = context.now();
  user.sinceMs = context.now();
  user.steps = [{ action: 'request_deletion', application: 'all', atMs: context.now() }];
  context.effect('user.permanently_deleted', String(user.id));
}

/** The user that a request's path names, after its sentinel. */
export function userOf(state: ZendeskState, context: SimulatorContext, request: FastifyRequest): User {
  const user = state.users.get(Number(paramOf(request, 'id').replace(/\.json$/u, '')));
  if (user === undefined) throw zendeskRefusal(404);
  state.sentinels.visit(user.owner);
  progress(state, context, user, false);
  return user;
}

const words = (text: string): string[] => text.toLowerCase().split(/[^\p{L}\p{N}]+/u).filter((each) => each !== '');

/** `email:"…"`, `phone:"…"` and `external_id:"…"` look at that field, and at further addresses, exactly; anything else is a full-text search for any word. */
function found(user: User, query: string): boolean {
  const [, field, quoted] = /^(email|phone|external_id):"?([^"]*)"?$/u.exec(query.trim()) ?? [];
  if (field === 'email') return [user.email, ...user.identities].some((each) => each?.toLowerCase() === quoted?.toLowerCase());
  if (field === 'phone') return user.phone !== null && user.phone === quoted;
  if (field === 'external_id') return user.external_id?.toLowerCase() === quoted?.toLowerCase();
  const held = new Set([user.name, user.email, ...user.identities, user.phone].flatMap((each) => words(each ?? '')));
  return words(query).some((each) => held.has(each));
}

function search(state: ZendeskState, context: SimulatorContext, request: FastifyRequest): Answer {
  const query = queryOf(request);
  const [text, externalId] = [query.get('query'), query.get('external_id')];
  if ((text ?? '') === '' && externalId === null) throw zendeskRefusal(422);
  const live = [...state.users.values()].filter((each) => each.deletedAtMs === undefined);
  const hits = live.filter((each) => (externalId === null ? found(each, text ?? '') : each.external_id?.toLowerCase() === externalId.toLowerCase()));
  for (const user of hits) state.sentinels.visit(user.owner);
  return { body: { users: hits.slice(...pageOf(state, query)).map(shape), ...links(state, request, hits.length), count: hits.length } };
}

/** Where a page starts and ends. */
export function pageOf(state: ZendeskState, query: URLSearchParams): [number, number] {
  const size = Math.min(Number(query.get('per_page') ?? state.account.page_size), state.account.page_size);
  const page = Math.max(1, Number(query.get('page') ?? 1));
  return [(page - 1) * size, page * size];
}

/** The addresses of the pages beside this one: absolute, as Zendesk gives them, and null at the ends. */
export function links(state: ZendeskState, request: FastifyRequest, count: number): { next_page: string | null; previous_page: string | null } {
  const query = queryOf(request);
  const [start, end] = pageOf(state, query);
  const page = Math.max(1, Number(query.get('page') ?? 1));
  const to = (target: number): string => {
    query.set('page', String(target));
    return `${request.protocol}://${request.host}${request.url.split('?', 1)[0]}?${query.toString()}`;
  };
  return { next_page: end < count ? to(page + 1) : null, previous_page: start > 0 ? to(page - 1) : null };
}

function softDelete(state: ZendeskState, context: SimulatorContext, request: FastifyRequest): Answer {
  const user = userOf(state, context, request);
  if (user.deletedAtMs !== undefined) throw zendeskRefusal(404);
  // Documented: an end user who is the requester on a ticket that is not closed cannot be deleted; `solved` is not closed.
  const isHeld = [...state.tickets.values()].some((each) => each.requesterId === user.id && each.deletedAtMs === undefined && each.status !== 'closed');
  if (isHeld) throw zendeskRefusal(422, {}, { base: [{ description: 'User is a requester of tickets that are not closed.' }] });
  if (!context.lies(request)) {
    user.deletedAtMs = context.now();
    user.updatedAtMs = context.now();
    context.effect('user.deleted', String(user.id));
  }
  return { body: { user: { ...shape(user), active: false } } };
}

function permanentlyDelete(state: ZendeskState, context: SimulatorContext, request: FastifyRequest): Answer {
  const user = userOf(state, context, request);
  if (user.deletedAtMs === undefined || user.permanentlyDeletedAtMs !== undefined) throw zendeskRefusal(404);
  const limit = state.account.permanent_deletions_per_ten_minutes;
  if (state.windows.admit('permanent', limit, 10 * MINUTE_MS, context.now()) === undefined) throw zendeskRefusal(429, { 'retry-after': '600' });
  const body = { deleted_user: shape(user) };
  if (context.lies(request) || state.sentinels.lies(user.owner)) return { body };
  removeForGood(context, user);
  return { body, lost: state.sentinels.losesAnswer(user.owner) };
}

function statuses(state: ZendeskState, context: SimulatorContext, request: FastifyRequest): Answer {
  const user = userOf(state, context, request);
  const application = queryOf(request).get('application');
  const shown = user.steps.filter((each) => application === null || each.application === application).map(({ action, application: area, atMs }) => ({
    action,
    application: area,
    account_subdomain: 'sandbox',
    executer_id: action === 'request_deletion' ? 1 : null,
    user_id: user.id,
    created_at: iso(atMs),
  }));
  progress(state, context, user, true);
  return { body: { compliance_deletion_statuses: shown, next_page: null, previous_page: null, count: shown.length } };
}

/** Users: search, both deletions, and the progress of the permanent one. */
export function userRoutes(add: AddRoute, state: () => ZendeskState, context: SimulatorContext): void {
  const both = (method: 'GET' | 'DELETE', path: string, handler: (request: FastifyRequest) => Answer): void => {
    add(method, path, handler);
    add(method, `${path}.json`, handler);
  };
  // Zendesk answers who you are to anybody: without credentials you are nobody, and it is a 200.
  both('GET', '/api/v2/users/me', (request) => ({ body: { user: isAnonymous(request) ? { id: null, name: 'Anonymous user', email: 'invalid@example.com' } : { id: 1, name: 'Agent', role: 'admin' } } }));
  both('GET', '/api/v2/users/search', (request) => search(state(), context, request));
  add('GET', '/api/v2/users/:id', (request) => {
    const user = userOf(state(), context, request);
    if (user.permanentlyDeletedAtMs !== undefined) throw zendeskRefusal(404);
    return { body: { user: shape(user) } };
  });
  add('DELETE', '/api/v2/users/:id', (request) => softDelete(state(), context, request));
  add('GET', '/api/v2/deleted_users/:id', (request) => {
    const user = userOf(state(), context, request);
    if (user.deletedAtMs === undefined || user.permanentlyDeletedAtMs !== undefined) throw zendeskRefusal(404);
    return { body: { deleted_user: shape(user) } };
  });
  add('DELETE', '/api/v2/deleted_users/:id', (request) => permanentlyDelete(state(), context, request));
  both('GET', '/api/v2/deleted_users', (request) => {
    const gone = [...state().users.values()].filter((each) => each.deletedAtMs !== undefined);
    return { body: { deleted_users: gone.slice(...pageOf(state(), queryOf(request))).map(shape), ...links(state(), request, gone.length), count: gone.length } };
  });
  both('GET', '/api/v2/users/:id/compliance_deletion_statuses', (request) => statuses(state(), context, request));
}
