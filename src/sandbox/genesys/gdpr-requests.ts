import type { FastifyRequest } from 'fastify';
import type { SimulatorContext } from '../simulator.ts';
import { problem, type AddRoute, type GenesysAnswer } from './gate.ts';
import { nextId, type GdprRequest, type GdprStatus, type GdprSubject, type GdprTerm, type GenesysState } from './genesys-state.ts';

const stagesOf: Readonly<Record<GdprRequest['requestType'], readonly GdprStatus[]>> = {
  GDPR_DELETE: ['INITIATED', 'SEARCHING', 'DELETING', 'FINALIZING'],
  GDPR_UPDATE: ['INITIATED', 'SEARCHING', 'UPDATING', 'FINALIZING'],
  GDPR_EXPORT: ['INITIATED', 'SEARCHING', 'SEARCHING', 'FINALIZING'],
};
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

/** A subject with one value replaced by another; values are matched as the searches match them. */
function replaced(subject: GdprSubject, { type, existingValue, updatedValue }: GdprTerm): GdprSubject {
  const inAll = (held: readonly string[] | undefined, matches: (one: string, other: string) => boolean): string[] => (held ?? []).map((each) => (matches(each, existingValue) ? updatedValue : each));
  switch (type) {
    case 'NAME':
      return subject.name !== undefined && same(subject.name, existingValue) ? { ...subject, name: updatedValue } : subject;
    case 'ADDRESS':
      return { ...subject, addresses: inAll(subject.addresses, same) };
    case 'EMAIL':
      return { ...subject, emailAddresses: inAll(subject.emailAddresses, same) };
    case 'PHONE':
      return { ...subject, phoneNumbers: inAll(subject.phoneNumbers, (one, other) => digits(one) === digits(other)) };
    case 'EXTERNAL_ID':
      return subject.externalId === existingValue ? { ...subject, externalId: updatedValue } : subject;
    default:
      return subject;
  }
}

function settle(state: GenesysState, context: SimulatorContext, request: GdprRequest): void {
  if (request.status === 'COMPLETED' || request.status === 'ERROR') return;
  const stages = stagesOf[request.requestType];
  const stage = state.account.gdpr_stage_ms === 0 ? stages.length : Math.floor((context.now() - request.createdAtMs) / state.account.gdpr_stage_ms);
  const status = stages[stage];
  if (status !== undefined) {
    request.status = status;
    return;
  }
  request.status = request.ends;
  const keys = new Set(keysOf(request.subject));
  const concerned = state.subjects.filter(({ subject }) => keysOf(subject).some((key) => keys.has(key)));
  if (request.requestType === 'GDPR_EXPORT') request.archives = request.ends === 'ERROR' ? [] : concerned.flatMap(({ archives }) => archives);
  // Without the confirmation a request to delete runs to its end like any other, and deletes nothing.
  if (request.ends === 'ERROR' || request.lying || request.requestType === 'GDPR_EXPORT') return;
  if (request.requestType === 'GDPR_UPDATE') {
    for (const held of concerned) {
      held.subject = request.terms.reduce(replaced, held.subject);
      context.effect('subject.updated', request.id);
    }
    return;
  }
  if (!request.deleteConfirmed) return;
  for (const held of concerned) {
    state.subjects.splice(state.subjects.indexOf(held), 1);
    context.effect(held.subject.userId === undefined ? 'subject.deleted' : 'user.deleted', request.id);
  }
}

/** Moves every GDPR request to where it stands by now. */
export function settleGdpr(state: GenesysState, context: SimulatorContext): void {
  for (const request of state.requests.values()) settle(state, context, request);
}

const hostOf = (request: FastifyRequest): string => `http://${request.headers.host ?? ''}`;
const selfUri = (path: string): string => `/api/v2/gdpr/${path}`;

