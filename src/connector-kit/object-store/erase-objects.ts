import type { Counts, Residue } from '../../contract/outcomes.ts';
import { isFailure } from '../../platform/failure.ts';
import type { EraseContext, EraseResult } from '../connector.ts';
import { beginning, fingerprintOf, markOf, parseCursor, toJson, type EraseCursor } from './erase-cursor.ts';
import type { ObjectPlace } from './name-template.ts';
import type { Lock, ObjectPage, ObjectStore, Removal, StoredObject } from './object-store.ts';

/** What the connection says of what stays. */
export interface EraseOptions {
  /** Why locks are on objects, as the controller's law: `HGB § 257`. */
  readonly legalBasis?: string | undefined;
}

/** After these answers the call had no effect: what is gone then was not deleted by it. */
const withoutEffect: readonly string[] = ['VENDOR_RATE_LIMITED', 'CONNECTION_AUTH', 'CONNECTION_REFUSED', 'EGRESS_FORBIDDEN'];

/**
 * One step of deleting everything at a person's places for good, list after list and page by page. What is sent for deletion is noted before, and is counted
 * only when the list does not show it any more; what the vendor called deleted and still lists ends with `STILL_PRESENT`. Locked objects stay and are reported.
 */
export async function eraseObjects(context: EraseContext, store: ObjectStore, places: readonly ObjectPlace[], options: EraseOptions): Promise<EraseResult> {
  let state = parseCursor(context.cursor) ?? startFrom(places, parseCursor(context.previous));
  if (state.of !== fingerprintOf(places)) {
    return { state: 'operator', code: 'CONFIG_INVALID', detail: 'The buckets or names of the connection were changed while the task ran', counts: state.counts, residue: [] };
  }
  for (;;) {
    const place = places[state.place];
    const list = store.lists[state.list];
    if (place === undefined) return finish(context, state, options);
    if (list === undefined) {
      state = moved(state, { place: state.place + 1, list: 0 });
      continue;
    }
    const page = await store.list(list.name, place, state.page, store.pageSize);
    const next = list.mode === 'report' ? report(state, list.name, page) : await removePage(context, store, list.name, place, state, page);
    if ('state' in next) return next;
    state = next;
    if (context.shouldYield()) return { state: 'continue', cursor: toJson(state), done: totalOf(state.counts) };
  }
}

/** A person's retry goes on where the task stood, with what was sent and not counted yet; one that was over, or of other places, begins anew with its counts. */
function startFrom(places: readonly ObjectPlace[], previous: EraseCursor | undefined): EraseCursor {
  return previous?.phase === 'erasing' && previous.of === fingerprintOf(places) ? previous : beginning(places, previous?.counts);
}

/** At another position: what was sent for deletion has been seen to be gone by then. */
function moved(state: EraseCursor, to: { place: number; list: number; page?: string }): EraseCursor {
  const { page: _left, ...rest } = state;
  return { ...rest, ...to, sent: [], claimed: [], stays: [] };
}

function after(state: EraseCursor, page: ObjectPage): EraseCursor {
  return page.next === undefined ? moved(state, { place: state.place, list: state.list + 1 }) : moved(state, { place: state.place, list: state.list, page: page.next });
}

function report(state: EraseCursor, list: string, page: ObjectPage): EraseCursor {
  if (page.objects.length === 0) return after(state, page);
  const known = state.reported[list] ?? { count: 0 };
  const last = latest([known.last, ...page.objects.map((each) => each.until)]);
  return after({ ...state, reported: { ...state.reported, [list]: { count: known.count + page.objects.length, ...(last === undefined ? {} : { last }) } } }, page);
}

async function removePage(context: EraseContext, store: ObjectStore, list: string, place: ObjectPlace, from: EraseCursor, page: ObjectPage): Promise<EraseCursor | EraseResult> {
  const listed = page.objects.map((object) => ({ object, mark: markOf(object) }));
  const marks = new Set(listed.map(({ mark }) => mark));
  const gone = from.sent.filter((mark) => !marks.has(mark)).length;
  const counted = gone === 0 ? from : { ...from, counts: { ...from.counts, [list]: (from.counts[list] ?? 0) + gone } };
  const still = from.claimed.filter((mark) => marks.has(mark)).length;
  if (still > 0) {
    const residue = [{ what: list, why: 'not_deleted', count: still }];
    return { state: 'operator', code: 'STILL_PRESENT', detail: 'The vendor called objects deleted and lists them still', counts: counted.counts, residue, cursor: toJson({ ...counted, sent: [], claimed: [] }) };
  }
  const open = listed.filter(({ mark }) => !from.stays.includes(mark));
  if (open.length === 0) return after(counted, page);
  const sending: EraseCursor = { ...counted, sent: open.map(({ mark }) => mark), claimed: [] };
  await context.save(toJson(sending));
  const removals = await refusedOrDone(context, sending, async () => store.remove(list, place, open.map(({ object }) => object), Object.keys(from.kept).length > 0));
  const next = sortOut(sending, list, open, removals);
  const failed = removals.find((each) => each.is === 'failed');
  if (failed !== undefined) {
    await context.save(toJson(next));
    throw failed.reason;
  }
  return next;
}

