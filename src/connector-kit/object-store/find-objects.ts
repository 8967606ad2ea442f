import type { Identifier } from '../../contract/identifiers.ts';
import type { Counts, Residue } from '../../contract/outcomes.ts';
import { isFailure } from '../../platform/failure.ts';
import type { ConfirmResult, LocateResult } from '../connector.ts';
import { kindsOf, placesOf, type ObjectNames, type ObjectPlace } from './name-template.ts';
import type { ObjectStore } from './object-store.ts';

/** Whether anything that could be deleted is at the places: old versions, markers and unfinished uploads too. */
async function holdsAnything(store: ObjectStore, places: readonly ObjectPlace[]): Promise<boolean> {
  for (const place of places) {
    for (const list of store.lists) {
      if (list.mode === 'report') continue;
      for (let page: string | undefined, isFirst = true; isFirst || page !== undefined; isFirst = false) {
        const seen = await store.list(list.name, place, page, store.pageSize);
        if (seen.objects.length > 0) return true;
        page = seen.next;
      }
    }
  }
  return false;
}

/** Says which of the identifiers have objects. One with which a name could be somebody else's has none: only its erasure asks a person. */
export async function locateObjects(store: ObjectStore, names: ObjectNames, known: readonly Identifier[]): Promise<LocateResult> {
  const kinds = kindsOf(names);
  const knows: Identifier[] = [];
  for (const identifier of known.filter(({ kind }) => kinds.includes(kind))) {
    if (await holdsAnything(store, placesOrNone(names, identifier))) knows.push(identifier);
  }
  return { found: [], knows };
}

function placesOrNone(names: ObjectNames, identifier: Identifier): readonly ObjectPlace[] {
  try {
    return placesOf(names, identifier);
  } catch (error) {
    if (isFailure(error) && (error.code === 'SUBJECT_AMBIGUOUS' || error.code === 'UNSUPPORTED')) return [];
    throw error;
  }
}

/** Reads back: every list of every place has to be empty. */
export async function confirmNoObjects(store: ObjectStore, names: ObjectNames, identifier: Identifier): Promise<ConfirmResult> {
  return (await holdsAnything(store, placesOf(names, identifier))) ? { state: 'present', found: [identifier] } : { state: 'absent' };
}

/** Counts what an erasure would delete, and what would go by itself later. Which objects are locked shows only when they are deleted. */
export async function countObjects(store: ObjectStore, places: readonly ObjectPlace[]): Promise<{ readonly counts: Counts; readonly residue: readonly Residue[] }> {
  const counts: Record<string, number> = {};
  const residue = new Map<string, Residue>();
  for (const place of places) {
    for (const { name, mode } of store.lists) {
      for (let page: string | undefined, isFirst = true; isFirst || page !== undefined; isFirst = false) {
        const seen = await store.list(name, place, page, 1000);
        const count = seen.objects.length;
        page = seen.next;
        if (count === 0) continue;
        if (mode === 'remove') counts[name] = (counts[name] ?? 0) + count;
        else residue.set(name, { what: name, why: 'vendor_retention', count: (residue.get(name)?.count ?? 0) + count });
      }
    }
  }
  return { counts, residue: [...residue.values()] };
}
