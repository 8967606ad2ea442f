import type { Leaf } from './pattern-term.ts';

/**
 * Through which elements of which arrays one gets to a leaf: array, index, array, index, … from the outermost in. Each array of an event has a number of its own.
 * A value that is itself an element of an array (`["a", "b"]`) is not bound to its place in it, as in event-ruler.
 */
export type Trail = readonly number[];

/** Reads the leaves of events at the paths that it was made for; everything else is passed by. What was read is valid until the next event is read. */
export interface LeafReader {
  readonly read: (event: unknown) => void;
  /** The leaves at a path, by the path's place in the list that the reader was made for. */
  readonly leaves: (path: number) => readonly Leaf[];
  /** The trail of each leaf at a path, in the same order. */
  readonly trails: (path: number) => readonly Trail[];
  /** The paths at which the event has leaves. */
  readonly found: () => readonly number[];
  /** Whether a leaf at the path lies in an element of an array. */
  readonly hasTrail: (path: number) => boolean;
}

interface Step {
  readonly next: Map<string, Step>;
  path: number;
}

/** `PutEvents` takes no event that is nested deeper. */
const depthMax = 1000;
const noTrail: Trail = [];
const none: readonly never[] = [];

function createSteps(paths: readonly string[]): Step {
  const root: Step = { next: new Map(), path: -1 };
  for (const [index, path] of paths.entries()) {
    let step = root;
    for (const name of path.split('.')) {
      const next = step.next.get(name) ?? { next: new Map<string, Step>(), path: -1 };
      step.next.set(name, next);
      step = next;
    }
    step.path = index;
  }
  return root;
}

/** A key with dots is the same as objects in objects. */
function stepThrough(step: Step, key: string): Step | undefined {
  const next = step.next.get(key);
  if (next !== undefined || !key.includes('.')) return next;
  let reached: Step | undefined = step;
  for (const part of key.split('.')) reached = reached?.next.get(part);
  return reached;
}

/** Makes a reader of the leaves at these paths, which must differ from each other. */
export function createLeafReader(paths: readonly string[]): LeafReader {
  const root = createSteps(paths);
  const leaves: readonly Leaf[][] = paths.map(() => []);
  const trails: readonly Trail[][] = paths.map(() => []);
  const found: number[] = [];
  let arrays = 0;
  const trailed = paths.map(() => false);

  const add = (path: number, leaf: Leaf, trail: Trail): void => {
    if (path < 0) return;
    const at = leaves[path];
    if (at === undefined) return;
    if (at.length === 0) found.push(path);
    at.push(leaf);
    trails[path]?.push(trail);
    if (trail.length > 0) trailed[path] = true;
  };

  const walkArray = (items: readonly unknown[], step: Step, trail: Trail, depth: number): void => {
    const array = arrays;
    arrays += 1;
    for (let index = 0; index < items.length; index += 1) {
      const item = items[index];
      walk(item, step, typeof item === 'object' && item !== null ? [...trail, array, index] : trail, depth);
    }
  };

  const walk = (value: unknown, step: Step, trail: Trail, depth: number): void => {
    if (typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean' || value === null) {
      add(step.path, value, trail);
    } else if (typeof value === 'object' && depth < depthMax) {
      if (Array.isArray(value)) walkArray(value, step, trail, depth + 1);
      else if (step.next.size > 0) walkObject(value as Readonly<Record<string, unknown>>, step, trail, depth + 1);
    }
  };

  const walkObject = (value: Readonly<Record<string, unknown>>, step: Step, trail: Trail, depth: number): void => {
    for (const key of Object.keys(value)) {
      const next = stepThrough(step, key);
      if (next !== undefined) walk(value[key], next, trail, depth);
    }
  };

  return {
    read: (event) => {
      for (const path of found) {
        const [of, through] = [leaves[path], trails[path]];
        if (of !== undefined) of.length = 0;
        if (through !== undefined) through.length = 0;
        trailed[path] = false;
      }
      found.length = 0;
      arrays = 0;
      if (typeof event === 'object' && event !== null && !Array.isArray(event)) walk(event, root, noTrail, 0);
    },
    leaves: (path) => leaves[path] ?? none,
    trails: (path) => trails[path] ?? none,
    found: () => found,
    hasTrail: (path) => trailed[path] === true,
  };
}