/** Where the whole call had no effect, nothing that is gone at the next look may be counted as its doing. */
async function refusedOrDone(context: EraseContext, sending: EraseCursor, remove: () => Promise<readonly Removal[]>): Promise<readonly Removal[]> {
  try {
    return await remove();
  } catch (error) {
    if (isFailure(error) && withoutEffect.includes(error.code)) await context.save(toJson({ ...sending, sent: [] }));
    throw error;
  }
}

function sortOut(sending: EraseCursor, list: string, open: readonly { readonly object: StoredObject; readonly mark: string }[], removals: readonly Removal[]): EraseCursor {
  const sent: string[] = [];
  const claimed: string[] = [];
  const stays = [...sending.stays];
  let { kept } = sending;
  for (const [index, { mark }] of open.entries()) {
    const removal = removals[index] ?? { is: 'failed', reason: undefined };
    if (removal.is === 'deleted') claimed.push(mark);
    if (removal.is === 'deleted' || (removal.is === 'failed' && !(isFailure(removal.reason) && withoutEffect.includes(removal.reason.code)))) sent.push(mark);
    if (removal.is === 'kept') {
      stays.push(mark);
      kept = withKept(kept, `${list} ${removal.lock.why}`, removal.lock);
    }
  }
  return { ...sending, sent, claimed, stays, kept };
}

function withKept(kept: EraseCursor['kept'], key: string, { until }: Lock): EraseCursor['kept'] {
  const known = kept[key];
  const first = earliest([known?.first, until]);
  const last = latest([known?.last, until]);
  const isOpen = until === undefined || known?.isOpen === true;
  return { ...kept, [key]: { count: (known?.count ?? 0) + 1, isOpen, ...(first === undefined ? {} : { first }), ...(last === undefined ? {} : { last }) } };
}

const defined = (times: readonly (number | undefined)[]): number[] => times.filter((each) => each !== undefined);
const earliest = (times: readonly (number | undefined)[]): number | undefined => (defined(times).length === 0 ? undefined : Math.min(...defined(times)));
const latest = (times: readonly (number | undefined)[]): number | undefined => (defined(times).length === 0 ? undefined : Math.max(...defined(times)));
const totalOf = (counts: Counts): number => Object.values(counts).reduce((sum, each) => sum + each, 0);
const iso = (ms: number): string => new Date(ms).toISOString();

function finish(context: EraseContext, state: EraseCursor, { legalBasis }: EraseOptions): EraseResult {
  const kept = Object.entries(state.kept);
  const residue: Residue[] = [
    ...kept.map(([key, { count, last, isOpen }]) => {
      const [what = '', why = ''] = key.split(' ');
      return { what, why, count, ...(legalBasis === undefined ? {} : { legal_basis: legalBasis }), ...(last === undefined || isOpen ? {} : { until: iso(last) }) };
    }),
    ...Object.entries(state.reported).map(([what, { count, last }]) => ({ what, why: 'vendor_retention', count, ...(last === undefined ? {} : { until: iso(last) }) })),
  ];
  const { page: _none, ...rest } = state;
  const cursor = toJson({ ...rest, phase: 'over', sent: [], claimed: [], stays: [] });
  const base = { state: 'done', counts: state.counts, residue, cursor } as const;
  if (kept.length > 0) {
    // The first lock that ends: the task comes back then, and again for the next.
    const first = earliest(kept.map(([, each]) => each.first));
    return { ...base, outcome: 'retained', ...(first === undefined ? {} : { revisitAt: Math.max(first, context.now() + 60_000) }) };
  }
  if (totalOf(state.counts) > 0) return { ...base, outcome: 'erased' };
  return { ...base, outcome: context.seenHere || residue.length > 0 ? 'already_absent' : 'nothing_matched' };
}
