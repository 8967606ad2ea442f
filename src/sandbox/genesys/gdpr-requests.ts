import type { FastifyRequest } from 'fastify';
import type { SimulatorContext } from '../simulator.ts';
import { problem, type AddRoute, type GenesysAnswer } from './gate.ts';
import { nextId, type GdprRequest, type GdprStatus, type GdprSubject, type GenesysState } from './genesys-state.ts';

const stages: readonly GdprStatus[] = ['INITIATED', 'SEARCHING', 'DELETING', 'FINALIZING'];
const pageSizeMax = 100;
const digits = (value: string): string => value.replaceAll(/\D/gu, '');
const same = (one: string, other: string): boolean => one.toLowerCase() === other.toLowerCase();

/** How each search type looks at a subject. Telephone numbers are compared by their digits, external ids exactly, everything else without case. */
const searches: Readonly<Record<string, (subject: GdprSubject, value: string) => boolean>> = {
  NAME: (subject, value) => subject.name !== undefined && same(subject.name, value),
  ADDRESS: (subject, value) => (subject.addresses ?? []).some((each) => same(each, value)),
  PHONE: (subject, value) => digits(value) !== '' && (subject.phoneNumbers ?? []).some((each) => digits(each) === digits(value)),
  EMAIL: (subject, value) => (subject.emailAddresses ?? []).some((each) => same(each, value)),
  TWITTER: (subject, value) => subject.socialHandle?.type === 'TWITTER' && same(subject.socialHandle.value, value),
  INSTAGRAM: (subject, value) => subject.socialHandle?.type === 'INSTAGRAM' && same(subject.socialHandle.value, value),
  FACEBOOK: (subject, value) => subject.socialHandle?.type === 'FACEBOOK' && same(subject.socialHandle.value, value),
  APPLE_MESSAGES: (subject, value) => subject.socialHandle?.type === 'APPLE_MESSAGES' && same(subject.socialHandle.value, value),
  WHATSAPP: (subject, value) => digits(value) !== '' && (subject.phoneNumbers ?? []).some((each) => digits(each) === digits(value)),
  EXTERNAL_ID: (subject, value) => subject.externalId === value,
};

/** The names by which the organisation knows one person; two subjects that share one are the same. */
function keysOf(subject: GdprSubject): readonly string[] {
  const { userId, externalContactId, dialerContactId, journeyCustomer, socialHandle, externalId } = subject;
  const named = { userId, externalContactId, dialerContactId, journeyCustomer, socialHandle, externalId };
  return Object.entries(named).flatMap(([key, value]) => (value === undefined ? [] : [JSON.stringify([key, value])]));
}

function settle(state: GenesysState, context: SimulatorContext, request: GdprRequest): void {
  if (request.status === 'COMPLETED' || request.status === 'ERROR') return;
  const stage = state.account.gdpr_stage_ms === 0 ? stages.length : Math.floor((context.now() - request.createdAtMs) / state.account.gdpr_stage_ms);
  const status = stages[stage];
  if (status !== undefined) {
    request.status = status;
    return;
  }
  request.status = request.ends;
  // Without the confirmation a request runs to its end like any other, and deletes nothing.
  if (request.ends === 'ERROR' || request.lying || !request.deleteConfirmed) return;
  const keys = new Set(keysOf(request.subject));
  for (const held of state.subjects.filter(({ subject }) => keysOf(subject).some((key) => keys.has(key)))) {
    state.subjects.splice(state.subjects.indexOf(held), 1);
    context.effect(held.subject.userId === undefined ? 'subject.deleted' : 'user.deleted', request.id);
  }
}

/** Moves every GDPR request to where it stands by now. */
export function settleGdpr(state: GenesysState, context: SimulatorContext): void {
  for (const request of state.requests.values()) settle(state, context, request);
}

const selfUri = (path: string): string => `/api/v2/gdpr/${path}`;

function show(request: GdprRequest): unknown {
  return {
    id: request.id,
    createdBy: { id: '5b000000-0000-4000-8000-ffffffffffff', selfUri: '/api/v2/users/5b000000-0000-4000-8000-ffffffffffff' },
    requestType: 'GDPR_DELETE',
    createdDate: new Date(request.createdAtMs).toISOString(),
    status: request.status,
    subject: request.subject,
    selfUri: selfUri(`requests/${request.id}`),
  };
}

