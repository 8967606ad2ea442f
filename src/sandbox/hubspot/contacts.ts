import type { FastifyRequest } from 'fastify';
import { z } from 'zod';
import { bearerOf, paramOf, queryOf, Refusal, type AddRoute, type Answer } from '../front-door.ts';
import type { SimulatorContext } from '../simulator.ts';
import { addressesOf, type Contact, type HubspotState } from './state.ts';

const DAY_MS = 86_400_000;
const CORRELATION = 'c0rre1a7-0000-4000-8000-000000000000';

/** A contact in the recycle bin can be restored this long; afterwards HubSpot forgets it by itself. */
const RECYCLE_BIN_MS = 90 * DAY_MS;

const CATEGORIES: Readonly<Record<number, string>> = {
  400: 'VALIDATION_ERROR',
  401: 'INVALID_AUTHENTICATION',
  403: 'MISSING_SCOPES',
  404: 'OBJECT_NOT_FOUND',
  409: 'CONFLICT',
  429: 'RATE_LIMITS',
};

/** HubSpot's refusal for a status: `{status, message, correlationId, category}`. */
export function hubspotRefusal(status: number, headers: Readonly<Record<string, string>> = {}, more: { message?: string; policyName?: string } = {}): Refusal {
  const { message = `Status ${status}`, policyName } = more;
  const category = CATEGORIES[status] ?? 'INTERNAL_ERROR';
  return new Refusal(status, { status: 'error', message, correlationId: CORRELATION, category, ...(policyName === undefined ? {} : { policyName }) }, headers);
}

/** Lets a request in: any bearer token without `revoked`, one without `readonly` for what writes, within the ten-second window. */
export function enterHubspot(state: HubspotState, nowMs: number, request: FastifyRequest): Readonly<Record<string, string>> {
  const token = bearerOf(request);
  if (token === undefined || token.includes('revoked')) throw hubspotRefusal(401, {}, { message: 'Authentication credentials not found.' });
  const isSearch = request.url.includes('/search');
  const { requests_per_ten_seconds: limit, searches_per_second: searches } = state.account;
  if (isSearch && state.windows.admit('search', searches, 1000, nowMs) === undefined) {
    throw hubspotRefusal(429, {}, { message: 'You have reached your secondly limit.', policyName: 'SECONDLY' });
  }
  const left = state.windows.admit('requests', limit, 10_000, nowMs);
  if (left === undefined) throw hubspotRefusal(429, {}, { message: 'You have reached your ten_secondly_rolling limit.', policyName: 'TEN_SECONDLY_ROLLING' });
  if (request.method !== 'GET' && !isSearch && token.includes('readonly')) throw hubspotRefusal(403);
  // Documented: search answers carry no rate-limit headers.
  return isSearch ? {} : { 'x-hubspot-ratelimit-max': String(limit), 'x-hubspot-ratelimit-remaining': String(left), 'x-hubspot-ratelimit-interval-milliseconds': '10000' };
}

const filterSchema = z.object({ propertyName: z.string(), operator: z.enum(['EQ', 'IN', 'CONTAINS_TOKEN']), value: z.string().optional(), values: z.array(z.string()).optional() });
const searchSchema = z.object({
  filterGroups: z.array(z.object({ filters: z.array(filterSchema).min(1).max(6) })).max(5).default([]),
  properties: z.array(z.string()).optional(),
  limit: z.int().min(1).max(200).default(10),
  after: z.union([z.string().regex(/^\d*$/u), z.int()]).optional(),
});

const tokensOf = (value: string): string[] => value.toLowerCase().split(/[^\p{L}\p{N}]+/u).filter((each) => each !== '');

function matches(contact: Contact, filter: z.output<typeof filterSchema>): boolean {
  const held = filter.propertyName === 'hs_object_id' ? contact.id : contact.properties[filter.propertyName];
  if (held === undefined) return false;
  if (filter.operator === 'IN') return (filter.values ?? []).some((each) => each.toLowerCase() === held.toLowerCase());
  if (filter.operator === 'EQ') return held.toLowerCase() === filter.value?.toLowerCase();
  // A token matches wherever it stands, so this finds other people's addresses too.
  const heldTokens = new Set(tokensOf(held));
  return tokensOf(filter.value ?? '').some((each) => heldTokens.has(each));
}

const shape = (contact: Contact, properties: readonly string[] | undefined): object => {
  const wanted = properties ?? ['createdate', 'email', 'firstname', 'hs_object_id', 'lastmodifieddate', 'lastname'];
  const at = new Date(contact.createdAtMs).toISOString();
  const own: Record<string, string> = { ...contact.properties, hs_object_id: contact.id, createdate: at, lastmodifieddate: at };
  const shown = Object.fromEntries(wanted.map((name) => [name, own[name] ?? null]));
  return { id: contact.id, properties: shown, createdAt: at, updatedAt: at, archived: contact.archivedAtMs !== undefined };
};

