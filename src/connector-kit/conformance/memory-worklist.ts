import type { StoredWorkItem, WorkItem, Worklist } from '../connector.ts';

interface Entry extends StoredWorkItem {
  state: 'open' | 'deleted' | 'absent';
  dueMs: number;
}

const keyOf = (item: WorkItem): string => `${item.type} ${item.ref}`;

/** A worklist that lives in memory, for tests: the same promises as the durable one, except outliving the process. */
export function createMemoryWorklist(now: () => number): Worklist {
  const entries: Entry[] = [];
  const open = (): Entry[] => entries.filter((each) => each.state === 'open');
  const count = (state: Entry['state']): Record<string, number> => {
    const counts: Record<string, number> = {};
    for (const each of entries) if (each.state === state) counts[each.type] = (counts[each.type] ?? 0) + 1;
    return counts;
  };
  return {
    add: async (items) => {
      const known = new Set(entries.map(keyOf));
      for (const item of items) {
        if (item.ref.length > 500) throw new RangeError('A work item reference has at most 500 characters');
        if (known.has(keyOf(item))) continue;
        known.add(keyOf(item));
        entries.push({ type: item.type, ref: item.ref, ordinal: entries.length, state: 'open', dueMs: 0 });
      }
    },
    take: async (limit) =>
      open()
        .filter((each) => each.dueMs <= now())
        .slice(0, limit)
        .map(({ type, ref, ordinal }) => ({ type, ref, ordinal })),
    settle: async (ordinals, how) => {
      for (const ordinal of ordinals) {
        const entry = entries[ordinal];
        if (entry === undefined) throw new RangeError(`No work item has the ordinal ${ordinal}`);
        if (entry.state === 'open') entry.state = how;
      }
    },
    defer: async (ordinal, afterMs) => {
      const entry = entries[ordinal];
      if (entry === undefined) throw new RangeError(`No work item has the ordinal ${ordinal}`);
      entry.dueMs = now() + afterMs;
    },
    summary: async () => {
      const deferred = open().filter((each) => each.dueMs > now());
      const counts = { open: open().length - deferred.length, deferred: deferred.length, deleted: count('deleted'), absent: count('absent') };
      return deferred.length === 0 ? counts : { ...counts, nextDueMs: Math.min(...deferred.map((each) => each.dueMs)) };
    },
  };
}
