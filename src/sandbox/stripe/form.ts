/** A value of a decoded form: nested by brackets, always made of strings. */
export type FormValue = string | FormValue[] | FormObject;
/** A decoded form or query; it has no prototype, so a field may have any name. */
export interface FormObject {
  [field: string]: FormValue;
}

/** Deeper brackets than any Stripe parameter has; more is taken as a plain name. */
const DEPTH_MAX = 8;

function pathOf(key: string): string[] {
  const match = /^([^[\]]+)((?:\[[^[\]]*\])*)$/u.exec(key);
  if (match === null) return [key];
  const inner = [...(match[2] ?? '').matchAll(/\[([^[\]]*)\]/gu)].map((each) => each[1] ?? '');
  return inner.length > DEPTH_MAX ? [key] : [match[1] ?? key, ...inner];
}

function toArrays(value: FormValue): FormValue {
  if (typeof value === 'string' || Array.isArray(value)) return value;
  const keys = Object.keys(value);
  if (keys.length > 0 && keys.every((key) => /^\d+$/u.test(key))) return Object.values(value).map(toArrays);
  for (const key of keys) value[key] = toArrays(value[key] ?? '');
  return value;
}

const emptyForm = (): FormObject => Object.create(null) as FormObject;

/** Decodes `application/x-www-form-urlencoded` text the way Stripe reads it: `a[b]=c`, `a[]=b` and `a[0]=b`. */
export function decodeForm(text: string): FormObject {
  const root = emptyForm();
  for (const [key, value] of new URLSearchParams(text)) {
    const path = pathOf(key);
    let node = root;
    for (const [index, rawStep] of path.entries()) {
      const step = rawStep === '' ? String(Object.keys(node).length) : rawStep;
      if (index === path.length - 1) {
        node[step] = value;
        break;
      }
      const next = node[step];
      if (typeof next === 'object' && !Array.isArray(next)) node = next;
      else {
        const made = emptyForm();
        node[step] = made;
        node = made;
      }
    }
  }
  for (const key of Object.keys(root)) root[key] = toArrays(root[key] ?? '');
  return root;
}

/** The strings of a list parameter, whichever of its two spellings was used. */
export function listOf(value: FormValue | undefined): string[] {
  if (value === undefined) return [];
  const items = Array.isArray(value) ? value : [value];
  return items.filter((item): item is string => typeof item === 'string');
}

/** The text of a scalar parameter; undefined when absent or nested. */
export function textOf(value: FormValue | undefined): string | undefined {
  return typeof value === 'string' ? value : undefined;
}
