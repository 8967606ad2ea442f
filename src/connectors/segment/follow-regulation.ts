import { Failure, type EraseContext, type EraseResult } from '../../connector-kit/index.ts';
import type { Residue } from '../../contract/outcomes.ts';
import type { SegmentConfig } from './config.ts';
import { toJson, type Following, type Over } from './erase-cursor.ts';
import { foldRegulation, standingResidue } from './fold-regulation.ts';
import { readRegulation } from './public-api.ts';
import { searchProfiles } from './search-profiles.ts';

const secondMs = 1000;
const minuteMs = 60_000;
const hourMs = 3_600_000;
/** A regulation that is not found this soon after its creation may only not be visible yet. */
const visibleMs = 10 * minuteMs;

/**
 * When to look at a regulation again, given how long it has run: after an eighth of its age, but at least a second and at most an hour. Most end
 * in hours, some in weeks (30 days is Segment's own limit for its stores); one that ends at once is seen at once.
 */
export function pollAfterMs(ageMs: number): number {
  return Math.min(hourMs, Math.max(secondMs, Math.floor(ageMs / 8)));
}

/** Makes the regulation's id durable before anything else can go wrong, and asks to come back. */
export async function startFollowing(context: EraseContext, state: Following): Promise<EraseResult> {
  // Named one by one: the state is spread from another phase, whose fields must not stay behind.
  const { subjects, stranded, regulation, since, adopted, abandoned } = state;
  const following: Following = { phase: 'following', subjects, stranded, regulation, since, adopted, abandoned };
  await context.save(toJson(following));
  return waitFor(context, following, 'vendor_job');
}

function waitFor(context: EraseContext, following: Following, reason: 'vendor_job' | 'not_visible_yet'): EraseResult {
  const afterMs = pollAfterMs(context.now() - following.since);
  return { state: 'wait', cursor: toJson(following), afterMs, reason, vendorJob: following.regulation };
}

/** Looks at the regulation once and says what it came to. */
export async function followRegulation(context: EraseContext, config: SegmentConfig, following: Following): Promise<EraseResult> {
  const regulation = await readRegulation(context, config, following.regulation);
  if (regulation === undefined) return recordGone(context, config, following);
  const verdict = foldRegulation(config, regulation);
  const cursor = toJson(over(context, following));
  switch (verdict.state) {
    case 'running':
      return waitFor(context, following, 'vendor_job');
    case 'failed': {
      const { code, detail, counts, residue } = verdict;
      return { state: 'operator', code, detail, counts, residue: [...strandedResidue(following), ...residue], cursor };
    }
    case 'finished': {
      const proof = { regulation_type: config.regulation, overall_status: regulation.overallStatus, adopted: following.adopted };
      const { counts, residue } = verdict;
      return { state: 'done', outcome: 'erased', counts, residue: [...strandedResidue(following), ...residue], proof, vendorJob: following.regulation, cursor };
    }
    default:
      throw new Failure('INTERNAL', `No such verdict: ${String(verdict satisfies never)}`);
  }
}

function strandedResidue({ stranded }: Following): Residue[] {
  return stranded === 0 ? [] : [{ what: 'profiles_without_user_id', why: 'unsupported', count: stranded }];
}

/** A person who starts the task again gets a new regulation: this one has had its turn. */
function over(context: EraseContext, { abandoned, regulation }: Following): Over {
  return { phase: 'over', at: context.now(), abandoned: [...abandoned, regulation] };
}

/**
 * Segment keeps no record of the regulation any more, 90 days after its creation: what it came to cannot be read. Only the profile can, and its
 * absence is reported with the destinations' states named as unknown.
 */
async function recordGone(context: EraseContext, config: SegmentConfig, following: Following): Promise<EraseResult> {
  if (context.now() - following.since < visibleMs) return waitFor(context, following, 'not_visible_yet');
  const cursor = toJson(over(context, following));
  const counts = { regulations: 1 };
  const residue = [
    ...strandedResidue(following),
    ...(config.regulation.endsWith('_INTERNAL') ? [] : [{ what: 'destination_copies', why: 'destination_state_unknown' }]),
    ...standingResidue(config, following.since),
  ];
  const lost = 'Segment has no record of the regulation any more';
  if (config.profile_api.form === 'identify') {
    return { state: 'operator', code: 'VENDOR_JOB_FAILED', detail: `${lost}, and the profile cannot be read in this form`, counts, residue, cursor };
  }
  for await (const { profile } of searchProfiles(context, config, context.identifiers)) {
    if (profile !== undefined) return { state: 'operator', code: 'VENDOR_JOB_FAILED', detail: `${lost}, and the profile is still there`, counts, residue, cursor };
  }
  const proof = { regulation_type: config.regulation, record_expired: true };
  return { state: 'done', outcome: 'erased', counts, residue, proof, vendorJob: following.regulation, cursor };
}
