import { playDeletion } from './deletion.ts';
import { sendAbsent } from './gate.ts';
import { isoSeconds } from './identifiers.ts';
import { changeLagged, readLagged, visible } from './lagged.ts';
import { accepted, openProfile, phonesOf, profilePath, type ByProfile } from './memory-profiles.ts';
import { pageByToken } from './paging.ts';
import type { MemoryNote, World } from './twilio-state.ts';

function renderObservation(note: MemoryNote, content: string): unknown {
  const at = isoSeconds(note.createdAt);
  return { id: note.sid, content, source: 'sandbox', occurredAt: at, conversationIds: [note.conversationId], createdAt: at, updatedAt: at };
}

function renderSummary(note: MemoryNote, content: string): unknown {
  const at = isoSeconds(note.createdAt);
  return { id: note.sid, content, source: 'sandbox', occurredAt: at, conversationId: note.conversationId, createdAt: at, updatedAt: at };
}

const kinds = [
  { path: 'Observations', key: 'observations', store: 'observations', render: renderObservation, event: 'observation.deleted', done: 'Observation deletion accepted' },
  { path: 'ConversationSummaries', key: 'summaries', store: 'summaries', render: renderSummary, event: 'summary.deleted', done: 'Conversation summary deletion accepted' },
] as const;

/**
 * Registers Observations and ConversationSummaries: list, read, delete.
 * They stay reachable below a deleted profile for as long as any is left; when none is, the profile's 404 answers.
 */
export function registerMemoryNoteRoutes(world: World): void {
  const { app, now, effect } = world.context;
  for (const { path, key, store, render, event, done } of kinds) {
    const base = `${profilePath}/${path}`;
    const find = ({ profile, note }: ByProfile['Params']): MemoryNote | undefined => {
      const found = world.state[store].get(note);
      return found?.profileId === profile ? found : undefined;
    };
    app.get<ByProfile>(base, (request, reply) => {
      const profile = openProfile(world, request, reply);
      if (profile === undefined) return reply;
      const notes = world.state[store].select(`profile:${profile.sid}`).filter((each) => visible(each, now()) !== undefined);
      if (notes.length === 0 && visible(profile, now()) === undefined) return sendAbsent(world, request, reply, profile.sid);
      const { items, meta } = pageByToken(request, notes, key, 50);
      // Each note of this profile counts one read, whichever page it is on: a listing is one look at the whole set.
      const shown = items.map((each) => render(each, visible(each, now()) ?? ''));
      for (const each of world.state[store].select(`profile:${profile.sid}`)) readLagged(each, now());
      return reply.header('canonical-profile-id', profile.sid).send({ [key]: shown, meta });
    });
    app.get<ByProfile>(`${base}/:note`, (request, reply) => {
      if (openProfile(world, request, reply) === undefined) return reply;
      const note = find(request.params);
      const content = note === undefined ? undefined : readLagged(note, now());
      if (note === undefined || content === undefined) return sendAbsent(world, request, reply, request.params.note);
      return reply.header('canonical-profile-id', request.params.profile).send(render(note, content));
    });
    app.delete<ByProfile>(`${base}/:note`, (request, reply) => {
      const profile = openProfile(world, request, reply);
      if (profile === undefined) return reply;
      const note = find(request.params);
      if (note === undefined || visible(note, now()) === undefined) return sendAbsent(world, request, reply, request.params.note);
      const work = (): void => {
        if (note.live === undefined) return;
        changeLagged(note, undefined, world.state.settings.visibility, now());
        world.state.gone.add(note.sid);
        effect(event, note.sid);
      };
      return playDeletion(world, request, reply, { addresses: phonesOf(profile), target: 'other', work, done: accepted(done) });
    });
  }
}
