/** What every stored object has: its vendor id, and a number that rises with creation. */
export interface Stored {
  readonly sid: string;
  readonly order: number;
}

/** Objects found by id, or listed in order of creation by any of their keys, without looking at the others. */
export interface IndexedStore<T extends Stored> {
  readonly add: (item: T) => void;
  readonly get: (sid: string) => T | undefined;
  /** Takes the object out of every index; false when it was not there. */
  readonly remove: (sid: string) => boolean;
  /** Oldest first; everything when no key is given. Valid until the next change. */
  readonly select: (key?: string) => readonly T[];
}

const everything = '';

function takeOut(sorted: Stored[], order: number): void {
  let low = 0;
  let high = sorted.length - 1;
  while (low <= high) {
    const middle = (low + high) >>> 1;
    const found = sorted[middle]?.order ?? 0;
    if (found === order) {
      sorted.splice(middle, 1);
      return;
    }
    if (found < order) low = middle + 1;
    else high = middle - 1;
  }
}

/**
 * Promises a store in which listing one person's objects costs what is listed, however many others there are.
 * `keysOf` must give the same keys for the object's whole life, and objects must be added in rising `order`.
 */
export function createIndexedStore<T extends Stored>(keysOf: (item: T) => readonly string[]): IndexedStore<T> {
  const bySid = new Map<string, T>();
  const byKey = new Map<string, T[]>();
  const keys = (item: T): Set<string> => new Set([everything, ...keysOf(item)]);
  return {
    add: (item) => {
      bySid.set(item.sid, item);
      for (const key of keys(item)) {
        const list = byKey.get(key);
        if (list === undefined) byKey.set(key, [item]);
        else list.push(item);
      }
    },
    get: (sid) => bySid.get(sid),
    remove: (sid) => {
      const item = bySid.get(sid);
      if (item === undefined) return false;
      bySid.delete(sid);
      for (const key of keys(item)) {
        const list = byKey.get(key);
        if (list === undefined) continue;
        takeOut(list, item.order);
        if (list.length === 0) byKey.delete(key);
      }
      return true;
    },
    select: (key = everything) => byKey.get(key) ?? [],
  };
}
