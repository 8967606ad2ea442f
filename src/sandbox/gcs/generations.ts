import type { FastifyReply, FastifyRequest } from 'fastify';
import type { SimulatorContext } from '../simulator.ts';
import { bucketName, metadataOf, type Generation, type GcsState } from './state.ts';

/** Google's reasons for the statuses that the simulator answers. */
const reasons: Readonly<Record<number, string>> = { 400: 'invalid', 401: 'authError', 403: 'forbidden', 404: 'notFound', 412: 'conditionNotMet', 429: 'rateLimitExceeded', 500: 'backendError', 503: 'backendError' };

/** The body of a refusal. */
export function refusal(status: number, reason = reasons[status] ?? 'sandbox'): unknown {
  return { error: { code: status, message: `sandbox: ${status}`, errors: [{ domain: 'global', reason, message: `sandbox: ${status}` }] } };
}

/** Answers a refusal. */
export function refuse(reply: FastifyReply, status: number, reason?: string): FastifyReply {
  return reply.code(status).send(refusal(status, reason));
}

interface Listed {
  readonly name: string;
  readonly generation: Generation;
  readonly shown: object;
}

function listed(state: GcsState, query: URLSearchParams, now: number): Listed[] {
  if (query.get('softDeleted') === 'true') {
    return state.softDeleted
      .filter(({ hardDeleteAt }) => hardDeleteAt > now)
      .map(({ name, generation, at, hardDeleteAt }) => ({ name, generation, shown: { ...metadataOf(name, generation), softDeleteTime: new Date(at).toISOString(), hardDeleteTime: new Date(hardDeleteAt).toISOString() } }));
  }
  const shows = (each: Generation): boolean => each.isLive || query.get('versions') === 'true';
  return [...state.objects].flatMap(([name, generations]) => generations.filter(shows).map((generation) => ({ name, generation, shown: metadataOf(name, generation) })));
}

const byNameAndGeneration = (one: Listed, other: Listed): number => Buffer.compare(Buffer.from(one.name), Buffer.from(other.name)) || Number(one.generation.generation) - Number(other.generation.generation);

function list(state: GcsState, request: FastifyRequest, reply: FastifyReply, now: number): unknown {
  const query = new URLSearchParams(request.url.split('?', 2)[1] ?? '');
  if (query.get('softDeleted') === 'true' && state.settings.soft_delete_seconds === 0) return refuse(reply, 400);
  const all = listed(state, query, now).filter(({ name }) => name.startsWith(query.get('prefix') ?? '')).toSorted(byNameAndGeneration);
  // The token says behind which object the page begins; that one may be gone by now.
  const [afterName = '', afterGeneration = '0'] = JSON.parse(Buffer.from(query.get('pageToken') ?? '', 'base64url').toString() || '[]') as string[];
  const isBehind = ({ name, generation }: Listed): boolean => {
    const order = Buffer.compare(Buffer.from(name), Buffer.from(afterName));
    return afterName === '' || order > 0 || (order === 0 && Number(generation.generation) > Number(afterGeneration));
  };
  const rest = all.filter(isBehind);
  const page = rest.slice(0, Math.min(Number(query.get('maxResults') ?? 1000), state.settings.page_size));
  const last = page.at(-1);
  const next = last !== undefined && page.length < rest.length ? { nextPageToken: Buffer.from(JSON.stringify([last.name, last.generation.generation])).toString('base64url') } : {};
  return { kind: 'storage#objects', ...next, ...(page.length === 0 ? {} : { items: page.map(({ shown }) => shown) }) };
}

function lockReason(generation: Generation, locked: boolean, now: number): string | undefined {
  if (generation.hold !== undefined) return 'objectUnderActiveHold';
  return locked || (generation.retained !== undefined && Date.parse(generation.retained.until) > now) ? 'retentionPolicyNotMet' : undefined;
}

function remove(state: GcsState, context: SimulatorContext, request: FastifyRequest, reply: FastifyReply): FastifyReply {
  const { objects, settings } = state;
  const name = decodeURIComponent((request.params as { object: string }).object);
  const generation = new URLSearchParams(request.url.split('?', 2)[1] ?? '').get('generation');
  const before = objects.get(name) ?? [];
  const goes = (each: Generation): boolean => (generation === null ? each.isLive : each.generation === generation);
  const found = before.find(goes);
  if (settings.forbids_deleting) return refuse(reply, 403);
  if (found === undefined) return refuse(reply, 404);
  const reason = lockReason(found, settings.locked, context.now());
  if (reason !== undefined) return refuse(reply, 403, reason);
  if (context.lies(request)) return reply.code(204).send();
  const isHidden = generation === null && settings.versioning;
  const left = isHidden ? before.map((each) => ({ ...each, isLive: false })) : before.filter((each) => !goes(each));
  if (left.length === 0) objects.delete(name);
  else objects.set(name, left);
  if (!isHidden && settings.soft_delete_seconds > 0) {
    state.softDeleted.push({ name, generation: found, at: context.now(), hardDeleteAt: context.now() + settings.soft_delete_seconds * 1000 });
  }
  context.effect('object.deleted', name);
  return reply.code(204).send();
}

/** The JSON API's routes for listing and deleting objects, generation by generation, and for the bucket's policy of soft deletion. */
export function generationRoutes(context: SimulatorContext, stateOf: () => GcsState, isAllowed: (request: FastifyRequest) => boolean): void {
  const { app, now } = context;
  app.get('/storage/v1/b/:bucket', async (request, reply) => {
    if (!isAllowed(request)) return refuse(reply, 401);
    const seconds = stateOf().settings.soft_delete_seconds;
    return { kind: 'storage#bucket', id: bucketName, name: bucketName, softDeletePolicy: { retentionDurationSeconds: String(seconds) } };
  });
  app.get('/storage/v1/b/:bucket/o', async (request, reply) => (isAllowed(request) ? list(stateOf(), request, reply, now()) : refuse(reply, 401)));
  app.delete('/storage/v1/b/:bucket/o/:object', async (request, reply) => (isAllowed(request) ? remove(stateOf(), context, request, reply) : refuse(reply, 401)));
}
