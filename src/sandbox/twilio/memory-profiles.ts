import type { FastifyReply, FastifyRequest } from 'fastify';
import { sendAbsent } from './gate.ts';
import { isoSeconds } from './identifiers.ts';
import { changeLagged, readLagged, visible } from './lagged.ts';
import { originOf, pageByToken, queryOf } from './paging.ts';
import { playDeletion } from './deletion.ts';
import { sendError } from './twilio-error.ts';
import type { Profile, ProfileData, Traits, World } from './twilio-state.ts';

/** The path of one Memory profile. */
export const profilePath = '/v1/Stores/:store/Profiles/:profile';

/** The path parameters of the routes below a profile. */
export interface ByProfile {
  Params: { store: string; profile: string; type: string; note: string };
}

/** Answers 202 with Memory's one-field body. */
export function accepted(message: string): (reply: FastifyReply) => FastifyReply {
  return (reply) => reply.code(202).send({ message });
}

/** The phone numbers among a profile's identifiers, for sentinel numbers. */
export function phonesOf(profile: Profile): readonly string[] {
  return Object.values(profile.live?.identifiers ?? {}).flat();
}

/** Promises the value that Memory stores and looks up for an identifier: e-mail in lower case, a phone number without punctuation. */
export function normalised(type: string, value: string): string {
  const text = value.trim();
  if (type === 'email') return text.toLowerCase();
  return type === 'phone' ? text.replaceAll(/[^+\d]/gu, '') : text;
}

/** The key under which a profile can be looked up. */
export function lookupKey(store: string, type: string, value: string): string {
  return `${store} ${type} ${normalised(type, value)}`;
}

/** Promises the profile of the request, or sends 404, or the redirect of a merged profile (301 for reading, 308 for changing). */
export function openProfile(world: World, request: FastifyRequest<ByProfile>, reply: FastifyReply): Profile | undefined {
  const { store, profile: id } = request.params;
  const profile = world.state.profiles.get(id);
  if (profile === undefined || profile.storeId !== store) {
    sendAbsent(world, request, reply, id);
    return undefined;
  }
  if (profile.mergedInto === undefined) return profile;
  const uri = originOf(request) + request.url.replace(id, profile.mergedInto);
  void reply
    .code(request.method === 'GET' ? 301 : 308)
    .headers({ location: uri, 'canonical-profile-id': profile.mergedInto })
    .send({ message: 'This resource has moved.', uri });
  return undefined;
}

/** Makes an accepted change of a profile, seen by readers after the account's lag. */
export function changeProfile(world: World, profile: Profile, next: ProfileData | undefined): void {
  changeLagged(profile, next, world.state.settings.visibility, world.context.now());
  if (next === undefined) world.state.gone.add(profile.sid);
}

function patched(traits: Traits, patch: Traits): Traits {
  const groups = new Set([...Object.keys(traits), ...Object.keys(patch)]);
  return Object.fromEntries(
    [...groups].map((group) => {
      const merged = Object.entries({ ...traits[group], ...patch[group] });
      return [group, Object.fromEntries(merged.filter(([, value]) => value !== null))];
    }),
  );
}

/** Registers Memory's stores and the lookup of profiles. */
export function registerMemoryStoreRoutes(world: World): void {
  const { app, now } = world.context;
  app.get('/v1/ControlPlane/Stores', async (request) => {
    const { items, meta } = pageByToken(request, [...world.state.stores.values()], 'stores', 100);
    return { stores: items, meta };
  });
  app.get<ByProfile>('/v1/ControlPlane/Stores/:store', (request, reply) => {
    const found = [...world.state.stores].find(([, id]) => id === request.params.store);
    if (found === undefined) return sendError(reply, 404);
    return reply.send({ displayName: found[0], id: found[1], status: 'ACTIVE', intelligenceServiceId: null, version: 1 });
  });
  app.post<ByProfile>('/v1/Stores/:store/Profiles/Lookup', (request, reply) => {
    const { idType, value } = (request.body ?? {}) as { idType?: unknown; value?: unknown };
    if (typeof idType !== 'string' || typeof value !== 'string' || value === '') return sendError(reply, 400);
    const { store } = request.params;
    if (![...world.state.stores.values()].includes(store)) return sendError(reply, 404);
    const wanted = normalised(idType, value);
    const profiles = [...(world.state.lookup.get(lookupKey(store, idType, value)) ?? [])].filter((id) => {
      const profile = world.state.profiles.get(id);
      return profile !== undefined && readLagged(profile, now())?.identifiers[idType]?.includes(wanted) === true;
    });
    return reply.send({ normalizedValue: wanted, profiles: profiles.slice(0, 100) });
  });
  app.get<ByProfile>('/v1/Stores/:store/Profiles', (request, reply) => {
    const { store } = request.params;
    if (![...world.state.stores.values()].includes(store)) return sendError(reply, 404);
    const all = world.state.profiles.select(`store:${store}`).filter((each) => each.mergedInto === undefined && visible(each, now()) !== undefined);
    const { items, meta } = pageByToken(request, all, 'profiles', 1000);
    return reply.send({ profiles: items.map((each) => each.sid), meta });
  });
}