function search(state: HubspotState, nowMs: number, request: FastifyRequest): Answer {
  const parsed = searchSchema.safeParse(request.body ?? {});
  if (!parsed.success) throw hubspotRefusal(400, {}, { message: 'Invalid input JSON' });
  const { filterGroups, properties, limit, after } = parsed.data;
  const stale = [...state.stale.values()].filter((each) => each.untilMs > nowMs).map((each) => each.contact);
  const live = [...state.contacts.values()].filter((each) => each.archivedAtMs === undefined);
  const found = [...live, ...stale].filter((contact) => filterGroups.length === 0 || filterGroups.some(({ filters }) => filters.every((each) => matches(contact, each))));
  for (const contact of found) state.sentinels.visit(contact.properties['email']);
  const start = after === undefined || after === '' ? 0 : Number(after);
  const end = start + limit;
  const paging = end < found.length ? { paging: { next: { after: String(end), link: '?after=' } } } : {};
  return { body: { total: found.length, results: found.slice(start, end).map((each) => shape(each, properties)), ...paging } };
}

function forget(state: HubspotState, context: SimulatorContext, contact: Contact): void {
  state.contacts.delete(contact.id);
  state.stale.set(contact.id, { contact, untilMs: context.now() + state.account.search_lag_ms });
}

function block(state: HubspotState, context: SimulatorContext, address: string, object: string): void {
  if (state.blocklist.has(address)) return;
  state.blocklist.add(address);
  context.effect('email.blocklisted', object);
}

const gdprSchema = z.strictObject({ objectId: z.string().min(1), idProperty: z.string().optional() });

function gdprDelete(state: HubspotState, context: SimulatorContext, request: FastifyRequest): Answer {
  const parsed = gdprSchema.safeParse(request.body);
  if (!parsed.success) throw hubspotRefusal(400, {}, { message: 'Invalid input JSON' });
  const { objectId, idProperty } = parsed.data;
  const isByEmail = idProperty === 'email';
  const contact = isByEmail ? [...state.contacts.values()].find((each) => addressesOf(each).includes(objectId.toLowerCase())) : state.contacts.get(objectId);
  if (contact === undefined) {
    if (!isByEmail) throw hubspotRefusal(404, {}, { message: 'resource not found' });
    // Documented: an address that is not found is added to the blocklist, and the call succeeds.
    block(state, context, objectId.toLowerCase(), 'unknown');
    return { status: 204 };
  }
  const owner = contact.properties['email'];
  state.sentinels.visit(owner);
  if (context.lies(request) || state.sentinels.lies(owner)) return { status: 204 };
  forget(state, context, contact);
  context.effect('contact.gdpr_deleted', contact.id);
  for (const address of addressesOf(contact)) block(state, context, address, contact.id);
  return { status: 204, lost: state.sentinels.losesAnswer(owner) };
}

function contactOf(state: HubspotState, nowMs: number, request: FastifyRequest, isArchived: boolean): Contact {
  const contact = state.contacts.get(paramOf(request, 'id'));
  if (contact?.archivedAtMs !== undefined && contact.archivedAtMs + RECYCLE_BIN_MS <= nowMs) state.contacts.delete(contact.id);
  else if (contact !== undefined && (contact.archivedAtMs !== undefined) === isArchived) {
    state.sentinels.visit(contact.properties['email']);
    return contact;
  }
  throw hubspotRefusal(404, {}, { message: 'resource not found' });
}

/** Contacts: search, read, the ordinary deletion into the recycle bin, the permanent one, and what hangs on them. */
export function contactRoutes(add: AddRoute, state: () => HubspotState, context: SimulatorContext): void {
  const base = '/crm/v3/objects/contacts';
  add('POST', `${base}/search`, (request) => search(state(), context.now(), request));
  add('POST', `${base}/gdpr-delete`, (request) => gdprDelete(state(), context, request));
  add('GET', base, () => ({ body: { results: [...state().contacts.values()].filter((each) => each.archivedAtMs === undefined).slice(0, 1).map((each) => shape(each, undefined)) } }));
  add('GET', `${base}/:id`, (request) => {
    const query = queryOf(request);
    return { body: shape(contactOf(state(), context.now(), request, query.get('archived') === 'true'), query.get('properties')?.split(',')) };
  });
  add('DELETE', `${base}/:id`, (request) => {
    const contact = state().contacts.get(paramOf(request, 'id'));
    if (contact?.archivedAtMs === undefined && contact !== undefined && !context.lies(request)) {
      contact.archivedAtMs = context.now();
      context.effect('contact.archived', contact.id);
    }
    return { status: 204 };
  });
  add('GET', '/crm/v4/objects/contacts/:id/associations/:type', (request) => {
    const contact = contactOf(state(), context.now(), request, false);
    const linked = contact.associations.filter((each) => each.type === paramOf(request, 'type'));
    return { body: { results: linked.map((each) => ({ toObjectId: each.id, associationTypes: [] })) } };
  });
}
