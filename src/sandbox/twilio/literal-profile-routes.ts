import { noContent, playDeletion } from './deletion.ts';
import { sendAbsent } from './gate.ts';
import { rfc2822 } from './identifiers.ts';
import { phonesOf } from './memory-profiles.ts';
import { sendError } from './twilio-error.ts';
import type { Profile, World } from './twilio-state.ts';

interface ById {
  Params: { profile: string };
}

/**
 * Registers the endpoint that was asked for and that Twilio does not have: `…/Accounts/{Sid}/Profiles/{ProfileSid}.json`.
 * It answers 404 unless the account was seeded with `literal_profiles`. The profile goes at once, with its observations and summaries.
 */
export function registerLiteralProfileRoutes(world: World): void {
  const { app, effect } = world.context;
  const path = '/2010-04-01/Accounts/:account/Profiles/:profile.json';
  const find = (id: string): Profile | undefined => {
    const { profiles, settings } = world.state;
    const profile = settings.literalProfiles ? (profiles.get(id) ?? profiles.select(`literal:${id}`)[0]) : undefined;
    return profile?.live === undefined ? undefined : profile;
  };
  app.get<ById>(path, (request, reply) => {
    const profile = find(request.params.profile);
    if (profile === undefined) return sendAbsent(world, request, reply, request.params.profile);
    return reply.send({ sid: request.params.profile, account_sid: world.state.settings.accountSid, date_created: rfc2822(profile.createdAt), ...profile.live });
  });
  app.delete<ById>(path, (request, reply) => {
    const profile = find(request.params.profile);
    if (profile === undefined) return sendError(reply, 404);
    const work = (): void => {
      profile.live = undefined;
      profile.before = undefined;
      world.state.gone.add(profile.sid).add(request.params.profile);
      effect('profile.deleted', profile.sid);
      for (const [store, event] of [['observations', 'observation.deleted'], ['summaries', 'summary.deleted']] as const) {
        for (const note of world.state[store].select(`profile:${profile.sid}`)) {
          if (note.live === undefined) continue;
          note.live = undefined;
          note.before = undefined;
          world.state.gone.add(note.sid);
          effect(event, note.sid);
        }
      }
    };
    return playDeletion(world, request, reply, { addresses: phonesOf(profile), target: 'other', work, done: noContent });
  });
}
