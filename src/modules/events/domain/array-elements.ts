import type { Trail } from './event-leaves.ts';

/** What one field asks of the arrays that its leaves lie in. */
export interface Wanted {
  /** The trails of the leaves that are what the field must be. */
  readonly fitting: readonly Trail[];
  /** The trails of all leaves at the path, where the field may also be missing. */
  readonly all: readonly Trail[] | undefined;
}

type Trails = readonly Trail[];
const free = -1;

/** Which array a trail enters at this depth, or `free` where it enters none any more. */
const arrayAt = (trail: Trail, depth: number): number => trail[2 * depth] ?? free;

/** Sorts trails by the element that they take of an array at this depth. */
function byElement(trails: Trails, array: number, depth: number): ReadonlyMap<number, Trails> {
  const elements = new Map<number, Trail[]>();
  for (const trail of trails) {
    const element = trail[2 * depth + 1];
    if (element === undefined || arrayAt(trail, depth) !== array) continue;
    const same = elements.get(element);
    if (same === undefined) elements.set(element, [trail]);
    else same.push(trail);
  }
  return elements;
}

/** Whether one element of the array holds all that is wanted of it, and nothing of what must be missing. */
function hasElement(array: number, present: readonly Trails[], missing: readonly Trails[], depth: number): boolean {
  const sorted = present.map((trails) => byElement(trails, array, depth));
  const absent = missing.map((trails) => byElement(trails, array, depth));
  for (const element of sorted[0]?.keys() ?? []) {
    const within = sorted.flatMap((elements) => {
      const trails = elements.get(element);
      return trails === undefined ? [] : [trails];
    });
    if (within.length < sorted.length) continue;
    const without = absent.map((elements) => elements.get(element) ?? []);
    if (holdTogether(within, without, depth + 1)) return true;
  }
  return false;
}

/** Whether each array that is entered has an element for all who enter it, once it is said where each field is looked for. */
function fitPlaces(places: readonly number[], present: readonly Trails[], missing: readonly Trails[], depth: number): boolean {
  const entered = new Set(places.filter((place) => place !== free));
  // What is in an array that no other field chose an element of is not missing from the event.
  if (missing.some((trails) => trails.some((trail) => !entered.has(arrayAt(trail, depth))))) return false;
  for (const array of entered) {
    const inside = present.filter((_trails, index) => places[index] === array);
    if (!hasElement(array, inside, missing, depth)) return false;
  }
  return true;
}

function holdTogether(present: readonly Trails[], missing: readonly Trails[], depth: number): boolean {
  // Almost always a field is in one place. It is in several where keys with dots and objects in objects spell the same path.
  const choices = present.map((trails) => [...new Set(trails.map((trail) => arrayAt(trail, depth)))].toSorted((one, other) => one - other));
  const places: number[] = [];
  const choose = (index: number): boolean => {
    const choice = choices[index];
    if (choice === undefined) return fitPlaces(places, present, missing, depth);
    return choice.some((place) => {
      places[index] = place;
      return choose(index + 1);
    });
  };
  return choose(0);
}

/**
 * Says whether an event has everything that is wanted in such a way that fields of one array come from the same element of it ("array consistency", as
 * event-ruler calls it). A field that must be missing is missing from the chosen element; where no other field chooses one, from all of them.
 */
export function isInSameElements(wanted: readonly Wanted[]): boolean {
  const decide = (index: number, present: readonly Trails[], missing: readonly Trails[]): boolean => {
    const want = wanted[index];
    if (want === undefined) return holdTogether(present, missing, 0);
    if (want.all !== undefined && decide(index + 1, present, want.all.length === 0 ? missing : [...missing, want.all])) return true;
    return want.fitting.length > 0 && decide(index + 1, [...present, want.fitting], missing);
  };
  return decide(0, [], []);
}
