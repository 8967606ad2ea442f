/** What canonical JSON may hold here: no fractions, no numbers past 2^53, keys of printable ASCII. Within that, RFC 8785 to the byte. */
export type CanonicalValue =
  | null
  | boolean
  | number
  | string
  | readonly CanonicalValue[]
  | { readonly [key: string]: CanonicalValue };

/** Deeper nesting than this is refused: a certificate needs 6. */
const depthMax = 16;

/** Keys of printable ASCII sort the same by bytes, by code points and by UTF-16 units, so that no language can disagree about the order. */
const keyPattern = /^[\x21-\x7e]{1,64}$/u;

/**
 * Gives the canonical JSON text of a value (RFC 8785), or undefined when the value is outside what is accepted here: a fraction,
 * a number past 2^53, a lone surrogate, a key that is not printable ASCII, nesting past 16, or anything that JSON has no word for.
 */
export function canonicalJson(value: unknown, depth = 0): string | undefined {
  if (depth > depthMax) return undefined;
  if (value === null || typeof value === 'boolean') return String(value);
  if (typeof value === 'number') return Number.isSafeInteger(value) ? JSON.stringify(value) : undefined;
  if (typeof value === 'string') return value.isWellFormed() ? JSON.stringify(value) : undefined;
  if (Array.isArray(value)) {
    const items: string[] = [];
    for (const item of value as readonly unknown[]) {
      const text = canonicalJson(item, depth + 1);
      if (text === undefined) return undefined;
      items.push(text);
    }
    return `[${items.join(',')}]`;
  }
  if (typeof value !== 'object') return undefined;
  const record = value as Readonly<Record<string, unknown>>;
  const members: string[] = [];
  for (const key of Object.keys(record).sort()) {
    const text = keyPattern.test(key) ? canonicalJson(record[key], depth + 1) : undefined;
    if (text === undefined) return undefined;
    members.push(`${JSON.stringify(key)}:${text}`);
  }
  return `{${members.join(',')}}`;
}

/** Says whether a parsed JSON value is an object, and gives it as a record of unknown values. */
export function asRecord(value: unknown): Readonly<Record<string, unknown>> | undefined {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Readonly<Record<string, unknown>>) : undefined;
}

/** Parses JSON text, or answers undefined; `JSON.parse` throws, and its message quotes the text. */
export function parseJson(text: string): { readonly value: unknown } | undefined {
  try {
    return { value: JSON.parse(text) as unknown };
  } catch {
    return undefined;
  }
}
