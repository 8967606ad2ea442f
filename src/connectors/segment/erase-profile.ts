import { Failure, type EraseContext, type EraseResult } from '../../connector-kit/index.ts';
import type { Identifier } from '../../contract/identifiers.ts';
import type { SegmentConfig } from './config.ts';
import { parseCursor, toJson, type Looking } from './erase-cursor.ts';
import { followRegulation, startFollowing } from './follow-regulation.ts';
import { createRegulation, listRegulations, type ListedRegulation } from './public-api.ts';
import { looseKey, searchProfiles } from './search-profiles.ts';

/** How far Segment's clock may be behind ours before a regulation of this request would be taken for an older one. */
const clockSkewMs = 300_000;
/** How long a regulation whose creation was not answered gets to appear in the list. */
const appearMs = 30_000;

/**
 * One step of erasing a person at Segment: looks the profile up, adopts a regulation that is already there or creates one, and follows it.
 * Regulations take no idempotency key, so the intent is saved before one is created, and the list is read before every creation.
 */
export async function eraseProfile(context: EraseContext, config: SegmentConfig): Promise<EraseResult> {
  // A retry goes on from where the task went to a person: a regulation that runs is followed on, one that failed is not adopted again.
  const cursor = parseCursor(context.cursor ?? context.previous);
  if (cursor?.phase === 'following') return followRegulation(context, config, cursor);
  if (cursor?.phase === 'looking') return adoptOrCreate(context, config, cursor);
  return start(context, config, cursor?.abandoned ?? []);
}

async function start(context: EraseContext, config: SegmentConfig, abandoned: string[]): Promise<EraseResult> {
  const looking = (subjects: string[], stranded: number): Looking => ({ phase: 'looking', subjects, stranded, posted: false, waited: false, abandoned });
  const { identifier } = context;
  if (config.profile_api.form === 'identify') {
    // The identify form writes, so it must not be asked whether the person is there: a known user id is regulated unseen.
    if (identifier.kind === 'user_id') return adoptOrCreate(context, config, looking([identifier.value], 0));
    const detail = 'No user id is known, and the identify form cannot search for one without writing';
    return { state: 'operator', code: 'UNSUPPORTED', detail, counts: {}, residue: [] };
  }
  const { own, stranded } = await lookAtProfiles(context, config);
  // Gone here, but an earlier regulation failed somewhere: only a new one can reach what that one did not.
  if (own === undefined && abandoned.length > 0 && identifier.kind === 'user_id') return adoptOrCreate(context, config, looking([identifier.value], stranded));
  if (own === undefined) {
    const outcome = context.seenHere ? 'already_absent' : 'nothing_matched';
    return { state: 'done', outcome, counts: { profiles: 0 }, residue: [], cursor: toJson({ phase: 'over', at: context.now(), abandoned }) };
  }
  const subjects = identifier.kind === 'user_id' ? [identifier.value] : userIdsOf(own).toSorted();
  if (subjects.length > 0) return adoptOrCreate(context, config, looking(subjects, stranded));
  const detail = 'The profile has no user id, and regulations of a workspace take user ids only';
  return { state: 'operator', code: 'UNSUPPORTED', detail, counts: { profiles: 1 }, residue: [{ what: 'profiles_without_user_id', why: 'unsupported', count: stranded }] };
}

const userIdsOf = (profile: readonly Identifier[]): string[] => profile.filter(({ kind }) => kind === 'user_id').map(({ value }) => value);

/**
 * The profile that the task's identifier leads to, and how many profiles of the person have no user id, by which a regulation could reach
 * them. Only the first counts for whether there is anything to do: when it is not there, the others are not asked for.
 */
async function lookAtProfiles(context: EraseContext, config: SegmentConfig): Promise<{ own: readonly Identifier[] | undefined; stranded: number }> {
  const { identifier } = context;
  const others = context.identifiers.filter(({ kind, value }) => kind !== identifier.kind || value !== identifier.value);
  let own: readonly Identifier[] | undefined;
  const stranded = new Set<string>();
  for await (const look of searchProfiles(context, config, [identifier, ...others])) {
    const { profile } = look;
    if (look.identifier === identifier) {
      if (profile === undefined) break;
      own = profile;
    }
    const isReached = profile === undefined || look.identifier.kind === 'user_id' || userIdsOf(profile).length > 0;
    if (!isReached) stranded.add(JSON.stringify(profile.map(looseKey).toSorted()));
  }
  return { own, stranded: stranded.size };
}

async function adoptOrCreate(context: EraseContext, config: SegmentConfig, looking: Looking): Promise<EraseResult> {
  const since = context.receivedAt - clockSkewMs;
  let page = looking.page;
  for (;;) {
    const { regulations, next } = await listRegulations(context, config, { page });
    const match = regulations.find((each) => isOurs(each, config, looking, since));
    if (match !== undefined) {
      const { id: regulation, createdAt } = match;
      return startFollowing(context, { ...looking, phase: 'following', regulation, since: Date.parse(createdAt), adopted: true });
    }
    if (next === undefined || reachesBefore(regulations, since)) break;
    page = next;
    if (context.shouldYield()) return { state: 'continue', cursor: toJson({ ...looking, page }) };
  }
  const { page: _read, ...rest } = looking;
  if (looking.posted && !looking.waited) {
    return { state: 'wait', cursor: toJson({ ...rest, waited: true }), afterMs: appearMs, reason: 'not_visible_yet' };
  }
  return create(context, config, rest);
}

/** True for a regulation of the same type, created since the request came, that covers all of our subjects. */
function isOurs(each: ListedRegulation, config: SegmentConfig, { subjects, abandoned }: Looking, since: number): boolean {
  return (
    each.regulationType === config.regulation &&
    each.subjectType.replaceAll('_', '').toUpperCase() === 'USERID' &&
    Date.parse(each.createdAt) >= since &&
    !abandoned.includes(each.id) &&
    subjects.every((subject) => each.subjects.includes(subject))
  );
}

/**
 * True when the rest of the list is older than what is looked for. The order is not documented, so it is only relied on where the page itself
 * is seen to run from new to old; otherwise the list is read to its end.
 */
function reachesBefore(regulations: readonly ListedRegulation[], since: number): boolean {
  const times = regulations.map(({ createdAt }) => Date.parse(createdAt));
  const runsDown = times.length > 1 && times.every((time, index) => index === 0 || time <= (times[index - 1] ?? time));
  return runsDown && (times.at(-1) ?? since) < since;
}

async function create(context: EraseContext, config: SegmentConfig, looking: Looking): Promise<EraseResult> {
  await context.save(toJson({ ...looking, posted: true, waited: false }));
  let regulation: string;
  try {
    regulation = await createRegulation(context, config, looking.subjects);
  } catch (error) {
    // Refused outright, so nothing was created: the next attempt need not wait for it to appear.
    const isRefused = error instanceof Failure && (error.retry === 'operator' || error.code === 'VENDOR_RATE_LIMITED');
    if (isRefused) await context.save(toJson({ ...looking, posted: false, waited: false }));
    throw error;
  }
  return startFollowing(context, { ...looking, phase: 'following', regulation, since: context.now(), adopted: false });
}