function search(state: GenesysState, context: SimulatorContext, request: FastifyRequest): GenesysAnswer {
  settleGdpr(state, context);
  const { searchType = '', searchValue = '' } = request.query as Record<string, string>;
  const matches = searches[searchType];
  if (matches === undefined || searchValue === '') throw problem(400, 'Value is not valid for field searchType', { code: 'invalid.value' });
  const found = state.subjects.map(({ subject }) => subject).filter((subject) => matches(subject, searchValue));
  for (const owner of found.flatMap((subject) => subject.emailAddresses ?? [])) state.sentinels.visit(owner);
  return { status: 200, body: { entities: found, pageSize: found.length, pageNumber: 1, total: found.length, pageCount: 1, selfUri: selfUri('subjects') } };
}

function create(state: GenesysState, context: SimulatorContext, request: FastifyRequest): GenesysAnswer {
  const { requestType, subject } = (request.body ?? {}) as { requestType?: unknown; subject?: GdprSubject };
  if (requestType !== 'GDPR_DELETE') throw problem(400, 'Value is not valid for field requestType', { code: 'invalid.value' });
  if (typeof subject !== 'object' || subject === null || keysOf(subject).length === 0) throw problem(400, 'The subject names nobody', { code: 'bad.request' });
  const owners = subject.emailAddresses ?? [];
  for (const owner of owners) state.sentinels.visit(owner);
  const keys = new Set(keysOf(subject));
  const held = state.subjects.find((each) => keysOf(each.subject).some((key) => keys.has(key)));
  const made: GdprRequest = {
    id: nextId(state),
    subject,
    createdAtMs: context.now(),
    deleteConfirmed: (request.query as Record<string, string>)['deleteConfirmed'] === 'true',
    lying: context.lies(request) || owners.some((owner) => state.sentinels.lies(owner)),
    ends: held?.ends ?? 'COMPLETED',
    status: 'INITIATED',
  };
  state.requests.set(made.id, made);
  context.effect('gdpr_request.created', made.id);
  return { status: 200, body: show(made), lost: owners.some((owner) => state.sentinels.losesAnswer(owner)) };
}

function list(state: GenesysState, context: SimulatorContext, request: FastifyRequest): GenesysAnswer {
  settleGdpr(state, context);
  const query = request.query as Record<string, string>;
  const pageSize = Number(query['pageSize'] ?? 25);
  const pageNumber = Number(query['pageNumber'] ?? 1);
  if (!Number.isInteger(pageSize) || pageSize < 1 || pageSize > pageSizeMax) throw problem(400, 'pageSize', { code: 'invalid.value' });
  if (!Number.isInteger(pageNumber) || pageNumber < 1) throw problem(400, 'pageNumber', { code: 'invalid.value' });
  const all = [...state.requests.values()].toReversed();
  const pageCount = Math.max(1, Math.ceil(all.length / pageSize));
  const uri = (page: number): string => selfUri(`requests?pageSize=${pageSize}&pageNumber=${page}`);
  return {
    status: 200,
    body: {
      entities: all.slice((pageNumber - 1) * pageSize, pageNumber * pageSize).map(show),
      pageSize,
      pageNumber,
      total: all.length,
      pageCount,
      firstUri: uri(1),
      lastUri: uri(pageCount),
      selfUri: uri(pageNumber),
      ...(pageNumber < pageCount ? { nextUri: uri(pageNumber + 1) } : {}),
      ...(pageNumber > 1 ? { previousUri: uri(pageNumber - 1) } : {}),
    },
  };
}

/** The GDPR API of the public platform, deletions only. */
export function gdprRoutes(add: AddRoute, state: () => GenesysState, context: SimulatorContext): void {
  const needs = { scope: 'gdpr', isBare: false };
  add('GET', '/api/v2/gdpr/subjects', needs, (request) => search(state(), context, request));
  add('POST', '/api/v2/gdpr/requests', needs, (request) => create(state(), context, request));
  add('GET', '/api/v2/gdpr/requests', needs, (request) => list(state(), context, request));
  add('GET', '/api/v2/gdpr/requests/:id', needs, (request) => {
    const found = state().requests.get((request.params as { id: string }).id);
    if (found === undefined) throw problem(404, 'The requested resource was not found.');
    settle(state(), context, found);
    return { status: 200, body: show(found) };
  });
}
