import type { FastifyRequest } from 'fastify';
import type { SimulatorContext } from '../simulator.ts';
import { profileProblem, type AddRoute, type SegmentAnswer } from './gate.ts';
import { addExternalId, addProfile, countWithin, profileBy, removeProfile, type Profile, type SegmentState } from './state.ts';

/** Events older than this are not answered. */
const EVENT_AGE_MS = 14 * 86_400_000;
const LIMIT_DEFAULT = 10;

const paramsOf = (request: FastifyRequest): Record<string, string> => request.params as Record<string, string>;
const queryOf = (request: FastifyRequest): URLSearchParams => new URLSearchParams(request.url.split('?')[1] ?? '');

function enterSpace(state: SegmentState, request: FastifyRequest, nowMs: number): void {
  const { space } = paramsOf(request);
  if (space !== state.account.space_id) throw profileProblem(404, 'The space was not found.');
  if (countWithin(state, 'profile', state.account.profile_requests_per_second, 1000, nowMs) === undefined) {
    throw profileProblem(429, 'Too many requests', { 'retry-after': '1' });
  }
}

/** The identifier as Segment reads it from the raw path: a plus sign that is not `%2B` is a space. */
function identifierOf(request: FastifyRequest): string {
  const raw = request.url.split('?', 1)[0]?.split('/')[7] ?? '';
  try {
    return decodeURIComponent(raw.replaceAll('+', ' '));
  } catch {
    throw profileProblem(400, 'The identifier is not valid.');
  }
}

function findProfile(state: SegmentState, request: FastifyRequest, nowMs: number): Profile {
  enterSpace(state, request, nowMs);
  const identifier = identifierOf(request);
  const colon = identifier.indexOf(':');
  if (colon < 1) throw profileProblem(400, 'The identifier must be <id_type>:<external_id>.');
  const [type, id] = [identifier.slice(0, colon), identifier.slice(colon + 1)];
  // An upper-case query finds nothing.
  const profile = id === id.toLowerCase() ? profileBy(state, type, id) : undefined;
  state.sentinels.visit(profile?.owner ?? (type === 'email' ? id : undefined));
  if (profile === undefined) throw profileProblem(404, 'The resource was not found.');
  return profile;
}

interface Page<Item> {
  readonly items: Item[];
  readonly cursor: { url: string; has_more: boolean; next: string; limit: number };
}

function pageOf<Item>(request: FastifyRequest, items: readonly Item[], limitMax: number): Page<Item> {
  const query = queryOf(request);
  const limit = Number(query.get('limit') ?? LIMIT_DEFAULT);
  if (!Number.isInteger(limit) || limit < 1 || limit > limitMax) throw profileProblem(400, `limit must be between 1 and ${limitMax}.`);
  const next = query.get('next');
  const start = next === null || next === '' ? 0 : Number(Buffer.from(next, 'base64url').toString('utf8'));
  if (!Number.isInteger(start) || start < 0) throw profileProblem(400, 'next is not valid.');
  const hasMore = start + limit < items.length;
  return {
    items: items.slice(start, start + limit),
    cursor: {
      url: request.url.split('?', 1)[0] ?? '',
      has_more: hasMore,
      next: hasMore ? Buffer.from(String(start + limit)).toString('base64url') : '',
      limit,
    },
  };
}

/** The include filter of a read: a comma-separated list, or everything. */
function included(request: FastifyRequest): (name: string) => boolean {
  const include = queryOf(request).get('include');
  if (include === null) return () => true;
  const names = include.split(',');
  return (name) => names.includes(name);
}

