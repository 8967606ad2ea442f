/** One step of a path: a field, an element, or every element of an array. */
type PathStep = string | number | typeof everyElement;

const everyElement = Symbol('every element');
const fieldName = /^[A-Za-z0-9_/-]+$/u;

/** A path into an event, read. */
export type JsonPath = readonly PathStep[];

/**
 * Reads a path in the notation that EventBridge takes: `$`, then `.field` (letters, digits, `_`, `-`, `/`), `[0]` and `[*]`. Gives undefined for anything else:
 * EventBridge refuses brackets with names, `..`, slices, negative indexes and `.*` when a target is made.
 * Sources: EventBridge user guide, "Input transformation"; answers of `PutTargets` recorded in September 2026 (docs/guides/event-rules.md).
 */
export function parsePath(path: string): JsonPath | undefined {
  if (!path.startsWith('$')) return undefined;
  const steps: PathStep[] = [];
  const parts = path.slice(1).match(/\.[^.[]*|\[[^\]]*\]|./gsu) ?? [];
  for (const part of parts) {
    const index = /^\[(\d{1,9}|\*)\]$/u.exec(part)?.[1];
    if (index !== undefined) steps.push(index === '*' ? everyElement : Number(index));
    else if (part.startsWith('.') && fieldName.test(part.slice(1))) steps.push(part.slice(1));
    else return undefined;
  }
  return steps;
}

function follow(value: unknown, step: PathStep): readonly unknown[] {
  if (typeof value !== 'object' || value === null) return [];
  if (typeof step === 'string') return !Array.isArray(value) && Object.hasOwn(value, step) ? [(value as Readonly<Record<string, unknown>>)[step]] : [];
  if (!Array.isArray(value)) return [];
  const items: readonly unknown[] = value;
  return step === everyElement ? items : items.slice(step, step + 1);
}

/** Gives what stands at a path; undefined where nothing does. With `[*]` that is always a list, which may be empty. */
export function followPath(event: unknown, path: JsonPath): unknown {
  let values: readonly unknown[] = [event];
  for (const step of path) values = values.flatMap((value) => follow(value, step));
  return path.includes(everyElement) ? values : values[0];
}
