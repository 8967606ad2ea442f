import type { ConnectorContext, Located, LocateResult } from '../../connector-kit/index.ts';
import type { Identifier } from '../../contract/identifiers.ts';
import type { SegmentConfig } from './config.ts';
import { identify } from './profile-api.ts';
import { searchProfiles } from './search-profiles.ts';

/** Finds every identifier that Segment ties to one of the known ones, in the configured form. */
export async function locateProfile(context: ConnectorContext, config: SegmentConfig, known: readonly Identifier[]): Promise<LocateResult> {
  return config.profile_api.form === 'identify' ? byIdentify(context, config, known) : byExternalIds(context, config, known);
}

async function byExternalIds(context: ConnectorContext, config: SegmentConfig, known: readonly Identifier[]): Promise<LocateResult> {
  const given = new Set(known.map(({ kind, value }) => `${kind}:${value}`));
  const found = new Map<string, Located>();
  const knows: Identifier[] = [];
  for await (const { identifier: via, profile } of searchProfiles(context, config, known)) {
    if (profile === undefined) continue;
    knows.push(via);
    for (const identifier of profile) {
      // Compared exactly: `U1` and `u1` are one to the Profile API but two to a regulation, and both must be regulated.
      const key = `${identifier.kind}:${identifier.value}`;
      if (!given.has(key) && !found.has(key)) found.set(key, { identifier, via, confidence: 1 });
    }
  }
  return { found: [...found.values()], knows };
}

/**
 * The literal form answers one `profile_id`, which is the profile sid that Twilio's literal form takes. It says nothing about whether the
 * profile was there before the question, so nothing is reported as known.
 */
async function byIdentify(context: ConnectorContext, config: SegmentConfig, known: readonly Identifier[]): Promise<LocateResult> {
  const emails = known.filter(({ kind }) => kind === 'email');
  const phones = known.filter(({ kind }) => kind === 'phone');
  const found = new Map<string, Located>();
  for (let index = 0; index < Math.max(emails.length, phones.length); index += 1) {
    const email = emails[index];
    const phone = phones[index];
    const via = email ?? phone;
    if (via === undefined) continue;
    const profileId = await identify(context, config, {
      ...(email === undefined ? {} : { email: email.value }),
      ...(phone === undefined ? {} : { phone: phone.value }),
    });
    if (profileId === undefined || known.some(({ kind, value }) => kind === 'twilio_profile' && value === profileId)) continue;
    if (!found.has(profileId)) found.set(profileId, { identifier: { kind: 'twilio_profile', value: profileId }, via, confidence: 1 });
  }
  return { found: [...found.values()], knows: [] };
}