/** Registers a Memory profile: read, traits, anonymise by nulls, delete. Deleting it leaves its observations and summaries. */
export function registerMemoryProfileRoutes(world: World): void {
  const { app, now, effect } = world.context;
  const read = (request: FastifyRequest<ByProfile>, reply: FastifyReply): { profile: Profile; data: ProfileData } | undefined => {
    const profile = openProfile(world, request, reply);
    if (profile === undefined) return undefined;
    const data = readLagged(profile, now());
    if (data === undefined) {
      sendAbsent(world, request, reply, profile.sid);
      return undefined;
    }
    void reply.header('canonical-profile-id', profile.sid);
    return { profile, data };
  };
  app.get<ByProfile>(profilePath, (request, reply) => {
    const found = read(request, reply);
    if (found === undefined) return reply;
    const groups = queryOf(request)['traitGroups']?.split(',');
    const traits = Object.fromEntries(Object.entries(found.data.traits).filter(([group]) => groups === undefined || groups.includes(group)));
    return reply.send({ id: found.profile.sid, createdAt: isoSeconds(found.profile.createdAt), traits });
  });
  app.get<ByProfile>(`${profilePath}/Traits`, (request, reply) => {
    const found = read(request, reply);
    if (found === undefined) return reply;
    const timestamp = isoSeconds(found.profile.createdAt);
    const all = Object.entries(found.data.traits).flatMap(([traitGroup, traits]) =>
      Object.entries(traits).map(([name, value]) => ({ name, value, traitGroup, timestamp })),
    );
    const { items, meta } = pageByToken(request, all, 'traits', 100);
    return reply.send({ traits: items, meta });
  });
  app.get<ByProfile>(`${profilePath}/Identifiers`, (request, reply) => {
    const found = read(request, reply);
    if (found === undefined) return reply;
    return reply.send({ identifiers: Object.entries(found.data.identifiers).map(([idType, values]) => ({ idType, values })) });
  });
  app.get<ByProfile>(`${profilePath}/Identifiers/:type`, (request, reply) => {
    const found = read(request, reply);
    if (found === undefined) return reply;
    const values = found.data.identifiers[request.params.type];
    return values === undefined ? sendError(reply, 404) : reply.send({ idType: request.params.type, values });
  });
  app.patch<ByProfile>(profilePath, (request, reply) => {
    const profile = openProfile(world, request, reply);
    if (profile === undefined) return reply;
    if (visible(profile, now()) === undefined) return sendAbsent(world, request, reply, profile.sid);
    const { traits } = (request.body ?? {}) as { traits?: Traits };
    if (traits === null || typeof traits !== 'object') return sendError(reply, 400);
    if (profile.live !== undefined && !world.context.lies(request)) {
      changeProfile(world, profile, { ...profile.live, traits: patched(profile.live.traits, traits) });
      effect('profile.patched', profile.sid);
    }
    return accepted('Trait modifications accepted for processing.')(reply);
  });
  app.delete<ByProfile>(profilePath, (request, reply) => {
    const profile = openProfile(world, request, reply);
    if (profile === undefined) return reply;
    if (visible(profile, now()) === undefined) return sendAbsent(world, request, reply, profile.sid);
    const work = (): void => {
      if (profile.live === undefined) return;
      changeProfile(world, profile, undefined);
      effect('profile.deleted', profile.sid);
    };
    return playDeletion(world, request, reply, { addresses: phonesOf(profile), target: 'other', work, done: accepted('Profile accepted for deletion.') });
  });
  app.delete<ByProfile>(`${profilePath}/Identifiers/:type`, (request, reply) => {
    const profile = openProfile(world, request, reply);
    if (profile === undefined) return reply;
    const { type } = request.params;
    if (visible(profile, now())?.identifiers[type] === undefined) return sendAbsent(world, request, reply, profile.sid);
    const work = (): void => {
      const values = profile.live?.identifiers[type];
      if (profile.live === undefined || values === undefined) return;
      const left = queryOf(request)['removeAll'] === 'true' ? [] : values.slice(1);
      const { [type]: _removed, ...others } = profile.live.identifiers;
      changeProfile(world, profile, { ...profile.live, identifiers: left.length === 0 ? others : { ...others, [type]: left } });
      effect('identifier.deleted', `${profile.sid}/${type}`);
    };
    return playDeletion(world, request, reply, { addresses: phonesOf(profile), target: 'other', work, done: accepted('Identifier removal accepted.') });
  });
}
