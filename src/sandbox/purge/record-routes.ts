import type { FastifyReply, FastifyRequest } from 'fastify';
import type { SimulatorContext } from '../simulator.ts';
import { PurgeProblem } from './gate.ts';
import { pageOf } from './paging.ts';
import type { PurgeState, Subject } from './state.ts';

/** Puts the credential check before a route. */
export type Guard = (handle: (request: FastifyRequest, reply: FastifyReply) => unknown) => (request: FastifyRequest, reply: FastifyReply) => Promise<unknown>;

/**
 * The other shape that such services have: no jobs and no keys, records with ids. The search is a full-text one that finds everybody of the same mail
 * domain; a contact with notes cannot be deleted; a deleted one is hidden first, and gone after a second call.
 */
export function recordRoutes(state: () => PurgeState, { app, effect, lies }: SimulatorContext, guarded: Guard): void {
  const byId = (request: FastifyRequest): Subject => {
    const subject = state().subjects.get((request.params as { id: string }).id);
    if (subject === undefined) throw new PurgeProblem(404, 'not_found');
    return subject;
  };
  app.get('/contacts', guarded((request) => {
    const query = new URLSearchParams(request.url.split('?')[1] ?? '');
    const domain = (query.get('email') ?? '').split('@')[1] ?? '';
    const found = [...state().subjects.values()].filter((each) => !each.hidden && each.email?.endsWith(`@${domain}`) === true);
    const size = state().account.page_size;
    const page = Number(query.get('page') ?? '1');
    return { contacts: found.slice((page - 1) * size, page * size).map(({ id, email }) => ({ id, email })) };
  }));
  app.get('/contacts/:id/notes', guarded((request) => {
    const subject = byId(request);
    const cursor = new URLSearchParams(request.url.split('?')[1] ?? '').get('cursor') ?? undefined;
    const { items, next } = pageOf(state(), [...subject.noteIds], cursor);
    return { notes: items.map((id) => ({ id })), next: next === undefined ? null : `/contacts/${subject.id}/notes?cursor=${next}` };
  }));
  app.delete('/notes/:id', guarded((request, reply) => {
    if (lies(request)) return reply.code(204).send();
    const { id } = request.params as { id: string };
    const owner = [...state().subjects.values()].find((each) => each.noteIds.has(id));
    if (owner === undefined) throw new PurgeProblem(404, 'not_found');
    owner.noteIds.delete(id);
    effect('note.deleted', id);
    return reply.code(204).send();
  }));
  app.patch('/contacts/:id', guarded((request, reply) => {
    const subject = byId(request);
    const { email, phone, external_id: externalId } = request.body as Partial<Record<'email' | 'phone' | 'external_id', string>>;
    if (lies(request)) return reply.code(204).send();
    const given = { ...(email === undefined ? {} : { email }), ...(phone === undefined ? {} : { phone }), ...(externalId === undefined ? {} : { external_id: externalId }) };
    state().subjects.set(subject.id, { ...subject, ...given });
    effect('contact.corrected', subject.id);
    return reply.code(204).send();
  }));
  app.delete('/contacts/:id', guarded((request, reply) => {
    if (lies(request)) return reply.code(204).send();
    const subject = byId(request);
    if (subject.hidden) throw new PurgeProblem(404, 'not_found');
    if (subject.noteIds.size > 0) throw new PurgeProblem(422, 'has_notes');
    subject.hidden = true;
    effect('contact.hidden', subject.id);
    return reply.code(204).send();
  }));
  app.delete('/deleted-contacts/:id', guarded((request, reply) => {
    if (lies(request)) return reply.code(204).send();
    const subject = byId(request);
    if (!subject.hidden) throw new PurgeProblem(404, 'not_found');
    state().subjects.delete(subject.id);
    effect('contact.deleted', subject.id);
    return reply.code(204).send();
  }));
}
