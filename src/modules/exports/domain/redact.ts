/** What stands where a value about somebody else was. */
export const redactedMark = '[redacted]';

/** One step of a path: a member, an element, or all of either. */
type Step = { readonly name: string } | { readonly index: number } | 'each';

/** Replaces in a record what a path leads to; answers how many values were replaced. */
export type Redaction = (record: unknown) => number;

/** Reads a path of `redactionPath`; its form was checked with the configuration. */
function stepsOf(path: string): readonly Step[] {
  return [...path.matchAll(/\.([A-Za-z0-9_-]+)|\[(\*|\d+)\]/gu)].map(([, name, index]): Step => {
    if (name !== undefined) return { name };
    return index === '*' ? 'each' : { index: Number(index) };
  });
}

const isContainer = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null;

/** The keys of a container that a step leads to. Own keys only: a path never reaches a prototype. */
function keysAt(container: Record<string, unknown>, step: Step): readonly string[] {
  if (step === 'each') return Object.keys(container);
  const key = 'name' in step ? step.name : String(step.index);
  return Object.hasOwn(container, key) && ('name' in step ? !Array.isArray(container) : Array.isArray(container)) ? [key] : [];
}

function redactAlong(root: unknown, steps: readonly Step[]): number {
  let reached: Record<string, unknown>[] = isContainer(root) ? [root] : [];
  for (const step of steps.slice(0, -1)) {
    reached = reached.flatMap((container) => keysAt(container, step).map((key) => container[key]).filter(isContainer));
  }
  const last = steps.at(-1);
  let count = 0;
  for (const container of last === undefined ? [] : reached) {
    for (const key of keysAt(container, last as Step)) {
      // An empty value tells nothing, and says more when it is left as it is.
      if (container[key] === null || container[key] === redactedMark) continue;
      container[key] = redactedMark;
      count += 1;
    }
  }
  return count;
}

/** Makes the redaction of some paths. It changes the record that it is given, which is a copy of nobody else's. */
export function createRedaction(paths: readonly string[]): Redaction {
  const parsed = paths.map(stepsOf);
  return (record) => parsed.reduce((count, steps) => count + redactAlong(record, steps), 0);
}