function reads(add: AddRoute, state: () => SegmentState, context: SimulatorContext): void {
  const base = '/v1/spaces/:space/collections/users/profiles/:identifier';
  const read = (part: string, answer: (request: FastifyRequest, profile: Profile) => unknown): void =>
    add('GET', `${base}/${part}`, (request) => ({ body: answer(request, findProfile(state(), request, context.now())) }));
  read('external_ids', (request, profile) => {
    const wanted = included(request);
    const { items, cursor } = pageOf(request, profile.externalIds.filter(({ type }) => wanted(type)), 100);
    return { data: items, cursor };
  });
  read('traits', (request, profile) => {
    const wanted = included(request);
    const { items, cursor } = pageOf(request, Object.entries(profile.traits).filter(([name]) => wanted(name)), 200);
    return { traits: Object.fromEntries(items), cursor };
  });
  read('events', (request, profile) => {
    const since = context.now() - EVENT_AGE_MS;
    const recent = profile.events.filter(({ timestamp }) => typeof timestamp !== 'string' || Date.parse(timestamp) >= since);
    const { items, cursor } = pageOf(request, recent, 100);
    return { data: items, cursor };
  });
  read('links', (request, profile) => {
    const { items, cursor } = pageOf(request, profile.links, 20);
    return { data: items, cursor };
  });
  read('metadata', (_request, profile) => ({
    metadata: {
      created_at: new Date(profile.createdAtMs).toISOString(),
      updated_at: new Date(profile.updatedAtMs).toISOString(),
      expires_at: null,
      first_source_id: profile.externalIds[0]?.source_id ?? null,
      last_source_id: profile.externalIds.at(-1)?.source_id ?? null,
      first_message_id: profile.externalIds[0]?.first_message_id ?? null,
      last_message_id: profile.externalIds.at(-1)?.first_message_id ?? null,
    },
  }));
}

function identifiersIn(body: unknown): { ids: { type: string; id: string }[]; traits: Record<string, unknown> } {
  if (typeof body !== 'object' || body === null) throw profileProblem(400, 'The body must be an object.');
  const fields = body as Record<string, unknown>;
  const traits = fields['traits'] ?? {};
  if (typeof traits !== 'object' || traits === null || Array.isArray(traits)) throw profileProblem(400, 'traits must be an object.');
  const known: Record<string, unknown> = { ...traits };
  const candidates: [string, unknown][] = [
    ['user_id', fields['user_id'] ?? fields['userId']],
    ['anonymous_id', fields['anonymous_id'] ?? fields['anonymousId']],
    ['email', known['email']],
    ['phone', known['phone']],
  ];
  const ids = candidates.flatMap(([type, id]) => (typeof id === 'string' && id !== '' ? [{ type, id }] : []));
  if (ids.length === 0) throw profileProblem(400, 'No identifier was given.');
  return { ids, traits: known };
}

function mergeInto(state: SegmentState, kept: Profile, other: Profile, nowMs: number): void {
  removeProfile(state, other);
  for (const { type, id } of other.externalIds) addExternalId(state, kept, type, id, nowMs);
  kept.traits = { ...other.traits, ...kept.traits };
  kept.events.push(...other.events);
  kept.links.push(...other.links);
}

/** The form that writes: it creates, changes or merges profiles, whatever the caller meant by it. */
function identify(state: SegmentState, context: SimulatorContext, request: FastifyRequest): SegmentAnswer {
  const nowMs = context.now();
  enterSpace(state, request, nowMs);
  const { ids, traits } = identifiersIn(request.body);
  state.sentinels.visit(ids.find(({ type }) => type === 'email')?.id);
  // Data of a suppressed user is dropped on arrival.
  if (ids.some(({ type, id }) => type === 'user_id' && state.suppressed.has(id))) return { body: { profile_id: null } };
  const holders = new Set(ids.flatMap(({ type, id }) => profileBy(state, type, id) ?? []));
  const [kept, ...others] = [...holders];
  if (kept === undefined) {
    const made = addProfile(state, ids, traits, nowMs);
    context.effect('profile.created', made.id);
    return { body: { profile_id: made.id } };
  }
  for (const other of others) {
    mergeInto(state, kept, other, nowMs);
    context.effect('profile.merged', other.id);
  }
  const before = JSON.stringify([kept.traits, kept.externalIds]);
  for (const { type, id } of ids) addExternalId(state, kept, type, id, nowMs);
  kept.traits = { ...kept.traits, ...traits };
  if (JSON.stringify([kept.traits, kept.externalIds]) !== before) {
    kept.updatedAtMs = nowMs;
    context.effect('profile.updated', kept.id);
  }
  return { body: { profile_id: kept.id } };
}

/** The Profile API (read-only) and the identify form that really writes. */
export function profileRoutes(add: AddRoute, state: () => SegmentState, context: SimulatorContext): void {
  reads(add, state, context);
  add('POST', '/v1/spaces/:space/users/identify', (request) => identify(state(), context, request));
}
