import { z } from 'zod';
import { Failure, type ExportContext, type ExportedRecord, type ExportPage, type Json } from '../../connector-kit/index.ts';
import { idTypesOf, type SegmentConfig } from './config.ts';
import { pageSizeMax, readExternalIds, readProfilePart, type ExternalId, type ProfileRef } from './profile-api.ts';
import { spellingsOf } from './search-profiles.ts';

/** The parts of a profile after its external ids, with the most that a page of each may hold (Segment, Profile API). */
const parts = [
  { part: 'traits', limit: 200 },
  { part: 'events', limit: pageSizeMax },
  { part: 'links', limit: 20 },
] as const;
type Part = (typeof parts)[number]['part'];

const cursorSchema = z.strictObject({
  /** The external id by which the profile was found. */
  profile: z.string(),
  part: z.enum(['traits', 'events', 'links']),
  next: z.string().optional(),
});

const bodySchema = z.looseObject({ traits: z.record(z.string(), z.unknown()).optional(), data: z.array(z.unknown()).optional() });
const metadataSchema = z.looseObject({});

interface Found {
  readonly ref: ProfileRef;
  readonly ids: readonly ExternalId[];
}

/** More pages than this of one part are a vendor that counts in circles: a profile's events of 14 days, 100 at a time. */
const pagesMax = 10_000;

/**
 * Gives every profile that has one of the person's proven identifiers, each once: its external ids, metadata, traits, the events of the last 14 days and
 * its links, with a place to go on from after each page. What the Profile API does not show, older events above all, is named as
 * `object_not_included`. A profile that also has a user id which is not proven to be the person's fails with `SUBJECT_AMBIGUOUS`, before anything is given.
 */
export async function* exportProfiles(context: ExportContext, config: SegmentConfig): AsyncGenerator<ExportPage> {
  const kept = context.cursor === null ? undefined : cursorSchema.safeParse(context.cursor);
  if (kept?.success === false) throw new Failure('INTERNAL', 'The kept place of an export is not one of an export of Segment’s profiles');
  const profiles = await findProfiles(context, config);
  const start = kept === undefined ? 0 : profiles.findIndex(({ ref }) => keyOf(ref) === kept.data.profile);
  if (start < 0) throw new Failure('SUBJECT_AMBIGUOUS', 'A profile of which a part was given is not found any more: it may have been merged into another');
  for (const [at, { ref, ids }] of profiles.entries()) {
    if (at < start) continue;
    const from = at === start ? kept?.data : undefined;
    if (from === undefined) yield* exportHead(context, config, ref, ids);
    for (const [index, { part, limit }] of parts.entries()) {
      if (from !== undefined && index < parts.findIndex((each) => each.part === from.part)) continue;
      let next = part === from?.part ? from.next : undefined;
      for (let page = 1; ; page += 1) {
        if (page > pagesMax) throw new Failure('VENDOR_MALFORMED', `Segment answered more than ${pagesMax} pages of the ${part} of one profile`);
        const read = await readProfilePart(context, config, ref, { part, limit, next, schema: bodySchema });
        // It was there a moment ago: that it is gone now is no sign that there was no more.
        if (read === undefined) throw new Failure('SUBJECT_AMBIGUOUS', 'A profile vanished while it was read: it may have been merged into another');
        next = read.next;
        const place = next === undefined ? placeAfter(profiles, at, index) : { profile: keyOf(ref), part, next };
        yield { records: recordsOf(part, read.body), ...(place === undefined ? {} : { resume: place }) };
        if (next === undefined) break;
      }
    }
  }
}

/** The place after a part that is over: the next part of the same profile. The next profile begins with its head, and has no place of its own. */
function placeAfter(profiles: readonly Found[], at: number, index: number): Json | undefined {
  const profile = profiles[at];
  const following = parts[index + 1];
  return profile === undefined || following === undefined ? undefined : { profile: keyOf(profile.ref), part: following.part };
}

const keyOf = ({ type, value }: ProfileRef): string => `${type}:${value.toLowerCase()}`;

/** Looks for a profile under everything that is proven of the person; what a profile found before has is not asked for again. */
async function findProfiles(context: ExportContext, config: SegmentConfig): Promise<readonly Found[]> {
  const types = idTypesOf(config);
  const sure = [context.identifier, ...context.proven.filter((each) => !(each.kind === context.identifier.kind && each.value === context.identifier.value))];
  const userIds = new Set(sure.filter(({ kind }) => kind === 'user_id').map(({ value }) => value.toLowerCase()));
  const seen = new Set<string>();
  const found: Found[] = [];
  for (const identifier of sure) {
    for (const { type } of types.filter(({ kind }) => kind === identifier.kind)) {
      for (const value of spellingsOf(identifier)) {
        const ref: ProfileRef = { type, value };
        if (seen.has(keyOf(ref))) continue;
        const ids = await readExternalIds(context, config, type, value);
        if (ids === undefined) continue;
        const isOthers = ids.some((each) => types.some((known) => known.kind === 'user_id' && known.type === each.type) && !userIds.has(each.id.toLowerCase()));
        if (isOthers) throw new Failure('SUBJECT_AMBIGUOUS', 'A profile found under an identifier of the person also has a user id that is not proven to be theirs');
        for (const each of ids) seen.add(keyOf({ type: each.type, value: each.id }));
        seen.add(keyOf(ref));
        found.push({ ref, ids });
      }
    }
  }
  return found;
}

async function* exportHead(context: ExportContext, config: SegmentConfig, ref: ProfileRef, ids: readonly ExternalId[]): AsyncGenerator<ExportPage> {
  const about = await readProfilePart(context, config, ref, { part: 'metadata', schema: metadataSchema });
  const { cursor: _cursor, ...metadata } = about?.body ?? {};
  const records: ExportedRecord[] = [
    ...(about === undefined ? [] : [{ type: 'profile', data: metadata }]),
    ...ids.map((data) => ({ type: 'external_id', data })),
    // The Profile API answers 14 days, and nothing of archives, warehouses and destinations.
    { type: 'object_not_included', data: { object: 'events_older_than_14_days', not_included: 'elsewhere' } },
  ];
  yield { records, resume: { profile: keyOf(ref), part: 'traits' } };
}

function recordsOf(part: Part, body: z.output<typeof bodySchema>): readonly ExportedRecord[] {
  if (part === 'traits') return Object.keys(body.traits ?? {}).length === 0 ? [] : [{ type: 'traits', data: body.traits }];
  return (body.data ?? []).map((data) => ({ type: part === 'events' ? 'event' : 'link', data }));
}