function show(request: GdprRequest, host: string): unknown {
  const results = request.archives.map((_each, at) => `${host}/api/v2/downloads/${request.id}-${at}`);
  return {
    id: request.id,
    createdBy: { id: '5b000000-0000-4000-8000-ffffffffffff', selfUri: '/api/v2/users/5b000000-0000-4000-8000-ffffffffffff' },
    requestType: request.requestType,
    ...(request.terms.length === 0 ? {} : { replacementTerms: request.terms }),
    ...(results[0] === undefined ? {} : results.length === 1 ? { resultsUrl: results[0] } : { resultsUrls: results }),
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
  const { requestType, subject, replacementTerms } = (request.body ?? {}) as { requestType?: GdprRequest['requestType']; subject?: GdprSubject; replacementTerms?: readonly GdprTerm[] };
  if (requestType === undefined || !Object.hasOwn(stagesOf, requestType)) throw problem(400, 'Value is not valid for field requestType', { code: 'invalid.value' });
  if (typeof subject !== 'object' || subject === null || keysOf(subject).length === 0) throw problem(400, 'The subject names nobody', { code: 'bad.request' });
  const terms = replacementTerms ?? [];
  if ((requestType === 'GDPR_UPDATE') !== terms.length > 0) throw problem(400, 'Replacement terms are for GDPR_UPDATE, which needs them', { code: 'bad.request' });
  const owners = subject.emailAddresses ?? [];
  for (const owner of owners) state.sentinels.visit(owner);
  const keys = new Set(keysOf(subject));
  const held = state.subjects.find((each) => keysOf(each.subject).some((key) => keys.has(key)));
  const made: GdprRequest = {
    id: nextId(state),
    requestType,
    subject,
    terms,
    archives: [],
    createdAtMs: context.now(),
    deleteConfirmed: (request.query as Record<string, string>)['deleteConfirmed'] === 'true',
    lying: context.lies(request) || owners.some((owner) => state.sentinels.lies(owner)),
    ends: held?.ends ?? 'COMPLETED',
    status: 'INITIATED',
  };
  state.requests.set(made.id, made);
  context.effect('gdpr_request.created', made.id);
  return { status: 200, body: show(made, hostOf(request)), lost: owners.some((owner) => state.sentinels.losesAnswer(owner)) };
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
      entities: all.slice((pageNumber - 1) * pageSize, pageNumber * pageSize).map((each) => show(each, hostOf(request))),
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

/** The GDPR API of the public platform. */
export function gdprRoutes(add: AddRoute, state: () => GenesysState, context: SimulatorContext): void {
  const needs = { scope: 'gdpr', isBare: false };
  add('GET', '/api/v2/gdpr/subjects', needs, (request) => search(state(), context, request));
  add('POST', '/api/v2/gdpr/requests', needs, (request) => create(state(), context, request));
  add('GET', '/api/v2/gdpr/requests', needs, (request) => list(state(), context, request));
  add('GET', '/api/v2/gdpr/requests/:id', needs, (request) => {
    const found = state().requests.get((request.params as { id: string }).id);
    if (found === undefined) throw problem(404, 'The requested resource was not found.');
    settle(state(), context, found);
    return { status: 200, body: show(found, hostOf(request)) };
  });
  const archiveOf = (name: string): string => {
    const { request = '', at = '' } = /^(?<request>.+)-(?<at>\d+)$/u.exec(name)?.groups ?? {};
    const archive = state().requests.get(request)?.archives[Number(at)];
    if (archive === undefined) throw problem(404, 'The requested resource was not found.');
    return archive;
  };
  add('GET', '/api/v2/downloads/:name', needs, (request) => {
    const { name } = request.params as { name: string };
    const archive = archiveOf(name);
    if (state().account.archives === 'own') return { status: 200, body: Buffer.from(archive), headers: { 'content-type': 'application/zip' } };
    return { status: 302, body: '', headers: { location: `http://localhost:${request.headers.host?.split(':')[1] ?? ''}/archives/${name}?signature=sandbox` } };
  });
  context.app.get('/archives/:name', async (request, reply) => {
    // A signed address takes no token, and a token that is sent all the same is one that was given away.
    if ((request.query as Record<string, string>)['signature'] !== 'sandbox' || request.headers.authorization !== undefined) return reply.code(403).send();
    const whole = Buffer.from(archiveOf((request.params as { name: string }).name));
    const until = /^bytes=0-(\d+)$/u.exec(request.headers.range ?? '')?.[1];
    if (until === undefined) return reply.header('content-type', 'application/zip').send(whole);
    const part = whole.subarray(0, Number(until) + 1);
    return reply.code(206).headers({ 'content-type': 'application/zip', 'content-range': `bytes 0-${part.length - 1}/${whole.length}` }).send(part);
  });
}
