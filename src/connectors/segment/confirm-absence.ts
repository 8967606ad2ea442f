import { createHash } from 'node:crypto';
import type { ConfirmResult, EraseContext } from '../../connector-kit/index.ts';
import type { Identifier } from '../../contract/identifiers.ts';
import { idTypesOf, type SegmentConfig } from './config.ts';
import { parseCursor, toJson, type Over } from './erase-cursor.ts';
import { searchProfiles } from './search-profiles.ts';

/** The first wait for a profile to go after its regulation ended, in milliseconds; each further one is three times the time waited so far. */
const firstWaitMs = 5_000;
const lastWaitMs = 6 * 3_600_000;
/** After so many misses the place is kept, so that a rate limit in the middle of 1,000 identifiers does not start it all over. */
const savedEvery = 25;

/**
 * Looks for the person under every identifier that the Profile API can search. A profile that is still there gets
 * `read_back_within_seconds` after the regulation ended to go away, with growing waits, and is then reported as present.
 * The identify form cannot read without writing, so there the regulation's word is all there is.
 */
export async function confirmAbsence(context: EraseContext, config: SegmentConfig): Promise<ConfirmResult> {
  if (config.profile_api.form === 'identify') return { state: 'attested' };
  const kinds = new Set(idTypesOf(config).map(({ kind }) => kind));
  const searchable = context.identifiers.filter(({ kind }) => kinds.has(kind)).toSorted(byKindAndValue);
  const of = createHash('sha256').update(JSON.stringify(searchable.map(({ kind, value }) => [kind, value]))).digest('hex');
  const cursor = parseCursor(context.cursor);
  // Without a cursor nothing says when the deletion ended; the request's receipt is the latest start that is certain.
  const over: Over = cursor?.phase === 'over' ? cursor : { phase: 'over', at: context.receivedAt, abandoned: cursor?.abandoned ?? [] };
  let checked = over.checked?.of === of ? over.checked.upTo : 0;
  const found = new Map<string, Identifier>();
  for await (const { identifier, profile } of searchProfiles(context, config, searchable.slice(checked))) {
    for (const each of profile === undefined ? [] : [identifier, ...profile]) found.set(`${each.kind}:${each.value}`, each);
    if (found.size > 0) continue;
    checked += 1;
    const mustYield = checked < searchable.length && context.shouldYield();
    if (mustYield || checked % savedEvery === 0) await context.save(toJson({ ...over, checked: { upTo: checked, of } }));
    if (mustYield) return { state: 'later', afterMs: 1 };
  }
  if (found.size === 0) return { state: 'absent' };
  const elapsedMs = context.now() - over.at;
  const leftMs = config.read_back_within_seconds * 1000 - elapsedMs;
  if (leftMs <= 0) return { state: 'present', found: [...found.values()] };
  return { state: 'later', afterMs: Math.min(lastWaitMs, leftMs, Math.max(firstWaitMs, 3 * elapsedMs)) };
}

function byKindAndValue(one: Identifier, other: Identifier): number {
  const [left, right] = [`${one.kind}:${one.value}`, `${other.kind}:${other.value}`];
  return left < right ? -1 : left > right ? 1 : 0;
}
