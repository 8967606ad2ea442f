/** A step into a value: a field, an element, or every element. */
type Step = { readonly field: string } | { readonly element: number } | { readonly every: true };

/** Where in an answer something is: `$`, `$.job.id`, `$.results[0].id`, `$.emails[*].value`. Nothing else of JSONPath is known. */
export const jsonPathRule = /^\$(?:\.[A-Za-z_][\w-]*|\[(?:\d{1,6}|\*)\])*$/u;

/** Reads a path that fits `jsonPathRule`. */
function stepsOf(path: string): readonly Step[] {
  return [...path.matchAll(/\.([A-Za-z_][\w-]*)|\[(\d{1,6}|\*)\]/gu)].map(([, field, element]) => {
    if (field !== undefined) return { field };
    return element === '*' ? { every: true } : { element: Number(element) };
  });
}

function enter(value: unknown, step: Step): readonly unknown[] {
  if ('field' in step) {
    const isObject = typeof value === 'object' && value !== null && !Array.isArray(value);
    return isObject && Object.hasOwn(value, step.field) ? [(value as Readonly<Record<string, unknown>>)[step.field]] : [];
  }
  if (!Array.isArray(value)) return [];
  if ('every' in step) return value;
  return step.element < value.length ? [value[step.element]] : [];
}

/** Everything that a path leads to, in order; nothing where it leads nowhere. Inherited fields are not seen. */
export function valuesAt(value: unknown, path: string): readonly unknown[] {
  return stepsOf(path).reduce<readonly unknown[]>((values, step) => values.flatMap((each) => enter(each, step)), [value]);
}

/** The first thing that a path leads to; undefined where it leads nowhere. */
export function valueAt(value: unknown, path: string): unknown {
  return valuesAt(value, path)[0];
}

/** An id as text, since some systems number theirs: a string that is not empty, or a whole number. Undefined for anything else. */
export function idAt(value: unknown, path: string): string | undefined {
  const found = valueAt(value, path);
  if (typeof found === 'string' && found !== '') return found;
  return Number.isSafeInteger(found) ? String(found) : undefined;
}
